"""The only caller of the system's reads, writes, syncs and locks on volumes and journal.

`Disk` is the seam: tests give the engine one that loses unsynced writes or runs full. What comes
back is what the system said: rooms above translate OSError. LMDB does its own I/O.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FULL_CODES: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})  # may be opened now
PASSING_CODES: Final = FULL_CODES | NO_FILES  # room, and files, come back some day
PAGE_IS_COLD: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP})
KEEP_SIZE: Final = 0x01  # linux/falloc.h
PUNCH_HOLE: Final = 0x02
STAT_BLOCK_BYTES: Final = 512  # stat(2): whatever the disk
SYNC_FILE_RANGE_WAIT_BEFORE: Final = 0x01  # linux/fs.h
SYNC_FILE_RANGE_WRITE: Final = 0x02
SYNC_FILE_RANGE_WAIT_AFTER: Final = 0x04
IOV_MAX: Final = 1024  # limits.h: buffers one call takes
FLOCK: Final = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


class Disk(Protocol):
    """What volumes and journal need of a disk. Every method may raise OSError."""

    def create(self, path: Path) -> int:
        """Make a new file, open to read and write; FileExistsError if there is one."""

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file that exists."""

    def close(self, descriptor: int) -> None:
        """Close a descriptor, with its locks."""

    def unlink(self, path: Path) -> None:
        """Remove a file's name."""

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in the same directory, in place of what had it."""

    def is_unlinked(self, descriptor: int) -> bool:
        """Tell whether an open file has lost its name."""

    def write(self, descriptor: int, buffers: Sequence[bytes | memoryview], offset: int) -> None:
        """Write every byte of the buffers, one after the other, from `offset` on."""

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Read up to `length` bytes; fewer only at the end of the file."""

    def read_cached(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Fill the buffer without touching the disk; return how much of it was in memory."""

    def hasten(self, descriptor: int, offset: int, length: int) -> None:
        """Begin to write a range out, so that the sync to come finds less to do. Only a hint."""

    def write_out(self, descriptor: int, offset: int, length: int) -> None:
        """Write a range out and wait for it, without promising anything: `sync` does that.

        An error told here is not told again by `sync`: it means the same.
        """

    def sync(self, descriptor: int) -> None:
        """Return once the file's bytes and length survive a power cut."""

    def sync_directory(self, path: Path) -> None:
        """Return once the names in a directory survive a power cut."""

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Give a range's room back to the disk; it reads as zeros. May be unsupported: no-op."""

    def next_data(self, descriptor: int, offset: int) -> int:
        """Return where, at or after `offset`, the next byte that is not in a hole lies.

        Where the disk cannot tell: `offset`. Behind the last such byte: the end of the file.
        """

    def length(self, descriptor: int) -> int:
        """Return where a file ends."""

    def room(self, descriptor: int) -> int:
        """Return what a file takes on the disk: its holes take nothing."""

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file."""

    def free_bytes(self, path: Path) -> int:
        """Return how much room the file system has for us."""


class RealDisk:
    """The disk of the machine (Linux)."""

    def create(self, path: Path) -> int:
        """Make a new file, open to read and write."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file that exists."""
        return os.open(path, (os.O_RDWR if is_writable else os.O_RDONLY) | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """Close a descriptor, with its locks."""
        os.close(descriptor)

    def unlink(self, path: Path) -> None:
        """Remove a file's name."""
        path.unlink()

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name."""
        source.rename(target)

    def is_unlinked(self, descriptor: int) -> bool:
        """Tell whether an open file has lost its name."""
        return not os.fstat(descriptor).st_nlink

    def write(self, descriptor: int, buffers: Sequence[bytes | memoryview], offset: int) -> None:
        """Write every byte of the buffers, in as many calls as the system wants."""
        waiting = [memoryview(buffer) for buffer in buffers]
        while waiting:
            written = os.pwritev(descriptor, waiting[:IOV_MAX], offset)
            offset += written
            while waiting and written >= len(waiting[0]):
                written -= len(waiting.pop(0))
            if written:
                waiting[0] = waiting[0][written:]

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Read up to `length` bytes; one call is nearly always enough."""
        data = os.pread(descriptor, length, offset)
        while len(data) < length:
            more = os.pread(descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def read_cached(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Ask with RWF_NOWAIT; a file system that cannot answer counts as cold."""
        try:
            return os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in PAGE_IS_COLD:
                return 0
            raise

    def hasten(self, descriptor: int, offset: int, length: int) -> None:
        """Begin writing out; a failure is for the sync to report."""
        _libc.sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE)

    def write_out(self, descriptor: int, offset: int, length: int) -> None:
        """Write out and wait."""
        flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER
        while _libc.sync_file_range(descriptor, offset, length, flags):
            code = ctypes.get_errno()
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))

    def sync(self, descriptor: int) -> None:
        """Sync bytes and length; times do not matter to us."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Sync the names in a directory."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Free the blocks that lie wholly inside the range."""
        while _libc.fallocate(descriptor, KEEP_SIZE | PUNCH_HOLE, offset, length):
            code = ctypes.get_errno()
            if code == errno.EOPNOTSUPP:
                return
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))

    def next_data(self, descriptor: int, offset: int) -> int:
        """Ask with SEEK_DATA; what is read and written by offset does not notice."""
        try:
            return os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end, or behind it
                return max(offset, os.fstat(descriptor).st_size)
            if error.errno == errno.EINVAL:
                return offset
            raise

    def length(self, descriptor: int) -> int:
        """Ask for the file's length."""
        return os.fstat(descriptor).st_size

    def room(self, descriptor: int) -> int:
        """Ask for the file's blocks."""
        return os.fstat(descriptor).st_blocks * STAT_BLOCK_BYTES

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file."""
        os.ftruncate(descriptor, length)

    def free_bytes(self, path: Path) -> int:
        """Return the room left for an unprivileged process."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize


def allocate(path: Path, length: int) -> bool:
    """Give a file blocks up to `length`, which its own length may be short of; False when full.

    What is written there later finds its room. A file system that cannot do so is let be.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        while _libc.fallocate(descriptor, KEEP_SIZE, 0, length):
            code = ctypes.get_errno()
            if code in FULL_CODES:
                return False
            if code == errno.EOPNOTSUPP:
                return True
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))
        return True
    finally:
        os.close(descriptor)


# --- locks: between processes, freed by the kernel when their holder dies ------------------------


def try_own(descriptor: int) -> bool:
    """Take the one ownership of a file; False when another descriptor has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_share(descriptor: int) -> bool:
    """Take a share of a file that nobody owns, until it is closed; False when somebody does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def disown(descriptor: int) -> None:
    """End the ownership of a file that stays open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def try_hold_range(descriptor: int, offset: int, length: int) -> bool:
    """Share a byte range with other readers; False while somebody punches a hole there."""
    return _try_lock(descriptor, fcntl.F_RDLCK, offset, length)


def try_seize_range(descriptor: int, offset: int, length: int) -> bool:
    """Take a byte range alone (`descriptor` must be writable); False while a reader holds it."""
    return _try_lock(descriptor, fcntl.F_WRLCK, offset, length)


def release_range(descriptor: int, offset: int, length: int) -> None:
    """Let go of a byte range."""
    _try_lock(descriptor, fcntl.F_UNLCK, offset, length)


def is_range_held(descriptor: int, offset: int, length: int) -> bool:
    """Tell whether anybody holds a byte range, by another opening of the file; takes nothing."""
    request = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, length, 0)
    return bool(
        FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, request))[0] != fcntl.F_UNLCK
    )


def _try_lock(descriptor: int, kind: int, offset: int, length: int) -> bool:
    """Lock or unlock by open file description, which threads share and forks inherit."""
    request = FLOCK.pack(kind, os.SEEK_SET, offset, length, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError):
        return False
    return True
