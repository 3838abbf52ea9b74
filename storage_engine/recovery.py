"""Opening a store that nobody has open: back to the checkpoint, then the journal since.

There is no telling a clean end from a crash, and no need to: a store that was closed in order has
its checkpoint at the end of its journal, and nothing is replayed. What the index file holds beyond
the checkpoint is never believed, whether the machine was rebooted, a disk was pulled or a process
was killed. So the cost is that of the journal since the checkpoint, whatever the store holds.
"""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import lmdb

from storage_engine.changes import unpack
from storage_engine.checkpoint import read_durable_checkpoint
from storage_engine.errors import FormatError, JournalDamaged
from storage_engine.index import await_release, restore_meta_page
from storage_engine.keys import JOURNAL
from storage_engine.limits import RECOVERY_READERS, REPLAY_BYTES
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine.checkpoint import Checkpoint, Checkpointer
    from storage_engine.disk import Disk
    from storage_engine.index import Index
    from storage_engine.journal import Journal, Tail

UNREADABLE: Final = "the journal holds a change that this version cannot read"
REMEDY: Final = f"{command('rebuild_index')} makes it anew from snapshot and journal"
GIVE_UP: Final = (
    "put its files back from a backup, or give up what came after with "
    f"{command('rebuild_index --accept-loss')}"
)


class Replayed(NamedTuple):
    """How many frames were replayed, and why acknowledged ones may be missing, if they may."""

    frames: int
    damage: str | None


def restore(disk: Disk, directory: Path, journal: Journal) -> Checkpoint:
    """Put an index that nobody has open back to its checkpoint; FormatError when it cannot be.

    JournalDamaged, and nothing is put back, when the journal that should follow is not there.
    """
    with _told(directory):
        await_release(directory)
        checkpoint = read_durable_checkpoint(disk, directory)
    if not journal.reaches(checkpoint.tail):
        place = checkpoint.tail.position
        raise JournalDamaged(f"the journal has nothing at {place}, where it was: {GIVE_UP}")
    with _told(directory):
        restore_meta_page(directory, checkpoint.meta_page)
    return checkpoint


@contextmanager
def _told(directory: Path) -> Iterator[None]:
    """Say of trouble with an index what helps."""
    try:
        yield
    except FileNotFoundError as error:
        raise FormatError(f"{error.filename} is missing: {REMEDY}") from error
    except FormatError as error:
        raise FormatError(f"{directory}: {error}: {REMEDY}") from error


def replay(
    index: Index,
    journal: Journal,
    checkpointer: Checkpointer,
    tail: Tail,
    progress: Callable[[int], None] | None = None,
) -> Replayed:
    """Make the changes of every frame from `tail` on, to where the journal can be read.

    This process must hold a pin. Stopped anywhere, it may simply begin again. `progress` is told
    the position reached.
    """
    frames, after = 0, tail
    for batch, after in _batches(journal, tail):
        while not _apply(index, batch, after):
            index.grow()
            checkpointer.checkpoint()  # growing voided the pin
        frames += len(batch)
        if progress is not None:
            progress(after.position)
    if frames:
        # The last may be that of a writer killed before its sync: a checkpoint behind a frame that
        # a power cut takes would leave a gap in the journal.
        journal.sync(after)
    beyond = journal.find_beyond(after)
    if beyond is None:
        return Replayed(frames, None)
    return Replayed(
        frames, f"the journal cannot be read at {after.position} and goes on at {beyond}: {GIVE_UP}"
    )


def _batches(journal: Journal, tail: Tail) -> Iterator[tuple[list[bytes], Tail]]:
    """Gather frames, so that one commit makes the changes of many."""
    batch: list[bytes] = []
    waiting, after = 0, tail
    for body, after in journal.read(tail):
        batch.append(body)
        waiting += len(body)
        if waiting >= REPLAY_BYTES:
            yield batch, after
            batch, waiting = [], 0
    if batch:
        yield batch, after


def _apply(index: Index, batch: list[bytes], after: Tail) -> bool:
    """Commit a batch; False when the map is too small for it."""
    tables = tuple(index.tables)
    changes = _last_changes(batch, len(tables))
    _fetch(index, [(tables[number], key) for number, key in changes])
    txn = index.begin_write()
    try:
        for (number, key), value in changes.items():
            if value is None:
                txn.delete(key, db=tables[number])
            else:
                txn.put(key, value, db=tables[number])
        txn.put(JOURNAL, after.pack(), db=index.tables.meta)
        txn.commit()
    except lmdb.MapFullError:
        txn.abort()
        return False
    except BaseException:
        txn.abort()
        raise
    return True


def _last_changes(batch: list[bytes], table_count: int) -> dict[tuple[int, bytes], bytes | None]:
    """Return what each row is after a batch, in the order of the index; FormatError."""
    changes: dict[tuple[int, bytes], bytes | None] = {}
    try:
        for body in batch:
            for number, key, value in unpack(body):
                changes[number, key] = value
    except struct.error as error:
        raise FormatError(UNREADABLE) from error
    if any(number >= table_count for number, _ in changes):
        raise FormatError(UNREADABLE)
    return dict(sorted(changes.items(), key=itemgetter(0)))


def _fetch(index: Index, places: list[tuple[lmdb._Database, bytes]]) -> None:
    """Have the pages of rows in memory, read by several at once.

    After a reboot none is, and one after the other they would keep the start waiting for the disk
    some 100 us each: many thousands of them are in a few megabytes of journal.
    """
    step = -(-len(places) // RECOVERY_READERS)

    def touch(start: int) -> None:
        def look(txn: lmdb.Transaction[bytes]) -> None:
            for table, key in places[start : start + step]:
                txn.get(key, db=table)

        index.view(look)

    with ThreadPoolExecutor(RECOVERY_READERS, thread_name_prefix="recovery") as pool:
        list(pool.map(touch, range(0, len(places), step or 1)))
