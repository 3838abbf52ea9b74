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
_PUBLIC: Final = PUBLIC_GROUPS | {ANONYMOUS_ID}


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
    nothing: so nobody who did not sign is granted anything.
    """
    if ignore_public and canonical_id == ANONYMOUS_ID:
        return False
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

    access-control-block-public-access.html, "The meaning of public". Who did not sign can be
    anybody, so what is granted to his id is granted to everybody.
    """
    return any(grantee in _PUBLIC for grantee, _ in grants or ())


EC2_ID: Final = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
OWNER_FULL: Final = "bucket-owner-full-control"
# What each canned ACL grants beside the owner's full control, to whom: acl-overview.html, "Canned
# ACL". "" is the bucket's owner: for a bucket he is the owner anyhow, and S3 ignores the word.
_CANNED: Final[dict[str, tuple[Grant, ...]]] = {
    "private": (),
    "public-read": (Grant(ALL_USERS, "READ"),),
    "public-read-write": (Grant(ALL_USERS, "READ"), Grant(ALL_USERS, "WRITE")),
    "authenticated-read": (Grant(AUTHENTICATED_USERS, "READ"),),
    "aws-exec-read": (Grant(EC2_ID, "READ"),),
    "bucket-owner-read": (Grant("", "READ"),),
    OWNER_FULL: (Grant("", "FULL_CONTROL"),),
    "log-delivery-write": (Grant(LOG_DELIVERY, "WRITE"), Grant(LOG_DELIVERY, "READ_ACP")),
}
BUCKET_CANNED: Final = frozenset(_CANNED)
OBJECT_CANNED: Final = BUCKET_CANNED - {"log-delivery-write"}


def canned_grants(name: str, owner: str, bucket_owner: str) -> tuple[Grant, ...]:
    """Spell a canned ACL out, for an object (or a bucket) of `owner` in a bucket of another."""
    others = (grant._replace(grantee=grant.grantee or bucket_owner) for grant in _CANNED[name])
    return (*private_grants(owner), *(grant for grant in others if grant.grantee != owner))


def private_grants(owner: str) -> tuple[Grant, ...]:
    """Spell out the ACL that gives its owner everything and nobody else anything."""
    return (Grant(owner, Permission.FULL_CONTROL.value),)
