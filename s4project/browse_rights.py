"""Which buckets a user may open in the object browser, and what is worth offering him there.

A page offers what policies might allow for anything below a folder; S3 decides when it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from asgiref.sync import async_to_sync

from iam.conditions import Template
from iam.hearing import Hearing
from iam.resources import PART
from s4project.s3side import get_s3_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buckets.registry import BucketState, Registry
    from iam.documents import Policy
    from iam.keyring import Keyring
    from iam.models import User
    from s3api.context import Snapshots

LIST: Final = "s3:ListBucket"
PUT: Final = "s3:PutObject"
PREFIX: Final = "s3:prefix"
FOLDERS_MAX: Final = 20  # that are named to begin with
# What the scripts of a page ask for, by AWS's names.
OFFERED: Final = {
    "list": LIST,
    "listVersions": "s3:ListBucketVersions",
    "listUploads": "s3:ListBucketMultipartUploads",
    "read": "s3:GetObject",
    "readVersions": "s3:GetObjectVersion",
    "write": PUT,
    "remove": "s3:DeleteObject",
    "removeVersions": "s3:DeleteObjectVersion",
    "readTags": "s3:GetObjectTagging",
    "tag": "s3:PutObjectTagging",
    "readAcl": "s3:GetObjectAcl",
    "grant": "s3:PutObjectAcl",
    "retain": "s3:PutObjectRetention",
    "hold": "s3:PutObjectLegalHold",
    "bypass": "s3:BypassGovernanceRetention",
}


class _Found(NamedTuple):
    """Which buckets each user may open, as long as nothing changes."""

    keyring: Keyring
    registry: Registry
    by_user: dict[str, list[BucketState]]


_found: list[_Found] = []  # none or one


def snapshots() -> Snapshots:
    """Bring what this worker knows of users and buckets up to date."""
    store = get_s3_app().store
    if not store.snapshots.is_current:
        async_to_sync(store.refresh)()
    return store.snapshots


def open_buckets(user: User) -> list[BucketState]:
    """List the buckets that the user may open, in order of name.

    It is the same until users or buckets change: so whoever types into a search, or goes from page
    to page, has it found out once.
    """
    known = snapshots()
    kept = _found[0] if _found else None
    if kept is None or kept.keyring is not known.keyring or kept.registry is not known.registry:
        kept = _Found(known.keyring, known.registry, {})
        _found[:] = [kept]
    by_user = kept.by_user
    listed = by_user.get(user.canonical_id)
    if listed is None:
        listed = [each for each in known.registry.all() if _may_open(known, user, each)]
        by_user[user.canonical_id] = listed
    return listed


def find_open_bucket(user: User, name: str) -> BucketState | None:
    """Find a bucket by its name; None where there is none, or none that the user may open."""
    known = snapshots()
    bucket = known.registry.find(name)
    return bucket if bucket is not None and _may_open(known, user, bucket) else None


def offered(user: User, bucket: BucketState, prefix: str) -> dict[str, bool]:
    """Tell of everything that a page has whether it might be allowed below a prefix."""
    hearing = _hearing(snapshots(), user, bucket, prefix)
    return {name: hearing.might(action) for name, action in OFFERED.items()}


def open_folders(user: User, bucket: BucketState) -> list[str]:
    """Name folders that policies let the user list by name: where to begin who may not list all."""
    known = snapshots()
    hearing = _hearing(known, user, bucket, None)
    context = hearing.question(LIST).context
    found = set()
    for policy in (bucket.policy, *(each.policy for each in hearing.rights)):
        for text in _prefixes(policy, context):
            folder = PART.split(text, maxsplit=1)[0].rpartition("/")
            found.add("".join(folder[:2]))
    ordered = sorted(found - {""})[:FOLDERS_MAX]
    return [each for each in ordered if _hearing(known, user, bucket, each).might(LIST)]


def _prefixes(policy: Policy | None, context: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Walk over the prefixes by which a policy lets somebody list."""
    for statement in () if policy is None else policy.statements:
        if not (statement.is_allow and statement.actions.holds(LIST.lower())):
            continue
        for condition in statement.conditions:
            for value in condition.values if condition.key == PREFIX else ():
                yield Template(value).fill(context) or ""


def lists_all(user: User, bucket: BucketState) -> bool:
    """Whether the user may list all of a bucket, so that what it holds is no secret to him."""
    return _hearing(snapshots(), user, bucket, None).decide(LIST).is_allowed


def _may_open(known: Snapshots, user: User, bucket: BucketState) -> bool:
    """Whether he may list some of it or put something there, wherever that is."""
    whole = _hearing(known, user, bucket, None)
    return whole.might(LIST) or _hearing(known, user, bucket, "").might(PUT)


def _hearing(known: Snapshots, user: User, bucket: BucketState, prefix: str | None) -> Hearing:
    """Ask about all keys that begin with a prefix; None: about the bucket."""
    keyring = known.keyring
    principal = keyring.principal(user.canonical_id)
    is_prefix = prefix is not None
    return Hearing(principal, None, bucket, bucket.name, prefix, keyring, _unknown, is_prefix)


def _unknown(key: str) -> None:
    """Know nothing of what a request will say."""
    del key
