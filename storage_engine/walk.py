"""Walking a volume from its bytes alone: which records lie in it, and what could not be read.

Nothing is asked of the index, so that compaction can compare and salvage can do without one.
After damage the walk goes on at the next sector that begins a valid record. A length is believed
only once the checksum over it was compared; inside a valid record nothing is looked for, so what
clients store is never taken for a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from storage_engine.errors import CorruptBlob, FormatError
from storage_engine.limits import READ_BYTES_MAX, RECORD_ALIGNMENT, RECORD_HEADER_BYTES_MAX
from storage_engine.record import (
    RECORD_MAGIC,
    VOLUME_HEADER_BYTES,
    RecordHeader,
    checks_bytes,
    record_bytes,
    unpack_record_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

HEADER_READ_BYTES = 4096  # nearly every header is shorter: one page


class FoundRecord(NamedTuple):
    """A record with a valid header, and the length of all of it. Its payload was not looked at."""

    offset: int
    header: RecordHeader
    length: int


class Gap(NamedTuple):
    """A range that is no record and not all zeros: dead room, or damage."""

    offset: int
    length: int


class Walk:
    """One volume's bytes, up to `end`; `read` takes (length, offset), as `VolumeFile.read` does.

    `seed` is the store's, see `record_seed`.
    `next_data` returns where the next byte that is not in a hole lies, at or after an offset.
    `is_trusted` may refuse a record by its bytes: it is then no record, and what lies in it is
    searched as any other room.
    """

    def __init__(
        self,
        volume_id: int,
        read: Callable[[int, int], bytes],
        end: int,
        seed: int,
        *,
        next_data: Callable[[int], int] | None = None,
        is_trusted: Callable[[FoundRecord], bool] | None = None,
    ) -> None:
        self._volume_id = volume_id
        self._read = read
        self._end = end
        self._seed = seed
        self._next_data = next_data
        self._is_trusted = is_trusted

    def items(self, start: int = VOLUME_HEADER_BYTES) -> Iterator[FoundRecord | Gap]:
        """Yield records and gaps in order of place, from a multiple of RECORD_ALIGNMENT on."""
        at = start
        while at < self._end:
            record = self.record_at(at) or (yield from self._search(at))
            if record is None:
                return
            yield record
            at = record.offset + record.length

    def record_at(self, offset: int) -> FoundRecord | None:
        """Return the record that begins at a place, if one does and lies wholly in the file."""
        data = self._read(HEADER_READ_BYTES, offset)
        if not data.startswith(RECORD_MAGIC):
            return None
        header = _header(data, self._seed)
        if header is None and len(data) == HEADER_READ_BYTES:
            header = _header(self._read(RECORD_HEADER_BYTES_MAX, offset), self._seed)
        if header is None or (header.volume_id, header.offset) != (self._volume_id, offset):
            return None
        needed = header.header_bytes + header.payload_bytes + checks_bytes(header.payload_bytes)
        if offset + needed > self._end:
            return None  # cut off; of the last record of a file only the padding may be missing
        length = record_bytes(len(header.description), header.payload_bytes)
        record = FoundRecord(offset, header, length)
        return record if self._is_trusted is None or self._is_trusted(record) else None

    def _search(self, start: int) -> Generator[Gap, None, FoundRecord | None]:
        """Yield what is not zeros up to the next record; return that, or None at the end."""
        gap = _Gap()
        at = start
        while at < self._end:
            at = self._skip_hole(at)
            data = self._read(min(READ_BYTES_MAX, self._end - at), at)
            if not data:
                break
            record = self._first_record(data, at)
            gap.add(data if record is None else data[: record.offset - at], at)
            if record is not None:
                yield from gap.take()
                return record
            at += len(data)
        yield from gap.take()
        return None

    def _skip_hole(self, at: int) -> int:
        if self._next_data is None:
            return at
        found = self._next_data(at)
        return max(at, found - found % RECORD_ALIGNMENT)

    def _first_record(self, data: bytes, at: int) -> FoundRecord | None:
        """Return the first record that begins in these bytes, which begin at `at`."""
        found = data.find(RECORD_MAGIC)
        while found >= 0:
            if (at + found) % RECORD_ALIGNMENT == 0:
                record = self.record_at(at + found)
                if record is not None:
                    return record
            found = data.find(RECORD_MAGIC, found + 1)
        return None


class _Gap:
    """Joins what is not zeros into one range."""

    def __init__(self) -> None:
        self._start: int | None = None
        self._end = 0

    def add(self, data: bytes, at: int) -> None:
        """Take the next bytes."""
        end = at + len(data.rstrip(b"\x00"))
        if end == at:
            return
        if self._start is None:
            self._start = at + len(data) - len(data.lstrip(b"\x00"))
        self._end = end

    def take(self) -> Iterator[Gap]:
        """Yield the range, if there is one."""
        if self._start is not None:
            yield Gap(self._start, self._end - self._start)


def _header(data: bytes, seed: int) -> RecordHeader | None:
    """Decode a header; None when it is none, or not of this format."""
    try:
        return unpack_record_header(data, seed)
    except (CorruptBlob, FormatError):
        return None
