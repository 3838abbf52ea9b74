"""The values that cross the engine's door: what callers give and what they get back.

All are immutable. Times are epoch milliseconds, sizes are bytes, keys are `str` ordered by their
UTF-8 bytes. Knows nothing of how any of it is stored. (`gc=False`: none of these can be part of
a cycle, and a page of a thousand would set the garbage collector off.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from storage_engine.errors import InvalidKey, KeyTooLong
from storage_engine.limits import KEY_BYTES_MAX
from storage_engine.version_ids import NULL_VERSION_ID, version_position

Version = TypeVar("Version")


class ObjectAttributes(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What the S3 side wants kept with an object or upload; opaque to the engine.

    Kept on disk as an array in this order: new fields go to the end and have a default.
    """

    etag: str  # unquoted: hex MD5, or hex-N for a multipart object
    headers: dict[str, str]  # lower-case wire names
    checksums: dict[str, str] = {}  # algorithm -> base64
    checksum_type: str = ""  # "" | FULL_OBJECT | COMPOSITE
    owner: str = ""  # canonical id
    storage_class: str = "STANDARD"
    checksum_algorithm: str = ""  # asked for at CreateMultipartUpload
    tags: dict[str, str] = {}
    grants: tuple[tuple[str, str], ...] | None = None  # (grantee, permission); None: the owner's
    initiator: str = ""  # canonical id of who began the upload, where it is not the owner

    def with_digests(self, etag: str, checksums: dict[str, str]) -> ObjectAttributes:
        """Return the same with what is known once the payload has passed."""
        return msgspec.structs.replace(self, etag=etag, checksums=checksums)


NO_ATTRIBUTES: Final = ObjectAttributes(etag="", headers={})


class ListedAttributes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of an object's attributes, what listings show: the beginning of that array, in its order."""

    etag: str
    headers: msgspec.Raw  # not looked into
    checksums: dict[str, str] = {}
    checksum_type: str = ""
    owner: str = ""
    storage_class: str = "STANDARD"


class ListedVersion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a version, what listings show: the beginning of its row (`rows.Entry`), in its order."""

    size: int
    modified_ms: int
    payload: msgspec.Raw  # neither is this
    part_count: int
    attributes: ListedAttributes
    object_id: int = 0
    version: int = 0
    is_null: bool = True
    is_marker: bool = False

    @property
    def version_id(self) -> str:
        """The version's id as clients know it."""
        return NULL_VERSION_ID if self.is_null else version_position(self.version)


class Versioning(StrEnum):
    """What a bucket does with the version that another takes the place of."""

    UNVERSIONED = "unversioned"  # it is gone; where versions were kept before: as suspended
    ENABLED = "enabled"  # it is kept behind the new one
    SUSPENDED = "suspended"  # it is kept, but for the one null version, which the new one replaces


class LockMode(StrEnum):
    """How strictly a version is retained until its time."""

    NONE = ""
    GOVERNANCE = "GOVERNANCE"  # who may bypass it may shorten it and remove the version
    COMPLIANCE = "COMPLIANCE"  # nobody may


class ObjectLock(NamedTuple):
    """What keeps one version from being removed: retention until a time, and legal hold."""

    mode: LockMode = LockMode.NONE
    retain_until_ms: int = 0
    has_hold: bool = False
    had_hold: bool = False  # it was spoken of: S3 tells a hold that is off from none that ever was


NO_LOCK: Final = ObjectLock()


class RetentionPeriod(NamedTuple):
    """How long a new version is retained from its commit on, where no retention was asked for."""

    mode: LockMode
    period_ms: int


class ObjectInfo(msgspec.Struct, frozen=True, gc=False):
    """A version of an object, as of one moment; the current one unless a version was asked for."""

    key: str
    size: int
    modified_ms: int
    attributes: ObjectAttributes
    part_count: int = 0  # 0: not multipart
    sha256: bytes | None = None  # None for multipart objects, and for small ones kept inline
    version_id: str = "null"
    is_latest: bool = True
    is_marker: bool = False  # a delete marker, which is in listings of versions only
    lock: ObjectLock = NO_LOCK

    @property
    def etag(self) -> str:
        """The unquoted ETag."""
        return self.attributes.etag

    @property
    def headers(self) -> dict[str, str]:
        """The stored headers, by lower-case wire name."""
        return self.attributes.headers

    @property
    def checksums(self) -> dict[str, str]:
        """Base64 checksums by algorithm."""
        return self.attributes.checksums

    @property
    def owner(self) -> str:
        """Canonical id of the owner."""
        return self.attributes.owner


