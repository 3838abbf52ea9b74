"""What a decision costs: the CPU time of asking all policies about one request, and deciding.

    python benchmarks/decisions.py [--rounds N]

Each case asks as a request does, through `iam.hearing`, for GetObject of one key after another, the
tags of which are at hand. The figures are microseconds of this process for one decision.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s4project.settings")

from iam.builtin import BUILTINS
from iam.documents import Policy, load_policy
from iam.hearing import Hearing, is_plainly_allowed
from iam.keyring import Keyring, Principal, RoleName
from iam.rights import Attached, Rights

ADA, BOB = "a" * 64, "b" * 64
STATEMENTS_A_POLICY = 50
HOME = "arn:aws:s3:::b/home/${aws:username}/*"
NEAR = {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}
SAFE = {"Bool": {"aws:SecureTransport": "true"}}
OWN = {"StringLike": {"s3:ExistingObjectTag/team": "${aws:username}-*"}}
CONTEXT = {"aws:sourceip": ("192.0.2.9",), "aws:securetransport": ("true",)}


@dataclass(frozen=True)
class Bucket:
    """A bucket of ada's, with a policy or without."""

    policy: Policy | None = None
    owner_canonical_id: str = ADA
    grants: None = None
    has_acls: bool = False
    ignores_public_acls: bool = True
    restricts_public_policy: bool = False


def policy(*statements: Any) -> Policy:
    """Read a policy."""
    return load_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(resource: str, **more: Any) -> dict[str, Any]:
    """Write a statement that allows to read."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource, **more}


def many(count: int, resource: str) -> list[Policy]:
    """Make policies of `count` statements in all, each about another place (`{}`), the last not."""
    found = [allow(resource.format(number)) for number in range(count - 1)]
    found.append(allow("arn:aws:s3:::b/*"))
    return [
        policy(*found[start : start + STATEMENTS_A_POLICY])
        for start in range(0, count, STATEMENTS_A_POLICY)
    ]


def role(name: RoleName) -> list[Attached]:
    """Make what a built-in role holds."""
    return [Attached(name, load_policy(BUILTINS[name].document), is_builtin=True)]


def attached(*policies: Policy) -> list[Attached]:
    """Attach policies to a user."""
    return [Attached("a policy", each) for each in policies]


CASES: dict[str, tuple[str, list[Attached], Policy | None]] = {
    "a Writer in his own bucket": (ADA, role(RoleName.WRITER), None),
    "a Writer, and the bucket has a policy": (
        *(ADA, role(RoleName.WRITER)),
        policy(allow("arn:aws:s3:::b/*", Principal={"AWS": "arn:aws:iam::1:user/bob"})),
    ),
    "one statement": (BOB, attached(policy(allow("arn:aws:s3:::b/*"))), None),
    "one's own folder by a variable": (BOB, attached(policy(allow(HOME))), None),
    "three conditions, a variable": (
        *(BOB, attached(policy(allow(HOME, Condition=NEAR | SAFE | OWN)))),
        None,
    ),
    "10 statements on one bucket": (BOB, attached(*many(10, "arn:aws:s3:::b/{}/*")), None),
    "1,000 statements on one bucket": (BOB, attached(*many(1000, "arn:aws:s3:::b/{}/*")), None),
    "1,000 statements on 1,000 buckets": (BOB, attached(*many(1000, "arn:aws:s3:::b{}/*")), None),
    "150 statements of a bucket's policy": (
        BOB,
        [],
        policy(
            *(allow(f"arn:aws:s3:::b/{number}/*", Principal="*") for number in range(149)),
            allow("arn:aws:s3:::b/*", Principal={"AWS": "1"}),
        ),
    ),
}


def measure(owner: str, rights: list[Attached], document: Policy | None, rounds: int) -> float:
    """Answer the microseconds of a decision."""
    bob = Principal(
        *(1, "bob", owner, "bob", "", None), is_root=False, account_id="1", rights=Rights(rights)
    )
    bucket, keyring = Bucket(document), Keyring([], [bob])
    tags = {"team": "bob-red"}
    keys = [f"home/bob/{number:06d}" for number in range(rounds)]
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for key in keys:
            if is_plainly_allowed(bob, "s3:GetObject", bucket):
                continue
            hearing = Hearing(bob, None, bucket, "b", key, keyring, CONTEXT.get)
            decision = hearing.decide("s3:GetObject")
            if not decision.is_allowed:
                decision = hearing.decide_object("s3:GetObject", tags, ADA, None)
            assert decision.is_allowed
        best = min(best, time.process_time() - started)
    return best / rounds * 1e6


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    for name, (owner, rights, document) in CASES.items():
        print(f"{name:40} {measure(owner, rights, document, rounds):8.1f} us")


if __name__ == "__main__":
    main()
