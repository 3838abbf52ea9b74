"""Quotas hold to the byte and to the version, also among puts of one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import NamespaceClosed, Quota, QuotaExceeded, Versioning
from tests.storage_engine.engine_steps import BUCKET, attributes, put, put_part

if TYPE_CHECKING:
    from storage_engine import StorageEngine


@pytest.mark.parametrize("quota", [Quota(bytes=1000), Quota(versions=100)])
def test_puts_side_by_side_never_exceed(engine: StorageEngine, quota: Quota) -> None:
    """Of many puts at once just as many succeed as the quota has room for."""
    engine.set_quota(BUCKET, quota).result()
    futures = [
        engine.put_object(BUCKET, f"{n}", engine.stage_bytes(b"x" * 10), attributes())
        for n in range(150)
    ]
    refused = [future for future in futures if isinstance(future.exception(), QuotaExceeded)]
    assert len(refused) == 50
    counts = engine.namespace_counts(BUCKET)
    assert (counts.bytes, counts.versions) == (1000, 100)


def test_what_is_freed_counts_in_favour(engine: StorageEngine) -> None:
    """An overwrite needs only what it adds, a delete frees at once, a smaller put always fits."""
    engine.set_quota(BUCKET, Quota(100, 2)).result()
    put(engine, "a", b"x" * 60)
    put(engine, "b", b"x" * 40)
    put(engine, "a", b"y" * 60)
    with pytest.raises(QuotaExceeded):
        put(engine, "a", b"x" * 61)
    with pytest.raises(QuotaExceeded):
        put(engine, "c", b"")
    engine.delete_object(BUCKET, "b").result()
    put(engine, "c", b"x" * 40)
    engine.set_quota(BUCKET, Quota(10, 1)).result()
    put(engine, "a", b"x" * 59)
    assert engine.quota(BUCKET) == Quota(10, 1)


def test_kept_versions_and_markers_count(engine: StorageEngine) -> None:
    """Versions that are kept use up the quota; a delete is never refused."""
    engine.set_quota(BUCKET, Quota(versions=2)).result()
    for number in range(3):
        blob = engine.stage_bytes(b"x")
        future = engine.put_object(BUCKET, "k", blob, attributes(), versioning=Versioning.ENABLED)
        if number < 2:
            future.result()
    with pytest.raises(QuotaExceeded):
        future.result()
    engine.delete_object(BUCKET, "k", versioning=Versioning.ENABLED).result()
    assert engine.namespace_counts(BUCKET).versions == 3


def test_parts_count_and_completing_adds_nothing(engine: StorageEngine) -> None:
    """Parts use the quota up as they come; completing them frees what it does not cite."""
    engine.set_quota(BUCKET, Quota(bytes=100)).result()
    upload_id = engine.create_upload(BUCKET, "k", attributes()).result().upload_id
    parts = [put_part(engine, "k", upload_id, n, b"x" * 50) for n in (1, 2)]
    with pytest.raises(QuotaExceeded):
        put_part(engine, "k", upload_id, 3, b"x")
    with pytest.raises(QuotaExceeded):
        put_part(engine, "k", upload_id, 2, b"x" * 51)
    engine.complete_upload(BUCKET, "k", upload_id, parts, attributes()).result()
    assert engine.namespace_counts(BUCKET).bytes == 100


def test_a_closed_namespace_gets_no_quota(engine: StorageEngine) -> None:
    """Nothing is written under an id that is closed."""
    engine.close_namespace(BUCKET).result()
    with pytest.raises(NamespaceClosed):
        engine.set_quota(BUCKET, Quota(1, 1)).result()