Guard = Callable[[ObjectInfo | None], None]
"""Checks the current object inside the commit; raising refuses the operation.

None where there is none: the key is absent, or its current version is a delete marker.

It must be pure and quick: it runs under the store's one write lock, perhaps more than once.
"""


class ObjectRef(NamedTuple):
    """Names an object."""

    bucket_id: int
    key: str

    def name(self) -> bytes:
        """Return the key as UTF-8; InvalidKey when it is empty, KeyTooLong."""
        name = self.key.encode()
        if not name:
            raise InvalidKey("a key has at least one byte")
        if len(name) > KEY_BYTES_MAX:
            raise KeyTooLong(self.key)
        return name


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a payload is stored for, as far as known by then; it lies beside it, for salvage.

    Of a part, the attributes are those of its upload, but ETag and checksums are its own. Kept on
    disk as an array in this order: new fields go to the end and have a default.
    """

    bucket_id: int
    key: str
    attributes: ObjectAttributes
    upload_id: str = ""
    part_number: int = 0  # 0: an object in one piece
    lock: ObjectLock = NO_LOCK  # as it is given to the commit, and so is the default beside it
    default_retention: RetentionPeriod | None = None

    def lock_from(self, time_ms: int) -> ObjectLock:
        """Return what the version got that was written at this time."""
        default = self.default_retention
        if default is None or self.lock.mode is not LockMode.NONE:
            return self.lock
        retain_until_ms = time_ms + default.period_ms
        return self.lock._replace(mode=default.mode, retain_until_ms=retain_until_ms)

    def with_digests(self, etag: str, checksums: dict[str, str]) -> Origin:
        """Return the same with what is known once the payload has passed."""
        kept = self.attributes.with_digests(etag, checksums)
        return msgspec.structs.replace(self, attributes=kept)


class Deletion(NamedTuple):
    """One of several deletions: of a key, or for good of the version that is named."""

    key: str
    guard: Guard | None = None
    version_id: str | None = None
    bypass_governance: bool = False


class Receipt(NamedTuple):
    """Tells a request that is repeated from a new one; digests that the caller makes."""

    token: bytes  # 16 bytes: what the client named its request
    request: bytes  # all that it asks for


class ObjectPart(NamedTuple):
    """A part of a completed multipart object, and where it lies in it."""

    number: int
    offset: int
    size: int
    checksums: dict[str, str]


class ObjectParts(NamedTuple):
    """Parts of a completed multipart object by number, of one moment with what they are parts of.

    Of an object written in one piece there are none.
    """

    info: ObjectInfo
    parts: list[ObjectPart]
    is_truncated: bool


class PartInfo(msgspec.Struct, frozen=True, gc=False):
    """A part of an open multipart upload."""

    number: int
    size: int
    etag: str
    modified_ms: int
    checksums: dict[str, str]
    sequence: int  # unique in the store: tells a part from one that replaced it
    sha256: bytes | None = None  # None: it has no bytes, or they are kept in the index


class UploadInfo(msgspec.Struct, frozen=True):
    """A multipart upload: open, or completed within the last day."""

    upload_id: str
    bucket_id: int
    key: str
    initiated_ms: int
    attributes: ObjectAttributes
    completed: ObjectInfo | None = None
    completed_parts: list[tuple[int, str]] = []  # (number, etag) of the completion
    lock: ObjectLock = NO_LOCK  # asked for: who completes it gives it to the object


class OpenUpload(NamedTuple):
    """An upload that waits to be finished, and what its parts come to."""

    upload: UploadInfo
    parts: int
    bytes: int


class OpenUploads(NamedTuple):
    """Open uploads of all buckets, oldest first; the next page starts after `next_id`, if any."""

    uploads: list[OpenUpload]
    next_id: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """Objects and common prefixes, each in byte order; the next page starts after `next_after`.

    `next_after` is the last key or common prefix of the page, empty when the page is.
    """

    objects: list[ObjectInfo]
    common_prefixes: list[str]
    is_truncated: bool
    next_after: str


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Versions by key, then newest first, delete markers among them; and common prefixes.

    `next_*` is where the next page starts after; the id is opaque, not that of the version.
    """

    versions: list[ObjectInfo]
    common_prefixes: list[str]
    is_truncated: bool
    next_key: str
    next_version_id: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[Version]):
    """A page as `ListPage` or `VersionPage`, in columns: versions stand beside their `keys`.

    `are_latest` tells which of them are current.
    """

    keys: list[str]
    versions: list[Version]
    are_latest: list[bool]
    common_prefixes: list[str]
    is_truncated: bool
    next_key: str
    next_version_id: str

    def __len__(self) -> int:
        """Tell how many items it has."""
        return len(self.keys) + len(self.common_prefixes)


