"""Hundreds of decisions of AWS's documentation, each made by the evaluator that requests meet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from iam.acl import ALL_USERS, AUTHENTICATED_USERS, Grant
from iam.actions import may_have
from iam.documents import Effect, Question, read_bucket_policy, read_identity_policy
from iam.hearing import PRINCIPAL_KEYS, Hearing
from iam.keyring import Keyring, Principal
from iam.policy import Verdict, decide, decide_object, hear
from iam.resources import OBJECT_TAG
from iam.rights import Attached, Rights
from tests.iam.decisions import (
    acls,
    context_keys,
    effects,
    examples,
    naming,
    operators,
    principals,
    sets,
    variables,
)
from tests.iam.decisions.cases import ACCOUNTS, ALLOW, EXPLICIT, IMPLICIT, arn

if TYPE_CHECKING:
    from iam.documents import Policy
    from tests.iam.decisions.cases import Case

SUBJECTS = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (
        *(acls, context_keys, effects, examples, naming, operators, principals, sets, variables),
    )
}
CASES = [
    pytest.param(case, id=f"{subject}-{number}: {case.claim}")
    for subject, cases in SUBJECTS.items()
    for number, case in enumerate(cases, 1)
]
IDS = {name: name[0] * 64 for name in ACCOUNTS} | {
    "everybody": ALL_USERS,
    "signed": AUTHENTICATED_USERS,
}


@dataclass(frozen=True)
class Bucket:
    """A bucket, as far as rights go."""

    owner_canonical_id: str
    grants: tuple[Grant, ...] | None
    has_acls: bool
    ignores_public_acls: bool
    policy: Policy | None
    restricts_public_policy: bool


def grants_of(pairs: tuple[tuple[str, str], ...] | None) -> tuple[Grant, ...] | None:
    """Write grants to people as ACLs keep them."""
    return None if pairs is None else tuple(Grant(IDS[name], what) for name, what in pairs)


def principal(case: Case) -> Principal | None:
    """Make who asks, with all his policies."""
    if case.caller is None:
        return None
    attached = [
        Attached(source, read_identity_policy(text))
        for source, texts in (
            ("user", case.identity),
            ("group", case.groups),
            ("role", case.role),
        )
        for text in texts
    ]
    name = case.caller
    return Principal(
        *(1, name, IDS[name], name, "", None),
        is_root=False,
        account_id=ACCOUNTS[name],
        rights=Rights(attached),
    )


def bucket(case: Case) -> Bucket | None:
    """Make the bucket that is asked for."""
    if not case.resource or case.action == "s3:CreateBucket":
        return None
    name = case.resource.partition("/")[0]
    policy = None
    if case.bucket is not None:
        policy = read_bucket_policy(case.bucket, name, lambda _kind, _name: True)
    return Bucket(
        IDS[case.owner],
        grants_of(case.acl),
        case.has_acls,
        case.ignores_public_acls,
        policy,
        case.restricts_public_policy,
    )


def question(case: Case, asker: Principal | None, owner: str) -> Question:
    """Ask for what is in the account of `owner`."""
    context = {"aws:resourceaccount": ACCOUNTS[owner], "s3:resourceaccount": ACCOUNTS[owner]}
    context["aws:principaltype"] = "Anonymous" if asker is None else "User"
    if asker is not None:
        context |= {
            "aws:username": asker.username,
            "aws:userid": asker.canonical_id,
            "aws:principalarn": asker.arn,
            "aws:principalaccount": asker.account_id,
        }
    context |= {key.lower(): value for key, value in case.context.items()}
    listed = {
        key: tuple(value) if isinstance(value, list) else (value,) for key, value in context.items()
    }
    names = frozenset[str]() if asker is None else asker.names
    return Question(case.action, arn(case.resource or "arn:aws:s3:::*"), names, listed)


def decided(case: Case) -> str:
    """Make the decision in the two steps that a request takes."""
    asker, place = principal(case), bucket(case)
    narrowing = None if case.key is None else read_identity_policy(case.key)
    said = hear(asker, narrowing, place, question(case, asker, case.owner))
    decision = decide(asker, case.action, place, said)
    if decision.verdict is Verdict.BY_OBJECT:
        assert place is not None
        owner = case.object_owner or case.owner
        said = hear(asker, narrowing, place, question(case, asker, owner))
        decision = decide_object(
            asker, case.action, place, IDS[owner], grants_of(case.object_acl), said
        )
    if decision.is_allowed:
        return ALLOW
    return EXPLICIT if decision.answer.effect is Effect.DENY else IMPLICIT


def heard(case: Case) -> str:
    """Make the decision as requests do, who bring their keys and learn of an object's tags."""
    place, (name, slash, key) = bucket(case), case.resource.partition("/")
    people = [Principal(1, who, IDS[who], who, "", None, False, ACCOUNTS[who]) for who in ACCOUNTS]
    context = question(case, None, case.owner).context
    hearing = Hearing(
        *(principal(case), None if case.key is None else read_identity_policy(case.key), place),
        *(name or None, key if slash else None, Keyring([], people), context.get),
    )
    decision = hearing.decide(case.action)
    if decision.verdict is Verdict.BY_OBJECT:
        tags = {
            each.removeprefix(OBJECT_TAG): values[0]
            for each, values in context.items()
            if each.startswith(OBJECT_TAG)
        }
        owner = IDS[case.object_owner or case.owner]
        grants = grants_of(case.object_acl)
        decision = hearing.decide_object(case.action, tags, owner, grants)
    if decision.is_allowed:
        return ALLOW
    return EXPLICIT if decision.answer.effect is Effect.DENY else IMPLICIT


def is_possible(case: Case) -> bool:
    """Whether a request can have the keys that are tabled: operators are told by any keys."""
    keys = {key.lower() for key in case.context}
    return keys.isdisjoint(PRINCIPAL_KEYS) and all(may_have(case.action, key) for key in keys)


POSSIBLE = [param for param in CASES if is_possible(param.values[0])]


@pytest.mark.parametrize("case", POSSIBLE)
def test_a_request_meets_the_same_decision(case: Case) -> None:
    """What requests ask by comes to what the tables say: the same rooms, the same answers."""
    assert heard(case) == case.expected, case.page


@pytest.mark.parametrize("case", CASES)
def test_a_decision_is_aws_s(case: Case) -> None:
    """What AWS documents comes of these policies and this request comes of them here."""
    assert decided(case) == case.expected, case.page


def test_there_are_enough_of_them() -> None:
    """Four hundred decisions at least, of which each outcome has its share, each told apart."""
    cases = [case for group in SUBJECTS.values() for case in group]
    assert len(cases) >= 400
    assert min(Counter(case.expected for case in cases).values()) > 80
    assert all(case.page.startswith("https://docs.aws.amazon.com/") for case in cases)
    assert len({repr(case) for case in cases}) == len(cases), "none stands twice"
