"""The values of the index tables, and their encoding: MessagePack arrays.

A field may be added at the end with a default; anything else needs a new format version and a
migration written beside the row. Knows no transaction; keys.py has the keys.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from storage_engine.lifecycle_rules import (  # noqa: TC001  # msgspec reads them
    LifecycleCounts,
    LifecycleRule,
)
from storage_engine.values import (
    NO_LOCK,
    ListedVersion,
    LockMode,
    ObjectAttributes,
    ObjectInfo,
    ObjectLock,
    PartInfo,
)
from storage_engine.version_ids import NULL_VERSION_ID, version_position

if TYPE_CHECKING:
    from collections.abc import Iterator

Payload = bytes | int | None
"""Where bytes are: SHA-256 of a blob, sequence number of an inline payload, None when empty.

For a multipart object it is the raw id of the upload whose parts make it up.
"""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """ENTRIES, MARKERS: the current version of a key. VERSIONS: one behind it."""

    size: int
    modified_ms: int
    payload: Payload
    part_count: int  # 0: the payload is one blob or inline
    attributes: ObjectAttributes
    object_id: int = 0  # whose versions these are in VERSIONS; 0: none was ever kept
    version: int = 0  # number in the order of versions; 0: the null version from before there were
    is_null: bool = True
    is_marker: bool = False
    null_behind: int | None = None  # of a current version: the number of the null version behind
    retain_mode: LockMode = LockMode.NONE
    retain_until_ms: int = 0
    has_hold: bool = False
    had_hold: bool = False

    @property
    def is_locked(self) -> bool:
        """Tell whether anything is laid on the version, expired or not."""
        return self.has_hold or self.retain_mode is not LockMode.NONE

    @property
    def version_id(self) -> str:
        """The version's id as clients know it."""
        return NULL_VERSION_ID if self.is_null else version_position(self.version)

    @property
    def lock(self) -> ObjectLock:
        """What is laid on the version."""
        if self.retain_mode is LockMode.NONE and not self.has_hold and not self.had_hold:
            return NO_LOCK
        return ObjectLock(self.retain_mode, self.retain_until_ms, self.has_hold, self.had_hold)

    def locked(self, lock: ObjectLock) -> Entry:
        """Return the same with another lock on it."""
        return msgspec.structs.replace(
            self,
            retain_mode=lock.mode,
            retain_until_ms=lock.retain_until_ms,
            has_hold=lock.has_hold,
            had_hold=lock.had_hold,
        )

    def info(self, key: str, *, is_latest: bool = True) -> ObjectInfo:
        """Show the entry to the engine's callers."""
        return ObjectInfo(
            key,
            self.size,
            self.modified_ms,
            self.attributes,
            self.part_count,
            self.payload if isinstance(self.payload, bytes) and not self.part_count else None,
            self.version_id,
            is_latest,
            self.is_marker,
            self.lock,
        )


class Blob(msgspec.Struct, array_like=True, gc=False):
    """BLOBS: where a payload lies and how many objects and parts use it."""

    volume_id: int
    offset: int  # of the record in the volume
    header_bytes: int  # the payload starts this far into the record
    size: int
    length: int  # of the whole record
    references: int
    checks_crc: int
    checks: bytes  # block checksums; empty when only the record has them


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """PARTS: a part of an open upload or of a completed multipart object."""

    sequence: int
    size: int
    etag: str
    modified_ms: int
    checksums: dict[str, str]
    payload: Payload

    def info(self, number: int) -> PartInfo:
        """Show the part to the engine's callers."""
        sha256 = self.payload if isinstance(self.payload, bytes) else None
        return PartInfo(
            number, self.size, self.etag, self.modified_ms, self.checksums, self.sequence, sha256
        )


class Upload(msgspec.Struct, frozen=True, array_like=True):
    """UPLOADS: a multipart upload; with `completed` set, the memory of one that ended."""

    bucket_id: int
    key: str
    initiated_ms: int
    attributes: ObjectAttributes
    completed: Entry | None = None
    completed_parts: list[tuple[int, str]] = []
    lock: ObjectLock = NO_LOCK


class Manifest(msgspec.Struct, array_like=True):
    """MANIFESTS: which parts make up a multipart object, and where each ends in it."""

    references: int  # objects that share it: copies
    numbers: bytes  # part numbers, u16 big-endian
    ends: bytes  # u64 big-endian

    def part_numbers(self) -> tuple[int, ...]:
        """Return the part numbers in order."""
        return struct.unpack(f">{len(self.numbers) // 2}H", self.numbers)

    def part_ends(self) -> tuple[int, ...]:
        """Return where each part ends in the object."""
        return struct.unpack(f">{len(self.ends) // 8}Q", self.ends)


NO_SHA256: Final = bytes(32)


class Citation(Manifest):
    """MANIFESTS while a salvage runs: of an upload that was completed, with what it was of."""

    sha256s: bytes = b""  # as in Completion

    def cited(self) -> Iterator[tuple[int, int, bytes | None]]:
        """Walk the number, size and SHA-256 (None: not known) of every part, in order."""
        start = 0
        for place, (number, end) in enumerate(
            zip(self.part_numbers(), self.part_ends(), strict=True)
        ):
            sha256 = self.sha256s[place * len(NO_SHA256) : (place + 1) * len(NO_SHA256)]
            yield number, end - start, sha256 if sha256 not in {b"", NO_SHA256} else None
            start = end


class Completion(msgspec.Struct, frozen=True, array_like=True):
    """No row: the payload that says, in a volume, which parts an upload was completed with."""

    upload_id: bytes
    numbers: bytes  # both as in Manifest
    ends: bytes
    sha256s: bytes = b""  # 32 bytes for each part, NO_SHA256 for one without a blob; or empty

    def is_sound(self) -> bool:
        """Tell whether there is as much of everything as there are parts."""
        count = len(self.numbers) // 2
        is_even = len(self.numbers) == 2 * count and len(self.ends) == 8 * count
        return count > 0 and is_even and len(self.sha256s) in {0, len(NO_SHA256) * count}


