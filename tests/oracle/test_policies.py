"""S4's evaluator of policies held against one that was written from AWS's prose alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iam.documents import Effect, Question, read_bucket_policy, read_identity_policy
from iam.keyring import Principal
from iam.policy import decide, hear
from iam.rights import Attached, Rights
from tests.iam.test_decisions import CASES, Bucket, principal
from tests.iam.test_decisions import question as asked_by
from tests.oracle import naive_policies
from tests.oracle.random_policies import asked, callers, contexts, policies, resources

if TYPE_CHECKING:
    from tests.iam.decisions.cases import Case

OWNER = "c" * 64


def outcome(identity: list[Any], bucket: Any, key: Any, question: Question) -> str:
    """Decide as a request is decided in a bucket of another without ACLs."""
    rights = Rights(Attached("", read_identity_policy(json.dumps(each))) for each in identity)
    asker = Principal(1, "x", "d" * 64, "", "", None, is_root=False, rights=rights)
    narrowing = None if key is None else read_identity_policy(json.dumps(key))
    policy = None
    if bucket is not None:
        policy = read_bucket_policy(json.dumps(bucket), "b", lambda _kind, _name: True)
    place = Bucket(OWNER, None, False, False, policy, False)
    decision = decide(asker, question.action, place, hear(asker, narrowing, place, question))
    if decision.is_allowed:
        return "allow"
    return "explicit deny" if decision.answer.effect is Effect.DENY else "implicit deny"


@given(
    identity=st.lists(policies(), max_size=2),
    bucket=st.none() | policies(is_bucket=True),
    key=st.none() | st.none() | policies(),
    action=asked,
    resource=resources,
    names=callers,
    context=contexts(),
)
@example(
    identity=[],
    bucket={
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:*",
            "NotResource": "arn:aws:s3:::b/${aws:username}",
        },
    },
    key=None,
    action="s3:GetObject",
    resource="arn:aws:s3:::b/x",
    names=frozenset(),
    context={},
)
def test_both_decide_alike(
    identity: list[Any],
    bucket: Any,
    key: Any,
    action: str,
    resource: str,
    names: frozenset[str],
    context: dict[str, list[str]],
) -> None:
    """Whatever the policies and the request, two readings of AWS's pages come to one decision."""
    request = naive_policies.Request(action, resource, set(names), context)
    expected = naive_policies.decide(identity, bucket, key, request)
    question = Question(action, resource, names, {key: tuple(v) for key, v in context.items()})
    assert outcome(identity, bucket, key, question) == expected


def is_of_policies(case: Case) -> bool:
    """Whether a decision hangs on policies alone, and not on what S3 makes of them."""
    is_plain = not (case.has_acls or case.object_owner or case.restricts_public_policy)
    return is_plain and "BucketPolicy" not in case.action


TABLED = [param for param in CASES if is_of_policies(param.values[0])]


@pytest.mark.parametrize("case", TABLED)
def test_the_oracle_makes_aws_s_decisions(case: Case) -> None:
    """The naive evaluator is no authority by itself: it makes the decisions of AWS's pages, too."""
    asker = principal(case)
    asked_for = asked_by(case, asker, case.owner)
    request = naive_policies.Request(
        asked_for.action,
        asked_for.resource,
        set(asked_for.names),
        {key: list(values) for key, values in asked_for.context.items()},
    )
    own = [json.loads(text) for text in (*case.identity, *case.groups, *case.role)]
    bucket = None if case.bucket is None else json.loads(case.bucket)
    key = None if case.key is None else json.loads(case.key)
    assert naive_policies.decide(own, bucket, key, request) == case.expected, case.page
