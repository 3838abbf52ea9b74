"""Payloads on their way in: hashed and written before any object names them.

Nothing here takes part in a commit but the result: a StagedBlob, which an operation uses up,
whatever its outcome. Payloads that were in memory as a whole stay there until then, and those that
were written wait to be synced: `group_writer` does both for many at a time. Content that the store
already has is not written; should it vanish before the commit, it is written after all (`restage`).
"""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from awscrt.checksums import crc32c

from storage_engine import rows
from storage_engine.errors import DiskFull
from storage_engine.limits import (
    BLOB_BYTES_MAX,
    BLOCK_CHECKS_IN_INDEX_MAX,
    HASTEN_BYTES,
    PIECES_BYTES_MAX,
)
from storage_engine.record import (
    DESCRIPTION_BYTES_MAX,
    DIGESTS_BYTES,
    RECORD_FIXED_BYTES,
    BlockChecks,
    RecordHeader,
    block_count,
    describe,
    described_again,
    record_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from hashlib import _Hash as Hash

    from storage_engine.health import Health
    from storage_engine.values import Origin
    from storage_engine.volume import Appender, Region


class StagedBlob:
    """A payload that belongs to no object yet. Used up by the first operation that is given it."""

    __slots__ = (
        "_sha256",
        "_stager",
        "data",
        "is_synced",
        "is_used",
        "origin",
        "place",
        "region",
        "size",
    )

    def __init__(
        self,
        size: int,
        sha256: bytes | None,
        *,
        data: bytes | memoryview | None = None,
        stager: Stager | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.size = size
        self.data = data  # kept while it is not on disk
        self.place: rows.Blob | None = None  # the index row it would get
        self.region: Region | None = None
        self.is_synced = False  # whether what lies at the place survives a power cut
        self.is_used = False  # whether the place went into the index
        self._sha256 = sha256
        self._stager = stager
        self.origin = origin  # of one that is in memory

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of the payload."""
        if self._sha256 is None:
            assert self.data is not None
            self._sha256 = hashlib.sha256(self.data).digest()
        return self._sha256

    @property
    def is_inline(self) -> bool:
        """Whether the payload goes into the index itself."""
        return self.place is None and self._stager is None

    @property
    def is_ready(self) -> bool:
        """Whether a commit may name the payload: nothing of it has to be written or synced."""
        return self.is_synced or self.is_inline

    def sync(self) -> None:
        """Make what was written durable; StorageError, after which nothing is taken any more."""
        assert self._stager is not None
        assert self.region is not None
        self._stager.appender.sync(self.region)
        self.is_synced = True

    def restage(self) -> None:
        """Write and sync a payload that the store was thought to have; DiskFull, StorageError."""
        assert self._stager is not None
        self._stager.write([self])
        self.sync()

    def settle(self, *, is_committed: bool) -> None:
        """Give the region to the object that uses it, or back."""
        region, self.region = self.region, None
        if region is None:
            return
        if is_committed and self.is_used:
            region.keep()
        else:
            region.give_back()


class Stager:
    """Makes staged payloads. `known` tells which SHA-256s the index has sound blobs of."""

    def __init__(
        self,
        appender: Appender,
        health: Health,
        known: Callable[[Sequence[bytes]], set[bytes]],
        inline_bytes_max: int,
    ) -> None:
        self.appender = appender
        self.health = health
        self.known = known
        self._inline_bytes_max = inline_bytes_max

    def is_inline(self, size: int, origin: Origin | None = None) -> bool:
        """Tell whether a payload of this size is kept in the index.

        Parts of uploads are not: a large object must not depend on a small last part.
        """
        is_part = origin is not None and bool(origin.upload_id)
        return not size or (size < self._inline_bytes_max and not is_part)

    def stage_bytes(
        self, data: bytes | memoryview, sha256: bytes | None = None, origin: Origin | None = None
    ) -> StagedBlob:
        """Stage a payload that is in memory, where it stays for the time being."""
        size = len(data)
        if self.is_inline(size, origin):
            return StagedBlob(size, sha256, data=data)
        return StagedBlob(size, sha256, data=data, stager=self, origin=origin)

    def stage_record(self, data: bytes, origin: Origin) -> StagedBlob | None:
        """Write a payload that only salvage needs, however small; None when the disk is full."""
        staged = StagedBlob(len(data), None, data=data, stager=self, origin=origin)
        try:
            staged.restage()
        except DiskFull:
            return None
        except BaseException:
            staged.settle(is_committed=False)
            raise
        return staged

    def begin_blob(
        self,
        size: int,
        origin: Origin | None = None,
        *,
        is_bound: bool = False,
        sha256: Hash | None = None,
    ) -> BlobWriter:
        """Begin a payload that arrives in pieces; DiskFull when there is no room for it.

        With `is_bound` it may turn out to be shorter than `size`. `sha256` is fed what is written.
        """
        if not 0 <= size <= BLOB_BYTES_MAX:
            raise ValueError(f"no payload can have {size} bytes")
        if self.is_inline(size, origin):
            return BlobWriter(self, size, None, is_bound=is_bound, sha256=sha256)
        room = 0
        if origin is not None:  # the digests are known when the payload has passed
            room = min(len(describe(origin)) + DIGESTS_BYTES, DESCRIPTION_BYTES_MAX)
        file = self._reserve(size, describe(origin, room))
        return BlobWriter(self, size, file, origin, is_bound=is_bound, sha256=sha256)

    def write(self, payloads: Sequence[StagedBlob]) -> None:
        """Write payloads that are in memory, in one call for all that come to lie side by side.

        DiskFull or StorageError, after which none is written. Nothing is synced yet.
        """
        descriptions = [describe(staged.origin) for staged in payloads]
        regions = self.appender.reserve_all(
            [
                record_bytes(len(description), staged.size)
                for description, staged in zip(descriptions, payloads, strict=True)
            ]
        )
        files = [BlobFile(self, *parts) for parts in zip(regions, descriptions, strict=True)]
        try:
            records = [file.record(staged) for file, staged in zip(files, payloads, strict=True)]
            self._write_records(regions, records)
        except BaseException:
            for file in files:
                file.give_back()
            raise
        for file, staged in zip(files, payloads, strict=True):
            file.give_place(staged)

    def _write_records(
        self, regions: list[Region], records: list[list[bytes | memoryview]]
    ) -> None:
        """Write records that fill their regions."""
        first, waiting = regions[0], list(records[0])
        for before, region, buffers in zip(regions, regions[1:], records[1:], strict=False):
            if not region.follows(before):
                self.write_at(first, waiting, 0)
                first, waiting = region, []
            waiting += buffers
        self.write_at(first, waiting, 0)

    def write_at(self, region: Region, buffers: Sequence[bytes | memoryview], at: int) -> None:
        """Write from a place in a region on; StorageError when the disk refuses."""
        try:
            region.volume.write(buffers, region.offset + at)
        except OSError as error:
            raise self.health.explain("a volume could not be written", error) from error

    def _reserve(self, size: int, description: bytes) -> BlobFile:
        region = self.appender.reserve(record_bytes(len(description), size))
        return BlobFile(self, region, description)


class BlobFile:
    """One record being written into its region."""

    def __init__(self, stager: Stager, region: Region, description: bytes) -> None:
        self._stager = stager
        self._region = region
        self._description = description
        self._checks = BlockChecks()
        self._pieces: list[bytes | memoryview] = []
        self._waiting = 0  # bytes in pieces
        self._at = RECORD_FIXED_BYTES + len(description)
        self._hastened = 0  # up to here the disk was asked to begin
        self._place: rows.Blob | None = None  # once the record is complete

    def add(self, data: bytes | memoryview, *, is_last: bool = False) -> None:
        """Write the next bytes, or gather them; StorageError when the disk refuses.

        The last ones wait for what goes with them: `finish`.
        """
        self._checks.update(data)
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting >= PIECES_BYTES_MAX and not is_last:
            self._write(self._pieces, self._at)
            self._at += self._waiting
            self._pieces, self._waiting = [], 0
            if self._at - self._hastened >= HASTEN_BYTES:
                self._region.hasten(self._hastened, self._at - self._hastened)
                self._hastened = self._at

    def describe(self, origin: Origin) -> None:
        """Say more of what the payload is for, in the room that was left for it."""
        self._description = described_again(origin, len(self._description))

    def finish(self, staged: StagedBlob) -> None:
        """Write what is left, the checksums and the header, and give the place to `staged`.

        When nothing was written yet, all goes in one call: small blobs come this way. Room that
        the payload did not need is given back. Nothing is synced yet, but a large one is written
        out: who is synced with it shall not wait for that.
        """
        self._region.shrink(record_bytes(len(self._description), staged.size))
        header, checks = self._end(staged)
        if self._at == len(header):
            self._write([header, *self._pieces, checks], 0)
        else:
            self._write([*self._pieces, checks], self._at)
            self._write([header], 0)
        if self._hastened:
            self._region.write_out()
        self.give_place(staged)

    def record(self, staged: StagedBlob) -> list[bytes | memoryview]:
        """Return the whole record of a payload that is in memory, as long as its region."""
        assert staged.data is not None
        self._checks.update(staged.data)
        header, checks = self._end(staged)
        rest = self._region.length - len(header) - staged.size - len(checks)
        return [header, staged.data, checks, bytes(rest)]

    def give_place(self, staged: StagedBlob) -> None:
        """Let a payload lie where its record was written."""
        staged.region, staged.place, staged.data = self._region, self._place, None

    def _end(self, staged: StagedBlob) -> tuple[bytes, bytes]:
        """Make up the header and the checksums, and the row that names them."""
        checks, region = self._checks.finish(), self._region
        header = RecordHeader(
            volume_id=region.volume.id,
            offset=region.offset,
            payload_bytes=staged.size,
            sha256=staged.sha256,
            checks_crc=crc32c(checks),
            created_ms=time.time_ns() // 1_000_000,
            description=self._description,
        )
        packed = header.pack(self._stager.appender.seed)
        is_in_index = block_count(staged.size) <= BLOCK_CHECKS_IN_INDEX_MAX
        self._place = rows.Blob(
            volume_id=region.volume.id,
            offset=region.offset,
            header_bytes=len(packed),
            size=staged.size,
            length=region.length,
            references=1,
            checks_crc=header.checks_crc,
            checks=checks if is_in_index else b"",
        )
        return packed, checks

    def give_back(self) -> None:
        """Return the region; nothing may be written any more."""
        self._region.give_back()

    def _write(self, buffers: Sequence[bytes | memoryview], at: int) -> None:
        assert at + sum(map(len, buffers)) <= self._region.length
        self._stager.write_at(self._region, buffers, at)


class BlobWriter:
    """Takes a payload of known size, or of a size that has a bound, in; by one thread at a time.

    A context manager: leaving the block without `finish` gives the region back.
    """

    def __init__(
        self,
        stager: Stager,
        size: int,
        file: BlobFile | None,
        origin: Origin | None = None,
        *,
        is_bound: bool = False,
        sha256: Hash | None = None,
    ) -> None:
        self._stager = stager
        self._size = size
        self._is_bound = is_bound
        self._origin = origin
        self._received = 0
        self._file = file  # None: the payload is inline
        self._pieces: list[bytes | memoryview] = []
        self.sha256 = sha256 or hashlib.sha256()  # of what came so far
        self._is_open = True
        self._lock = threading.RLock()  # an abort must wait for a write that is under way

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes; ValueError (and abort) when they are more than promised."""
        with self._lock, self._abort_on_error():
            if not self._is_open:
                raise ValueError("the blob was finished or aborted")
            self._received += len(data)
            if self._received > self._size:
                raise ValueError(f"more than the promised {self._size} bytes")
            self.sha256.update(data)
            if self._file is None:
                self._pieces.append(data)
            else:
                self._file.add(data, is_last=self._received == self._size)

    def finish(self, etag: str = "", checksums: dict[str, str] | None = None) -> StagedBlob:
        """Write the payload's end; ValueError (and abort) when it is not as long as promised.

        ETag and checksums go into the record, beside the origin that was given.
        """
        with self._lock, self._abort_on_error():
            is_short = self._received < self._size and not self._is_bound
            if not self._is_open or is_short:
                raise ValueError(f"{self._received} bytes instead of the promised {self._size}")
            if self._file is None:
                data = b"".join(self._pieces)
                staged = self._stager.stage_bytes(data, self.sha256.digest())
            else:
                if self._origin is not None and (etag or checksums):
                    self._file.describe(self._origin.with_digests(etag, checksums or {}))
                staged = StagedBlob(self._received, self.sha256.digest(), stager=self._stager)
                self._file.finish(staged)
            self._is_open = False
            return staged

    def abort(self) -> None:
        """Give the region back; does nothing once finished or aborted."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                if self._file is not None:
                    self._file.give_back()

    @contextmanager
    def _abort_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.abort()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.abort()