@dataclass(frozen=True, slots=True)
class PartPage:
    """Parts of an upload by number, and the upload as it was then."""

    upload: UploadInfo
    parts: list[PartInfo]
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class UploadPage:
    """Open uploads by key, then initiation; `next_*` is where the next page starts after."""

    uploads: list[UploadInfo]
    common_prefixes: list[str]
    is_truncated: bool
    next_key: str
    next_upload_id: str


class NamespaceCounts(NamedTuple):
    """Exact totals of one namespace; `bytes` is what the sizes of all its versions add up to."""

    objects: int = 0  # keys whose current version is an object
    bytes: int = 0
    uploads: int = 0
    upload_bytes: int = 0
    versions: int = 0  # of all keys, current ones and markers included
    markers: int = 0  # delete markers, current or not
    parts: int = 0  # of open uploads
    locked: int = 0  # versions with a retention, expired or not, or a legal hold


class Quota(NamedTuple):
    """What may be held: bytes of versions and parts, and versions; 0 is no bound."""

    bytes: int = 0
    versions: int = 0


class Usage(NamedTuple):
    """What a namespace or an account holds, and may hold: exact, as of one commit."""

    objects: int = 0  # keys whose current version is an object
    versions: int = 0  # delete markers included
    bytes: int = 0  # of versions and of parts of open uploads
    quota: Quota = Quota()
    account: int = 0  # that a namespace counts in; 0: in none
    is_closed: bool = False
    has_rules: bool = False  # of lifecycle, that are in force


class Usages(NamedTuple):
    """Of every namespace and every account, by id, as of one commit."""

    namespaces: dict[int, Usage]
    accounts: dict[int, Usage]


class VolumeState(StrEnum):
    """Whether a volume is still written to."""

    ACTIVE = "active"
    SEALED = "sealed"


class VolumeInfo(NamedTuple):
    """One volume file: its length, what it takes on the disk, how much of it live blobs take."""

    id: int
    state: VolumeState
    size: int
    live_bytes: int
    is_held: bool = False  # nothing in it is given up, see `Hold`
    room: int = 0  # on the disk: holes take nothing


class HoldCause(StrEnum):
    """Why nothing of a volume is given up; on disk."""

    SALVAGE = "salvage"
    ACCEPT_LOSS = "accept-loss"
    UNKNOWN_VOLUMES = "unknown volumes"


class Hold(NamedTuple):
    """Nothing in volumes up to this one is given up, since when and why (epoch milliseconds)."""

    last_volume: int
    since_ms: int
    cause: HoldCause


class QuarantinedBlob(NamedTuple):
    """A payload in use whose stored bytes were found wrong. Putting it again heals it."""

    sha256: bytes
    size: int
    references: int  # objects and parts that share it
    found_ms: int
    volume_id: int
    offset: int
    reason: str


class Durability(NamedTuple):
    """How far the newest checkpoint is behind the last commit, and the room for what is to come."""

    checkpoint_ms: int  # when it was made
    replay_bytes: int  # of the journal, that a recovery now would go through
    journal_bytes: int  # on the disk
    map_bytes: int  # that the index may grow to before its map is doubled


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Totals of the whole store. `dead_bytes` of volumes wait for compaction."""

    namespaces: int
    objects: int
    versions: int  # of all objects, current ones and delete markers included
    object_bytes: int  # logical: what clients stored, in all versions
    uploads: int
    upload_bytes: int
    blobs: int
    inline_payloads: int
    volumes: int
    volume_bytes: int  # physical
    live_bytes: int
    dead_bytes: int
    index_bytes: int
    quarantined: int = 0  # blobs whose bytes are wrong
    blob_references: int | None = None  # users of blobs; None: the index is from before the count
