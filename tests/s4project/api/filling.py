"""Objects for the API's tests, put straight into the engine."""

from __future__ import annotations

from buckets.models import Bucket
from storage_engine import ObjectAttributes, Versioning
from storage_engine.apps import get_engine


def put(bucket: str, *keys: str, data: bytes = b"x", is_versioned: bool = False) -> None:
    """Put objects into a bucket."""
    engine, bucket_id = get_engine(), Bucket.objects.get(name=bucket).pk
    attributes = ObjectAttributes(etag="e" * 32, headers={"content-type": "text/plain"})
    versioning = Versioning.ENABLED if is_versioned else Versioning.UNVERSIONED
    for key in keys:
        blob = engine.stage_bytes(data)
        engine.put_object(bucket_id, key, blob, attributes, versioning=versioning).result()
