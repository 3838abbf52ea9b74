"""Everything that a blob is in is found, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import ObjectRef
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    noise,
    put,
    put_multipart,
    put_part,
)

if TYPE_CHECKING:
    from storage_engine import StorageEngine


@pytest.mark.parametrize("steps", [2, 1000])
def test_objects_copies_parts_and_uploads_are_found(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """A blob's users are told wherever they are, however few rows one look takes."""
    monkeypatch.setattr("storage_engine.blob_users.SCAN_STEPS_MAX", steps)
    monkeypatch.setattr("storage_engine.blob_users.HOUSEKEEPING_BATCH", steps)
    data = noise(5 * KIB)
    sha256 = put(engine, "a", data).sha256
    assert sha256 is not None
    put(engine, "b/a", data, bucket_id=2)
    engine.copy_object(
        ObjectRef(BUCKET, "a"), ObjectRef(BUCKET, "copy"), lambda info: info.attributes
    ).result()
    put_multipart(engine, "multi", [noise(6 * KIB, 1), data, b"end"])
    upload = engine.create_upload(BUCKET, "open", attributes()).result()
    put_part(engine, "open", upload.upload_id, 7, data)
    for n in range(5):
        put(engine, f"other{n}", noise(5 * KIB, 10 + n))
        put_multipart(engine, f"other/multi{n}", [noise(5 * KIB, 10 + n)])
    found = {(user.bucket_id, user.key, user.upload_id) for user in engine.users({sha256})}
    assert found == {
        (BUCKET, "a", ""),
        (2, "b/a", ""),
        (BUCKET, "copy", ""),
        (BUCKET, "multi", ""),
        (BUCKET, "open", upload.upload_id),
    }
    assert list(engine.users(set())) == []
    assert list(engine.users({b"x" * 32})) == []
