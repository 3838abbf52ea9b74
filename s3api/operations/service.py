"""ListBuckets.

AWS lists what is the caller's account's own: whether he may list any bucket in particular is not
asked. One administration rules all accounts of a store, so whoever has another's bucket by a policy
that it gave him finds it in his list as well, and a SuperUser finds them all.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from buckets.naming import bucket_arn
from iam.hearing import LIST_BUCKET
from iam.policy import Cause
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.policy_question import hear, look_up
from s3api.operations.tokens import read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buckets.registry import BucketState
    from s3api.context import Call

BUCKETS_MAX: Final = 10_000
OF_LISTING: Final = frozenset({"s3:prefix", "s3:delimiter", "s3:max-keys"})


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

    def is_asked_for(bucket: BucketState) -> bool:
        return (
            bucket.name.startswith(prefix)
            and bucket.name > after
            and region in {None, bucket.region}
        )

    registry = call.store.snapshots.registry
    if principal.is_super or not principal.rights.is_plain:
        asked = filter(is_asked_for, registry.all())
        found = await call.store.on_disk(_with_others, call, asked, limit)
    else:  # S4's own roles reach nothing of others
        found = list(filter(is_asked_for, registry.owned_by(principal.canonical_id)))
    page = found[:limit]
    output: dict[str, Any] = {
        "Owner": {"ID": principal.canonical_id, "DisplayName": principal.display_name},
        "Buckets": [_row(bucket) for bucket in page],
        "Prefix": arguments.get("Prefix"),
    }
    if len(found) > limit:
        output["ContinuationToken"] = write_token(page[-1].name)
    return Answer(output)


def _with_others(call: Call, asked: Iterable[BucketState], limit: int) -> list[BucketState]:
    """Choose what is the caller's own or he may list by policies of his, and one beyond the page.

    It may be long, so it is for a thread.
    """
    own = (
        bucket
        for bucket in asked
        if bucket.owner_canonical_id == call.caller_id or _may_list(call, bucket)
    )
    return list(islice(own, limit + 1))


def _may_list(call: Call, bucket: BucketState) -> bool:
    """Whether policies of the caller's own, not the bucket's, let him list it as a whole."""
    hearing = hear(call, bucket)
    hearing.look = partial(_look_up, call)
    decision = hearing.decide(LIST_BUCKET)
    return decision.is_allowed and decision.cause is Cause.IDENTITY


def _look_up(call: Call, key: str) -> Sequence[str] | None:
    """Find what the request says, but of a list of keys: what it says of that is of buckets."""
    return None if key in OF_LISTING else look_up(call, key)


def _row(bucket: BucketState) -> dict[str, Any]:
    return {
        "Name": bucket.name,
        "CreationDate": bucket.created_ms,
        "BucketRegion": bucket.region,
        "BucketArn": bucket_arn(bucket.name),
    }
