"""Quotas hold to the byte and to the version, also among puts of one commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    NamespaceClosed,
    ObjectRef,
    Quota,
    QuotaExceeded,
    QuotaHolder,
    QuotaMeasure,
    Usage,
    Versioning,
    rows,
)
from storage_engine.keys import sequence
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    problems,
    put,
    put_multipart,
    put_part,
    small_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import ObjectInfo, StorageEngine

OTHER = 2
ACCOUNT = 7


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


# --- accounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("quota", [Quota(bytes=1000), Quota(versions=100)])
def test_an_account_holds_over_its_namespaces_in_one_commit(
    engine: StorageEngine, quota: Quota
) -> None:
    """Of puts into many namespaces at once just as many succeed as their account has room for."""
    buckets = range(1, 11)
    for bucket_id in buckets:
        engine.assign_account(bucket_id, ACCOUNT).result()
    engine.set_account_quota(ACCOUNT, quota).result()
    futures = [
        engine.put_object(1 + n % 10, f"{n}", engine.stage_bytes(b"x" * 10), attributes())
        for n in range(150)
    ]
    refused = [future for future in futures if isinstance(future.exception(), QuotaExceeded)]
    assert len(refused) == 50
    assert engine.account_usage(ACCOUNT) == Usage(100, 100, 1000, quota)
    assert sum(engine.usage(bucket_id).bytes for bucket_id in buckets) == 1000
    assert problems(engine) == []


def test_a_refusal_tells_whose_bound_and_how_much(engine: StorageEngine) -> None:
    """Who, what, the bound, the use and what was asked are there to be put into words."""
    engine.assign_account(BUCKET, ACCOUNT).result()
    put(engine, "a", b"x" * 60)
    refusals = [
        (engine.set_quota, BUCKET, Quota(70, 0), (QuotaHolder.BUCKET, QuotaMeasure.BYTES, 70, 60)),
        (engine.set_quota, BUCKET, Quota(0, 1), (QuotaHolder.BUCKET, QuotaMeasure.VERSIONS, 1, 1)),
        (engine.set_quota, BUCKET, Quota(), None),
        (
            engine.set_account_quota,
            ACCOUNT,
            Quota(70, 9),
            (QuotaHolder.ACCOUNT, QuotaMeasure.BYTES, 70, 60),
        ),
        (
            engine.set_account_quota,
            ACCOUNT,
            Quota(71, 1),
            (QuotaHolder.ACCOUNT, QuotaMeasure.VERSIONS, 1, 1),
        ),
    ]
    for set_bound, holder_id, quota, told in refusals:
        set_bound(holder_id, quota).result()
        if told is None:
            continue
        with pytest.raises(QuotaExceeded) as caught:
            put(engine, "b", b"x" * 11)
        error = caught.value
        assert (error.holder, error.measure, error.bound, error.used) == told
        assert error.asked == (11 if error.measure is QuotaMeasure.BYTES else 1)


def test_another_account_takes_over_what_there_is(engine: StorageEngine) -> None:
    """A namespace goes with all it holds, beyond any bound; what is added is then refused."""
    engine.assign_account(BUCKET, ACCOUNT).result()
    put(engine, "a", b"x" * 60)
    put_multipart(engine, "b", [b"y" * 20, b"z" * 20])
    upload_id = engine.create_upload(BUCKET, "c", attributes()).result().upload_id
    put_part(engine, "c", upload_id, 1, b"x" * 5)
    assert engine.account_usage(ACCOUNT) == Usage(2, 2, 105)
    engine.set_account_quota(8, Quota(100, 1)).result()
    engine.assign_account(BUCKET, 8).result()
    assert engine.account_usage(ACCOUNT) == Usage()
    assert engine.account_usage(8) == Usage(2, 2, 105, Quota(100, 1))
    put(engine, "a", b"y" * 60)
    with pytest.raises(QuotaExceeded):
        put_part(engine, "c", upload_id, 1, b"x" * 6)
    engine.abort_upload(BUCKET, "c", upload_id).result()
    assert engine.account_usage(8).bytes == 100
    engine.assign_account(BUCKET, 0).result()
    assert engine.account_usage(8) == Usage(quota=Quota(100, 1))
    assert problems(engine) == []


def test_moving_and_writing_share_a_commit(engine: StorageEngine) -> None:
    """What is put beside the change of account, before or after, counts where the bucket is."""
    futures: list[Callable[[], object]] = []
    for account_id in (ACCOUNT, 8, 0, 8):
        blob = engine.stage_bytes(b"x" * 10)
        key = f"{len(futures)}"
        futures += [
            engine.put_object(BUCKET, key, blob, attributes()).result,
            engine.assign_account(BUCKET, account_id).result,
            engine.copy_object(
                ObjectRef(BUCKET, key), ObjectRef(OTHER, key), lambda info: info.attributes
            ).result,
            engine.assign_account(OTHER, ACCOUNT).result,
        ]
    for wait in futures:
        wait()
    assert engine.account_usage(8) == Usage(4, 4, 40)
    assert engine.account_usage(ACCOUNT) == Usage(4, 4, 40)
    assert problems(engine) == []


def test_an_account_with_nothing_has_no_row(engine: StorageEngine) -> None:
    """What is emptied and unbounded leaves no trace, and neither does a closed namespace."""
    engine.assign_account(BUCKET, ACCOUNT).result()
    engine.set_account_quota(ACCOUNT, Quota(9, 9)).result()
    put(engine, "a", b"x")
    assert engine.usages().accounts == {ACCOUNT: Usage(1, 1, 1, Quota(9, 9))}
    engine.delete_object(BUCKET, "a").result()
    engine.set_account_quota(ACCOUNT, Quota()).result()
    engine.close_namespace(BUCKET).result()
    assert engine.usages().accounts == {}
    assert engine.usages().namespaces[BUCKET].is_closed
    with pytest.raises(NamespaceClosed):
        engine.assign_account(BUCKET, 8).result()
    assert problems(engine) == []


def test_a_namespace_from_before_accounts_is_nobodys(tmp_path: Path) -> None:
    """A row that ends before the account is read as it was meant, and can be assigned."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "a", b"x" * 60)
        table = engine._index.tables.namespaces
        with engine._index.begin_write() as txn:
            value = txn.get(sequence(BUCKET), db=table)
            assert value is not None
            old = rows.decode_namespace(value)
            short = [getattr(old, name) for name in rows.NamespaceRow.__struct_fields__[:11]]
            txn.put(sequence(BUCKET), rows.encode(short), db=table)
        assert engine.usage(BUCKET) == Usage(1, 1, 60)
        engine.assign_account(BUCKET, ACCOUNT).result()
        assert engine.account_usage(ACCOUNT) == Usage(1, 1, 60)
        assert problems(engine) == []


