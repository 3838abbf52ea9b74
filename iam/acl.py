"""Access control lists as values: who is granted what. Knows no Django, no request.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL_USERS: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS: Final = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY: Final = "http://acs.amazonaws.com/groups/s3/LogDelivery"
GROUPS: Final = frozenset({ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY})
PUBLIC_GROUPS: Final = frozenset({ALL_USERS, AUTHENTICATED_USERS})

# Owner of what nobody signed for: acl-overview.html, "Who is a grantee?".
ANONYMOUS_ID: Final = "65a011a29cdf8ec533ec3d1ccaae921c"


class Permission(StrEnum):
    """What a grant may give."""

    FULL_CONTROL = "FULL_CONTROL"
    READ = "READ"
    WRITE = "WRITE"
    READ_ACP = "READ_ACP"
    WRITE_ACP = "WRITE_ACP"


class Grant(NamedTuple):
    """One grant of an access control list.

    `grantee` is the canonical id of a user, or the URI of one of AWS's predefined groups.
    """

    grantee: str
    permission: str  # FULL_CONTROL | READ | WRITE | READ_ACP | WRITE_ACP


def grants_to(
    canonical_id: str,
    permission: Permission,
    grants: Iterable[tuple[str, str]] | None,
    *,
    ignore_public: bool,
) -> bool:
    """Whether `grants` give `permission` to whom `canonical_id` names, perhaps ANONYMOUS_ID.

    With `ignore_public` what is granted to everybody, or to everybody who signs, counts for
    nothing.
    """
    for grantee, granted in grants or ():
        if granted not in {permission, Permission.FULL_CONTROL}:
            continue
        if grantee == canonical_id:
            return True
        if not ignore_public and (
            grantee == ALL_USERS
            or (grantee == AUTHENTICATED_USERS and canonical_id != ANONYMOUS_ID)
        ):
            return True
    return False


def is_public(grants: Iterable[tuple[str, str]] | None) -> bool:
    """Whether anything is granted to everybody, or to everybody who signs.

    access-control-block-public-access.html, "The meaning of public".
    """
    return any(grantee in PUBLIC_GROUPS for grantee, _ in grants or ())
