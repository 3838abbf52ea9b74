"""The journal: one frame for each group of changes, durable before any of the group is answered.

Positions count bytes over all segments, in one order for all processes. Who appends holds the
store's write lock and knows the tail from the index; a frame is one write and one sync into room
that was written before, which syncs in half the time of a growing file. Knows nothing of what a
frame's body says. FORMAT.md specifies the bytes and the argument.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from awscrt.checksums import crc32c

from storage_engine.counts import Counts
from storage_engine.limits import JOURNAL_PAGE_BYTES, JOURNAL_SPARES_MAX, READ_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine.disk import Disk

FORMAT_VERSION: Final = 2
SUFFIX: Final = ".segment"
SPARE_SUFFIX: Final = ".spare"
FILLING_SUFFIX: Final = ".filling"
# In such pieces the page cache keeps the file, and each write into one counts there as all of it:
# were they of a MiB, a commit would look 256 times as large, and be made to wait for the disk.
FILL_BYTES: Final = 1 << 16

SEGMENT_MAGIC: Final = b"S4journl"
FRAME_MAGIC: Final = b"S4fr"
_SEGMENT: Final = struct.Struct(">8sHH16sQQQI")
_FRAME: Final = struct.Struct(">4sHHQQI")
_CRC: Final = struct.Struct(">I")
_TAIL: Final = struct.Struct(">QQQI")
FRAME_HEADER_BYTES: Final = _FRAME.size + _CRC.size


class Tail(NamedTuple):
    """Where the next frame goes. `segment` and `end` are where the current file begins and ends.

    `chain` is the checksum of the frame before, which the next one repeats: so bytes of an older
    use of the file can never pass for it.
    """

    segment: int = 0
    end: int = 0
    position: int = 0
    chain: int = 0

    def pack(self) -> bytes:
        """Encode it, as the index and the checkpoint keep it."""
        return _TAIL.pack(*self)

    @classmethod
    def unpack(cls, value: bytes | None) -> Self:
        """Decode it; that of a store which never wrote a frame is absent."""
        return cls(*_TAIL.unpack(value)) if value else cls()


START: Final = Tail()


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is ready to be written: its bytes, its place, and the tail it leaves."""

    buffers: list[bytes]
    offset: int  # in the file of `after.segment`
    opens_segment: bool
    after: Tail


def segment_path(directory: Path, start: int) -> Path:
    """Return the file of the segment that begins at a position."""
    return directory / f"{start:020d}{SUFFIX}"


def segment_starts(directory: Path) -> list[int]:
    """Return where each segment on disk begins, in order."""
    names = (path.stem for path in directory.glob(f"*{SUFFIX}"))
    return sorted(int(name) for name in names if name.isdigit())


def journal_bytes(directory: Path) -> int:
    """Return what the segments in a directory, spare ones too, are long together."""
    found = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # recycled just now, under another name
            found += path.stat().st_size
    return found


