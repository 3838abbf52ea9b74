"""The words in which decisions are tabled: policies, a request, what AWS's page says comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

ALLOW: Final = "allow"
IMPLICIT: Final = "implicit deny"  # nobody allows it
EXPLICIT: Final = "explicit deny"  # somebody denies it

IAM: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
S3: Final = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"

ACCOUNTS: Final = {"ada": "111122223333", "bob": "444455556666", "eve": "777788889999"}
NEW: Final = "2012-10-17"
OLD: Final = "2008-10-17"

Statement = dict[str, Any]
Document = str


def user(name: str) -> str:
    """Name a user as policies do."""
    return f"arn:aws:iam::{ACCOUNTS[name]}:user/{name}"


def account(name: str) -> str:
    """Name the account of a user as policies do."""
    return f"arn:aws:iam::{ACCOUNTS[name]}:root"


def arn(resource: str) -> str:
    """Write `bucket/key` as an ARN; what is one, or a wildcard, stays."""
    is_whole = resource == "*" or resource.startswith("arn:")
    return resource if is_whole else f"arn:aws:s3:::{resource}"


def _resources(resource: str | list[str] | tuple[str, ...]) -> str | list[str]:
    return arn(resource) if isinstance(resource, str) else [arn(each) for each in resource]


def statement(effect: str, action: Any, resource: Any, /, **more: Any) -> Statement:
    """Write a statement; `action` or `resource` of None leaves it to NotAction or NotResource."""
    made = {"Effect": effect, "Action": action}
    if resource is not None:
        made["Resource"] = _resources(resource)
    if "NotResource" in more:
        more["NotResource"] = _resources(more["NotResource"])
    return {name: value for name, value in (made | more).items() if value is not None}


def allow(action: Any = "s3:GetObject", resource: Any = "photos/*", /, **more: Any) -> Statement:
    """Write a statement that allows."""
    return statement("Allow", action, resource, **more)


def deny(action: Any = "s3:GetObject", resource: Any = "photos/*", /, **more: Any) -> Statement:
    """Write a statement that denies."""
    return statement("Deny", action, resource, **more)


def document(*statements: Statement, version: str = NEW) -> Document:
    """Write a policy."""
    return json.dumps({"Version": version, "Statement": list(statements)})


@dataclass(frozen=True)
class Case:
    """One decision: who asks for what, by which policies, and what comes of it.

    The bucket is ada's unless `owner` says otherwise; `caller` None is nobody who signed.
    """

    claim: str
    page: str
    expected: str
    action: str = "s3:GetObject"
    resource: str = "photos/a/b.jpg"
    caller: str | None = "bob"
    identity: tuple[Document, ...] = ()
    groups: tuple[Document, ...] = ()
    role: tuple[Document, ...] = ()
    key: Document | None = None
    bucket: Document | None = None
    context: dict[str, Any] = field(default_factory=dict)
    owner: str = "ada"
    has_acls: bool = False
    acl: tuple[tuple[str, str], ...] | None = None  # of the bucket: (grantee, permission)
    object_owner: str | None = None  # None: the bucket's owner
    object_acl: tuple[tuple[str, str], ...] | None = None
    ignores_public_acls: bool = False
    restricts_public_policy: bool = False


def conditions(
    page: str, operator_rows: list[tuple[str, str, Any, Any, bool, str]]
) -> list[Case]:
    """Table rows of (operator, key, the policy's values, the request's, does it hold, claim).

    The condition narrows an identity's allow: what does not hold is not allowed. A request's value
    of None is a key that it lacks.
    """
    return [
        Case(
            claim,
            page,
            ALLOW if holds else IMPLICIT,
            identity=(document(allow(Condition={operator: {key: wanted}})),),
            context={} if actual is None else {key: actual},
        )
        for operator, key, wanted, actual, holds, claim in operator_rows
    ]
