"""ListBuckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buckets.naming import bucket_arn
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.tokens import read_token, write_token

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from s3api.context import Call

BUCKETS_MAX = 10_000


async def list_buckets(call: Call) -> Answer:
    """List the caller's buckets by name; pages, prefix and region as AWS has them."""
    principal = call.principal
    if principal is None:
        raise S3Error("AccessDenied")
    arguments = call.arguments
    prefix, region = arguments.get("Prefix", ""), arguments.get("BucketRegion")
    after = read_token(arguments.get("ContinuationToken") or None)
    limit = arguments.get("MaxBuckets", BUCKETS_MAX)
    if not 1 <= limit <= BUCKETS_MAX:
        raise S3Error("InvalidArgument", ArgumentName="max-buckets", ArgumentValue=str(limit))
    found = [
        bucket
        for bucket in call.store.snapshots.registry.owned_by(principal.canonical_id)
        if bucket.name.startswith(prefix)
        and bucket.name > after
        and region in {None, bucket.region}
    ]
    page = found[:limit]
    output: dict[str, Any] = {
        "Owner": {"ID": principal.canonical_id, "DisplayName": principal.display_name},
        "Buckets": [_row(bucket) for bucket in page],
        "Prefix": arguments.get("Prefix"),
    }
    if len(found) > limit:
        output["ContinuationToken"] = write_token(page[-1].name)
    return Answer(output)


def _row(bucket: BucketState) -> dict[str, Any]:
    return {
        "Name": bucket.name,
        "CreationDate": bucket.created_ms,
        "BucketRegion": bucket.region,
        "BucketArn": bucket_arn(bucket.name),
    }
