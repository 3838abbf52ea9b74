"""Making the index anew when it is lost: the newest snapshot, then the journal since.

Works on a store that nobody has open. The new index is made beside the old one and takes its
place when it is whole; what it replaces is moved aside, never removed.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage_engine import layout, meta
from storage_engine.checkpoint import Checkpointer, read_checkpoint
from storage_engine.disk import RealDisk
from storage_engine.errors import FormatError, JournalDamaged, StoreInUse
from storage_engine.health import Health
from storage_engine.index import DATA_FILE, Index, restore_meta_page
from storage_engine.journal import Journal, Tail
from storage_engine.keys import JOURNAL
from storage_engine.options import DEFAULTS, EngineOptions
from storage_engine.pace import ignore
from storage_engine.recovery import GIVE_UP, Replayed, replay
from storage_engine.snapshots import Snapshots, is_whole, snapshots
from storage_engine.transaction import STORE_ID, Transaction
from storage_engine.values import HoldCause
from storage_engine.volume import volume_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine.disk import Disk
    from storage_engine.snapshots import Snapshot

NEW_INDEX: Final = "index.new"


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What an index was made of, and where what it replaced lies now."""

    snapshot: str | None  # None: the journal reached back to the beginning, or see `is_own`
    damaged_snapshots: list[str]  # now under other names
    is_own: bool  # made of what the index itself still had, which was newer than any snapshot
    frames: int
    damage: str | None  # why what came after is given up
    aside: list[str]


@dataclass(frozen=True, slots=True)
class _Bench:
    """A closed store on which work is done."""

    place: layout.Layout
    options: EngineOptions
    disk: Disk


