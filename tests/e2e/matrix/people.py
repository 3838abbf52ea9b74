"""The callers of the matrix, made in a server's own database by S4's own services.

Runs in a process of its own, as a management command does:
`manage.py shell -c "from tests.e2e.matrix.people import make; make()"`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from iam import services

if TYPE_CHECKING:
    from tests.e2e.server import Server

# Every bucket of the matrix is called so, and has one prefix.
BUCKETS: Final = "arn:aws:s3:::matrix-*"
OBJECTS: Final = f"{BUCKETS}/team/*"
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


def policy(*statements: dict[str, Any]) -> str:
    """Write a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def says(action: list[str], resource: str = "*", effect: str = "Allow", **more: Any) -> Any:
    """Write a statement."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


NARROW: Final = policy(
    says(["s3:GetObject", "s3:PutObject"], OBJECTS), says(["s3:CreateBucket"], BUCKETS)
)
AUDITOR: Final = policy(says(["s3:Get*", "s3:List*"]), says(["s3:GetObject*"], effect="Deny"))
TEAM: Final = policy(
    says(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], OBJECTS),
    says(["s3:ListBucket"], BUCKETS, Condition={"StringLike": {"s3:prefix": "team/*"}}),
)


def make() -> None:
    """Make everybody, and print each one's ids and keys.

    Who owns a bucket and may not make one is a Writer until `settle`.
    """
    services.create_policy("auditing", AUDITOR)
    services.create_role("Auditor", policies=["auditing"])
    services.create_policy("team-folder", TEAM)
    services.create_group("team", policies=["team-folder"])
    roles = {
        **dict.fromkeys(("writer", "reader", "without", "banned", "foreigner"), "Writer"),
        **dict.fromkeys(("superuser", "fired"), "SuperUser"),
        "auditor": "Auditor",
        **dict.fromkeys(("member", "invited"), None),
    }
    made = {}
    for name, role in roles.items():
        user = services.create_user(name, role)
        made[name] = {
            "id": user.canonical_id,
            "arn": f"arn:aws:iam::{user.account_id}:user/{name}",
            "key": key_of(user.pk),
        }
    services.set_groups(services.find_user("member").pk, ["team"])
    writer = services.find_user("writer").pk
    more = {
        "narrowed": key_of(writer, policy=NARROW),
        "expired": key_of(writer),
        "disabled": key_of(writer),
    }
    services.update_key(more["expired"][0], name="", expires_at=LONG_AGO)
    services.set_key_enabled(more["disabled"][0], enabled=False)
    for name, key in more.items():
        made[name] = made["writer"] | {"key": key}
    sys.stdout.write("\n" + json.dumps(made))


def key_of(user_id: int, **options: Any) -> tuple[str, str]:
    """Make a user a key."""
    key = services.create_key(user_id, **options)
    return key.access_key, key.secret_key


def settle() -> None:
    """Take from who owns a bucket what made it, and disable who is."""
    services.set_role(services.find_user("reader").pk, "Reader")
    services.set_role(services.find_user("without").pk, None)
    services.set_active(services.find_user("fired").pk, active=False)


def run(server: Server, what: str) -> str:
    """Call `make` or `settle` beside a server; answer the last line printed."""
    call = f"from tests.e2e.matrix.people import {what}; {what}()"
    result = server.manage("shell", "--no-imports", "-c", call)
    assert result.returncode == 0, result.stderr
    return result.stdout.rpartition("\n")[2]
