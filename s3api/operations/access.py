"""Whether the caller may do what the request asks: the seam between identity and operations.

Deny by default: no identity, no bucket of one's own, no grant and no role that allows it mean
AccessDenied. What can be decided by the bucket is decided here, before any body is read; what
depends on an object stays open until the operation knows it (`Call.settle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iam import policy
from iam.documents import Effect
from iam.policy import Said, Verdict
from s3api.decision import OpenDecision
from s3api.errors import S3Error
from s3api.operations.policy_question import Place, make_question, waits_for_object
from storage_engine import ObjectAttributes

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from s3api.context import Call
    from s3api.decision import Ask
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
NOTHING_SAID: Final = Said()
BY_ENTRY: Final = {"s3:DeleteObject"}
NOT_FOUND: Final = {404, 405}  # 405: the version is a delete marker


def authorise(
    call: Call, action: str, bucket: BucketState | None, key: str | None = None
) -> OpenDecision | None:
    """Refuse the call unless its principal may do `action` on `bucket`, or to a key of it.

    Returns the decision that remains open because it depends on the object; None: it is allowed.
    """
    said = None
    if bucket is not None and is_plain(call, bucket):
        said = _said_plainly(call, bucket, action)
    elif bucket is None or not waits_for_object(action):
        said = _asking(call, bucket, key)(action, None, None)
    if said is not None:
        decision = policy.decide(call.principal, action, bucket, said)
        if decision.verdict is Verdict.ALLOW:
            return None
        if decision.verdict is Verdict.DENY:
            raise S3Error("AccessDenied")
    assert bucket is not None, "without a bucket there is no object to wait for"
    return OpenDecision(call.principal, action, bucket, _asking(call, bucket, key))


def is_plain(call: Call, bucket: BucketState) -> bool:
    """Whether no policy may speak of some keys of the bucket and not of others."""
    credential = call.identity.credential
    if bucket.policy is not None:
        return False
    return credential is None or (
        credential.policy is None and credential.principal.rights.is_plain
    )


def authorise_below(call: Call, action: str, prefix: str) -> OpenDecision | None:
    """Refuse the call unless its principal may do `action` to whatever is below a prefix.

    The keys are not looked at: what the policies might say of some of them differently is refused.
    What only ACLs would say of each object remains open.
    """
    ask = _asking(call, call.bucket, prefix, is_prefix=True)
    decision = policy.decide(call.principal, action, call.bucket, ask(action, None, None))
    if decision.verdict is Verdict.DENY:
        raise S3Error("AccessDenied")
    return None if decision.is_allowed else OpenDecision(call.principal, action, call.bucket, ask)


def authorise_operation(call: Call, action: str) -> None:
    """Refuse the call unless its operation's own action is allowed, or may turn out to be."""
    if call.request.query and "versionId" in call.request.query:
        action = OF_VERSION.get(action, action)
    bucket = call.bucket_or_none
    if action in BY_ENTRY and call.target.key is None and bucket and not is_plain(call, bucket):
        return  # a policy speaks of each key: DeleteObjects asks for each of its entries
    call.decision = authorise(call, action, bucket, call.target.key)


def _said_plainly(call: Call, bucket: BucketState, action: str) -> Said:
    """Hear the policies where there are none but S4's own roles, which is most often so."""
    principal = call.principal
    if principal is None:
        return NOTHING_SAID
    is_own = principal.canonical_id == bucket.owner_canonical_id
    return Said(principal.rights.ask_plain(action, is_own=is_own))


def _asking(
    call: Call, bucket: BucketState | None, key: str | None, *, is_prefix: bool = False
) -> Ask:
    """Make the way to ask all policies about a bucket, or a key of it, or all below a prefix."""
    credential, document = call.identity.credential, bucket.policy if bucket is not None else None
    principal, narrowing, keys = None, None, frozenset[str]()
    if credential is not None:
        principal, narrowing = credential.principal, credential.policy
        keys = principal.rights.keys
    for more in (document, narrowing):
        if more is not None:
            keys |= more.keys

    def ask(action: str, tags: dict[str, str] | None, owner: str | None) -> Said:
        question = make_question(call, keys, action, Place(bucket, key, owner, tags, is_prefix))
        return policy.hear(principal, narrowing, bucket, question)

    return ask


def authorise_new(call: Call, action: str) -> None:
    """Refuse the call unless its caller may also do `action` to the object that it writes.

    He owns it until he gives it away. API_PutObject, "Permissions": tags and an ACL that come with
    an object need what PutObjectTagging and PutObjectAcl need.
    """
    decision = authorise(call, action, call.bucket, call.key)
    if decision is not None:
        decision.settle_attributes(ObjectAttributes(etag="", headers={}, owner=call.caller_id))


def authorise_match(call: Call, key: str, *conditions: str | int | None) -> OpenDecision | None:
    """Refuse conditions on what an object is, of one who may not read it; as `authorise`.

    conditional-delete-enforce.html: "conditional deletes with a specific ETag value require both
    s3:DeleteObject and s3:GetObject permissions". So what is there cannot be guessed.
    """
    if all(condition in {None, "*"} for condition in conditions):
        return None
    return authorise(call, "s3:GetObject", call.bucket, key)


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


def is_owners(call: Call, action: str) -> bool:
    """Whether an allowed caller has his right to `action` by himself, not by the bucket's policy.

    The owner and SuperUsers have it whatever is said of them there.
    """
    principal = call.principal
    if principal is None:
        return False
    if principal.is_super or call.caller_id == call.bucket.owner_canonical_id:
        return True
    said = _asking(call, call.bucket, None)(action, None, None)
    return said.identity.effect is Effect.ALLOW


def may_read_tags(
    call: Call, bucket: BucketState, info: ObjectInfo, version_id: str | None
) -> bool:
    """Whether the caller of something else may also read the tags of an object he named."""
    action = "s3:GetObjectTagging" if version_id is None else "s3:GetObjectVersionTagging"
    try:
        decision = authorise(call, action, bucket, info.key)
        if decision is not None:
            decision.settle(info)
    except S3Error:
        return False
    return True


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
