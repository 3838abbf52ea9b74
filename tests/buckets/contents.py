"""Puts objects and uploads into a bucket of a test, through the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import ObjectAttributes, Versioning

if TYPE_CHECKING:
    from storage_engine import StorageEngine

ATTRIBUTES = ObjectAttributes(etag="0" * 32, headers={})


def put(
    store: StorageEngine,
    bucket_id: int,
    key: str,
    data: bytes = b"data",
    *,
    versioning: Versioning = Versioning.UNVERSIONED,
) -> None:
    """Store an object durably."""
    blob = store.stage_bytes(data)
    store.put_object(bucket_id, key, blob, ATTRIBUTES, versioning=versioning).result()


def remove(store: StorageEngine, bucket_id: int, key: str) -> None:
    """Delete an object durably."""
    store.delete_object(bucket_id, key).result()


def begin_upload(store: StorageEngine, bucket_id: int, key: str) -> None:
    """Begin a multipart upload and leave it."""
    store.create_upload(bucket_id, key, ATTRIBUTES).result()
