"""Who may do what: a pure decision, deny by default. Knows no Django, no request.

Each user is an account of his own. Decided in two steps: `decide` says what can be said before any
object is looked at, which for the owner of a bucket without ACLs is everything; where the answer
depends on whose the object is and what its ACL grants, `decide_object` gives it.

Actions carry AWS's names:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
The order of the questions, and whose word counts where bucket and object have different owners:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-auth-workflow-object-operation.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from iam.acl import ANONYMOUS_ID, Permission, grants_to
from iam.documents import Effect
from iam.keyring import Role

if TYPE_CHECKING:
    from iam.acl import Grant
    from iam.keyring import Principal

# Actions that concern no bucket that is there already.
_WITHOUT_BUCKET: Final = {
    Role.READER: frozenset({"s3:ListAllMyBuckets"}),
    Role.WRITER: frozenset({"s3:ListAllMyBuckets", "s3:CreateBucket"}),
}
_OF_ROLE: Final = {
    Role.READER: ("s3:Get", "s3:List", "s3:Head"),
    Role.WRITER: ("s3:",),
}

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
_OF_UPLOAD: Final = frozenset({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"})
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
_OF_POLICY: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})


class Verdict(Enum):
    """What is known of an action before an object is looked at."""

    ALLOW = "allow"
    DENY = "deny"
    BY_OBJECT = "by object"  # it depends on the object's owner and ACL


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


def decide(
    principal: Principal | None,
    action: str,
    bucket: Place | None,
    policy: Effect = Effect.NONE,
) -> Verdict:
    """Say whether `principal` may do `action`, such as "s3:GetObject", in `bucket`.

    A principal of None is anybody who did not sign, a bucket of None none that is there already.
    What the bucket's policy denies nobody may do. A SuperUser may do all the rest; a Writer what
    his own buckets, the ACLs of others and policies allow him; a Reader of that only what reads.
    """
    is_super = principal is not None and principal.role is Role.SUPERUSER
    if policy is Effect.DENY and not (
        action in _OF_POLICY and bucket is not None and (is_super or _owns(principal, bucket))
    ):
        return Verdict.DENY
    if is_super:
        return Verdict.ALLOW
    if bucket is None:
        may = principal is not None and action in _WITHOUT_BUCKET[principal.role]
        return Verdict.ALLOW if may else Verdict.DENY
    if principal is not None and not action.startswith(_OF_ROLE[principal.role]):
        return Verdict.DENY
    if bucket.has_acls and action in _OF_OBJECT_OWNER:
        return Verdict.BY_OBJECT
    asker = _asker(principal)
    if policy is Effect.ALLOW or asker == bucket.owner_canonical_id:
        return Verdict.ALLOW
    if action in _OF_UPLOAD or (bucket.has_acls and action in _OF_EITHER_OWNER):
        return Verdict.BY_OBJECT
    if not bucket.has_acls:
        return Verdict.DENY
    permission = _OF_BUCKET_ACL.get(action)
    may = permission is not None and grants_to(
        asker, permission, bucket.grants, ignore_public=bucket.ignores_public_acls
    )
    if not may:
        return Verdict.DENY
    return Verdict.BY_OBJECT if action == DELETE_OBJECT else Verdict.ALLOW


def decide_object(  # whose is what, and who asks
    principal: Principal | None,
    action: str,
    bucket: Place,
    owner: str,
    grants: tuple[tuple[str, str], ...] | None,
    policy: Effect = Effect.NONE,
) -> bool:
    """Decide what `decide` left open, for an object of `owner` (canonical id) with `grants`.

    What the policy of the bucket allows holds for objects of the bucket's owner alone. What nobody
    signed for is everybody's, so it is nobody's where what is public counts for nothing.
    """
    asker = _asker(principal)
    if asker == owner and not (principal is None and bucket.ignores_public_acls):
        return True
    if policy is Effect.ALLOW and owner == bucket.owner_canonical_id:
        return True
    permission = _OF_OBJECT_ACL.get(action)
    return permission is not None and grants_to(
        asker, permission, grants, ignore_public=bucket.ignores_public_acls
    )


def _owns(principal: Principal | None, bucket: Place) -> bool:
    return principal is not None and principal.canonical_id == bucket.owner_canonical_id


def _asker(principal: Principal | None) -> str:
    """Name who asks as grants and owners are named."""
    return principal.canonical_id if principal is not None else ANONYMOUS_ID
