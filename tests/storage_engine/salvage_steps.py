"""Short words for tests of salvage: lose the index, make it anew, damage a record."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from storage_engine import EngineOptions, ObjectAttributes, Origin, renew_engine
from storage_engine.record import RECORD_MAGIC
from storage_engine.volume import volume_ids, volume_path
from tests.storage_engine.engine_steps import KIB

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import ObjectInfo, SalvageReport, StorageEngine

SMALL = EngineOptions(
    inline_bytes_max=64,
    volume_bytes_max=256 * KIB,
    disk_reserve_bytes=0,
    segment_bytes=64 * KIB,
)


def lose_index(store: Path) -> None:
    """Take everything away but the marker and the volumes."""
    for path in store.iterdir():
        if path.name not in {"FORMAT", "volumes"}:
            shutil.rmtree(path)


def bytes_of_volumes(store: Path) -> dict[str, bytes]:
    """Read every volume file."""
    return {path.name: path.read_bytes() for path in (store / "volumes").iterdir()}


def salvaged(store: Path) -> tuple[StorageEngine, SalvageReport]:
    """Lose the index and make it anew from the volumes, which must not change."""
    lose_index(store)
    before = bytes_of_volumes(store)
    engine = renew_engine(store, SMALL)
    report = engine.salvage()
    assert bytes_of_volumes(store) == before
    return engine, report


def md5(data: bytes) -> str:
    """Return the hex MD5."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def put_rich(engine: StorageEngine, bucket_id: int, key: str, data: bytes) -> ObjectInfo:
    """Put an object with everything that the S3 side gives one, in pieces."""
    kept = ObjectAttributes(
        etag="",
        headers={"content-type": "text/plain", "x-amz-meta-key": key},
        checksum_type="FULL_OBJECT",
        owner="o" * 64,
        tags={"more": "of it"},
    )
    sums = {"CRC64NVME": "AAAAAAAAAAA="}
    with engine.begin_blob(len(data), Origin(bucket_id, key, kept)) as writer:
        writer.write(data)
        blob = writer.finish(md5(data), sums)
    return engine.put_object(bucket_id, key, blob, kept.with_digests(md5(data), sums)).result()


def places(store: Path) -> list[tuple[int, int]]:
    """List (volume, offset) of every record, by the magic at its start."""
    found = []
    for volume_id in volume_ids(store / "volumes"):
        data = volume_path(store / "volumes", volume_id).read_bytes()
        found += [
            (volume_id, at)
            for at in range(512, len(data), 512)
            if data[at : at + len(RECORD_MAGIC)] == RECORD_MAGIC
        ]
    return found


def flip(store: Path, place: tuple[int, int], at: int) -> None:
    """Change one bit of a record."""
    path = volume_path(store / "volumes", place[0])
    data = bytearray(path.read_bytes())
    data[place[1] + at] ^= 1
    path.write_bytes(data)
