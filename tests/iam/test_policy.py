"""Who may do what: roles, owners, grants and policies, as tables; denial of everything else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam import policy
from iam.acl import ALL_USERS, ANONYMOUS_ID, AUTHENTICATED_USERS, Grant, is_public
from iam.documents import Answer, Effect, Question, load_policy
from iam.keyring import RoleName
from iam.policy import Cause, Said, Verdict
from iam.rights import Attached, Rights
from tests.principals import principal as person

if TYPE_CHECKING:
    from iam.keyring import Principal
    from iam.policy import Place

ME, OTHER = "a" * 64, "b" * 64
ACCOUNTS = {ME: "1" * 12, OTHER: "2" * 12}
ALLOW, DENY, BY_OBJECT = Verdict.ALLOW, Verdict.DENY, Verdict.BY_OBJECT
LETTERS = {RoleName.READER: "R", RoleName.WRITER: "W", RoleName.SUPERUSER: "S"}


@dataclass(frozen=True)
class Bucket:
    """A bucket with rights of its own."""

    owner_canonical_id: str = OTHER
    grants: tuple[Grant, ...] | None = None
    has_acls: bool = False
    ignores_public_acls: bool = False


def principal(role: RoleName = RoleName.WRITER) -> Principal:
    """Make a user of a role."""
    return person(role, canonical_id=ME, account_id=ACCOUNTS[ME])


def said(asker: Principal | None, action: str, owner: str, bucket: Effect) -> Said:
    """Hear the policies about something of an owner's; the bucket's has the effect given."""
    if asker is None:
        return Said(bucket=Answer(bucket))
    context = {"aws:principalaccount": (asker.account_id,)}
    if owner in ACCOUNTS:
        context["aws:resourceaccount"] = (ACCOUNTS[owner],)
    question = Question(action, "arn:aws:s3:::bucket/key", asker.names, context)
    return Said(asker.rights.ask(question), Answer(bucket))


def decide(
    asker: Principal | None, action: str, bucket: Place | None, effect: Effect = Effect.NONE
) -> Verdict:
    """Decide by the bucket; what is not there yet is the asker's."""
    owner = bucket.owner_canonical_id if bucket is not None else ME
    return policy.decide(asker, action, bucket, said(asker, action, owner, effect)).verdict


def decide_object(
    asker: Principal | None,
    action: str,
    bucket: Place,
    owner: str,
    grants: tuple[Grant, ...] | None,
    effect: Effect = Effect.NONE,
) -> bool:
    """Decide by the object."""
    heard = said(asker, action, owner, effect)
    return policy.decide_object(asker, action, bucket, owner, grants, heard).is_allowed


def granted(permission: str, grantee: str = ME, **fields: bool) -> Bucket:
    """Make another's bucket with ACLs, whose own ACL grants something."""
    return Bucket(grants=(Grant(grantee, permission),), has_acls=True, **fields)


# action, whose bucket (without ACLs) -> who may (R: Reader, W: Writer, S: SuperUser)
ROLES = [
    ("s3:ListAllMyBuckets", None, "RWS"),
    ("s3:CreateBucket", None, "WS"),
    ("s3:GetObject", ME, "RWS"),
    ("s3:ListBucket", ME, "RWS"),
    ("s3:ListMultipartUploadParts", ME, "RWS"),
    ("s3:HeadBucket", ME, "WS"),
    ("s3:GetBucketLocation", ME, "RWS"),
    ("s3:PutObject", ME, "WS"),
    ("s3:DeleteObject", ME, "WS"),
    ("s3:DeleteBucket", ME, "WS"),
    ("s3:AbortMultipartUpload", ME, "WS"),
    ("s3:PutBucketPolicy", ME, "WS"),
    ("s3:GetObject", OTHER, "S"),
    ("s3:PutObject", OTHER, "S"),
    ("s3:ListBucket", OTHER, "S"),
    ("s3:DeleteBucket", OTHER, "S"),
    ("s3:DeleteBucket", "", "S"),
    ("s3:GetObject", "", "S"),
    ("iam:CreateUser", ME, "S"),
    ("", ME, "S"),
]


