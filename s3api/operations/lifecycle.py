"""Get, Put and DeleteBucketLifecycle: what becomes of objects by rule.

Rules are obeyed by the engine; what may be in them is `buckets.lifecycle`'s affair. Which of them
will expire an object, or abort an upload, answers about these say in headers: see `expiry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from buckets.configuration import ALL_SIZES
from buckets.lifecycle import LifecycleRefused, read_lifecycle, write_lifecycle
from s3api.context import Answer
from s3api.errors import S3Error

if TYPE_CHECKING:
    from s3api.context import Call

MINIMUM_SIZE: Final = "TransitionDefaultMinimumObjectSize"


async def get_bucket_lifecycle_configuration(call: Call) -> Answer:
    """Answer the bucket's rules as they were put; none is NoSuchLifecycleConfiguration."""
    lifecycle = call.bucket.configuration.lifecycle
    if lifecycle is None:
        raise S3Error("NoSuchLifecycleConfiguration", BucketName=call.bucket.name)
    return Answer({**write_lifecycle(lifecycle), MINIMUM_SIZE: lifecycle.minimum_size})


async def put_bucket_lifecycle_configuration(call: Call) -> Answer:
    """Give the bucket other rules in place of those it has."""
    minimum_size = call.arguments.get(MINIMUM_SIZE, ALL_SIZES)
    try:
        lifecycle = read_lifecycle(call.arguments["LifecycleConfiguration"], minimum_size)
    except LifecycleRefused as error:
        refusal = S3Error(error.code, error.message)
        refusal.detail.update(error.detail)
        raise refusal from error
    await call.store.configure(call.bucket, lifecycle=lifecycle)
    return Answer({MINIMUM_SIZE: minimum_size})


async def delete_bucket_lifecycle(call: Call) -> Answer:
    """Take all rules off the bucket."""
    await call.store.configure(call.bucket, lifecycle=None)
    return Answer()
