"""A copy of a store in use: its index, and of the journal what leads on to one later moment.

The index that LMDB copies is as old as the copying takes; the frames since bring it up to the
moment that `settle` notes. Everything those name is in the volumes, synced, by then: so the
volumes are copied last. Writes into the target's directory alone, and needs nothing of its disk
but files. FORMAT.md has the argument.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import lmdb

from storage_engine import meta
from storage_engine.checkpoint import Checkpoint, write_checkpoint
from storage_engine.errors import StorageError
from storage_engine.index import DATA_FILE, newest_meta_page
from storage_engine.journal import Tail, segment_path, segment_starts
from storage_engine.keys import JOURNAL, sequence_number
from storage_engine.layout import INDEX, MARKER, PARTS
from storage_engine.layout import JOURNAL as JOURNAL_DIRECTORY
from storage_engine.leases import Kept
from storage_engine.limits import READ_BYTES_MAX
from storage_engine.snapshots import copy_index
from storage_engine.transaction import number
from storage_engine.volume import is_owned, volume_ids, volume_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine.disk import Disk
    from storage_engine.index import Index
    from storage_engine.layout import Layout
    from storage_engine.leases import Lease


class CopiedVolume(NamedTuple):
    """A volume that belongs to the copy."""

    path: Path
    is_sealed: bool  # nobody appends to it, now or ever: but for holes it stays as it is


class Copying:
    """One copy, under a lease. Its steps are to be taken in the order in which they stand here."""

    def __init__(self, index: Index, disk: Disk, place: Layout, lease: Lease) -> None:
        self._index = index
        self._disk = disk
        self._place = place
        self._lease = lease
        self._begin = self._end = index.view(self._tail)
        self._used: list[int] = []
        self.missing: list[int] = []  # volumes that something lies in, and that are not there

    @property
    def store_id(self) -> bytes:
        """The id of the store."""
        return self._place.store_id

    def copy_index(
        self,
        target: Path,
        progress: Callable[[int, int], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Copy the index into a directory that is to be a store; Stopped, StorageError, OSError."""
        for part in PARTS:
            (target / part).mkdir(mode=0o700, exist_ok=True)
        path = target / INDEX / DATA_FILE
        try:
            descriptor = self._disk.create(path)
            try:
                copy_index(self._index, descriptor, progress, should_stop)
                self._disk.sync(descriptor)
            finally:
                self._disk.close(descriptor)
        except lmdb.Error as error:
            raise StorageError(f"the index could not be copied: {error}") from error
        txn_id, page = newest_meta_page(path)
        # The tree may be younger than where the journal begins: some frames are made again.
        checkpoint = Checkpoint(txn_id, time.time_ns() // 1_000_000, self._begin, page)
        write_checkpoint(self._disk, target / INDEX, checkpoint)

    def settle(self) -> int:
        """Note the moment that the copy will stand at: everything answered before is in it."""

        def look(txn: lmdb.Transaction[bytes]) -> tuple[Tail, list[int]]:
            return self._tail(txn), self._in_use(txn)

        self._end, self._used = self._index.view(look)
        return self._end.position

    def copy_journal(self, target: Path) -> None:
        """Copy the frames up to that moment; then the journal is let go."""
        for start in segment_starts(self._place.journal):
            if self._begin.segment <= start <= self._end.segment:
                self._copy_segment(start, target / JOURNAL_DIRECTORY)
        self._disk.sync_directory(target / JOURNAL_DIRECTORY)
        self._lease.let_go(Kept.JOURNAL)

    def volumes(self) -> list[CopiedVolume]:
        """Return the volumes that something lay in then, or that are held, oldest first."""
        found = []
        for volume_id in self._used:
            path = volume_path(self._place.volumes, volume_id)
            try:
                found.append(CopiedVolume(path, not is_owned(self._disk, path)))
            except FileNotFoundError:
                self.missing.append(volume_id)
        return found

    def copy_marker(self, target: Path) -> None:
        """Make the directory a store."""
        descriptor = self._disk.create(target / MARKER)
        try:
            self._disk.write(descriptor, [(self._place.root / MARKER).read_bytes()], 0)
            self._disk.sync(descriptor)
        finally:
            self._disk.close(descriptor)

    def _tail(self, txn: lmdb.Transaction[bytes]) -> Tail:
        return Tail.unpack(txn.get(JOURNAL, db=self._index.tables.meta))

    def _copy_segment(self, start: int, directory: Path) -> None:
        """Copy a segment, but nothing behind the copy's end: there somebody may be writing."""
        source = self._disk.open(segment_path(self._place.journal, start))
        try:
            length = self._disk.length(source)
            target = self._disk.create(segment_path(directory, start))
            try:
                self._disk.truncate(target, length)
                end = min(length, self._end.position - start)
                for at in range(0, end, READ_BYTES_MAX):
                    data = self._disk.read(source, min(READ_BYTES_MAX, end - at), at)
                    self._disk.write(target, [data], at)
                self._disk.sync(target)
            finally:
                self._disk.close(target)
        finally:
            self._disk.close(source)

    def _in_use(self, txn: lmdb.Transaction[bytes]) -> list[int]:
        """Return the ids of what must be there, and of what is held and is there."""
        tables = self._index.tables
        held = meta.read_held_volumes(txn, tables)
        with txn.cursor(tables.volumes) as cursor:
            used = {sequence_number(key) for key, value in cursor if number(value)}
        kept = {volume_id for volume_id in volume_ids(self._place.volumes) if volume_id <= held}
        return sorted(used | kept)
