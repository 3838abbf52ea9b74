"""Snapshots: whole copies of the index, from which it is made anew when it is lost.

Each is one LMDB file that tells, like the index itself, which position of the journal it stands
at; the journal is kept from the oldest on. So any of them and the journal since lose nothing: the
older ones are there for the day on which the newest cannot be read. Its name carries the checksum
of its bytes: a damaged one is never believed.
"""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import lmdb
from awscrt.checksums import crc32c

from storage_engine import layout
from storage_engine.errors import Busy, DiskFull, StorageError
from storage_engine.index import LMDB_MAJOR, Tables
from storage_engine.journal import Tail, segment_starts
from storage_engine.keys import JOURNAL
from storage_engine.limits import READ_BYTES_MAX, SNAPSHOT_JOURNAL_BYTES
from storage_engine.pace import Stopped, never

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine.disk import Disk
    from storage_engine.health import Health
    from storage_engine.index import Index

SUFFIX: Final = ".snapshot"
NEW: Final = "new"
PROGRESS_SECONDS: Final = 0.2
NICENESS: Final = 10  # of the thread that copies: a tenth of a core that requests want whole


class Snapshot(NamedTuple):
    """A snapshot on disk: the journal's position it stands at, and what its bytes must come to."""

    path: Path
    position: int
    crc: int
    size: int
    made_ms: int


def snapshots(directory: Path) -> list[Snapshot]:
    """Return the snapshots in a directory, oldest first."""
    found = []
    for path in directory.glob(f"*{SUFFIX}"):
        position, _, crc = path.stem.partition("-")
        with suppress(ValueError, FileNotFoundError):
            status = path.stat()
            made_ms = status.st_mtime_ns // 1_000_000
            found.append(Snapshot(path, int(position), int(crc, 16), status.st_size, made_ms))
    return sorted(found, key=lambda snapshot: snapshot.position)


def is_whole(snapshot: Snapshot) -> bool:
    """Read a snapshot; tell whether its bytes are those that were written."""
    return _crc(snapshot.path) == snapshot.crc


