"""Every way the storage engine refuses, as types; what each means for the caller.

Knows nothing of S3 codes: one table on the S3 side translates. A programmer's mistake is an
assertion or a ValueError, never one of these.
"""

# ruff: noqa: N818  # the names are the outcomes, as the S3 side knows them
from __future__ import annotations

from enum import StrEnum


class EngineError(Exception):
    """Base of everything the engine raises on purpose."""


class NoSuchKey(EngineError):
    """The namespace holds no object of that key."""


class MarkerError(EngineError):
    """What was asked for is a delete marker; S3 tells which, and of when."""

    def __init__(self, key: str, version_id: str = "null", modified_ms: int = 0) -> None:
        super().__init__(key)
        self.key = key
        self.version_id = version_id
        self.modified_ms = modified_ms


class KeyDeleted(NoSuchKey, MarkerError):
    """The key's current version is a delete marker, so there is no object of that key."""


class IsDeleteMarker(MarkerError):
    """The version that was named is a delete marker: there is nothing in it."""


class NoSuchVersion(EngineError):
    """The key has no version of that id."""

    def __init__(self, version_id: str, key: str = "") -> None:
        super().__init__(version_id)
        self.version_id = version_id
        self.key = key


class InvalidVersionId(NoSuchVersion):
    """Nothing can have that version id."""


class ObjectLocked(EngineError):
    """A version is retained or on legal hold, and may be neither removed nor renamed."""


class QuotaHolder(StrEnum):
    """Whose quota it is."""

    BUCKET = "bucket"
    ACCOUNT = "account"


class QuotaMeasure(StrEnum):
    """What a quota bounds."""

    BYTES = "bytes"
    VERSIONS = "versions"


class QuotaExceeded(EngineError):
    """A namespace, or all of an account, would hold more than the quota.

    `used` is what is held already, `asked` what would come to it.
    """

    def __init__(
        self, holder: QuotaHolder, measure: QuotaMeasure, *, bound: int, used: int, asked: int
    ) -> None:
        super().__init__(f"{holder}: {used} of {bound} {measure} are used, {asked} more are asked")
        self.holder = holder
        self.measure = measure
        self.bound = bound
        self.used = used
        self.asked = asked


class TargetExists(EngineError):
    """Something has the name already, or a name below the prefix, that a rename would give."""


class TargetTooLarge(EngineError):
    """A rename would have to remove too much at its target: delete it first."""


class TokenReused(EngineError):
    """Another request was carried out under this token."""


class NoSuchPrefix(EngineError):
    """No key begins with the prefix that is to be renamed."""


class PrefixOverlap(EngineError):
    """The two prefixes of a rename are the same, or one lies inside the other."""


class InvalidKey(EngineError):
    """No object can have that key: it is empty. Those who only read find nothing (NoSuchKey)."""


class KeyTooLong(InvalidKey):
    """A key has more than 1,024 bytes, or a rename may make such a one."""


class NoSuchUpload(EngineError):
    """No open multipart upload has that id, bucket and key."""


class PartChanged(EngineError):
    """A part that a completion cites was replaced or removed since the caller read it."""


class NamespaceNotEmpty(EngineError):
    """The namespace still holds a version of some object and cannot be closed."""


class NamespaceClosed(EngineError):
    """The namespace was closed for ever; nothing can be written to it."""


class IndexNotEmpty(EngineError):
    """The index holds something, and can only be filled from volumes while it does not."""


class StorageError(EngineError):
    """The disk failed; after a failed sync the engine takes no more writes until reopened."""


class DiskFull(StorageError):
    """There is no room for the write; nothing of it is left."""


class CorruptBlob(StorageError):
    """Stored bytes do not match their checksum, or cannot be read; none of them was returned."""


class Busy(EngineError):
    """A job of which there can be one at a time is running already."""


class FormatError(EngineError):
    """The directory is not a store of ours, or a newer version of S4 wrote it."""


class NewerStore(FormatError):
    """A newer version of S4 has written there: this one must not."""


class StoreInUse(FormatError):
    """The work needs the store to be closed, and some process has it open."""


class JournalDamaged(FormatError):
    """Frames of the journal that were acknowledged lie behind one that cannot be read."""


class EngineClosed(EngineError):
    """The engine was closed, or belongs to the process this one was forked from."""
