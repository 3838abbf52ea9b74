"""Reading an object's payload, verified block by block, wherever its bytes lie.

A reader holds open files, and locks on the records of large blobs, so an object that is
overwritten or deleted meanwhile stays readable. Only one of very many parts looks places up as it
goes, and then may find that they are gone. What compaction moves under a reader it looks up again
when it misses it: bytes are called damaged only where the index still says that they are there.
"""

from __future__ import annotations

import errno
import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self, final

from awscrt.checksums import crc32c

from storage_engine.buffers import lend
from storage_engine.errors import CorruptBlob, NoSuchKey, StorageError
from storage_engine.limits import (
    BLOCK_BYTES,
    BUFFER_BYTES,
    MOVES_FOLLOWED_MAX,
    PUNCH_BYTES_MIN,
)
from storage_engine.record import check_blocks, checks_bytes, is_block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage_engine import rows
    from storage_engine.values import ObjectInfo
    from storage_engine.volume_files import VolumeFile, VolumeFiles

    Bytes = bytes | memoryview  # it does not change as long as anybody refers to it
    Read = Callable[["Extent", int, int], Bytes | None]  # from an offset on; None: it would block


class Gone(Exception):  # noqa: N818  # not an error: look again
    """The bytes were given up between looking their place up and opening it."""


class Withheld(Gone):
    """The index did not name a place that was to be locked: nothing is known of its bytes."""


class Places(Protocol):
    """What a reader asks the index about blobs while it reads them."""

    def is_there(self, sha256: bytes, blob: rows.Blob) -> bool:
        """Tell whether a blob, in use or dead, still has its bytes at that place."""

    def find(self, sha256: bytes) -> rows.Blob | None:
        """Return where a blob lies now, or None when nothing uses it any more."""

    def report(self, sha256: bytes, blob: rows.Blob, reason: str) -> None:
        """Tell of a blob whose bytes are wrong; returns at once."""


class Extent:
    """The bytes of one payload: in memory, or at a place in a volume."""

    __slots__ = ("blob", "checks", "data", "file", "is_held", "sha256", "size")

    def __init__(
        self,
        size: int,
        *,
        data: bytes | None = None,
        sha256: bytes = b"",
        blob: rows.Blob | None = None,
    ) -> None:
        self.size = size
        self.data = data
        self.sha256 = sha256
        self.blob = blob
        self.checks = blob.checks if blob is not None else b""
        self.file: VolumeFile | None = None
        self.is_held = False


class Extents:
    """The payloads of one object, in order; `resolve` looks up a few at a time, from an index on.

    It raises NoSuchKey when the object is gone and its places with it.
    """

    def __init__(
        self, ends: Sequence[int], resolve: Callable[[int], list[Extent]], first: list[Extent]
    ) -> None:
        self.ends = ends
        self._resolve = resolve
        self.known = dict(enumerate(first))

    def at(self, offset: int) -> tuple[Extent, int]:
        """Return the extent a byte is in, and which of its bytes that is."""
        index = bisect_right(self.ends, offset)
        if index not in self.known:
            for number, extent in enumerate(self._resolve(index), index):
                self.known.setdefault(number, extent)
        return self.known[index], offset - (self.ends[index - 1] if index else 0)


