"""A disk that refuses on demand; `lossy_disk` has the one that forgets what was not synced."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

from storage_engine.disk import RealDisk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FaultyDisk(RealDisk):
    """A real disk that can be told to refuse, and counts what it is asked: of one kind of file."""

    def __init__(self, suffix: str = ".volume") -> None:
        self.suffix = suffix
        self._watched: set[int] = set()
        self.refuses_writes = 0  # the errno to answer with
        self.refuses_syncs = 0
        self.refuses_reads = 0
        self.free: int | None = None
        self.writes = 0
        self.syncs = 0
        self.hastened: list[tuple[int, int]] = []
        self.punched: list[tuple[int, int]] = []
        self.bytes_before_full = -1  # after so many, writes find the disk full, half-way
        self.before_sync = threading.Event()
        self.before_sync.set()

    def create(self, path: Path) -> int:
        """Make a file, and watch it if it is of the kind."""
        return self._watch(super().create(path), path)

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file, and watch it if it is of the kind."""
        return self._watch(super().open(path, is_writable=is_writable), path)

    def write(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> None:
        """Refuse, write half, or write."""
        if descriptor not in self._watched:
            super().write(descriptor, buffers, offset)
            return
        self.writes += 1
        _refuse(self.refuses_writes)
        length = sum(map(len, buffers))
        if 0 <= self.bytes_before_full < length:
            half = b"".join(buffers)[: self.bytes_before_full]
            super().write(descriptor, [half], offset)
            _refuse(errno.ENOSPC)
        if self.bytes_before_full >= 0:
            self.bytes_before_full -= length
        super().write(descriptor, buffers, offset)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Refuse or read."""
        if descriptor in self._watched:
            _refuse(self.refuses_reads)
        return super().read(descriptor, length, offset)

    def hasten(self, descriptor: int, offset: int, length: int) -> None:
        """Begin, and remember where."""
        self.hastened.append((offset, length))
        super().hasten(descriptor, offset, length)

    def sync(self, descriptor: int) -> None:
        """Refuse or sync."""
        if descriptor in self._watched:
            self.syncs += 1
            self.before_sync.wait()
            _refuse(self.refuses_syncs)
        super().sync(descriptor)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Punch, and remember where."""
        self.punched.append((offset, length))
        super().punch(descriptor, offset, length)

    def free_bytes(self, path: Path) -> int:
        """Tell as much room as the test wants."""
        return super().free_bytes(path) if self.free is None else self.free

    def _watch(self, descriptor: int, path: Path) -> int:
        if path.suffix == self.suffix:
            self._watched.add(descriptor)
        else:
            self._watched.discard(descriptor)
        return descriptor


def _refuse(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))