def rebuild_index(
    root: Path,
    options: EngineOptions = DEFAULTS,
    *,
    disk: Disk | None = None,
    accept_loss: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> RebuildReport:
    """Make the index anew; StoreInUse, FormatError when there is nothing to make it of.

    With `accept_loss` it is made of what can be read where the journal is lost or damaged: the
    newest snapshot, or the index's own checkpoint where that is newer, and the frames up to there;
    what came after is given up, and kept aside. `progress`
    is told (bytes of the journal replayed, bytes at most).
    """
    told = progress or ignore
    with _closed(root, options, disk or RealDisk()) as bench:
        snapshot, damaged = _newest_whole(bench)
        new = _new_index(bench)
        is_own = accept_loss and _copy_own(bench, new, snapshot.position if snapshot else 0)
        if snapshot is not None and not is_own:
            shutil.copyfile(snapshot.path, new / DATA_FILE)
        with _working(bench, new) as (index, journal, checkpointer):
            checkpointer.checkpoint()
            done = _replay(index, journal, checkpointer, told)
            if _store_id(index) is None:
                raise FormatError("neither a whole snapshot nor all of the journal: see --salvage")
            if done.damage is not None and not accept_loss:
                raise JournalDamaged(done.damage)
            if _store_id(index) != bench.place.store_id:
                raise FormatError("snapshot and journal belong to another store")
            if done.damage is not None:
                _begin_anew(index, max(volume_ids(bench.place.volumes), default=0))
                # The old snapshot and the new journal do not go together.
                Snapshots(index, bench.disk, bench.place.snapshots).make(ignore)
        aside = _replace(bench, with_journal=done.damage is None)
    name = snapshot.path.name if snapshot is not None and not is_own else None
    return RebuildReport(name, damaged, is_own, done.frames, done.damage, aside)


def _replay(
    index: Index, journal: Journal, checkpointer: Checkpointer, told: Callable[[int, int], None]
) -> Replayed:
    """Replay what follows the snapshot, or everything."""
    tail, end = _tail(index), journal.end()
    if not journal.reaches(tail):
        return Replayed(0, f"the journal does not reach back to {tail.position}: {GIVE_UP}")

    def tell(position: int) -> None:
        told(position - tail.position, end - tail.position)

    return replay(index, journal, checkpointer, tail, tell)


@contextmanager
def _closed(root: Path, options: EngineOptions, disk: Disk) -> Iterator[_Bench]:
    """Have a store alone, whatever of it is missing."""
    with layout.locked(root):
        place = layout.existing(root)
        if place is None:
            raise FormatError(layout.no_store(root))
        if not place.volumes.is_dir():
            raise FormatError(f"{place.volumes} is missing: {layout.REMEDIES[layout.VOLUMES]}")
        for part in (place.journal, place.snapshots):
            part.mkdir(mode=0o700, exist_ok=True)
        use = layout.Use(place)
        try:
            if not use.is_first:
                raise StoreInUse(f"{root} is in use: stop the server first")
            yield _Bench(place, options, disk)
        finally:
            use.end()


def _newest_whole(bench: _Bench) -> tuple[Snapshot | None, list[str]]:
    """Return the newest snapshot that is whole; damaged ones lose their names, and are told."""
    damaged: list[str] = []
    for snapshot in reversed(snapshots(bench.place.snapshots)):
        if is_whole(snapshot):
            return snapshot, damaged
        damaged.append(snapshot.path.name)
        bench.disk.rename(snapshot.path, snapshot.path.with_suffix(".damaged"))
    return None, damaged


def _copy_own(bench: _Bench, new: Path, newer_than: int) -> bool:
    """Copy the index's own last checkpoint, if it can be read and is newer than a position."""
    try:
        checkpoint = read_checkpoint(bench.place.index)
        if checkpoint.tail.position < newer_than:
            return False
        shutil.copyfile(bench.place.index / DATA_FILE, new / DATA_FILE)
        restore_meta_page(new, checkpoint.meta_page)
    except (FormatError, FileNotFoundError):
        return False
    return True


def _new_index(bench: _Bench) -> Path:
    new = bench.place.root / NEW_INDEX
    if new.exists():  # left by an attempt that was cut off
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    return new


@contextmanager
def _working(bench: _Bench, new: Path) -> Iterator[tuple[Index, Journal, Checkpointer]]:
    """Open an index that is being made; its last state is durable when the block ends well."""
    place, disk = bench.place, bench.disk
    health = Health(disk, place.root, 0)
    index = Index(new, bench.options.map_bytes)
    journal = Journal(disk, place.journal, place.store_id, bench.options.segment_bytes)
    checkpointer = Checkpointer(index, journal, disk, health)
    try:
        yield index, journal, checkpointer
        checkpointer.checkpoint()
    finally:
        index.release_first_pin()
        checkpointer.close(is_last=False)
        journal.close()
        index.close()


def _tail(index: Index) -> Tail:
    return Tail.unpack(index.view(lambda txn: txn.get(JOURNAL, db=index.tables.meta)))


def _store_id(index: Index) -> bytes | None:
    return index.view(lambda txn: txn.get(STORE_ID, db=index.tables.meta))


def _begin_anew(index: Index, last_volume: int) -> None:
    """Have the next frame open a segment of its own, behind all that were; hold the volumes.

    They may hold what was put since, and blobs that compaction moved since: those the scrub finds.
    """
    tail = _tail(index)
    txn = index.begin_write()
    txn.put(JOURNAL, Tail(tail.end, tail.end, tail.end).pack(), db=index.tables.meta)
    transaction = Transaction(txn, index.tables)
    transaction.skip_sequences()  # what came after has had numbers too
    meta.hold(transaction, last_volume, HoldCause.ACCEPT_LOSS)
    txn.commit()


def _replace(bench: _Bench, *, with_journal: bool) -> list[str]:
    """Move what is lost aside and the new index into its place, durably."""
    root = bench.place.root
    aside = layout.set_aside(root, (layout.INDEX,))
    bench.disk.rename(root / NEW_INDEX, bench.place.index)
    bench.disk.sync_directory(root)
    if not with_journal:  # cut off before this, the damaged journal is met and told again
        aside += layout.set_aside(root, (layout.JOURNAL,))
        bench.place.journal.mkdir(mode=0o700)
        bench.disk.sync_directory(root)
    return aside
