"""Whether the caller may do what the request asks: the seam between identity and operations.

Deny by default: no identity, no bucket of one's own, no grant and no role that allows it mean
AccessDenied. What can be decided by the bucket is decided here, before any body is read; what
depends on an object stays open until the operation knows it (`Call.settle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iam import policy
from iam.policy import Verdict
from s3api.decision import OpenDecision
from s3api.errors import S3Error

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from s3api.context import Call
    from storage_engine import ObjectInfo

# What an action is called where the request names a version.
OF_VERSION: Final = {
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
    "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
}
NOT_FOUND: Final = {404, 405}  # 405: the version is a delete marker


def authorise(call: Call, action: str, bucket: BucketState | None) -> OpenDecision | None:
    """Refuse the call unless its principal may do `action` on `bucket`.

    Returns the decision that remains open because it depends on the object; None: it is allowed.
    """
    verdict = policy.decide(call.principal, action, bucket)
    if verdict is Verdict.ALLOW:
        return None
    if verdict is Verdict.DENY:
        raise S3Error("AccessDenied")
    assert bucket is not None, "there are no objects without a bucket"
    return OpenDecision(call.principal, action, bucket)


def authorise_operation(call: Call, action: str) -> None:
    """Refuse the call unless its operation's own action is allowed, or may turn out to be."""
    if call.request.query and "versionId" in call.request.query:
        action = OF_VERSION.get(action, action)
    call.decision = authorise(call, action, call.bucket_or_none)


def may(call: Call, action: str) -> bool:
    """Whether the caller may do `action` in the bucket, whatever object it concerns."""
    return policy.decide(call.principal, action, call.bucket_or_none) is Verdict.ALLOW


def may_read_tags(
    call: Call, bucket: BucketState, info: ObjectInfo, version_id: str | None
) -> bool:
    """Whether the caller of something else may also read the tags of an object he named."""
    action = "s3:GetObjectTagging" if version_id is None else "s3:GetObjectVersionTagging"
    verdict = policy.decide(call.principal, action, bucket)
    if verdict is Verdict.BY_OBJECT:
        held = info.attributes
        return policy.decide_object(call.principal, action, bucket, held.owner, held.grants)
    return verdict is Verdict.ALLOW


def check_settled(call: Call) -> None:
    """Refuse to answer what nobody decided."""
    for decision in (call.decision, call.source_decision):
        if decision is not None and not decision.is_settled:
            raise S3Error("AccessDenied")


def check_missing(call: Call, refusal: S3Error) -> None:
    """Deny the call when its refusal tells what is not there to one who may not know."""
    if refusal.status in NOT_FOUND:
        for decision in (call.decision, call.source_decision):
            if decision is not None and not decision.is_settled:
                decision.settle_missing()


def existing_bucket(call: Call, name: str) -> BucketState:
    """Find a bucket by name; NoSuchBucket when there is none."""
    bucket = call.store.snapshots.registry.find(name)
    if bucket is None:
        raise S3Error("NoSuchBucket", BucketName=name)
    return bucket
