"""What policies say of all below a prefix never goes beyond what they say of each key there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from iam.documents import Effect, Policy, Question, read_identity_policy
from iam.hearing import Hearing
from iam.keyring import Keyring
from iam.rights import Attached, Rights
from tests.principals import principal

ARN = "arn:aws:s3:::b/"
PREFIX = "logs/ann/"
ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
TAG = "s3:ExistingObjectTag/level"


def policy(*statements: Any) -> Policy:
    """Read a policy of these statements."""
    return read_identity_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}))


def statement(effect: str, resource: Any, **more: Any) -> dict[str, Any]:
    """Write a statement on every action."""
    return {"Effect": effect, "Action": "s3:*", "Resource": resource} | more


def ask(said: Policy, action: str = "s3:GetObject", key: str = PREFIX, **tags: str) -> Effect:
    """Ask about all below a prefix, or about one key that has tags."""
    context = {"aws:username": ("ann",)}
    if tags and action == "s3:GetObject":  # no other action here has the key
        context |= {f"s3:existingobjecttag/{name}": (value,) for name, value in tags.items()}
    is_prefix = key.endswith("/")
    return said.ask(Question(action, ARN + key, frozenset(), context, is_prefix)).effect


# --- by hand -----------------------------------------------------------------------------------

EQUALS_LOW = {"Condition": {"StringEquals": {TAG: "low"}}}
BY_VARIABLE = {"Condition": {"StringEquals": {"aws:username": f"${{{TAG}}}"}}}
ONE_VERSION = {"Condition": {"StringEquals": {"s3:VersionId": "kept"}}}
NOT_THAT_VERSION = {"Condition": {"StringNotEquals": {"s3:VersionId": "kept"}}}
ELSEWHERE = {"Condition": {"StringEquals": {"aws:username": "bob", TAG: "low"}}}


@pytest.mark.parametrize(
    ("said", "action", "effect"),
    [
        (statement("Allow", "*"), "s3:GetObject", Effect.ALLOW),
        (statement("Allow", f"{ARN}logs/*"), "s3:GetObject", Effect.ALLOW),
        (statement("Allow", f"{ARN}logs/ann/*"), "s3:GetObject", Effect.ALLOW),
        (statement("Allow", f"{ARN}logs/ann/a*"), "s3:GetObject", Effect.NONE),
        (statement("Allow", f"{ARN}logs/ann/"), "s3:GetObject", Effect.NONE),
        (statement("Allow", f"{ARN}logs/${{aws:username}}/*"), "s3:GetObject", Effect.ALLOW),
        (statement("Allow", f"{ARN}logs/${{aws:userid}}/*"), "s3:GetObject", Effect.NONE),
        (statement("Allow", f"{ARN}${{{TAG}, 'logs'}}/*"), "s3:GetObject", Effect.NONE),
        (statement("Deny", f"{ARN}${{{TAG}}}/*"), "s3:GetObject", Effect.DENY),
        (statement("Deny", f"{ARN}logs/${{aws:username}}/x"), "s3:GetObject", Effect.DENY),
        (statement("Deny", f"{ARN}${{aws:username}}/x"), "s3:GetObject", Effect.NONE),
        (statement("Deny", f"{ARN}logs/ann/x/y"), "s3:GetObject", Effect.DENY),
        (statement("Deny", f"{ARN}logs/a?n/x"), "s3:GetObject", Effect.DENY),
        (statement("Deny", f"{ARN}*.tmp"), "s3:GetObject", Effect.DENY),
        (statement("Deny", f"{ARN}other/*"), "s3:GetObject", Effect.NONE),
        (statement("Allow", "*", **EQUALS_LOW), "s3:GetObject", Effect.NONE),
        (statement("Deny", "*", **EQUALS_LOW), "s3:GetObject", Effect.DENY),
        (statement("Deny", "*", **BY_VARIABLE), "s3:GetObject", Effect.DENY),
        (statement("Deny", "*", **ELSEWHERE), "s3:GetObject", Effect.NONE),
        (statement("Deny", "*", **EQUALS_LOW), "s3:DeleteObject", Effect.NONE),
        (statement("Deny", "*", **ONE_VERSION), "s3:DeleteObjectVersion", Effect.DENY),
        (statement("Deny", "*", **ONE_VERSION), "s3:DeleteObject", Effect.NONE),
        (statement("Allow", "*", **NOT_THAT_VERSION), "s3:DeleteObjectVersion", Effect.NONE),
    ],
)
def test_a_statement_on_what_is_below(said: Any, action: str, effect: Effect) -> None:
    """An allow must hold for all that may be below a prefix, a deny for anything there."""
    assert ask(policy(said), action) is effect


@pytest.mark.parametrize(
    ("effect", "pattern", "answer"),
    [
        ("Allow", "other/*", Effect.ALLOW),
        ("Allow", "logs/ann/x", Effect.NONE),
        ("Allow", "*.tmp", Effect.NONE),
        ("Deny", "logs/*", Effect.NONE),
        ("Deny", "logs/${aws:username}/*", Effect.NONE),
        ("Deny", "logs/ann/x*", Effect.DENY),
        ("Deny", "other/*", Effect.DENY),
    ],
)
def test_all_but_a_resource(effect: str, pattern: str, answer: Effect) -> None:
    """NotResource is turned round: it must leave out nothing for an allow, and all for no deny."""
    rule = {"Effect": effect, "Action": "s3:*", "NotResource": ARN + pattern}
    assert ask(policy(rule)) is answer


def test_a_key_narrows_below_a_prefix_too() -> None:
    """An owner's key that has one folder renames in it, and nothing out of it or into it."""
    owner = principal()
    narrow = policy(statement("Allow", f"{ARN}logs/*"))
    for key, may in (("logs/a/", True), ("logs/", True), ("other/", False), ("", False)):
        hearing = Hearing(
            owner, narrow, None, "b", key, Keyring((), (owner,)), lambda _key: None, is_prefix=True
        )
        assert hearing.decide("s3:PutObject").is_allowed is may


