"""Puts objects and uploads into a bucket of a test, through the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import ObjectAttributes

if TYPE_CHECKING:
    from storage_engine import StorageEngine

ATTRIBUTES = ObjectAttributes(etag="0" * 32, headers={})


def put(store: StorageEngine, bucket_id: int, key: str, data: bytes = b"data") -> None:
    """Store an object durably."""
    store.put_object(bucket_id, key, store.stage_bytes(data), ATTRIBUTES).result()


def remove(store: StorageEngine, bucket_id: int, key: str) -> None:
    """Delete an object durably."""
    store.delete_object(bucket_id, key).result()


def begin_upload(store: StorageEngine, bucket_id: int, key: str) -> None:
    """Begin a multipart upload and leave it."""
    store.create_upload(bucket_id, key, ATTRIBUTES).result()