class Snapshots:
    """Makes and keeps the snapshots of one store."""

    def __init__(
        self,
        index: Index,
        disk: Disk,
        directory: Path,
        health: Health | None = None,
        *,
        kept: int = 1,
    ) -> None:
        self._kept = kept  # how many
        self._index = index
        self._health = health  # whose reserve to leave, if any
        self._disk = disk
        self._directory = directory
        self._durable: Path | None = None  # the newest, once its name is sure to stay

    def newest(self) -> Snapshot | None:
        """Return the newest snapshot, if there is one."""
        found = snapshots(self._directory)
        return found[-1] if found else None

    def keep_from(self) -> int:
        """Return from which position on the journal is needed: without a snapshot, all of it."""
        found = snapshots(self._directory)[-self._kept :]
        if not found:
            return 0
        if found[-1].path != self._durable:  # whoever made it may not have come to sync its name
            self._disk.sync_directory(self._directory)
            self._durable = found[-1].path
        return found[0].position

    def is_due(self, age_ms_max: int) -> bool:
        """Tell whether the journal has grown enough, or anything changed and it is long ago.

        Without a snapshot one is due as soon as the journal does not reach back to the beginning.
        """
        position, newest = self._position(), self.newest()
        if newest is None and min(
            segment_starts(self._directory.parent / layout.JOURNAL), default=0
        ):
            return True
        grown = position - (newest.position if newest is not None else 0)
        if not grown:
            return False
        age_ms = time.time_ns() // 1_000_000 - newest.made_ms if newest is not None else 0
        enough = max(SNAPSHOT_JOURNAL_BYTES, self._index.size_bytes() // 2)
        return grown >= enough or not 0 <= age_ms < age_ms_max

    def make(
        self, progress: Callable[[int, int], None], should_stop: Callable[[], bool] = never
    ) -> Snapshot:
        """Copy the index as it is now; those that are too many go when the new one is durable.

        DiskFull, StorageError when the disk refuses, Busy while somebody else makes one, Stopped:
        nothing is left of the copy then. `progress` is told (bytes written, bytes in use).
        """
        with self._turn():
            try:
                made = self._make(progress, should_stop)
            except (OSError, lmdb.Error) as error:
                raise StorageError(f"no snapshot could be made: {error}") from error
            self._prune(made)
        return made

    def _prune(self, newest: Snapshot) -> None:
        """Remove what is too many, and what stands elsewhere than behind the newest."""
        others = [found for found in snapshots(self._directory) if found.path != newest.path]
        older = [found for found in others if found.position < newest.position]
        kept = older[max(0, len(older) + 1 - self._kept) :]
        for gone in others:
            if gone not in kept:
                self._disk.unlink(gone.path)

    def _make(
        self, progress: Callable[[int, int], None], should_stop: Callable[[], bool]
    ) -> Snapshot:
        new = self._directory / NEW
        with suppress(FileNotFoundError):
            self._disk.unlink(new)
        if self._health is not None and not self._health.has_room(self._bytes_used()):
            raise DiskFull("the disk has no room for a snapshot")
        try:
            descriptor = self._disk.create(new)
            try:
                copy_index(self._index, descriptor, progress, should_stop)
                self._disk.sync(descriptor)
            finally:
                self._disk.close(descriptor)
            position, crc = stands_at(new).position, _crc(new, should_stop)
        except BaseException:
            with suppress(OSError):
                self._disk.unlink(new)
            raise
        path = self._directory / f"{position:020d}-{crc:08x}{SUFFIX}"
        self._disk.rename(new, path)
        self._disk.sync_directory(self._directory)
        return next(snapshot for snapshot in snapshots(self._directory) if snapshot.path == path)

    def _bytes_used(self) -> int:
        """Return what a copy comes to: the pages in use, which may be far fewer than the file's."""
        tables = self._index.tables

        def look(txn: lmdb.Transaction[bytes]) -> int:
            return sum(
                stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"])
                for stat in map(txn.stat, tables)
            )

        return self._index.view(look)

    def _position(self) -> int:
        meta = self._index.tables.meta
        return Tail.unpack(self._index.view(lambda txn: txn.get(JOURNAL, db=meta))).position

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Be the only one who makes a snapshot, over all processes; Busy."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("a snapshot of this store is being made already") from None
            yield
        finally:
            os.close(descriptor)


def copy_index(
    index: Index,
    descriptor: int,
    progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> None:
    """Copy in a thread, tell how far it is, and end it early when asked to; Stopped.

    Gigabytes take many seconds of a core, which requests may have first: niceness is a thread's own
    on Linux, and what LMDB starts inherits it. The thread holds no lock that others wait for.
    """
    with ThreadPoolExecutor(1, "snapshot", os.nice, (NICENESS,)) as pool:
        copying = pool.submit(index.copy, descriptor)
        try:
            while not wait([copying], PROGRESS_SECONDS).done:
                _check(should_stop)
                progress(os.fstat(descriptor).st_size, index.size_bytes())
        except BaseException:
            _cut_off(descriptor)
            raise
        copying.result()
    progress(os.fstat(descriptor).st_size, index.size_bytes())


def _check(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Stopped


def _cut_off(descriptor: int) -> None:
    """Let LMDB, which cannot be told to end a copy, fail at its next write.

    The descriptor is not closed, for its number could come to be another file's: something that
    takes no writes takes its place in one step.
    """
    unwritable = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(unwritable, descriptor, inheritable=False)
    os.close(unwritable)


def _crc(path: Path, should_stop: Callable[[], bool] = never) -> int:
    crc = 0
    with path.open("rb") as file:
        while data := file.read(READ_BYTES_MAX):
            _check(should_stop)
            crc = crc32c(data, crc)
    return crc


def stands_at(path: Path) -> Tail:
    """Read from an index file where in the journal it stands; lmdb.Error when it is none."""
    env = lmdb.open(
        str(path),
        subdir=False,
        readonly=True,
        lock=False,
        max_dbs=len(Tables._fields),
        lib_version=LMDB_MAJOR,
    )
    try:
        meta = env.open_db(b"meta", create=False)
        with env.begin(db=meta) as txn:
            return Tail.unpack(txn.get(JOURNAL))
    finally:
        env.close()
