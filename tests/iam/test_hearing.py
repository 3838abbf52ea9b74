"""What `iam.hearing` and the rooms below promise about short ways: they say what the long ones say.

And that a long one asks for no more than it needs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.acl import ALL_USERS, Grant
from iam.actions import ACTIONS
from iam.documents import ARN, SILENT, Policy, Question, load_policy
from iam.hearing import Hearing, is_plainly_allowed
from iam.keyring import Keyring, RoleName
from iam.rights import Attached, Rights
from tests.iam.test_decisions import Bucket
from tests.iam.test_policy_properties import questions
from tests.oracle.random_policies import policies
from tests.principals import principal, rights_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iam.documents import Answer
    from iam.policy import Decision

ADA, BOB = "a" * 64, "b" * 64
OWN = Bucket(ADA, None, False, True, None, False)
PUBLIC = (Grant(ALL_USERS, "FULL_CONTROL"),)
BUCKETS = (
    OWN,
    replace(OWN, owner_canonical_id=BOB),
    replace(OWN, has_acls=True),
    replace(OWN, owner_canonical_id=BOB, has_acls=True, grants=PUBLIC, ignores_public_acls=False),
)


def allow(resource: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Make a statement about reading."""
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": ARN + resource, **more}


def policy(*statements: dict[str, Any]) -> Policy:
    """Make a policy."""
    return load_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}))


def hearing(bucket: Bucket, rights: Rights, narrowing: Policy | None = None) -> Hearing:
    """Hear a request of ada's for a key."""
    ada = principal(None, canonical_id=ADA, rights=rights)
    bob = principal(None, canonical_id=BOB, account_id="2" * 12, name="bob")
    return Hearing(ada, narrowing, bucket, "b", "k", Keyring([], [ada, bob]), lambda _key: None)


@pytest.mark.parametrize(
    ("role", "bucket"),
    list(product((RoleName.READER, RoleName.WRITER, RoleName.SUPERUSER), BUCKETS)),
)
def test_the_short_way_allows_what_a_hearing_allows(role: RoleName, bucket: Bucket) -> None:
    """By S4's own roles nothing is allowed at once that is not after all, of any action."""
    user = principal(role, canonical_id=ADA)
    plain = hearing(bucket, user.rights)
    for action in sorted(ACTIONS):
        is_allowed = plain.decide(action).is_allowed
        if not bucket.has_acls:
            assert is_plainly_allowed(user, action, bucket) is is_allowed, action
        else:
            assert not is_plainly_allowed(user, action, bucket)


def test_the_short_way_ends_where_anybody_else_has_a_say() -> None:
    """A policy of the bucket, or one attached to the user, has to be heard."""
    user = principal(RoleName.WRITER, canonical_id=ADA)
    assert is_plainly_allowed(user, "s3:GetObject", OWN)
    denying = policy(allow("b/*", "Deny", Principal="*"))
    assert not is_plainly_allowed(user, "s3:GetObject", replace(OWN, policy=denying))
    rights = Rights([*user.rights, Attached("own", policy(allow("b/*")))])
    assert not is_plainly_allowed(replace(user, rights=rights), "s3:GetObject", OWN)


def decided(
    bucket: Bucket, rights: Rights, narrowing: Policy | None, owner: str
) -> list[tuple[Decision, Decision]]:
    """Decide about some actions, by a bucket and for an object of `owner`."""
    heard = hearing(bucket, rights, narrowing)
    return [
        (heard.decide_bucket(action), heard.decide_object(action, {}, owner, None))
        for action in ("s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "s3:ListBucket")
    ]


@given(
    role=st.sampled_from((RoleName.READER, RoleName.WRITER, RoleName.SUPERUSER)),
    bucket=st.sampled_from(BUCKETS),
    document=st.none() | policies(is_bucket=True),
    narrowing=policies(),
    owner=st.sampled_from((ADA, BOB)),
)
def test_what_is_known_of_roles_is_what_they_say(
    role: RoleName, bucket: Bucket, document: Any, narrowing: Any, owner: str
) -> None:
    """Beside other policies too, a role of S4's own is answered for as if it were asked again."""
    rights = rights_of(role)
    asked = Rights(each._replace(is_builtin=False) for each in rights)
    place = replace(bucket, policy=None if document is None else load_policy(json.dumps(document)))
    key = load_policy(json.dumps(narrowing))
    assert decided(place, rights, key, owner) == decided(place, asked, key, owner)


def one_by_one(attached: Sequence[Attached], question: Question) -> Answer:
    """Ask every statement of all policies, in their order."""
    speaking = [
        (each.source, statement)
        for each in attached
        for statement in each.policy.statements
        if statement.actions.holds(question.action.lower()) and statement.speaks_of(question)
    ]
    for source, statement in sorted(speaking, key=lambda pair: pair[1].is_allow):
        return statement.answer(source)
    return SILENT


@given(question=questions, found=st.lists(policies(), max_size=4))
def test_what_is_looked_up_by_place_misses_nothing(
    question: Question, found: list[dict[str, Any]]
) -> None:
    """The statement that decides is the first of those that deny, or else of those that allow."""
    attached = [
        Attached(f"policy {number}", load_policy(json.dumps(document)))
        for number, document in enumerate(found)
    ]
    assert Rights(attached).ask(question) == one_by_one(attached, question)


def test_the_first_of_many_statements_is_told() -> None:
    """Where many are looked up by place, it is still the first in the policy that decides."""
    folders = [allow(f"b/{number}/*") for number in range(20)]
    many = policy(*folders, allow("*"), allow("b/*"), allow("b/7/*", "Deny"), allow("*", "Deny"))
    for key, statement in (("7/x", "23"), ("8/x", "24")):
        question = Question("s3:GetObject", f"{ARN}b/{key}", frozenset(), {})
        assert many.ask(question).statement == statement
    allowing = policy(*folders, allow("*"), allow("b/*"))
    for key, statement in (("7/x", "8"), ("x", "21")):
        question = Question("s3:GetObject", f"{ARN}b/{key}", frozenset(), {})
        assert allowing.ask(question).statement == statement


def test_nothing_is_looked_up_that_no_statement_asks_for() -> None:
    """Of a request is read what the conditions of statements about it ask for, each thing once."""
    looked: list[str] = []

    def look(key: str) -> Sequence[str] | None:
        looked.append(key)
        return ("10.0.0.1",) if key == "aws:sourceip" else None

    near = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    elsewhere = {"StringEquals": {"aws:UserAgent": "x"}}
    rights = Rights(
        [
            Attached("one", policy(allow("b/*", Condition=near))),
            Attached(
                "two", policy(allow("b/k", "Deny", Condition={"NotIpAddress": near["IpAddress"]}))
            ),
            Attached("three", policy(allow("c/*", Condition=elsewhere))),
        ]
    )
    ada = principal(None, rights=rights)
    heard = Hearing(ada, None, OWN, "b", "k", Keyring([], [ada]), look)
    assert heard.decide_object("s3:GetObject", {}, ADA, None).is_allowed
    assert looked == ["aws:sourceip"]
    looked.clear()
    assert not heard.decide_bucket("s3:PutObject").is_allowed
    assert looked == []
    assert set(heard.question("s3:GetObject").context) == {"aws:sourceip"}
    assert sorted(looked) == ["aws:sourceip", "aws:useragent"], "to explain, all is looked up"