@pytest.mark.parametrize("role", RoleName)
@pytest.mark.parametrize(("action", "owner", "who"), ROLES)
def test_roles(action: str, owner: str | None, who: str, role: RoleName) -> None:
    """Without ACLs each role may do exactly what the table says, whatever the object."""
    bucket = None if owner is None else Bucket(owner)
    verdict = decide(principal(role), action, bucket)
    may = verdict is ALLOW
    if verdict is BY_OBJECT:  # an upload, which its initiator may have to do with
        assert bucket is not None
        may = decide_object(principal(role), action, bucket, ME, None)
    assert may is (LETTERS[role] in who)


# the permission a bucket's ACL grants -> what it is good for
BUCKET_GRANTS = {
    "READ": {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"},
    "WRITE": {"s3:PutObject"},
    "READ_ACP": {"s3:GetBucketAcl"},
    "WRITE_ACP": {"s3:PutBucketAcl"},
}
BUCKET_GRANTS["FULL_CONTROL"] = set().union(*BUCKET_GRANTS.values())
BUCKET_ACTIONS = BUCKET_GRANTS["FULL_CONTROL"] | {
    "s3:DeleteBucket",
    "s3:DeleteObjectVersion",
    "s3:GetBucketLocation",
    "s3:GetBucketOwnershipControls",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketVersioning",
}


@pytest.mark.parametrize("action", sorted(BUCKET_ACTIONS))
@pytest.mark.parametrize("permission", BUCKET_GRANTS)
def test_grants_on_a_bucket(permission: str, action: str) -> None:
    """A permission in a bucket's ACL allows the actions AWS maps it to, and none without ACLs."""
    expected = ALLOW if action in BUCKET_GRANTS[permission] else DENY
    assert decide(principal(), action, granted(permission)) is expected
    assert decide(principal(), action, granted(permission, ALL_USERS)) is expected
    assert decide(None, action, granted(permission, ALL_USERS)) is expected
    assert decide(principal(), action, granted(permission, AUTHENTICATED_USERS)) is expected
    assert decide(None, action, granted(permission, AUTHENTICATED_USERS)) is DENY
    assert decide(principal(), action, granted(permission, OTHER)) is DENY
    assert decide(principal(), action, Bucket(grants=granted(permission).grants)) is DENY


def test_what_is_granted_to_everybody_may_be_ignored() -> None:
    """Where public ACLs are ignored, a grant to all or to all who sign gives nothing."""
    for group in (ALL_USERS, AUTHENTICATED_USERS):
        bucket = granted("FULL_CONTROL", group, ignores_public_acls=True)
        assert decide(principal(), "s3:ListBucket", bucket) is DENY
        assert not decide_object(principal(), "s3:GetObject", bucket, OTHER, bucket.grants)
    mine = granted("READ", ME, ignores_public_acls=True)
    assert decide(principal(), "s3:ListBucket", mine) is ALLOW


def test_what_is_granted_to_nobodys_id_is_granted_to_everybody() -> None:
    """The id of those who do not sign is as public as their group, and ignored like it."""
    assert is_public([Grant(ANONYMOUS_ID, "READ")])
    assert decide(None, "s3:ListBucket", granted("READ", ANONYMOUS_ID)) is ALLOW
    ignored = granted("READ", ANONYMOUS_ID, ignores_public_acls=True)
    assert decide(None, "s3:ListBucket", ignored) is DENY
    for is_ignored in (False, True):
        bucket = Bucket(has_acls=True, ignores_public_acls=is_ignored)
        may = decide_object(None, "s3:GetObject", bucket, ANONYMOUS_ID, None)
        assert may is not is_ignored


def test_what_others_grant_adds_to_a_role_and_what_one_owns_does_not() -> None:
    """A Reader writes where another's ACL lets him; that of his own bucket lets him only read."""
    reader = principal(RoleName.READER)
    bucket = granted("FULL_CONTROL")
    assert decide(reader, "s3:ListBucket", bucket) is ALLOW
    assert decide(reader, "s3:PutObject", bucket) is ALLOW
    own = Bucket(ME, grants=(Grant(ME, "FULL_CONTROL"),), has_acls=True)
    assert decide(reader, "s3:ListBucket", own) is ALLOW
    assert decide(reader, "s3:PutObject", own) is DENY
    assert decide_object(reader, "s3:GetObject", own, ME, own.grants)
    assert not decide_object(reader, "s3:PutObjectAcl", own, ME, own.grants)


# the permission an object's ACL grants -> what it is good for
OBJECT_GRANTS = {
    "READ": {"s3:GetObject", "s3:GetObjectVersion"},
    "WRITE": set(),
    "READ_ACP": {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
    "WRITE_ACP": {"s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
}
OBJECT_GRANTS["FULL_CONTROL"] = set().union(*OBJECT_GRANTS.values())
OBJECT_ACTIONS = OBJECT_GRANTS["FULL_CONTROL"] | {"s3:GetObjectAttributes"}
TAG_ACTIONS = {"s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectVersionTagging"}


@pytest.mark.parametrize("action", sorted(OBJECT_ACTIONS | TAG_ACTIONS))
@pytest.mark.parametrize("permission", OBJECT_GRANTS)
def test_grants_on_an_object(permission: str, action: str) -> None:
    """Where there are ACLs the object decides: its owner may, others what its ACL gives them."""
    bucket = Bucket(has_acls=True)
    assert decide(principal(), action, bucket) is BY_OBJECT
    assert decide(None, action, bucket) is BY_OBJECT
    expected = action in OBJECT_GRANTS[permission]
    mine = (Grant(ME, permission),)
    public = (Grant(ALL_USERS, permission),)
    assert decide_object(principal(), action, bucket, OTHER, mine) == expected
    assert decide_object(None, action, bucket, OTHER, public) == expected
    assert decide_object(principal(), action, bucket, ME, None)
    assert not decide_object(None, action, bucket, OTHER, mine)
    assert not decide_object(principal(), action, bucket, OTHER, None)


def test_the_owner_of_a_bucket_does_not_own_what_others_put_there() -> None:
    """He reads others' objects by grant alone, may tag and delete them, and look at no ACL."""
    bucket = Bucket(ME, has_acls=True)
    assert decide(principal(), "s3:GetObject", bucket) is BY_OBJECT
    assert not decide_object(principal(), "s3:GetObject", bucket, OTHER, None)
    assert decide(principal(), "s3:PutObjectTagging", bucket) is ALLOW
    assert decide(principal(), "s3:DeleteObject", bucket) is ALLOW
    assert decide(principal(), "s3:DeleteObjectVersion", bucket) is ALLOW
    assert not decide_object(principal(), "s3:GetObjectAcl", bucket, OTHER, None)


def test_who_may_write_deletes_his_own_alone() -> None:
    """WRITE on another's bucket deletes what one owns; nobody owns what nobody signed for."""
    bucket = granted("WRITE", ALL_USERS)
    assert decide(principal(), "s3:DeleteObject", bucket) is BY_OBJECT
    assert decide_object(principal(), "s3:DeleteObject", bucket, ME, None)
    assert not decide_object(principal(), "s3:DeleteObject", bucket, OTHER, None)
    assert decide_object(None, "s3:DeleteObject", bucket, ANONYMOUS_ID, None)
    assert not decide_object(None, "s3:DeleteObject", bucket, OTHER, None)


def test_an_upload_is_its_owners_and_the_buckets() -> None:
    """An upload is looked at and given up by who began it and by the bucket's owner."""
    actions = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
    for action, has_acls in product(actions, (True, False)):
        assert decide(principal(), action, Bucket(ME, has_acls=has_acls)) is ALLOW
        assert decide(principal(), action, Bucket(has_acls=has_acls)) is BY_OBJECT
        assert decide_object(principal(), action, Bucket(has_acls=has_acls), ME, None)
        assert not decide_object(principal(), action, Bucket(has_acls=has_acls), OTHER, None)


def test_a_policy_denies_even_the_owner() -> None:
    """What a policy denies is denied to all; what it allows is allowed."""
    own, others = Bucket(ME), Bucket(OTHER)
    assert decide(principal(), "s3:PutObject", own, Effect.DENY) is DENY
    assert decide(principal(RoleName.SUPERUSER), "s3:PutObject", own, Effect.DENY) is DENY
    assert decide(None, "s3:GetObject", others, Effect.ALLOW) is ALLOW
    assert decide(principal(RoleName.READER), "s3:PutObject", others, Effect.ALLOW) is ALLOW


def test_nobody_locks_himself_out() -> None:
    """No policy keeps itself from the bucket's owner, nor from a SuperUser."""
    for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"):
        assert decide(principal(), action, Bucket(ME), Effect.DENY) is ALLOW
        assert decide(principal(RoleName.SUPERUSER), action, Bucket(OTHER), Effect.DENY) is ALLOW
        assert decide(principal(), action, Bucket(OTHER), Effect.DENY) is DENY


def test_a_policy_speaks_for_the_objects_of_the_buckets_owner() -> None:
    """Where objects have owners of their own, a policy gives away its author's alone."""
    bucket = Bucket(OTHER, has_acls=True)
    assert decide(principal(), "s3:GetObject", bucket, Effect.ALLOW) is BY_OBJECT
    assert decide_object(principal(), "s3:GetObject", bucket, OTHER, None, Effect.ALLOW)
    assert not decide_object(principal(), "s3:GetObject", bucket, "c" * 64, None, Effect.ALLOW)


@given(st.text(), st.none() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_a_superuser_may_do_anything_nobody_else_touches_a_stranger(
    action: str, owner: str | None
) -> None:
    """Whatever the action, a SuperUser may do it, and others nothing on a bucket not theirs."""
    bucket: Place | None = None if owner is None else Bucket(owner)
    assert decide(principal(RoleName.SUPERUSER), action, bucket) is ALLOW
    assert decide(None, action, bucket) is DENY
    if owner not in {ME, None}:
        assert decide(principal(RoleName.WRITER), action, bucket) is DENY
        assert decide(principal(RoleName.READER), action, bucket) is DENY


@given(st.text(min_size=1).map("s3:".__add__), st.sampled_from([ME, OTHER, None]))
def test_a_writer_may_do_what_a_reader_may(action: str, owner: str | None) -> None:
    """No action is open to a Reader and closed to a Writer."""
    bucket = None if owner is None else Bucket(owner)
    reader = decide(principal(RoleName.READER), action, bucket)
    assert decide(principal(RoleName.WRITER), action, bucket) is ALLOW or reader is DENY


def _policy(effect: str, action: str, resource: str = "*") -> str:
    statement = f'"Effect": "{effect}", "Action": "{action}", "Resource": "{resource}"'
    return f'{{"Version": "2012-10-17", "Statement": {{{statement}}}}}'


def test_policies_of_administrators_reach_every_bucket() -> None:
    """Who is allowed something by a policy of his own has it in anybody's bucket, and no more."""
    rights = Rights([Attached("the policy", load_policy(_policy("Allow", "s3:Get*")))])
    guest = person(None, canonical_id=ME, account_id=ACCOUNTS[ME], rights=rights)
    assert decide(guest, "s3:GetObject", Bucket(OTHER)) is ALLOW
    assert decide(guest, "s3:PutObject", Bucket(OTHER)) is DENY
    assert decide(guest, "s3:PutObject", Bucket(ME)) is DENY


def test_a_deny_of_any_side_wins_and_says_so() -> None:
    """An explicit deny of user, bucket or key beats what all others allow, and is named."""
    allow, deny = Answer(Effect.ALLOW, "1"), Answer(Effect.DENY, "No", "somebody")
    for heard, cause in (
        (Said(deny, allow, allow), Cause.IDENTITY),
        (Said(allow, deny, allow), Cause.BUCKET),
        (Said(allow, allow, deny), Cause.KEY),
    ):
        for bucket in (Bucket(ME), Bucket(OTHER), granted("FULL_CONTROL")):
            decision = policy.decide(principal(), "s3:ListBucket", bucket, heard)
            assert (decision.verdict, decision.cause, decision.answer) == (DENY, cause, deny)
            decision = policy.decide_object(
                principal(), "s3:GetObject", bucket, ME, bucket.grants, heard
            )
            assert (decision.verdict, decision.cause) == (DENY, cause)


def test_a_key_with_a_policy_has_only_what_that_allows() -> None:
    """What a key's own policy does not allow is denied, whoever else allows it."""
    allow, silent = Answer(Effect.ALLOW, "1"), Answer(Effect.NONE)
    for bucket in (Bucket(ME), granted("FULL_CONTROL")):
        decision = policy.decide(principal(), "s3:ListBucket", bucket, Said(allow, allow, silent))
        assert (decision.verdict, decision.cause) == (DENY, Cause.KEY)
        allowed = policy.decide(principal(), "s3:ListBucket", bucket, Said(allow, silent, allow))
        assert allowed.is_allowed
    assert not policy.decide(
        principal(), "s3:ListBucket", Bucket(OTHER), Said(silent, silent, allow)
    ).is_allowed
