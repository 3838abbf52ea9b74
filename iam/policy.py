"""Who may do what: a pure decision, deny by default. Knows no Django, no request.

Each user is an account of his own. Three sides are heard: the policies of who asks, the policy of
the bucket, and where the access key has a policy of its own that one too, which only narrows. Then
it is decided in two steps: `decide` says what can be said before any object is looked at; where the
answer depends on whose the object is and what its ACL grants, `decide_object` gives it.

Actions carry AWS's names:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
What counts against what, for who asks and owner in one account:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Whose word counts where bucket and object have different owners:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-auth-workflow-object-operation.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from iam.acl import ANONYMOUS_ID, Permission, grants_to
from iam.documents import SILENT, Answer, Effect

if TYPE_CHECKING:
    from iam.acl import Grant
    from iam.documents import Policy, Question
    from iam.keyring import Principal

# What a permission in the ACL of a bucket, or of an object, allows: acl-overview.html, "Mapping of
# ACL permissions and access policy permissions".
_OF_BUCKET_ACL: Final = {
    "s3:ListBucket": Permission.READ,
    "s3:ListBucketVersions": Permission.READ,
    "s3:ListBucketMultipartUploads": Permission.READ,
    "s3:PutObject": Permission.WRITE,
    "s3:DeleteObject": Permission.WRITE,
    "s3:GetBucketAcl": Permission.READ_ACP,
    "s3:PutBucketAcl": Permission.WRITE_ACP,
}
_OF_OBJECT_ACL: Final = {
    "s3:GetObject": Permission.READ,
    "s3:GetObjectVersion": Permission.READ,
    "s3:GetObjectAcl": Permission.READ_ACP,
    "s3:GetObjectVersionAcl": Permission.READ_ACP,
    "s3:PutObjectAcl": Permission.WRITE_ACP,
    "s3:PutObjectVersionAcl": Permission.WRITE_ACP,
}
# Of these only what the caller owns himself: "What permissions can I grant?", WRITE. (S3 lets
# nobody else delete what stands in a bucket open to all: recorded in LocalStack's
# tests/aws/services/s3/test_s3.py, test_s3_batch_delete_objects_using_requests_with_acl.)
DELETE_OBJECT: Final = "s3:DeleteObject"
# Of the object's owner alone, unless he grants more; the owner of the bucket is nobody here.
_OF_OBJECT_OWNER: Final = frozenset(
    {*_OF_OBJECT_ACL, "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"}
)
# Of the bucket's owner and of who began the upload, in any bucket: mpuoverview.html.
OF_UPLOAD: Final = frozenset({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"})
# Of both owners. API_PutObjectTagging: "by default, the bucket owner has this permission".
_OF_EITHER_OWNER: Final = frozenset(
    {
        "s3:GetObjectTagging",
        "s3:GetObjectVersionTagging",
        "s3:PutObjectTagging",
        "s3:PutObjectVersionTagging",
        "s3:DeleteObjectTagging",
        "s3:DeleteObjectVersionTagging",
    }
)


# No policy keeps these from the bucket's owner, so that nobody locks himself out for good.
# API_PutBucketPolicy: "the root principal in a bucket owner's AWS account can perform ...".
OF_POLICY: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})


class Verdict(Enum):
    """What is known of an action before an object is looked at."""

    ALLOW = "allow"
    DENY = "deny"
    BY_OBJECT = "by object"  # it depends on the object's owner and ACL


class Cause(Enum):
    """Whose word a decision follows."""

    IDENTITY = "a policy of the user"
    BUCKET = "the bucket's policy"
    KEY = "the access key's policy"
    BUCKET_ACL = "the bucket's ACL"
    OBJECT_ACL = "the object's ACL"
    OWNERSHIP = "nobody but the owner of an object that nobody signed for"
    NOBODY = "nobody"  # nothing allows it


class Said(msgspec.Struct, frozen=True):
    """What the policies say of an action: of who asks, of the bucket, of a key that has one."""

    identity: Answer = SILENT
    bucket: Answer = SILENT
    key: Answer | None = None


class Decision(msgspec.Struct, frozen=True):
    """A verdict, and why: whose word it follows, and where in it."""

    verdict: Verdict
    cause: Cause = Cause.NOBODY
    answer: Answer = SILENT

    @property
    def is_allowed(self) -> bool:
        """Whether it is allowed."""
        return self.verdict is Verdict.ALLOW


class Place(Protocol):
    """A bucket, as far as rights go."""

    @property
    def owner_canonical_id(self) -> str:
        """Whose it is."""

    @property
    def grants(self) -> tuple[Grant, ...] | None:
        """What its ACL grants; None: nothing to anybody but its owner."""

    @property
    def has_acls(self) -> bool:
        """Whether ACLs mean anything in it, and objects may be others' than its owner's."""

    @property
    def ignores_public_acls(self) -> bool:
        """Whether what is granted to everybody counts for nothing."""

    @property
    def policy(self) -> Policy | None:
        """What its policy says; None: it has none."""

    @property
    def restricts_public_policy(self) -> bool:
        """Whether what a public policy gives away holds for its owner alone."""


NOBODY_ALLOWS: Final = Decision(Verdict.DENY)
BY_OBJECT: Final = Decision(Verdict.BY_OBJECT)


def hear(
    principal: Principal | None,
    narrowing: Policy | None,
    bucket: Place | None,
    question: Question,
) -> Said:
    """Ask the policies of who asks, of a bucket, and of an access key that has one."""
    return Said(
        SILENT if principal is None else principal.rights.ask(question),
        ask_bucket(principal, bucket, question),
        None if narrowing is None else narrowing.ask(question),
    )


def ask_bucket(principal: Principal | None, bucket: Place | None, question: Question) -> Answer:
    """Ask the policy of a bucket, if it has one.

    access-control-block-public-access.html, RestrictPublicBuckets: "only AWS service principals and
    authorized users within the bucket owner's account".
    """
    document = bucket.policy if bucket is not None else None
    if bucket is None or document is None:
        return SILENT
    answer = document.ask(question)
    if (
        answer.effect is Effect.ALLOW
        and bucket.restricts_public_policy
        and document.is_public
        and not _owns(principal, bucket)
    ):
        return msgspec.structs.replace(answer, effect=Effect.NONE)
    return answer


def decide(principal: Principal | None, action: str, bucket: Place | None, said: Said) -> Decision:
    """Say whether `principal` may do `action`, such as "s3:GetObject", in `bucket`.

    A principal of None is anybody who did not sign, a bucket of None none that is there already.
    An explicit deny comes first, whoever says it; then any of the sides may allow, but a key with a
    policy must allow too.
    """
    refusal = _refusal(principal, action, bucket, said)
    if refusal is not None:
        return refusal
    if bucket is not None and bucket.has_acls and action in _OF_OBJECT_OWNER:
        return BY_OBJECT
    if said.identity.effect is Effect.ALLOW:
        return Decision(Verdict.ALLOW, Cause.IDENTITY, said.identity)
    if bucket is None:
        return NOBODY_ALLOWS
    if said.bucket.effect is Effect.ALLOW:
        return Decision(Verdict.ALLOW, Cause.BUCKET, said.bucket)
    if action in OF_UPLOAD or (bucket.has_acls and action in _OF_EITHER_OWNER):
        return BY_OBJECT
    # What an ACL grants the owner of what it belongs to, it grants his account: how much of that
    # is his, his policies say.
    if not bucket.has_acls or _owns(principal, bucket):
        return NOBODY_ALLOWS
    permission = _OF_BUCKET_ACL.get(action)
    may = permission is not None and grants_to(
        _asker(principal), permission, bucket.grants, ignore_public=bucket.ignores_public_acls
    )
    if not may:
        return NOBODY_ALLOWS
    if action == DELETE_OBJECT:
        return BY_OBJECT
    return Decision(Verdict.ALLOW, Cause.BUCKET_ACL)


def decide_object(  # who asks, what for, and whose is what
    principal: Principal | None,
    action: str,
    bucket: Place,
    owner: str,
    grants: tuple[tuple[str, str], ...] | None,
    said: Said,
) -> Decision:
    """Decide what `decide` left open, for an object of `owner` (canonical id) with `grants`.

    The policies of who asks are heard again, of a resource in the account of the object's owner.
    What the policy of the bucket allows holds for objects of the bucket's owner alone. What nobody
    signed for is everybody's, so it is nobody's where what is public counts for nothing.
    """
    refusal = _refusal(principal, action, bucket, said)
    if refusal is not None:
        return refusal
    if said.identity.effect is Effect.ALLOW:
        return Decision(Verdict.ALLOW, Cause.IDENTITY, said.identity)
    if said.bucket.effect is Effect.ALLOW and owner == bucket.owner_canonical_id:
        return Decision(Verdict.ALLOW, Cause.BUCKET, said.bucket)
    asker = _asker(principal)
    if asker == owner:
        may = principal is None and not bucket.ignores_public_acls
        return Decision(Verdict.ALLOW, Cause.OWNERSHIP) if may else NOBODY_ALLOWS
    permission = _OF_OBJECT_ACL.get(action)
    may = permission is not None and grants_to(
        asker, permission, grants, ignore_public=bucket.ignores_public_acls
    )
    return Decision(Verdict.ALLOW, Cause.OBJECT_ACL) if may else NOBODY_ALLOWS


def _refusal(
    principal: Principal | None, action: str, bucket: Place | None, said: Said
) -> Decision | None:
    """Refuse what is denied explicitly, and what the key has not."""
    if said.bucket.effect is Effect.DENY and not (
        action in OF_POLICY
        and bucket is not None
        and principal is not None
        and (principal.is_super or _owns(principal, bucket))
    ):
        return Decision(Verdict.DENY, Cause.BUCKET, said.bucket)
    if said.identity.effect is Effect.DENY:
        return Decision(Verdict.DENY, Cause.IDENTITY, said.identity)
    if said.key is not None and said.key.effect is not Effect.ALLOW:
        return Decision(Verdict.DENY, Cause.KEY, said.key)
    return None


def _owns(principal: Principal | None, bucket: Place) -> bool:
    return principal is not None and principal.canonical_id == bucket.owner_canonical_id


def _asker(principal: Principal | None) -> str:
    """Name who asks as grants and owners are named."""
    return principal.canonical_id if principal is not None else ANONYMOUS_ID