class ObjectReader(ABC):
    """An open object, used by one thread at a time; `close` may come from any.

    Offsets and lengths are bytes of the object; what lies beyond its end is left out.
    """

    __slots__ = ("info", "whole")

    def __init__(self, info: ObjectInfo, whole: bytes | None) -> None:
        self.info = info
        self.whole = whole  # all of its bytes, verified, where they came with its entry

    @abstractmethod
    def read_cached(self, offset: int, length: int) -> Bytes | None:
        """Return verified bytes that are in memory, or None when reading them would block."""

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """Return verified bytes, from the disk if need be; CorruptBlob when they are not right."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the object; a read that is under way ends first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


@final
class WholeReader(ObjectReader):
    """An object that is in memory: empty, or kept in the index."""

    __slots__ = ()

    def read(self, offset: int, length: int) -> bytes:
        """Return some of the bytes."""
        if self.whole is None:
            raise _closed()
        return self.whole[offset : offset + length]

    read_cached = read

    def close(self) -> None:
        """Let go of the bytes."""
        self.whole = None


class PlacedReader(ObjectReader):
    """An object whose bytes lie in volumes, or came in parts."""

    __slots__ = ("_block", "_extents", "_files", "_is_closed", "_lock", "_places", "_users")

    def __init__(
        self,
        info: ObjectInfo,
        extents: Extents,
        files: VolumeFiles,
        places: Places,
    ) -> None:
        super().__init__(info, None)
        self._extents = extents
        # The only payload, where it is one block: as it is of most objects, and read in one step.
        self._block: Extent | None = None
        if 0 < info.size <= BLOCK_BYTES and len(extents.ends) == 1:
            self._block = extents.known[0]
        self._files = files
        self._places = places
        self._lock = threading.Lock()
        self._users = 0
        self._is_closed = False

    def read_cached(self, offset: int, length: int) -> Bytes | None:
        """Ask the page cache alone."""
        data: Bytes | None = None
        if self._block is not None and not offset and length >= self.info.size:
            data = self._read_block(self._block)
        if data is None:
            data = self._read(offset, length, self._cached_blocks)
        if data is None:
            self._files.counts.reads_disk += 1
        else:
            self._files.counts.reads_cached += 1
        return data

    def read(self, offset: int, length: int) -> bytes:
        """Ask the disk."""
        data = self._read(offset, length, self._stored_blocks)
        assert isinstance(data, bytes)
        return data

    def close(self) -> None:
        """Let go of volumes and locks."""
        with self._lock:
            self._is_closed = True
            if not self._users:
                self._release()

    def open(self) -> None:
        """Open every volume known so far; Gone when a payload was given up since, CorruptBlob.

        Of several records only the first is locked now: the others stay for a grace time.
        """
        if self._block is not None:  # too small to be locked
            with suppress(Gone):
                self._acquire(self._block)
                return
        for number, extent in self._extents.known.items():
            self._find_bytes(extent, is_first=number == 0 and self.info.size > 0)

    def _read_block(self, extent: Extent) -> memoryview | None:
        """Read the only block from memory; None where that fails, for `_read` to find out why.

        It takes no time to speak of: who closes the object meanwhile waits for it.
        """
        with self._lock:
            file, blob = extent.file, extent.blob
            if self._is_closed or file is None or blob is None or not extent.checks:
                return None
            buffer = lend(extent.size)
            place = blob.offset + blob.header_bytes
            try:
                if file.disk.read_cached(file.descriptor, buffer, place) < extent.size:
                    return None
            except OSError:
                return None
        return buffer.toreadonly() if is_block(buffer, extent.checks) else None

    # --- taking apart --------------------------------------------------------------------------

    def _read(self, offset: int, length: int, read_blocks: Read) -> Bytes | None:
        stop = min(offset + length, self.info.size)
        self._enter()
        try:
            pieces = []
            while offset < stop:
                extent, at = self._extents.at(offset)
                piece = self._read_extent(extent, at, stop - offset, read_blocks)
                if piece is None:
                    return None
                pieces.append(piece)
                offset += len(piece)
        except Gone as error:
            raise NoSuchKey(self.info.key) from error
        finally:
            self._leave()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_extent(
        self,
        extent: Extent,
        at: int,
        length: int,
        read_blocks: Read,
    ) -> Bytes | None:
        """Return some bytes from `at` on: as many as wanted, as there are, or as one step reads."""
        if extent.data is not None:
            return extent.data[at : at + length]
        start = at - at % BLOCK_BYTES
        stop = min(at + length, extent.size, start + BUFFER_BYTES)
        end = min(stop + -stop % BLOCK_BYTES, extent.size)
        data = self._read_verified(extent, start, end, read_blocks)
        if data is None or (start, end) == (at, stop):
            return data
        return data[at - start : stop - start]

    def _read_verified(
        self,
        extent: Extent,
        start: int,
        end: int,
        read_blocks: Read,
    ) -> Bytes | None:
        """Return whole blocks from where the payload lies now; None when that blocks."""
        for _ in range(MOVES_FOLLOWED_MAX):
            try:
                if extent.file is None:
                    self._acquire(extent)
                self._hold(extent)
                if not extent.checks and not self._load_checks(extent, read_blocks):
                    return None
                data = read_blocks(extent, start, end - start)
                if data is not None:
                    check_blocks(data, extent.checks, start // BLOCK_BYTES)
            except (Gone, CorruptBlob, OSError) as error:
                self._follow(extent, error)
            else:
                return data
        raise StorageError(f"blob {extent.sha256.hex()} moves faster than it can be read")

    # --- places --------------------------------------------------------------------------------

    def _find_bytes(self, extent: Extent, *, is_first: bool) -> None:
        """Open an extent's volume, wherever its payload lies now."""
        for _ in range(MOVES_FOLLOWED_MAX):
            try:
                self._acquire(extent)
                if is_first:
                    self._hold(extent)
            except Gone as error:
                self._follow(extent, error)
            else:
                return
        raise StorageError(f"blob {extent.sha256.hex()} moves faster than it can be opened")

    def _acquire(self, extent: Extent) -> None:
        """Open an extent's volume, which then stays readable; Gone when it was dropped."""
        blob = extent.blob
        if blob is None or extent.file is not None:
            return
        try:
            extent.file = self._files.acquire(blob.volume_id)
        except FileNotFoundError as error:
            raise Gone(f"volume {blob.volume_id} is missing") from error
        except OSError as error:
            raise StorageError(f"volume {blob.volume_id} cannot be opened: {error}") from error

    def _hold(self, extent: Extent) -> None:
        """Keep holes out of a large blob's record; Gone when it was given up."""
        blob, file = extent.blob, extent.file
        if blob is None or file is None or extent.is_held or blob.length < PUNCH_BYTES_MIN:
            return
        extent.is_held = self._files.hold(file, blob.offset, blob.length)
        if extent.is_held:
            # What the index still names after the lock was taken cannot be punched before it ends.
            is_there = self._places.is_there(extent.sha256, blob)
        else:
            # Who has just healed the blob with this record still has it locked, and who wanted to
            # punch it will find it in use. It is read without a lock then; the next step has one.
            is_there = _is_at(self._places.find(extent.sha256), blob)
        if not is_there:
            raise Withheld("its room is being given back")

    def _follow(self, extent: Extent, error: Exception) -> None:
        """Take on the place a payload was moved to, or raise what it means that it was not.

        Gone when nothing uses it any more; CorruptBlob when it should be where it was looked for.
        """
        missed = extent.blob
        assert missed is not None
        found = self._places.find(extent.sha256)
        if found is None:
            raise Gone from error
        if _is_at(found, missed):
            if isinstance(error, Withheld):
                return  # it was not there when we looked, and is now
            if not isinstance(error, OSError) or error.errno == errno.EIO:
                self._places.report(extent.sha256, missed, str(error))
            if isinstance(error, CorruptBlob):
                raise error
            message = f"blob {extent.sha256.hex()} cannot be read: {error}"
            raise CorruptBlob(message) from error
        self._let_go(extent)
        extent.blob, extent.checks = found, found.checks

    def _enter(self) -> None:
        with self._lock:
            if self._is_closed:
                raise _closed()
            self._users += 1

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._is_closed and not self._users:
                self._release()

    def _release(self) -> None:
        for extent in self._extents.known.values():
            self._let_go(extent)

    def _let_go(self, extent: Extent) -> None:
        """Leave the place an extent was read from."""
        blob, file = extent.blob, extent.file
        if blob is not None and file is not None:
            if extent.is_held:
                self._files.let_go(file, blob.offset, blob.length)
            self._files.release(file)
            extent.file, extent.is_held = None, False

    # --- bytes ---------------------------------------------------------------------------------

    def _load_checks(self, extent: Extent, read_blocks: Read) -> bool:
        """Read a large blob's block checksums, which follow its payload; False if that blocks."""
        checks = read_blocks(extent, extent.size, checks_bytes(extent.size))
        if checks is None:
            return False
        assert extent.blob is not None
        if crc32c(checks) != extent.blob.checks_crc:
            raise CorruptBlob(f"block checksums of {extent.sha256.hex()} fail their own")
        extent.checks = bytes(checks)
        return True

    def _stored_blocks(self, extent: Extent, start: int, length: int) -> bytes:
        file, offset = self._place(extent, start)
        data = file.read(length, offset)
        if len(data) < length:
            raise CorruptBlob(f"blob {extent.sha256.hex()} is cut off")
        return data

    def _cached_blocks(self, extent: Extent, start: int, length: int) -> memoryview | None:
        file, offset = self._place(extent, start)
        buffer = lend(length)
        return buffer.toreadonly() if file.read_cached(buffer, offset) == length else None

    def _place(self, extent: Extent, start: int) -> tuple[VolumeFile, int]:
        assert extent.file is not None
        assert extent.blob is not None
        return extent.file, extent.blob.offset + extent.blob.header_bytes + start


def _closed() -> ValueError:
    return ValueError("the reader is closed")


def _is_at(found: rows.Blob | None, place: rows.Blob) -> bool:
    """Tell whether a blob was found at a place."""
    if found is None:
        return False
    return (found.volume_id, found.offset) == (place.volume_id, place.offset)
