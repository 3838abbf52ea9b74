"""Whether the caller may do what the request asks: the seam between identity and operations.

Deny by default: no identity, no bucket of one's own, no grant and no role that allows it mean
AccessDenied. What can be decided by the bucket is decided here, before any body is read; what
depends on an object stays open until the operation knows it (`Call.settle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iam.documents import Effect
from iam.hearing import is_plainly_allowed
from iam.policy import Cause, Decision, Verdict
from s3api.decision import OpenDecision, denial
from s3api.errors import S3Error
from s3api.operations.policy_question import hear
from storage_engine import ObjectAttributes, Versioning

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from iam.hearing import Hearing
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
DELETE_VERSION: Final = "s3:DeleteObjectVersion"
BY_ENTRY: Final = {"s3:DeleteObject"}
NOT_FOUND: Final = {404, 405}  # 405: the version is a delete marker


def authorise(
    call: Call,
    action: str,
    bucket: BucketState | None,
    key: str | None = None,
    version_id: str | None = None,
) -> OpenDecision | None:
    """Refuse the call unless its principal may do `action` on `bucket`, or to a key of it.

    `version_id` is for a version that the request names elsewhere than in its query. Returns the
    decision that remains open because it depends on the object; None: it is allowed.
    """
    credential = call.identity.credential
    if (
        credential is not None
        and bucket is not None
        and credential.policy is None
        and is_plainly_allowed(credential.principal, action, bucket)
    ):
        return None
    return _decide(hear(call, bucket, key, version_id), action)


def authorise_below(call: Call, action: str, prefix: str) -> OpenDecision | None:
    """Refuse the call unless its principal may do `action` to whatever is below a prefix.

    The keys are not looked at: what the policies might say of some of them differently is refused.
    What only ACLs would say of each object remains open.
    """
    return _decide(hear(call, call.bucket, prefix, is_prefix=True), action)


def _decide(hearing: Hearing, action: str) -> OpenDecision | None:
    decision = hearing.decide(action)
    if decision.verdict is Verdict.DENY:
        raise denial(hearing, action, decision)
    return None if decision.is_allowed else OpenDecision(hearing, action)


def is_plain(call: Call, bucket: BucketState) -> bool:
    """Whether no policy may speak of some keys of the bucket and not of others."""
    return hear(call, bucket).is_plain


def authorise_operation(call: Call, action: str) -> None:
    """Refuse the call unless its operation's own action is allowed, or may turn out to be."""
    query = call.request.query
    if query.raw and "versionId" in query:
        action = OF_VERSION.get(action, action)
    bucket = call.bucket_or_none
    call.decided += ((authorise_operation, action),)
    call.decision = None
    if action in BY_ENTRY and call.target.key is None and bucket and not is_plain(call, bucket):
        return  # a policy speaks of each key: DeleteObjects asks for each of its entries
    call.decision = authorise(call, action, bucket, call.target.key)


def authorise_new(call: Call, action: str) -> None:
    """Refuse the call unless its caller may also do `action` to the object that it writes.

    He owns it until he gives it away. API_PutObject, "Permissions": tags and an ACL that come with
    an object need what PutObjectTagging and PutObjectAcl need.
    """
    decision = authorise(call, action, call.bucket, call.key)
    if decision is not None:
        decision.settle_attributes(ObjectAttributes(etag="", headers={}, owner=call.caller_id))
    call.decided += ((authorise_new, action),)


def authorise_for_good(call: Call, key: str, *, is_prefix: bool = False) -> None:
    """Refuse to delete, where no versions are kept, what the bucket's policy denies for versions.

    `is_prefix`: whatever is below it.

    API_DeleteObject, "Permissions": "If the s3:DeleteObject or s3:DeleteObjectVersion permissions
    are explicitly denied in your bucket policy, attempts to delete any unversioned objects result
    in a 403".
    """
    if call.versioning is not Versioning.UNVERSIONED or call.bucket.policy is None:
        return
    hearing = hear(call, call.bucket, key, is_prefix=is_prefix)
    answer = hearing.ask(DELETE_VERSION).bucket
    if answer.effect is Effect.DENY:
        raise denial(hearing, DELETE_VERSION, Decision(Verdict.DENY, Cause.BUCKET, answer))


def authorise_match(call: Call, key: str, *conditions: str | int | None) -> OpenDecision | None:
    """Refuse conditions on what an object is, of one who may not read it; as `authorise`.

    conditional-delete-enforce.html: "conditional deletes with a specific ETag value require both
    s3:DeleteObject and s3:GetObject permissions". So what is there cannot be guessed.
    """
    if all(condition in {None, "*"} for condition in conditions):
        return None
    return authorise(call, "s3:GetObject", call.bucket, key)


def bypasses_governance(call: Call, key: str, version_id: str | None = None) -> bool:
    """Whether the call goes past governance retention; refused is who asks for it and may not.

    API_DeleteObject, "x-amz-bypass-governance-retention": "To use this header, you must have the
    s3:BypassGovernanceRetention permission", also where there is nothing to go past, as was seen at
    AWS (repost.aws, QUHBDy3OdvSj21HoAH7QdnnA).
    """
    if not call.arguments.get("BypassGovernanceRetention"):
        return False
    left_open = authorise(call, "s3:BypassGovernanceRetention", call.bucket, key, version_id)
    assert left_open is None, "no object's owner, ACL or tags let anybody past"
    return True


def authorise_reading(call: Call, info: ObjectInfo) -> None:
    """Refuse the call unless its caller may also read the version of the key that it is about.

    API_GetObjectAttributes, "Permissions": both rights are needed.
    """
    action = "s3:GetObject"
    if call.arguments.get("VersionId") is not None:
        action = OF_VERSION[action]
    decision = authorise(call, action, call.bucket, call.key)
    if decision is not None:
        decision.settle(info)


def authorise_tags(
    call: Call, bucket: BucketState, info: ObjectInfo, version_id: str | None
) -> None:
    """Refuse the call unless its caller may also read the tags of an object he named."""
    action = "s3:GetObjectTagging" if version_id is None else "s3:GetObjectVersionTagging"
    decision = authorise(call, action, bucket, info.key, version_id)
    if decision is not None:
        decision.settle(info)


def may_also(call: Call, action: str, info: ObjectInfo) -> bool:
    """Whether the caller may also do another thing to the version that he named."""
    version_id = call.arguments.get("VersionId")
    action = action if version_id is None else OF_VERSION.get(action, action)
    try:
        decision = authorise(call, action, call.bucket, info.key, version_id)
        if decision is not None:
            decision.settle(info)
    except S3Error:
        return False
    return True


def check_settled(call: Call) -> None:
    """Refuse to answer what nobody decided; what is settled is let go, for it knows the call."""
    for decision in (call.decision, call.source_decision):
        if decision is not None and not decision.is_settled:
            raise S3Error("AccessDenied")
    call.decision = call.source_decision = None


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