# --- whatever the policy -----------------------------------------------------------------------

patterns = st.lists(
    st.sampled_from(["logs/", "ann/", "a", "*", "?", "x", "${aws:username}/", f"${{{TAG}}}"]),
    max_size=4,
).map("".join)
conditions = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "Condition": st.dictionaries(
                st.sampled_from(["StringEquals", "StringNotEquals", "StringEqualsIfExists"]),
                st.dictionaries(
                    st.sampled_from([TAG, "aws:username"]),
                    st.sampled_from(["low", "ann", f"${{{TAG}}}"]),
                    min_size=1,
                ),
                min_size=1,
            )
        }
    ),
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a statement."""
    element = draw(st.sampled_from(["Resource", "NotResource"]))
    resources = draw(st.lists(patterns.map(ARN.__add__), min_size=1, max_size=2))
    effect = draw(st.sampled_from(["Allow", "Deny"]))
    actions = draw(st.lists(st.sampled_from(ACTIONS), min_size=1))
    return {"Effect": effect, "Action": actions, element: resources} | draw(conditions)


@given(
    st.lists(statements(), min_size=1, max_size=3),
    st.sampled_from(ACTIONS),
    st.text("ax*?/n", max_size=4),
    st.sampled_from([{}, {"level": "low"}, {"level": "ann"}, {"level": "logs/ann/"}]),
)
def test_no_key_below_is_worse_off_than_its_prefix(
    said: list[dict[str, Any]], action: str, rest: str, tags: dict[str, str]
) -> None:
    """What is allowed below a prefix is allowed for each key, what no key may is never missed."""
    document = policy(*said)
    whole = ask(document, action)
    context = {"aws:username": ("ann",)}
    if action == "s3:GetObject":
        context |= {f"s3:existingobjecttag/{name}": (value,) for name, value in tags.items()}
    one = document.ask(Question(action, ARN + PREFIX + rest, frozenset(), context)).effect
    if whole is Effect.ALLOW:
        assert one is Effect.ALLOW
    elif whole is Effect.NONE:
        assert one is not Effect.DENY


def test_rights_of_several_policies_hold_together() -> None:
    """A deny in one policy of a user counts below a prefix whatever the others allow."""
    rights = Rights(
        [
            Attached("one", policy(statement("Allow", "*"))),
            Attached("two", policy(statement("Deny", f"{ARN}logs/ann/kept"))),
        ]
    )
    question = Question("s3:DeleteObject", ARN + PREFIX, frozenset(), {}, is_prefix=True)
    assert rights.ask(question).effect is Effect.DENY
    assert rights.ask(structs.replace(question, resource=f"{ARN}free/")).effect is Effect.ALLOW


ANN = {"Condition": {"StringEquals": {"aws:username": "ann"}}}
BOB = {"Condition": {"StringEquals": {"aws:username": "bob"}}}
NAME = {"aws:username": ("ann",)}


# --- what might be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "effect"),
    [
        (statement("Allow", f"{ARN}logs/ann/a*"), Effect.ALLOW),
        (statement("Allow", f"{ARN}*.txt"), Effect.ALLOW),
        (statement("Allow", f"{ARN}logs/bob/*"), Effect.NONE),
        (statement("Allow", f"{ARN}*", **EQUALS_LOW), Effect.ALLOW),
        (statement("Deny", f"{ARN}logs/*"), Effect.DENY),
        (statement("Deny", f"{ARN}logs/ann/a*"), Effect.NONE),
        (statement("Deny", f"{ARN}logs/*", **ELSEWHERE), Effect.NONE),
        (statement("Allow", f"{ARN}*", **ANN), Effect.ALLOW),
        (statement("Allow", f"{ARN}*", **BOB), Effect.NONE),
        (statement("Deny", f"{ARN}*", **ANN), Effect.DENY),
        (statement("Deny", f"{ARN}*", **BOB), Effect.NONE),
    ],
)
def test_what_might_be_allowed_is_told_without_a_request(said: Any, effect: Effect) -> None:
    """An allow of anything below a prefix might hold; a deny holds only if it must for all."""
    question = Question("s3:GetObject", ARN + PREFIX, frozenset(), NAME, is_prefix=True)
    assert policy(said).might(question) is effect


@given(
    st.lists(st.tuples(st.booleans(), st.text("logs/an*?", max_size=9)), max_size=4),
    st.text("logs/an", max_size=6),
)
def test_what_is_allowed_might_be(rows: list[tuple[bool, str]], rest: str) -> None:
    """Whatever one key below a prefix is allowed was offered for the prefix."""
    if not rows:
        return
    said = policy(*(statement("Allow" if allows else "Deny", ARN + text) for allows, text in rows))
    if (
        said.ask(Question("s3:GetObject", ARN + PREFIX + rest, frozenset(), {})).effect
        is Effect.ALLOW
    ):
        question = Question("s3:GetObject", ARN + PREFIX, frozenset(), {}, is_prefix=True)
        assert said.might(question) is Effect.ALLOW
