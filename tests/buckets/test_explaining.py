"""Explanations in words: who may do what in a store as it is, by whose word, and what to change."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from buckets.configuration import NOTHING_PUBLIC, Ownership
from buckets.explaining import explain_access
from buckets.services import NoSuchBucket, configure_bucket, create_bucket
from iam import services
from iam.acl import ALL_USERS, Grant
from iam.errors import InvalidIdentity, NoSuchAccessKey, NoSuchUser
from iam.explanation import Outcome
from iam.keyring import RoleName
from iam.models import AccessKey
from storage_engine import ObjectAttributes

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from iam.explanation import Explanation
    from iam.models import User
    from storage_engine import StorageEngine

ARN = "arn:aws:s3:::box"


def put(store: StorageEngine, bucket_id: int, key: str, owner: str) -> None:
    """Store an object of somebody's durably."""
    attributes = ObjectAttributes(etag="0" * 32, headers={}, owner=owner)
    store.put_object(bucket_id, key, store.stage_bytes(b"data"), attributes).result()


def document(*statements: Any) -> str:
    """Write a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def rule(effect: str, action: str, resource: str = f"{ARN}/*", **more: Any) -> dict[str, Any]:
    """Write a statement."""
    return {"Effect": effect, "Action": action, "Resource": resource} | more


@pytest.fixture
def box(store: StorageEngine, ada: User) -> BucketState:
    """Make a bucket of ada's with an object in it."""
    bucket = create_bucket("box", ada.canonical_id)
    put(store, bucket.id, "there", owner=ada.canonical_id)
    return bucket


@pytest.fixture
def eve(store: StorageEngine) -> User:
    """Make a user who has nothing yet."""
    return services.create_user("eve", None)


def of_eve(action: str = "s3:GetObject", resource: str = "box/there", **more: Any) -> Explanation:
    """Ask about eve."""
    return explain_access(action, resource, username="eve", **more)


def test_a_role_is_named_with_its_statement(box: BucketState, ada: User) -> None:
    """What a role gives is told with role, policy and statement."""
    told = explain_access("s3:getobject", "box/there", username="ada")
    assert (told.outcome, told.cause, told.statement) == ("allowed", "identity", "WhatIsOwn")
    assert told.source == 'policy "Writer" of the role "Writer"'
    assert told.why == (
        f'ada may do s3:GetObject on {ARN}/there: statement "WhatIsOwn" of policy "Writer" of the '
        'role "Writer" allows it.'
    )
    assert told.who == f"arn:aws:iam::{ada.account_id}:user/ada"
    assert [(heard.source, heard.effect) for heard in told.heard] == [(told.source, "allow")]


def test_who_has_nothing_is_told_what_he_needs(box: BucketState, eve: User) -> None:
    """Where nothing allows it, what to attach is written out."""
    told = of_eve()
    assert (told.outcome, told.cause, told.statement) == ("denied", "nobody", "")
    assert told.why.endswith("no policy and no ACL allows it.")
    assert told.advice == (
        f"Attach a policy that allows s3:GetObject on {ARN}/there to eve, to a group or to the "
        "role of that user, or let the bucket's policy allow it."
    )


def test_each_way_of_having_a_policy_is_named(box: BucketState, eve: User) -> None:
    """Group, user, role within role, inline or managed: the way is told, and a deny wins."""
    services.create_policy("share", document(rule("Allow", "s3:GetObject")))
    services.create_group("staff", policies=["share"])
    services.set_groups(eve.pk, ["staff"])
    assert of_eve().source == 'policy "share" of the group "staff"'
    services.create_role("inner", policies=["share"])
    services.create_role("outer", includes=["inner"])
    services.set_groups(eve.pk, [])
    services.set_role(eve.pk, "outer")
    assert of_eve().source == 'policy "share" of the role "inner"'
    services.put_inline_policy(eve, "not", document(rule("Deny", "s3:*", Sid="Never")))
    told = of_eve()
    assert (told.outcome, told.statement) == ("denied", "Never")
    assert told.source == 'inline policy "not" of the user'
    assert told.advice.startswith('Change or remove statement "Never" of inline policy "not"')
    assert sorted(heard.effect for heard in told.heard) == ["allow", "deny"]


