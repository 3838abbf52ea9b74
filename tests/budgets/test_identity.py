"""What it may cost to find out who asks and what he may, counted in calls of Python functions.

A budget is what it takes today. Nothing here is timed: `benchmarks/authentication.py` and
`benchmarks/decisions.py` do that.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from iam.documents import Policy, load_policy
from iam.hearing import Hearing, is_plainly_allowed
from iam.keyring import Keyring, RoleName
from iam.rights import Attached, Rights
from tests.iam.test_decisions import Bucket
from tests.principals import principal
from tests.s3api.auth.clients import Client, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from s3api.http.request import Request

ADA, BOB = "a" * 64, "b" * 64
SOME: Final = Client(path="/b/k", headers={"user-agent": "x"}, unsigned=frozenset({"user-agent"}))
STREAM: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def frames(call: Callable[[], object]) -> int:
    """Count the Python functions that a call runs in, once all that it keeps is kept."""
    call()
    count, before = 0, sys.getprofile()

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("request_", "budget"),
    [
        (SOME.sign(), 20),
        (SOME.but(path="/b/k%20%C3%BC").sign(), 21),
        (SOME.but(payload=STREAM, headers={"x-amz-decoded-content-length": "5"}).sign(), 22),
        (SOME.presign(), 40),
    ],
    ids=["by header", "an escaped path", "a stream", "by query"],
)
def test_a_signature_is_verified_in_few_calls(request_: Request, budget: int) -> None:
    """What a client repeats with each request is not read again, and nothing is encoded twice."""
    assert frames(lambda: verify(request_)) <= budget


def policy(*resources: str) -> Policy:
    """Make a policy that allows to read."""
    statements = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{resource}"}
        for resource in resources
    ]
    return load_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}))


def deciding(*policies: Policy, bucket: Policy | None = None) -> Callable[[], Any]:
    """Make a question of a user with these policies, or else of a Writer in his own bucket."""
    user = principal(RoleName.WRITER, canonical_id=ADA)
    place = Bucket(ADA, None, False, True, bucket, False)
    if policies:
        user = principal(None, canonical_id=BOB, rights=Rights(Attached("", p) for p in policies))
    keyring = Keyring([], [user])

    def decide() -> None:
        if not is_plainly_allowed(user, "s3:GetObject", place):
            hearing = Hearing(user, None, place, "b", "home/k", keyring, lambda _key: None)
            assert hearing.decide_object("s3:GetObject", {}, ADA, None).is_allowed

    return decide


def test_by_roles_alone_nobody_is_heard() -> None:
    """In a bucket without a policy a role of S4's own is asked once for all requests."""
    assert frames(deciding()) <= 3


def test_a_policy_of_the_bucket_is_one_more_to_ask() -> None:
    """Where the bucket has a policy, it is asked; what S4's own roles say is known."""
    assert frames(deciding(bucket=policy("b/*"))) <= 28


def test_a_thousand_statements_cost_as_little_as_one() -> None:
    """Statements about other places are passed over, whatever many there are."""
    one = frames(deciding(policy("b/*")))
    assert one <= 26
    elsewhere = [policy(*(f"b/{number}-{each}/*" for each in range(50))) for number in range(20)]
    assert frames(deciding(*elsewhere, policy("b/*"))) <= one + len(elsewhere)
    assert frames(deciding(policy(*(f"b/{each}/*" for each in range(999)), "b/*"))) <= one + 2