def test_many_threads_never_take_an_account_beyond_its_bounds(engine: StorageEngine) -> None:
    """At no moment anybody sees more than may be, while 64 threads write, replace and delete."""
    quota = Quota(bytes=20_000, versions=60)
    for bucket_id in range(1, 5):
        engine.assign_account(bucket_id, ACCOUNT).result()
    engine.set_account_quota(ACCOUNT, quota).result()
    engine.set_quota(OTHER, Quota(bytes=3_000)).result()
    refusals: list[QuotaHolder] = []
    most = {ACCOUNT: Usage(), OTHER: Usage()}

    def write(writer: int) -> None:
        draw = Random(writer)  # noqa: S311  # reproducible, not secret
        for _ in range(12):
            bucket_id, key = draw.randint(1, 4), f"{draw.randint(0, 20)}"
            if draw.random() < 0.3:
                engine.delete_object(bucket_id, key).result()
                continue
            try:
                put(engine, key, b"x" * draw.randint(0, 900), bucket_id=bucket_id)
            except QuotaExceeded as error:
                refusals.append(error.holder)
            most[ACCOUNT] = max(most[ACCOUNT], engine.account_usage(ACCOUNT), key=_bytes)
            most[OTHER] = max(most[OTHER], engine.usage(OTHER), key=_bytes)

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(write, range(64)))
    assert most[ACCOUNT].bytes <= quota.bytes
    assert most[ACCOUNT].versions <= quota.versions
    assert most[OTHER].bytes <= 3_000
    assert {*refusals} == {*QuotaHolder}
    assert problems(engine) == []


def _bytes(usage: Usage) -> int:
    return usage.bytes


# --- foresight ---------------------------------------------------------------------------------


def test_what_will_not_fit_is_foreseen(engine: StorageEngine) -> None:
    """Without the bytes the answer is the commit's; where nothing is bounded no look is taken."""

    def refuse(_info: ObjectInfo | None) -> None:
        raise AssertionError("asked for nothing")

    seen: list[ObjectInfo | None] = []
    engine.check_room(BUCKET, "any", 1 << 60, Versioning.UNVERSIONED, refuse)
    engine.assign_account(BUCKET, ACCOUNT).result()
    put(engine, "a", b"x" * 60)
    upload_id = engine.create_upload(BUCKET, "c", attributes()).result().upload_id
    put_part(engine, "c", upload_id, 1, b"x" * 5)
    for bound in (engine.set_quota, engine.set_account_quota):
        holder_id = BUCKET if bound == engine.set_quota else ACCOUNT
        bound(holder_id, Quota(70, 1)).result()
        engine.check_room(BUCKET, "a", 65, Versioning.SUSPENDED, seen.append)
        assert [info and info.size for info in seen] == [60]
        seen.clear()
        engine.check_part_room(BUCKET, upload_id, 1, 10)
        engine.check_part_room(BUCKET, upload_id, 2, 5)
        engine.check_part_room(BUCKET, "none", 1, 5)
        for key, size, versioning in (
            ("a", 66, Versioning.UNVERSIONED),
            ("a", 0, Versioning.ENABLED),
            ("b", 0, Versioning.UNVERSIONED),
        ):
            with pytest.raises(QuotaExceeded):
                engine.check_room(BUCKET, key, size, versioning, None)
        for number, size in ((1, 11), (2, 6)):
            with pytest.raises(QuotaExceeded):
                engine.check_part_room(BUCKET, upload_id, number, size)
        bound(holder_id, Quota()).result()
