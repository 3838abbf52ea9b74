"""Copying files: with their holes, at a pace, with the checksum of what was written.

Knows nothing of what lies in them.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from awscrt.checksums import crc32c

from storage_engine.limits import READ_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine.pace import Pace

ZEROS: Final = bytes(READ_BYTES_MAX)
MODE: Final = 0o600
NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV, errno.EACCES}
)


class Copied(NamedTuple):
    """What was written."""

    size: int
    crc32c: int
    data_bytes: int  # without holes


def copy_file(source: Path, target: Path, pace: Pace) -> Copied:
    """Copy a file that may grow meanwhile, up to where it ended.

    Durable on return, but for its name. Stopped, OSError: what is there then is not whole.
    """
    with suppress(FileNotFoundError):
        target.unlink()
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            size = os.fstat(reading).st_size
            os.ftruncate(writing, size)
            crc, data_bytes = _copy(reading, writing, size, pace)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return Copied(size, crc, data_bytes)


def _copy(reading: int, writing: int, size: int, pace: Pace) -> tuple[int, int]:
    """Copy what is no hole; return the CRC of everything, and how much that was."""
    crc = end = copied = 0
    for start, stop in extents(reading, size):
        crc, end = _crc_of_zeros(start - end, crc), stop
        copied += stop - start
        for at in range(start, stop, READ_BYTES_MAX):
            wanted = min(READ_BYTES_MAX, stop - at)
            # Its owner may have cut off, meanwhile, what nobody uses behind its last record.
            data = os.pread(reading, wanted, at).ljust(wanted, b"\x00")
            written = 0
            while written < wanted:
                written += os.pwrite(writing, data[written:], at + written)
            crc = crc32c(data, crc)
            pace.pause(wanted)
    return _crc_of_zeros(size - end, crc), copied


def checksum(path: Path, pace: Pace) -> tuple[int, int]:
    """Read a file; return its length and CRC-32C."""
    reading = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(reading).st_size
        crc = end = 0
        for start, stop in extents(reading, size):
            crc, end = _crc_of_zeros(start - end, crc), stop
            for at in range(start, stop, READ_BYTES_MAX):
                data = os.pread(reading, min(READ_BYTES_MAX, stop - at), at)
                crc = crc32c(data, crc)
                pace.pause(len(data))
        return size, _crc_of_zeros(size - end, crc)
    finally:
        os.close(reading)


def extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where data begin and end, in order; all of a file whose system knows no holes."""
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = min(size, os.lseek(descriptor, start, os.SEEK_HOLE))
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            if error.errno != errno.EINVAL:
                raise
            start, end = end, size
        if start < end:
            yield start, end


def link(old: Path, new: Path) -> bool:
    """Give a file a second name; False where the file system has none."""
    try:
        new.hardlink_to(old)
    except OSError as error:
        if error.errno in NO_LINKS:
            return False
        raise
    return True


def covers(old: Path, source: Path, head: int) -> bool:
    """Tell whether an older copy has all that its source, which only lost bytes since, has still.

    The first `head` bytes tell that it is the same file; then the copy may have no hole where the
    source has bytes. That is so of the copy of a file whose contents were put back since.
    """
    with old.open("rb") as copy, source.open("rb") as now:
        if copy.read(head) != now.read(head):
            return False
        size = os.fstat(now.fileno()).st_size
        end = 0
        for start, stop in [*extents(copy.fileno(), size), (size, size)]:
            if any(now_has for now_has in _data_in(now.fileno(), end, start)):
                return False
            end = stop
    return True


def _data_in(descriptor: int, start: int, stop: int) -> Iterator[bool]:
    """Tell, piece by piece, whether a range has bytes other than zero."""
    for data_start, data_stop in extents(descriptor, stop):
        for at in range(max(start, data_start), data_stop, READ_BYTES_MAX):
            length = min(READ_BYTES_MAX, data_stop - at)
            yield os.pread(descriptor, length, at) != ZEROS[:length]


def _crc_of_zeros(length: int, crc: int) -> int:
    while length > 0:
        piece = min(length, READ_BYTES_MAX)
        crc = crc32c(ZEROS if piece == READ_BYTES_MAX else ZEROS[:piece], crc)
        length -= piece
    return crc
