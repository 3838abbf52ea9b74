"""Whether the store may still be written: after one failed sync nothing more is promised.

A sync that failed may have dropped what it could not write, and a second sync would report
success for it. So the first failure is final for this process; reads go on. A disk that is
merely full is no failure: writes are refused one by one, before the last room is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine.disk import FULL_CODES
from storage_engine.errors import DiskFull, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine.disk import Disk


class Health:
    """Remembers the first failure of the disk; shared by everything that writes."""

    def __init__(self, disk: Disk, directory: Path, reserve_bytes: int) -> None:
        self._disk = disk
        self._directory = directory
        self._reserve_bytes = reserve_bytes
        self.failure: str | None = None

    def fail(self, what: str, error: Exception) -> StorageError:
        """Refuse all writes from now on; return what to raise for this one."""
        if self.failure is None:
            self.failure = f"{what}: {error}"
        return StorageError(self.failure)

    def check(self) -> None:
        """Raise StorageError when writes are refused."""
        if self.failure is not None:
            raise StorageError(f"read-only since an earlier failure: {self.failure}")

    def has_room(self, length: int = 0, reserve_bytes: int | None = None) -> bool:
        """Tell whether the disk can take `length` bytes and keep its reserve, or another one."""
        reserve = self._reserve_bytes if reserve_bytes is None else reserve_bytes
        return self._disk.free_bytes(self._directory) - length >= reserve

    def explain(self, what: str, error: OSError) -> StorageError:
        """Turn what the system said about one write into one of ours; others may still work."""
        if error.errno in FULL_CODES:
            return DiskFull("the disk is full")
        return StorageError(f"{what}: {error}")
