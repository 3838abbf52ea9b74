"""Whether the caller may do what the request asks: the seam between identity and operations.

Deny by default: no identity, no bucket of one's own and no role that allows it mean AccessDenied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam import policy
from s3api.errors import S3Error

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from s3api.context import Call


def authorise(call: Call, action: str, bucket: BucketState | None) -> None:
    """Refuse the call unless its principal may do `action` on `bucket`."""
    owner = bucket.owner_canonical_id if bucket is not None else None
    principal = call.principal
    if principal is None or not policy.is_allowed(principal, action, owner):
        raise S3Error("AccessDenied")


def existing_bucket(call: Call, name: str) -> BucketState:
    """Find a bucket by name; NoSuchBucket when there is none."""
    bucket = call.store.snapshots.registry.find(name)
    if bucket is None:
        raise S3Error("NoSuchBucket", BucketName=name)
    return bucket
