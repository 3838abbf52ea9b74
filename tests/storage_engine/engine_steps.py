"""Short words for what most tests of the engine do: open, put, read, check."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

from storage_engine import EngineOptions, ObjectAttributes, Origin, open_engine
from storage_engine.options import wall_clock

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import Guard, ObjectInfo, PartInfo, StagedBlob, StorageEngine
    from storage_engine.disk import Disk
    from storage_engine.options import Clock

KIB = 1024
MIB = 1024 * KIB
BUCKET = 1
SEGMENT_BYTES = 64 * KIB


def small_store(
    path: Path, *, disk: Disk | None = None, clock: Clock = wall_clock, **options: int
) -> StorageEngine:
    """Open a store in which everything happens early: small payloads leave the index, and so on."""
    chosen = {"inline_bytes_max": 64, "volume_bytes_max": 256 * KIB, "disk_reserve_bytes": 0}
    chosen["segment_bytes"] = SEGMENT_BYTES
    return open_engine(path, EngineOptions(**(chosen | options), clock=clock), disk=disk)


def noise(size: int, seed: int = 0) -> bytes:
    """Make bytes that repeat nowhere, the same for the same seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311  # reproducible, not secret


def attributes(data: bytes = b"", **headers: str) -> ObjectAttributes:
    """Make attributes as the S3 side would."""
    return ObjectAttributes(etag=hashlib.md5(data).hexdigest(), headers=headers)  # noqa: S324  # the ETag


def written(engine: StorageEngine, data: bytes) -> StagedBlob:
    """Stage a payload and write it, though nothing may ever name it."""
    with engine.begin_blob(len(data)) as writer:
        writer.write(data)
        return writer.finish()


def put(
    engine: StorageEngine,
    key: str,
    data: bytes,
    *,
    bucket_id: int = BUCKET,
    guard: Guard | None = None,
) -> ObjectInfo:
    """Stage and put an object; wait until it is durable."""
    kept = attributes(data)
    blob = engine.stage_bytes(data, origin=Origin(bucket_id, key, kept))
    return engine.put_object(bucket_id, key, blob, kept, guard=guard).result()


def get(engine: StorageEngine, key: str, *, bucket_id: int = BUCKET) -> bytes:
    """Read a whole object."""
    with engine.open_object(bucket_id, key) as reader:
        return reader.read(0, reader.info.size)


def put_part(engine: StorageEngine, key: str, upload_id: str, number: int, data: bytes) -> PartInfo:
    """Stage and put a part; wait until it is durable."""
    etag = hashlib.md5(data).hexdigest()  # noqa: S324  # the ETag
    kept = attributes(data).with_digests(etag, {"SUM": etag})
    blob = engine.stage_bytes(data, origin=Origin(BUCKET, key, kept, upload_id, number))
    return engine.put_part(BUCKET, key, upload_id, number, blob, etag, {"SUM": etag}).result()


def put_multipart(
    engine: StorageEngine,
    key: str,
    pieces: list[bytes],
    *,
    bucket_id: int = BUCKET,
    is_recorded: bool = False,
) -> ObjectInfo:
    """Upload and complete an object of these parts; with a record of it, salvage can as well."""
    upload_id = engine.create_upload(bucket_id, key, attributes()).result().upload_id
    parts = [put_part(engine, key, upload_id, n, piece) for n, piece in enumerate(pieces, 1)]
    kept = attributes(b"".join(pieces))
    origin = Origin(bucket_id, key, kept, upload_id)
    record = engine.stage_completion(origin, parts) if is_recorded else None
    completed = engine.complete_upload(bucket_id, key, upload_id, parts, kept, record=record)
    return completed.result()


def problems(engine: StorageEngine) -> list[str]:
    """Verify the whole store."""
    return list(engine.verify())