class Share(NamedTuple):
    """What a namespace adds to the totals of an account."""

    account: int
    objects: int
    versions: int
    bytes: int


class NamespaceRow(msgspec.Struct, array_like=True):
    """NAMESPACES: exact totals of a bucket; a closed one stays for ever, for ids never return."""

    is_closed: bool = False
    objects: int = 0
    object_bytes: int = 0
    uploads: int = 0
    upload_bytes: int = 0
    versions: int = 0
    markers: int = 0
    parts: int = 0
    locked: int = 0
    quota_bytes: int = 0
    quota_versions: int = 0
    account: int = 0  # whose totals these count in; 0: nobody's
    lifecycle: int = 0  # number of the rules in force, of META "lifecycle."; 0: there are none
    held: int = 0  # versions under a legal hold
    retained_until_ms: int = 0  # no retention in it ends later; 0 when nothing is locked

    @property
    def bytes(self) -> int:
        """What versions and the parts of open uploads come to."""
        return self.object_bytes + self.upload_bytes

    @property
    def share(self) -> Share:
        """What counts for the account."""
        return Share(self.account, self.objects, self.versions, self.bytes)


class AccountRow(msgspec.Struct, array_like=True):
    """ACCOUNTS: exact totals of all the namespaces of one account, open ones and closed."""

    objects: int = 0
    versions: int = 0
    bytes: int = 0  # of versions and of parts of open uploads
    quota_bytes: int = 0
    quota_versions: int = 0

    def add(self, share: Share, sign: int) -> None:
        """Count what a namespace holds, or (-1) has held."""
        self.objects += sign * share.objects
        self.versions += sign * share.versions
        self.bytes += sign * share.bytes


class LifecycleRow(msgspec.Struct, frozen=True, array_like=True):
    """META "lifecycle.": the rules in force in a bucket."""

    number: int  # of the sequence; never given to other rules
    day_ms: int  # how long a day is that they speak of
    rules: tuple[LifecycleRule, ...]


class LifecycleDone(msgspec.Struct, array_like=True):
    """META "lifecycle_done.": what one rule has done so far."""

    rule_id: str
    counts: LifecycleCounts


class Look(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """LIFECYCLE: at this key something may be due at the time that the row stands at."""

    key: str
    after: int | None = None  # versions up to this number were looked at already


class Scan(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """LIFECYCLE, at time 0: keys below a prefix that are still to be given their looks."""

    number: int  # of the rules for which this is done
    prefix: str
    tree: int = 0  # of the three: objects, markers, uploads
    after: str = ""  # keys of that tree up to this one have been


class DeadExtent(msgspec.Struct, array_like=True):
    """DEAD: the record of a large blob that nothing uses, whose room is still to be freed."""

    length: int
    freed_ms: int  # 0: it was moved, and who looks for it here will look it up again


class Quarantined(msgspec.Struct, array_like=True):
    """QUARANTINE: a blob in use whose bytes, where the index has them, were found wrong."""

    found_ms: int
    volume_id: int
    offset: int
    reason: str


class ScrubState(msgspec.Struct, array_like=True):
    """META "scrub": how far the scrub has come, and what it met since it began this pass."""

    started_ms: int = 0  # of the pass under way, or 0
    finished_ms: int = 0  # of the last whole pass
    inline: int = 0  # inline payloads up to this sequence were checked
    volume_id: int = 0  # volumes before this one were
    offset: int = 0  # records before this place of it were
    live_bytes: int = 0  # of blobs in use in it when it was begun
    met_bytes: int = 0  # of those that were met in it
    blobs: int = 0
    bytes: int = 0
    damaged: int = 0


_encoder = msgspec.msgpack.Encoder()
encode: Final = _encoder.encode
decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode
decode_listed: Final = msgspec.msgpack.Decoder(ListedVersion).decode
decode_blob: Final = msgspec.msgpack.Decoder(Blob).decode
decode_part: Final = msgspec.msgpack.Decoder(Part).decode
decode_upload: Final = msgspec.msgpack.Decoder(Upload).decode
decode_manifest: Final = msgspec.msgpack.Decoder(Manifest).decode
decode_citation: Final = msgspec.msgpack.Decoder(Citation).decode
decode_completion: Final = msgspec.msgpack.Decoder(Completion).decode
decode_namespace: Final = msgspec.msgpack.Decoder(NamespaceRow).decode
decode_account: Final = msgspec.msgpack.Decoder(AccountRow).decode
decode_lifecycle: Final = msgspec.msgpack.Decoder(LifecycleRow).decode
decode_lifecycle_done: Final = msgspec.msgpack.Decoder(LifecycleDone).decode
decode_look: Final = msgspec.msgpack.Decoder(Look).decode
decode_scan: Final = msgspec.msgpack.Decoder(Scan).decode
decode_dead: Final = msgspec.msgpack.Decoder(DeadExtent).decode
decode_scrub: Final = msgspec.msgpack.Decoder(ScrubState).decode
decode_quarantined: Final = msgspec.msgpack.Decoder(Quarantined).decode


def pack_manifest(parts: list[tuple[int, int]]) -> Manifest:
    """Make the manifest of one object from its parts' (number, size), in order."""
    ends, end = [], 0
    for _, size in parts:
        end += size
        ends.append(end)
    numbers = [number for number, _ in parts]
    count = len(parts)
    return Manifest(1, struct.pack(f">{count}H", *numbers), struct.pack(f">{count}Q", *ends))
