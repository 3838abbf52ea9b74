"""What holds of all policies: denies win, allows only give, keys only narrow, order is nothing."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from iam.documents import FEW, Effect, Question, load_policy, read_identity_policy
from iam.grammar import MalformedPolicy
from iam.keyring import Principal
from iam.policy import Decision, decide, hear
from iam.rights import Attached, Rights
from tests.iam.test_decisions import Bucket
from tests.oracle.random_policies import (
    asked,
    callers,
    contexts,
    policies,
    resources,
    statements,
)

if TYPE_CHECKING:
    from iam.documents import Policy

UNKNOWN = ["Efect", "Comment", "Condition ", "stringEquals", "Principal", "ForEach:StringEquals"]
Documents = list[dict[str, Any]]
questions = st.builds(
    lambda action, resource, names, context: Question(
        action, resource, names, {key: tuple(values) for key, values in context.items()}
    ),
    *(asked, resources, callers, contexts()),
)
identities = st.lists(policies(), max_size=3)
buckets = st.none() | policies(is_bucket=True)


def read(document: dict[str, Any] | None) -> Policy | None:
    """Read a policy as it is read again after it was saved."""
    return None if document is None else load_policy(json.dumps(document))


def decided(
    question: Question,
    identity: Documents,
    bucket: dict[str, Any] | None = None,
    key: dict[str, Any] | None = None,
) -> Decision:
    """Decide in a bucket of another, without ACLs."""
    rights = Rights(Attached("", load_policy(json.dumps(each))) for each in identity)
    asker = Principal(1, "x", "d" * 64, "", "", None, is_root=False, rights=rights)
    place = Bucket("c" * 64, None, False, False, read(bucket), False)
    return decide(asker, question.action, place, hear(asker, read(key), place, question))


# Two of three policies that are made up say nothing of a question, and now and then far more do.
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(questions, identities, buckets, st.none() | policies(), policies(effect="Deny"))
def test_an_explicit_deny_always_wins(
    question: Question, identity: Documents, bucket: Any, key: Any, denying: dict[str, Any]
) -> None:
    """Where any policy denies nothing is allowed, whatever all others say."""
    (policy,) = (load_policy(json.dumps(denying)),)
    assume(policy.ask(question).effect is Effect.DENY)
    assert not decided(question, [*identity, denying], bucket, key).is_allowed
    assert not decided(question, [denying, *identity], bucket, key).is_allowed
    assert not decided(question, identity, bucket, denying).is_allowed


@given(questions, identities, buckets, st.none() | policies(), policies(effect="Allow"))
def test_an_allow_never_takes_anything(
    question: Question, identity: Documents, bucket: Any, key: Any, allowing: dict[str, Any]
) -> None:
    """What was allowed stays allowed when a policy that only allows is added."""
    if decided(question, identity, bucket, key).is_allowed:
        assert decided(question, [*identity, allowing], bucket, key).is_allowed


@given(questions, identities, buckets, st.none() | policies(), policies(effect="Deny"))
def test_a_deny_never_gives_anything(
    question: Question, identity: Documents, bucket: Any, key: Any, denying: dict[str, Any]
) -> None:
    """What was not allowed is not allowed when a policy that only denies is added."""
    if decided(question, [*identity, denying], bucket, key).is_allowed:
        assert decided(question, identity, bucket, key).is_allowed


@given(questions, identities, buckets, policies())
def test_a_keys_policy_only_narrows(
    question: Question, identity: Documents, bucket: Any, key: dict[str, Any]
) -> None:
    """With a key's policy nothing is allowed that is not allowed without it, and it allows too."""
    if decided(question, identity, bucket, key).is_allowed:
        assert decided(question, identity, bucket).is_allowed
        policy = read(key)
        assert policy is not None
        assert policy.ask(question).effect is Effect.ALLOW


@given(
    questions,
    st.lists(statements(is_bucket=False), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.integers(0, 5),
)
def test_order_and_division_mean_nothing(
    question: Question, found: Documents, randomly: Any, cut: int
) -> None:
    """Statements say the same in any order, in one policy or in two."""

    def made(*groups: Documents) -> Documents:
        return [{"Version": "2012-10-17", "Statement": each} for each in groups if each]

    before = decided(question, made(found)).is_allowed
    shuffled = list(found)
    randomly.shuffle(shuffled)
    assert decided(question, made(shuffled)).is_allowed is before
    assert decided(question, made(shuffled[:cut], shuffled[cut:])).is_allowed is before


@given(questions, st.lists(statements(is_bucket=False), min_size=FEW + 1, max_size=14))
def test_many_statements_say_what_each_says(question: Question, found: Documents) -> None:
    """Where statements are looked up by what they are about, none is lost."""
    many = [{"Version": "2012-10-17", "Statement": found}]
    each = [{"Version": "2012-10-17", "Statement": statement} for statement in found]
    assert decided(question, many).is_allowed is decided(question, each).is_allowed


@given(questions, policies(), st.data())
def test_what_is_spoilt_is_refused_or_means_the_same(
    question: Question, document: dict[str, Any], data: st.DataObject
) -> None:
    """An element that is not understood is refused, never ignored."""
    spoilt = deepcopy(document)
    statement = data.draw(st.sampled_from(spoilt["Statement"]))
    place = data.draw(st.sampled_from([spoilt, statement, statement.setdefault("Condition", {})]))
    name = data.draw(st.sampled_from([*place, *UNKNOWN]))
    place[name] = data.draw(
        st.sampled_from([None, 5, True, "", "x", [], {}, ["x"], {"x": "y"}, [{}], "Allow"])
    )
    try:
        policy = read_identity_policy(json.dumps(spoilt))
    except MalformedPolicy:
        return
    assert name not in UNKNOWN
    assert load_policy(json.dumps(spoilt)).ask(question) == policy.ask(question)


@given(questions, policies())
def test_how_it_is_written_means_nothing(question: Question, document: dict[str, Any]) -> None:
    """White space, single values in lists, and lists of one statement change no answer."""

    def listed(value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    before = load_policy(json.dumps(document)).ask(question)
    other = deepcopy(document)
    for statement in other["Statement"]:
        for name in ("Action", "NotAction", "Resource", "NotResource"):
            if name in statement:
                statement[name] = listed(statement[name])
        for keys in statement.get("Condition", {}).values():
            for key in keys:
                keys[key] = listed(keys[key])
    assert load_policy(json.dumps(other, indent=3)).ask(question) == before