class Journal:
    """One store's journal, as one process uses it. Not thread-safe: the write lock serialises."""

    def __init__(self, disk: Disk, directory: Path, store_id: bytes, segment_bytes: int) -> None:
        assert segment_bytes % JOURNAL_PAGE_BYTES == 0
        self._disk = disk
        self._directory = directory
        self._store_id = store_id
        self._seed = crc32c(store_id)  # unknown to clients, so no payload can pass for a frame
        self._segment_bytes = segment_bytes
        self._open: tuple[int, int] | None = None  # (segment, descriptor) appended to last
        self.counts = Counts()

    # --- appending -----------------------------------------------------------------------------

    def plan(self, tail: Tail, body: bytes) -> Frame:
        """Lay out the frame that follows `tail`; nothing is written."""
        length = _pages(FRAME_HEADER_BYTES + len(body))
        if tail.position + length <= tail.end:
            buffers, crc = self._pack(tail.position, tail.chain, body)
            after = Tail(tail.segment, tail.end, tail.position + length, crc)
            return Frame(buffers, tail.position - tail.segment, opens_segment=False, after=after)
        start, at = tail.end, tail.end + JOURNAL_PAGE_BYTES
        end = start + max(self._segment_bytes, JOURNAL_PAGE_BYTES + length)
        buffers, crc = self._pack(at, tail.chain, body)
        header = self._segment_header(tail, start, end)
        after = Tail(start, end, at + length, crc)
        return Frame([header, *buffers], 0, opens_segment=True, after=after)

    def write(self, frame: Frame) -> None:
        """Write a planned frame and sync it; OSError, after which `revoke` must be tried."""
        after = frame.after
        if frame.opens_segment:
            self._begin_segment(after.segment, after.end - after.segment)
        descriptor = self._descriptor(after.segment)
        began = time.perf_counter()
        self._disk.write(descriptor, frame.buffers, frame.offset)
        self._disk.sync(descriptor)
        self.counts.sync_seconds.add(time.perf_counter() - began)
        self.counts.journal_bytes += sum(map(len, frame.buffers))

    def sync(self, tail: Tail) -> None:
        """Make the frame before a tail durable, whoever wrote it."""
        self._disk.sync(self._descriptor(tail.segment))

    def revoke(self, frame: Frame) -> None:
        """Make sure that a frame nobody may rely on is never replayed; OSError when it may be."""
        with suppress(FileNotFoundError):
            page = JOURNAL_PAGE_BYTES if frame.opens_segment else frame.offset
            self._blank(frame.after.segment, page)

    def settle(self, tail: Tail) -> bool:
        """Blank a frame at the tail that no commit followed; tell whether there was one.

        Its writer died between sync and commit. Left alone, a recovery much later would carry out
        what everybody has since seen not to have happened.
        """
        followed = next(self.read(tail), None)
        if followed is None:
            return False
        after = followed[1]
        opens_segment = after.segment != tail.segment
        page = JOURNAL_PAGE_BYTES if opens_segment else tail.position - tail.segment
        self._blank(after.segment, page)
        return True

    # --- reading -------------------------------------------------------------------------------

    def read(self, tail: Tail) -> Iterator[tuple[bytes, Tail]]:
        """Yield (body, tail behind it) of every frame from `tail` on, to where the journal ends."""
        while True:
            found = self._read_frame(tail)
            if found is None:
                next_segment = self._read_segment(tail)
                found = self._read_frame(next_segment) if next_segment is not None else None
            if found is None:
                return
            yield found
            tail = found[1]

    def reaches(self, tail: Tail) -> bool:
        """Tell whether the file that a tail lies in is here; at the end of one it need not be."""
        path = segment_path(self._directory, tail.segment)
        return tail.position >= tail.end or path.exists()

    def find_beyond(self, tail: Tail) -> int | None:
        """Return the position of a whole frame behind where the journal ends, if there is one.

        A frame is written only after the one before was synced, and what a recycled file held has
        other positions: so there is none, unless the disk lost what it had promised to keep.
        """
        for start in segment_starts(self._directory):
            if start >= tail.segment:
                found = self._scan(start, max(tail.position, self._evidence(start, tail)))
                if found is not None:
                    return found
        return None

    def end(self) -> int:
        """Return where the last segment ends: the journal reaches no further."""
        starts = segment_starts(self._directory)
        if not starts:
            return 0
        return starts[-1] + segment_path(self._directory, starts[-1]).stat().st_size

    # --- room ----------------------------------------------------------------------------------

    def recycle(self, before: int) -> int:
        """Free the segments that end at or before a position; return how many.

        The first of them become spares. Only for who holds the checkpoint's lock.
        """
        freed = 0
        starts = segment_starts(self._directory)
        for start, end in pairwise(starts):
            if end > before:
                break
            self._free(start, end - start)
            freed += 1
        return freed

    def tidy(self) -> None:
        """Remove files whose filling was cut off. Only for who has the store alone."""
        for leftover in self._directory.glob(f"*{FILLING_SUFFIX}"):
            self._disk.unlink(leftover)

    def prepare_spare(self) -> None:
        """Have a segment ready for the next to come, so that no group waits while one is filled."""
        if not self._spares():
            self._fill(self._segment_bytes)

    def close(self) -> None:
        """Close the segment this process appended to last."""
        if self._open is not None:
            self._disk.close(self._open[1])
            self._open = None

    # --- within --------------------------------------------------------------------------------

    def _pack(self, position: int, chain: int, body: bytes) -> tuple[list[bytes], int]:
        """Return a frame's bytes, padded to whole pages, and its checksum."""
        fixed = _FRAME.pack(FRAME_MAGIC, FORMAT_VERSION, 0, position, len(body), chain)
        crc = crc32c(body, crc32c(fixed, self._seed))
        padding = bytes(-(FRAME_HEADER_BYTES + len(body)) % JOURNAL_PAGE_BYTES)
        return [fixed, _CRC.pack(crc), body, padding], crc

    def _segment_header(self, before: Tail, start: int, end: int) -> bytes:
        fixed = _SEGMENT.pack(
            SEGMENT_MAGIC,
            FORMAT_VERSION,
            0,
            self._store_id,
            start,
            end,
            before.position,
            before.chain,
        )
        return (fixed + _CRC.pack(crc32c(fixed))).ljust(JOURNAL_PAGE_BYTES, b"\x00")

    def _read_frame(self, tail: Tail) -> tuple[bytes, Tail] | None:
        """Read the frame at a tail, unless none was ever finished there."""
        if tail.position + FRAME_HEADER_BYTES > tail.end:
            return None
        with self._reading(tail.segment) as descriptor:
            if descriptor is None:
                return None
            at = tail.position - tail.segment
            header = self._disk.read(descriptor, FRAME_HEADER_BYTES, at)
            if len(header) < FRAME_HEADER_BYTES:
                return None
            *fixed, length, chain = _FRAME.unpack_from(header)
            (crc,) = _CRC.unpack_from(header, _FRAME.size)
            expected = [FRAME_MAGIC, FORMAT_VERSION, 0, tail.position]
            after = tail.position + _pages(FRAME_HEADER_BYTES + length)
            if fixed != expected or chain != tail.chain or after > tail.end:
                return None
            body = self._disk.read(descriptor, length, at + FRAME_HEADER_BYTES)
        if crc32c(body, crc32c(header[: _FRAME.size], self._seed)) != crc:
            return None
        return body, Tail(tail.segment, tail.end, after, crc)

    def _read_segment(self, tail: Tail) -> Tail | None:
        """Return where the segment behind a tail goes on, if there is one that may follow it.

        A header that is not whole was torn from its first frame, or rotted since: whether that
        frame follows it tells by itself, by position and chain.
        """
        found = self._read_header(tail.end)
        if found is None:
            try:
                end = tail.end + segment_path(self._directory, tail.end).stat().st_size
            except FileNotFoundError:
                return None
        elif (found.position, found.chain) == (tail.position, tail.chain):
            end = found.end
        else:
            return None
        return Tail(tail.end, end, tail.end + JOURNAL_PAGE_BYTES, tail.chain)

    def _read_header(self, segment: int) -> Tail | None:
        """Return what a segment follows, and where it ends; None when its header is not whole."""
        with self._reading(segment) as descriptor:
            if descriptor is None:
                return None
            header = self._disk.read(descriptor, JOURNAL_PAGE_BYTES, 0)
        if len(header) < JOURNAL_PAGE_BYTES:
            return None
        magic, version, flags, store_id, start, end, position, chain = _SEGMENT.unpack_from(header)
        (crc,) = _CRC.unpack_from(header, _SEGMENT.size)
        found = (magic, version, flags, store_id, start)
        if found != (SEGMENT_MAGIC, FORMAT_VERSION, 0, self._store_id, segment):
            return None
        return Tail(start, end, position, chain) if crc == crc32c(header[: _SEGMENT.size]) else None

    def _evidence(self, segment: int, tail: Tail) -> int:
        """Return from where on a whole frame proves that frames before it are lost.

        A segment that goes on from before the tail was begun by a writer who died before his
        commit, and others went on without it. So may one have been whose header is not whole; but
        a dead writer has left one frame, and only others can have followed it.
        """
        first = segment + JOURNAL_PAGE_BYTES
        if segment == tail.segment:
            return first
        header = self._read_header(segment)
        if header is None:
            return first + JOURNAL_PAGE_BYTES
        return header.end if header.position < tail.position else first

    def _scan(self, segment: int, position: int) -> int | None:
        """Return the place of the first whole frame of a segment from a position on."""
        with self._reading(segment) as descriptor:
            while descriptor is not None:
                data = self._disk.read(descriptor, READ_BYTES_MAX, position - segment)
                for at in range(0, len(data), JOURNAL_PAGE_BYTES):
                    if self._is_frame(
                        descriptor, segment, position + at, data[at : at + FRAME_HEADER_BYTES]
                    ):
                        return position + at
                if len(data) < READ_BYTES_MAX:
                    break
                position += READ_BYTES_MAX
        return None

    def _is_frame(self, descriptor: int, segment: int, position: int, header: bytes) -> bool:
        if len(header) < FRAME_HEADER_BYTES or not header.startswith(FRAME_MAGIC):
            return False
        *fixed, length, _ = _FRAME.unpack_from(header)
        if fixed != [FRAME_MAGIC, FORMAT_VERSION, 0, position]:
            return False
        at = position - segment + FRAME_HEADER_BYTES
        if length > segment_path(self._directory, segment).stat().st_size - at:
            return False
        body = self._disk.read(descriptor, length, at)
        (crc,) = _CRC.unpack_from(header, _FRAME.size)
        return bool(crc32c(body, crc32c(header[: _FRAME.size], self._seed)) == crc)

    @contextmanager
    def _reading(self, segment: int) -> Iterator[int | None]:
        """Open a segment for reading; None when it is not there."""
        try:
            descriptor = self._disk.open(segment_path(self._directory, segment))
        except FileNotFoundError:
            yield None
            return
        try:
            yield descriptor
        finally:
            self._disk.close(descriptor)

    def _descriptor(self, segment: int) -> int:
        """Return an open segment to append to; the one used last is kept open."""
        if self._open is None or self._open[0] != segment:
            path = segment_path(self._directory, segment)
            descriptor = self._disk.open(path, is_writable=True)
            self.close()
            self._open = (segment, descriptor)
        return self._open[1]

    def _blank(self, segment: int, offset: int) -> None:
        descriptor = self._descriptor(segment)
        try:
            self._disk.write(descriptor, [bytes(JOURNAL_PAGE_BYTES)], offset)
            self._disk.sync(descriptor)
        finally:
            # A segment without a commit may be replaced, here or elsewhere, by one of its name.
            self.close()

    def _begin_segment(self, start: int, length: int) -> None:
        """Give a filled file the name of the next segment; the name is durable on return."""
        path = segment_path(self._directory, start)
        # One may be left by a writer that died, or failed, before its first commit in it: perhaps
        # before its name was durable.
        is_left = path.exists()
        if is_left and path.stat().st_size != length:
            self._disk.unlink(path)
            is_left = False
        if not is_left:
            is_ordinary = length == self._segment_bytes
            spare = next(iter(self._spares()), None) if is_ordinary else None
            self._disk.rename(spare or self._fill(length), path)
        self._disk.sync_directory(self._directory)
        self.close()  # what has this name now need not be what had it when it was opened

    def _spares(self) -> list[Path]:
        """Return the files that are ready, though another process may take one at any moment."""
        found = []
        for path in sorted(self._directory.glob(f"*{SPARE_SUFFIX}")):
            with suppress(FileNotFoundError):
                if path.stat().st_size == self._segment_bytes:
                    found.append(path)
        return found

    def _fill(self, length: int) -> Path:
        """Write a file full of zeros, synced, so that later writes into it change no metadata."""
        path = self._directory / f"{os.getpid()}-{time.monotonic_ns()}{FILLING_SUFFIX}"
        descriptor = self._disk.create(path)
        try:
            for at in range(0, length, FILL_BYTES):
                self._disk.write(descriptor, [bytes(min(FILL_BYTES, length - at))], at)
            self._disk.sync(descriptor)
        except BaseException:
            with suppress(OSError):
                self._disk.unlink(path)
            raise
        finally:
            self._disk.close(descriptor)
        spare = path.with_suffix(SPARE_SUFFIX)
        self._disk.rename(path, spare)
        return spare

    def _free(self, start: int, length: int) -> None:
        path = segment_path(self._directory, start)
        if length == self._segment_bytes and len(self._spares()) < JOURNAL_SPARES_MAX:
            self._disk.rename(path, path.with_suffix(SPARE_SUFFIX))
        else:
            self._disk.unlink(path)


def _pages(length: int) -> int:
    """Round up to whole pages: a frame shares none with its neighbours."""
    return -(-length // JOURNAL_PAGE_BYTES) * JOURNAL_PAGE_BYTES
