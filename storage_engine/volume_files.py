"""Reading volumes: open files kept for reuse, and the locks that keep holes out of readers' way.

Any process may read any volume, also one that is still appended to: what the index names has
been synced. A file stays readable for who has it open, even when it is unlinked meanwhile.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from storage_engine.counts import Counts
from storage_engine.disk import release_range, try_hold_range
from storage_engine.volume import volume_path

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine.disk import Disk


class VolumeFile:
    """One volume open for reading, shared by all readers of this process."""

    __slots__ = ("descriptor", "disk", "holds", "id", "users")

    def __init__(self, disk: Disk, volume_id: int, descriptor: int) -> None:
        self.id = volume_id
        self.disk = disk
        self.descriptor = descriptor
        self.users = 0
        self.holds: dict[int, int] = {}  # offset -> readers in that range

    def read(self, length: int, offset: int) -> bytes:
        """Read up to `length` bytes; fewer only where the file ends."""
        return self.disk.read(self.descriptor, length, offset)

    def read_cached(self, buffer: memoryview, offset: int) -> int:
        """Fill the buffer from memory; return how much of it could be."""
        return self.disk.read_cached(self.descriptor, buffer, offset)


class VolumeFiles:
    """The open volumes of this process, at most `descriptors_max` beyond those in use."""

    def __init__(
        self, disk: Disk, directory: Path, descriptors_max: int, counts: Counts | None = None
    ) -> None:
        self.counts = counts or Counts()
        self._disk = disk
        self._directory = directory
        self._descriptors_max = descriptors_max
        self._is_closed = False
        self._lock = threading.Lock()
        self._files: dict[int, VolumeFile] = {}  # least recently acquired first

    def acquire(self, volume_id: int) -> VolumeFile:
        """Open a volume, or share it; FileNotFoundError when it is gone. Pair with `release`."""
        with self._lock:
            file = self._files.pop(volume_id, None)
            if file is None:
                self._evict()
                descriptor = self._disk.open(volume_path(self._directory, volume_id))
                file = VolumeFile(self._disk, volume_id, descriptor)
            self._files[volume_id] = file
            file.users += 1
        return file

    def release(self, file: VolumeFile) -> None:
        """Let go of a volume."""
        with self._lock:
            file.users -= 1
            if self._is_closed:
                self._evict()

    def hold(self, file: VolumeFile, offset: int, length: int) -> bool:
        """Keep a record from being punched; False when that has begun. Pair with `let_go`."""
        with self._lock:
            held = file.holds.get(offset, 0)
            if not held and not try_hold_range(file.descriptor, offset, length):
                return False
            file.holds[offset] = held + 1
        return True

    def let_go(self, file: VolumeFile, offset: int, length: int) -> None:
        """End a hold; the last reader of a record unlocks it."""
        with self._lock:
            if file.descriptor < 0:
                return  # abandoned: the lock is the parent's, and unlocking here would end it
            file.holds[offset] -= 1
            if not file.holds[offset]:
                del file.holds[offset]
                release_range(file.descriptor, offset, length)

    def close(self) -> None:
        """Close every volume that nobody reads; the rest goes with its last reader."""
        with self._lock:
            self._is_closed = True
            self._evict()

    def abandon(self) -> None:
        """Close every volume in a forked child, whoever reads it; the locks stay the parent's.

        They belong to what parent and child have open together, and end with the last of the two: a
        child that outlives its parent would keep them.
        """
        self._lock = threading.Lock()  # the parent's may have been held just then
        files, self._files, self._is_closed = self._files, {}, True
        for file in files.values():
            self._disk.close(file.descriptor)
            file.descriptor = -1

    def _evict(self) -> None:
        """Close unused files: those unlinked elsewhere, and the longest unused of too many."""
        for file in [file for file in self._files.values() if not file.users]:
            is_one_too_many = self._is_closed or len(self._files) >= self._descriptors_max
            if is_one_too_many or self._disk.is_unlinked(file.descriptor):
                del self._files[file.id]
                self._disk.close(file.descriptor)
