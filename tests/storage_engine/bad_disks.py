"""Disks that fail: one that refuses on demand, and one that forgets what was not synced."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

from storage_engine.disk import RealDisk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

SECTOR = 512


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


class LossyDisk(RealDisk):
    """A real disk with a volatile cache: `cut_power` forgets any subset of unsynced sectors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[int, Path] = {}
        self._before: dict[Path, dict[int, bytes | None]] = {}  # sector -> what it held

    def create(self, path: Path) -> int:
        """Make a file and follow it."""
        descriptor = super().create(path)
        self._paths[descriptor] = path
        self._before[path] = {}
        return descriptor

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file and follow it."""
        descriptor = super().open(path, is_writable=is_writable)
        self._paths[descriptor] = path
        self._before.setdefault(path, {})
        return descriptor

    def rename(self, source: Path, target: Path) -> None:
        """Rename, and follow."""
        super().rename(source, target)
        self._before[target] = self._before.pop(source, {})

    def write(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> None:
        """Remember what each touched sector held, then write."""
        path = self._paths[descriptor]
        end = offset + sum(map(len, buffers))
        with self._lock:
            size = os.fstat(descriptor).st_size
            for at in range(offset - offset % SECTOR, end, SECTOR):
                held = os.pread(descriptor, SECTOR, at) if at < size else None
                self._before[path].setdefault(at, held)
        super().write(descriptor, buffers, offset)

    def sync(self, descriptor: int) -> None:
        """Sync, and forget what was written before this call."""
        with self._lock:
            path = self._paths[descriptor]
            written = self._before[path]
            self._before[path] = {}
        try:
            super().sync(descriptor)
        except OSError:
            self._before[path] = written | self._before[path]
            raise

    def cut_power(self, random: Random) -> int:
        """Undo any subset of the unsynced sectors, on disk; return how many were lost."""
        lost = 0
        for path, sectors in self._before.items():
            with path.open("r+b") as file:
                for at, held in sectors.items():
                    if random.random() < 0.5:  # a coin
                        lost += 1
                        file.seek(at)
                        file.write((held or b"").ljust(SECTOR, b"\x00"))
        return lost


class CrashingDisk(LossyDisk):
    """A lossy disk on which the process ends at the n-th change, its unsynced sectors lost at will.

    It must be the disk of a process of the test's own, which ends by `os._exit`.
    """

    def __init__(self, steps: int, random: Random) -> None:
        super().__init__()
        self.steps = steps
        self._random = random

    def _step(self) -> None:
        self.steps -= 1
        if self.steps == 0:
            self.cut_power(self._random)
            os._exit(CRASHED)

    def create(self, path: Path) -> int:
        """Crash or create."""
        self._step()
        return super().create(path)

    def write(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> None:
        """Crash or write."""
        self._step()
        super().write(descriptor, buffers, offset)

    def sync(self, descriptor: int) -> None:
        """Crash or sync."""
        self._step()
        super().sync(descriptor)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Crash or punch."""
        self._step()
        super().punch(descriptor, offset, length)

    def truncate(self, descriptor: int, length: int) -> None:
        """Crash or cut."""
        self._step()
        super().truncate(descriptor, length)

    def unlink(self, path: Path) -> None:
        """Crash or unlink."""
        self._step()
        super().unlink(path)
        self._before.pop(path, None)


CRASHED = 9
