"""Who may do what, said a second time: a few lines for each kind of caller, and how they combine.

Written from docs/access.md and from AWS's "Policy evaluation logic" (IAM User Guide), and knows
nothing of S4's evaluator: what the server answers is held against this.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Place(StrEnum):
    """What an action is done to."""

    SERVICE = "service"  # no bucket at all
    NEW = "new"  # a bucket that the request would make
    BUCKET = "bucket"
    LISTING = "listing"  # the bucket, when only what is below the caller's prefix is asked for
    OBJECT = "object"
    SOURCE = "source"  # the object that is copied or renamed


# What is not there yet, and what concerns no bucket, is in the account of who asks.
IN_OWN_ACCOUNT: Final = {Place.SERVICE, Place.NEW}
EVERYWHERE: Final = frozenset(Place)
OBJECTS: Final = frozenset({Place.OBJECT, Place.SOURCE})
# Neither these can be denied to a bucket's owner by its policy, nor be given to another by it.
OF_POLICY: Final = {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"}


class Need(NamedTuple):
    """An action, without its prefix, and where."""

    place: Place
    action: str


class Says(NamedTuple):
    """A statement: these actions (patterns between blanks) in these places."""

    actions: str
    places: frozenset[Place] = EVERYWHERE
    is_own_only: bool = False

    def covers(self, need: Need, *, is_owner: bool) -> bool:
        """Whether it speaks of an action."""
        is_own = is_owner or need.place in IN_OWN_ACCOUNT
        return (
            (is_own or not self.is_own_only)
            and need.place in self.places
            and any(fnmatchcase(need.action, pattern) for pattern in self.actions.split())
        )


class Verdict(StrEnum):
    """What a request comes to."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NO_SUCH_KEY = "no such access key"
    OTHERS_POLICY = "not another's policy"


class Caller(NamedTuple):
    """A kind of caller. `kind` names the bucket he asks for: of whom, and with which policy."""

    name: str
    title: str
    about: str
    kind: str = "shared"
    is_owner: bool = False
    allows: tuple[Says, ...] = ()
    denies: tuple[Says, ...] = ()
    bucket_allows: tuple[Says, ...] = ()
    bucket_denies: tuple[Says, ...] = ()
    key: tuple[Says, ...] | None = None  # what the access key's own policy leaves
    is_known: bool = True  # whether his key is one that counts
    is_link_over: bool = False  # whether his presigned URL has expired

    @property
    def signs(self) -> bool:
        """Whether he signs what he asks for."""
        return self.name != "nobody"

    def verdict(self, needs: Iterable[Need]) -> Verdict:
        """Say what a request that needs all these actions comes to; without any anybody may."""
        needs = tuple(needs)
        if not needs:
            return Verdict.ALLOWED
        if not self.is_known:
            return Verdict.NO_SUCH_KEY
        if self.is_link_over or not all(map(self._may, needs)):
            return Verdict.DENIED
        by_bucket = not all(self._has(self.allows, need) for need in needs)
        if by_bucket and any(need.action in OF_POLICY for need in needs):
            return Verdict.OTHERS_POLICY
        return Verdict.ALLOWED

    def _may(self, need: Need) -> bool:
        is_denied = self._has(self.denies, need) or (
            self._has(self.bucket_denies, need) and not (self.is_owner and need.action in OF_POLICY)
        )
        is_narrowed = self.key is not None and not self._has(self.key, need)
        return (
            not is_denied and not is_narrowed and self._has(self.allows + self.bucket_allows, need)
        )

    def _has(self, said: tuple[Says, ...], need: Need) -> bool:
        return any(each.covers(need, is_owner=self.is_owner) for each in said)


READER: Final = (Says("Get* List*", is_own_only=True),)
WRITER: Final = (Says("*", is_own_only=True),)
SUPERUSER: Final = (Says("*"),)
BUCKETS: Final = frozenset({Place.BUCKET, Place.LISTING})

CALLERS: Final = (
    Caller("nobody", "nobody", "signs nothing."),
    Caller(
        "reader",
        "Reader",
        "has the role Reader and asks for what is in his own bucket.",
        kind="reader's",
        is_owner=True,
        allows=READER,
    ),
    Caller(
        "writer",
        "Writer",
        "has the role Writer and asks for what is in his own bucket.",
        is_owner=True,
        allows=WRITER,
    ),
    Caller("superuser", "SuperUser", "asks for what is another's.", allows=SUPERUSER),
    Caller(
        "foreigner", "foreign Writer", "has the role Writer, in another's bucket.", allows=WRITER
    ),
    Caller(
        "narrowed",
        "narrowed key",
        "the bucket's owner, a Writer, with a key whose policy leaves him `s3:GetObject` and "
        "`s3:PutObject` below one prefix, and `s3:CreateBucket`.",
        is_owner=True,
        allows=WRITER,
        key=(Says("GetObject PutObject", OBJECTS), Says("CreateBucket")),
    ),
    Caller(
        "auditor",
        "custom role",
        "has a role of the administrator's making, in another's bucket: its policy allows "
        "`s3:Get*` and `s3:List*` everywhere and denies `s3:GetObject*`.",
        allows=(Says("Get* List*"),),
        denies=(Says("GetObject*"),),
    ),
    Caller(
        "member",
        "group",
        "has no role; his group has a policy that allows `s3:GetObject`, `s3:PutObject` and "
        "`s3:DeleteObject` below one prefix of another's bucket, and to list that prefix. He asks "
        "there.",
        allows=(
            Says("GetObject PutObject DeleteObject", OBJECTS),
            Says("ListBucket", frozenset({Place.LISTING})),
        ),
    ),
    Caller("outside", "group, elsewhere", "the same, below another prefix.", kind="elsewhere"),
    Caller(
        "invited",
        "invited",
        "has no policy; the policy of another's bucket allows him `s3:PutObject`, "
        "`s3:PutObjectTagging`, `s3:AbortMultipartUpload` and `s3:ListMultipartUploadParts` of its "
        "objects, and `s3:ListBucket`, `s3:GetBucketLocation` and `s3:GetBucketPolicy` of itself.",
        bucket_allows=(
            Says(
                "PutObject PutObjectTagging AbortMultipartUpload ListMultipartUploadParts", OBJECTS
            ),
            Says("ListBucket GetBucketLocation GetBucketPolicy", BUCKETS),
        ),
    ),
    Caller(
        "without",
        "no policy",
        "has no role, no group and no policy, and asks for what is in his own bucket.",
        kind="nobody's",
        is_owner=True,
    ),
    Caller(
        "banned",
        "denied owner",
        "has the role Writer; the policy of his own bucket denies him `s3:*`.",
        kind="banned",
        is_owner=True,
        allows=WRITER,
        bucket_denies=(Says("*", BUCKETS | OBJECTS),),
    ),
    Caller(
        "expired", "expired key", "the bucket's owner, with a key that has expired.", is_known=False
    ),
    Caller("disabled", "disabled key", "the same, with a key that is disabled.", is_known=False),
    Caller("fired", "disabled user", "a SuperUser who is disabled.", is_known=False),
    Caller(
        "late",
        "expired link",
        "the bucket's owner, with a presigned URL whose time is over.",
        is_owner=True,
        allows=WRITER,
        is_link_over=True,
    ),
)