def test_a_condition_that_alone_is_in_the_way_is_named(box: BucketState, eve: User) -> None:
    """A statement that fits but for the request's address is told with what the request has."""
    condition = {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    services.put_inline_policy(eve, "lan", document(rule("Allow", "s3:GetObject", **condition)))
    assert "the request has no aws:sourceip" in of_eve().advice
    told = of_eve(context={"aws:SourceIp": "192.0.2.1"})
    assert told.heard[0].lacking == {"1": ["aws:sourceip"]}
    assert told.advice.endswith(
        'Statement 1 of inline policy "lan" of the user does not allow it only for its condition '
        "on aws:sourceip: aws:sourceip is 192.0.2.1."
    )
    assert of_eve(context={"AWS:SourceIp": ["10.1.2.3"]}).outcome is Outcome.ALLOWED


def test_a_policy_is_tried_before_it_is_set(box: BucketState, eve: User) -> None:
    """A draft is heard in the place of the bucket's policy, an empty one as none; none is kept."""
    lets_in = document(rule("Allow", "s3:GetObject", Principal="*"))
    assert of_eve(draft=lets_in).outcome == "denied"  # RestrictPublicBuckets is on
    configure_bucket(box.id, public_access_block=None)
    assert of_eve().outcome == "denied"
    assert of_eve(draft=lets_in).outcome == "allowed"
    configure_bucket(box.id, policy=lets_in)
    assert of_eve(draft="").outcome == "denied"
    assert of_eve().outcome == "allowed"


def test_a_key_narrows(box: BucketState, ada: User) -> None:
    """A key that has a policy has nothing else, and is told so."""
    policy = document(rule("Allow", "s3:GetObject", f"{ARN}/in/*"))
    key = services.create_key(ada.pk, policy=policy).access_key
    told = explain_access("s3:GetObject", "box/there", access_key=key)
    assert (told.outcome, told.cause) == ("denied", "key")
    assert told.advice.startswith("Let the access key's policy allow s3:GetObject")
    assert [heard.effect for heard in told.heard] == ["allow", "none"]
    # Within what it has: a key that is not there, which it may not list.
    told = explain_access("s3:GetObject", "box/in/none", access_key=key)
    assert told.outcome is Outcome.DENIED
    assert "there is no such object" in told.why
    told = explain_access("s3:GetObject", f"{ARN}/none", username="ada")
    assert told.outcome is Outcome.ALLOWED


def test_a_bucket_s_policy_is_heard_unless_it_is_kept(box: BucketState, eve: User) -> None:
    """What a public policy gives is told, and that RestrictPublicBuckets keeps it."""
    policy = document(rule("Allow", "s3:GetObject", Principal="*", Sid="Open"))
    configure_bucket(box.id, policy=policy, public_access_block=None)
    for told in (of_eve(), explain_access("s3:GetObject", "box/there")):
        assert (told.outcome, told.source) == ("allowed", 'the policy of the bucket "box"')
    configure_bucket(box.id, public_access_block=NOTHING_PUBLIC)
    told = explain_access("s3:GetObject", "box/there")
    assert (told.outcome, told.who) == ("denied", "anonymous")
    assert "RestrictPublicBuckets" in told.why
    assert "RestrictPublicBuckets" in told.advice


def test_a_bucket_s_policy_is_its_owner_s(box: BucketState, eve: User) -> None:
    """Who may replace the policy by the policy alone may not, and is told of the 405."""
    policy = document(rule("Allow", "s3:PutBucketPolicy", ARN, Principal="*"))
    configure_bucket(box.id, policy=policy, public_access_block=None)
    told = of_eve("s3:PutBucketPolicy", "box")
    assert told.outcome is Outcome.DENIED
    assert "405" in told.why
    assert explain_access("s3:PutBucketPolicy", "box", username="ada").outcome is Outcome.ALLOWED


def test_acls_and_owners_count(box: BucketState, store: StorageEngine, eve: User) -> None:
    """Where ACLs are on, what they grant is told of bucket and object."""
    configure_bucket(
        box.id,
        ownership=Ownership.OBJECT_WRITER,
        public_access_block=None,
        grants=(Grant(ALL_USERS, "WRITE"),),
    )
    assert of_eve("s3:PutObject").why.endswith("the bucket's ACL grants it.")
    assert of_eve("s3:DeleteObject", "box/none").outcome is Outcome.ALLOWED
    assert of_eve("s3:DeleteObject").outcome is Outcome.DENIED
    put(store, box.id, "hers", owner=eve.canonical_id)
    assert explain_access("s3:GetObject", "box/hers", username="ada").outcome is Outcome.DENIED
    assert of_eve("s3:AbortMultipartUpload").outcome is Outcome.DENIED
    services.set_role(eve.pk, RoleName.WRITER)
    told = of_eve("s3:AbortMultipartUpload")
    assert told.outcome is Outcome.DEPENDS
    assert "uploads that were begun by the same user" in told.why


def test_who_is_not_heard_at_all_is_told_so(box: BucketState, ada: User, eve: User) -> None:
    """A disabled user, a disabled key and one that has expired: no policy matters."""
    key = services.create_key(ada.pk).access_key
    services.set_key_enabled(key, enabled=False)
    told = explain_access("s3:GetObject", "box/there", access_key=key)
    assert (told.outcome, told.advice) == ("denied", "Enable the key.")
    assert "is disabled" in told.why
    other = services.create_key(ada.pk).access_key
    AccessKey.objects.filter(access_key=other).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert "has expired" in explain_access("s3:GetObject", "box/there", access_key=other).why
    services.set_active(eve.pk, active=False)
    told = of_eve()
    assert (told.outcome, told.advice) == ("denied", "Enable eve.")


def test_what_concerns_no_bucket_that_is_there(store: StorageEngine, ada: User, eve: User) -> None:
    """Lists of buckets, and a bucket that is to be made, are explained without one."""
    for action, resource in (("s3:ListAllMyBuckets", "*"), ("s3:CreateBucket", "new")):
        assert explain_access(action, resource, username="ada").outcome is Outcome.ALLOWED
        assert explain_access(action, resource, username="eve").outcome is Outcome.DENIED
        told = explain_access(action, resource)
        assert (told.outcome, told.advice) == (
            "denied",
            "Sign the request: only users may do that.",
        )


@pytest.mark.parametrize(
    ("question", "refusal", "field"),
    [
        ({"action": "s3:Fly"}, InvalidIdentity, "action"),
        ({"action": "s3:CreateJob"}, InvalidIdentity, "action"),
        ({"action": "iam:CreateUser"}, InvalidIdentity, "action"),
        ({"resource": "box"}, InvalidIdentity, "resource"),
        ({"resource": "*"}, InvalidIdentity, "resource"),
        ({"resource": "box/\udcff"}, InvalidIdentity, "resource"),
        ({"action": "s3:ListBucket"}, InvalidIdentity, "resource"),
        ({"action": "s3:ListAllMyBuckets"}, InvalidIdentity, "resource"),
        ({"context": {"s3:nonsense": "x"}}, InvalidIdentity, "context"),
        ({"context": {"aws:username": "root"}}, InvalidIdentity, "context"),
        ({"context": {"s3:ExistingObjectTag/a": "b"}}, InvalidIdentity, "context"),
        ({"username": "nobody"}, NoSuchUser, ""),
        ({"access_key": "AKNONE"}, NoSuchAccessKey, ""),
        ({"resource": "none/there"}, NoSuchBucket, None),
    ],
)
def test_questions_that_mean_nothing_are_refused(
    box: BucketState, question: dict[str, Any], refusal: type[Exception], field: str | None
) -> None:
    """An unknown user, key, action, condition key or bucket is said in one sentence."""
    asked = {"action": "s3:GetObject", "resource": "box/there"} | question
    with pytest.raises(refusal) as caught:
        explain_access(**asked)
    assert getattr(caught.value, "field", None) == field
    assert "\n" not in str(caught.value)


def test_a_key_and_a_user_must_belong_together(box: BucketState, ada: User, eve: User) -> None:
    """A key of one user is not asked about as another's."""
    key = services.create_key(ada.pk).access_key
    with pytest.raises(InvalidIdentity, match="is a key of ada"):
        explain_access("s3:GetObject", "box/there", username="eve", access_key=key)
