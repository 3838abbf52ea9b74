"""Compaction: room back from volumes that are mostly dead, and fewer of those that are small.

Volume by volume, in order of place, blobs in use are moved to a volume of our own; a volume that
nothing uses any more is dropped, never one that something does, whatever could not be read in it.
All state is in the index: it may end anywhere, at any step, and the next run goes on from there.
Requests wait for nothing here but commits as small as their own.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from storage_engine import keys, meta, rows
from storage_engine.compaction_plan import VolumePlan, VolumeRoom, choose
from storage_engine.disk import try_own, try_share
from storage_engine.errors import DiskFull, EngineError
from storage_engine.limits import (
    COMPACTION_BATCH_BYTES,
    COMPACTION_THRESHOLD,
    PUNCH_BYTES_MIN,
)
from storage_engine.moving import Move, Mover
from storage_engine.pace import Pace, Stopped, ignore, never
from storage_engine.record import VOLUME_HEADER_BYTES
from storage_engine.stored import StoredRecord, is_damage
from storage_engine.transaction import LAST_VOLUME, number
from storage_engine.volume import volume_ids, volume_path
from storage_engine.volume_blobs import scan_blobs, walk_blobs
from storage_engine.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.disk import Disk
    from storage_engine.health import Health
    from storage_engine.housekeeping import Housekeeping
    from storage_engine.index import Index
    from storage_engine.layout import Layout
    from storage_engine.quarantine import Quarantine
    from storage_engine.volume import Appender
    from storage_engine.volume_blobs import Found


Range = tuple[int, int]
"""Where a record begins in its volume, and how long it is."""


@dataclass(frozen=True, slots=True)
class CompactionOptions:
    """How to compact. `progress` is told (bytes done, bytes in all)."""

    threshold: float = COMPACTION_THRESHOLD  # share of dead bytes from which a volume is rewritten
    bytes_per_second: int = 0  # 0: as fast as it goes
    volumes_max: int = 0  # how many are rewritten at most; 0: all that are worth it
    is_dry_run: bool = False  # only say what would be done
    progress: Callable[[int, int], None] = ignore
    should_stop: Callable[[], bool] = never  # at once: what was not copied whole is copied again
    is_slice_over: Callable[[], bool] = never  # after the record that is being copied


@dataclass(slots=True)
class CompactionReport:
    """What was done, or in a dry run would be. `problems` and `skipped` are sentences."""

    plans: list[VolumePlan] = field(default_factory=list)
    moved_blobs: int = 0
    moved_bytes: int = 0
    freed_bytes: int = 0  # room that volumes gave back; the copies' room is not taken off
    dropped_volumes: int = 0
    problems: list[str] = field(default_factory=list)  # blobs found damaged
    skipped: list[str] = field(default_factory=list)  # volumes that did not fit on the disk
    is_complete: bool = True  # not asked to stop


class _Source(NamedTuple):
    """A volume that is being rewritten, open for writing and owned by us."""

    id: int
    descriptor: int
    read: Callable[[int, int], bytes]


class Compaction:
    """Compacts one store. Several at once would only be in each other's way."""

    def __init__(  # noqa: PLR0913  # the parts of the engine it works with
        self,
        index: Index,
        committer: Committer,
        disk: Disk,
        place: Layout,
        health: Health,
        appender: Appender,
        quarantine: Quarantine,
        housekeeping: Housekeeping,
    ) -> None:
        self._index = index
        self._disk = disk
        self._volumes = place.volumes
        self._appender = appender
        self._quarantine = quarantine
        self._housekeeping = housekeeping
        self._mover = Mover(committer, appender, health)
        self._stopped: _Run | None = None

    def run(self, options: CompactionOptions) -> CompactionReport:
        """Compact what is worth it, or go on with that after a stop; StorageError."""
        if options.is_dry_run:
            plans = self.plan(options.threshold)
            return CompactionReport(plans=plans[: options.volumes_max or None])
        run = self._begin(options)
        try:
            while run.left:
                self._compact_volume(run.left[0], run)
                del run.left[0]
                if run.left:
                    run.pace.check()
            self._settle_strays(run)
        except Stopped:
            run.report.is_complete = False
            self._stopped = run
        return run.report

    def _begin(self, options: CompactionOptions) -> _Run:
        """Plan, or take on the plan of a run of the same kind that was stopped.

        Planning asks about every volume: too much for each slice of a long run.
        """
        stopped, self._stopped = self._stopped, None
        most = options.volumes_max or None
        if stopped is None or stopped.threshold != options.threshold:
            return _Run(options, self.plan(options.threshold)[:most], set())
        return _Run(options, stopped.left[:most], stopped.unfinished)

    def plan(self, threshold: float) -> list[VolumePlan]:
        """Return the volumes worth rewriting, in the order they would be."""
        return choose(self._sealed(), threshold, self._appender.length_max)

    # --- one volume ----------------------------------------------------------------------------

    def _compact_volume(self, plan: VolumePlan, run: _Run) -> None:
        """Move what is used out of a volume, then drop it if nothing is left.

        Where the disk is nearly full, room is given back under way: in small pieces, which costs
        more than all the rest.
        """
        source = self._own(plan.id)
        if source is None:
            return  # somebody else is at it
        room = self._disk.room(source.descriptor)
        moved: list[Range] = []
        left = room
        try:
            is_tight = not self._appender.has_room(plan.moved_bytes)
            for batch in self._batches(source) if plan.moved_bytes else ():
                moved += self._move(source, batch, run, is_tight=is_tight)
                if is_tight:
                    self._check_progress(source, room)
            left = self._drop(source, moved, run)
        except DiskFull:
            run.report.skipped.append(f"volume {plan.id}: its live bytes do not fit on the disk")
            left = self._give_back(source, moved)
        except BaseException:
            left = self._disk.room(source.descriptor)
            raise
        finally:
            run.report.freed_bytes += max(0, room - left)
            self._disk.close(source.descriptor)

    def _drop(self, source: _Source, moved: list[Range], run: _Run) -> int:
        """Drop a volume that was walked to the end, or give back what was moved out of it.

        Returns what it takes on the disk then.
        """
        if self._housekeeping.drop_owned(source.id, source.descriptor):
            run.report.dropped_volumes += 1
            return 0
        run.unfinished.add(source.id)
        return self._give_back(source, moved)

    def _give_back(self, source: _Source, moved: list[Range]) -> int:
        """Give back what was moved out of a volume that stays; return what it takes then."""
        self._punch(source, moved)
        return self._disk.room(source.descriptor)

    def _check_progress(self, source: _Source, room: int) -> None:
        """Raise DiskFull when no room comes back under way: all would have to fit at once."""
        if self._disk.room(source.descriptor) >= room:
            raise DiskFull

    def _own(self, volume_id: int) -> _Source | None:
        """Open a volume that nobody appends to, and keep others from dropping it meanwhile."""
        try:
            path = volume_path(self._volumes, volume_id)
            descriptor = self._disk.open(path, is_writable=True)
        except FileNotFoundError:
            return None
        if not try_own(descriptor):
            self._disk.close(descriptor)
            return None
        return _Source(volume_id, descriptor, partial(self._disk.read, descriptor))

    def _batches(self, source: _Source) -> Iterator[list[Found]]:
        """Yield the blobs of a volume that are in use there, some at a time, in order of place."""
        end = self._disk.length(source.descriptor)
        next_data = partial(self._disk.next_data, source.descriptor)
        walk = Walk(source.id, source.read, end, self._appender.seed, next_data=next_data)
        for found in walk_blobs(self._index, walk, VOLUME_HEADER_BYTES):
            yield from _in_batches(found)

    # --- one batch -----------------------------------------------------------------------------

    def _move(
        self, source: _Source, batch: list[Found], run: _Run, *, is_tight: bool
    ) -> list[Range]:
        """Move some blobs; return whose old room is to be given back, if it was not.

        DiskFull, Stopped, StorageError. Where not all of them fit at once, the room that the
        first give back is for the next.
        """
        moved: list[Range] = []
        while batch:
            moves: list[Move] = []
            done = 0
            try:
                for sha256, blob in batch:
                    move = self._copy(source, sha256, blob, run)
                    done += 1
                    if move is not None:
                        moves.append(move)
                    run.pace.check()
            except DiskFull:
                if not moves:
                    raise
                is_tight = True
            except Stopped:
                self._finish(moves, run)  # what was copied is worth naming
                raise
            except BaseException:
                self._mover.forget(moves)
                raise
            moved += self._finish(moves, run)
            if is_tight:
                self._punch(source, moved)
                moved = []
            batch = batch[done:]
        return moved

    def _copy(self, source: _Source, sha256: bytes, blob: rows.Blob, run: _Run) -> Move | None:
        """Copy one blob; None when its bytes are wrong, which is then remembered."""
        if self._quarantine.has(sha256):
            return None
        try:
            record = StoredRecord(source.read, sha256, blob, self._appender.seed)
            return self._mover.copy(record, run.pause)
        except (EngineError, OSError) as error:
            if not is_damage(error):
                raise
            if self._quarantine.put(sha256, blob, str(error)):
                where = f"volume {blob.volume_id} at {blob.offset}"
                run.report.problems.append(f"blob {sha256.hex()} in {where}: {error}")
            return None

    def _finish(self, moves: list[Move], run: _Run) -> list[Range]:
        """Name the copies; return where their originals are."""
        if moves:
            self._mover.commit(moves)
        moved = [(move.source.offset, move.source.length) for move in moves if move.is_done]
        run.report.moved_blobs += len(moved)
        run.report.moved_bytes += sum(length for _, length in moved)
        return moved

    def _punch(self, source: _Source, moved: list[Range]) -> None:
        """Give back the room of records that were moved, and are named nowhere any more.

        Nobody can have healed a blob with one of them: that takes the ownership that we have.
        Readers of large ones hold a lock. Readers of small ones hold none: they miss their bytes
        and look the blob up again.
        """
        if self._housekeeping.is_copied():
            return
        large = [(source.id, at, length) for at, length in moved if length >= PUNCH_BYTES_MIN]
        if large:
            self._housekeeping.punch(large)
        small = [(at, length) for at, length in moved if length < PUNCH_BYTES_MIN]
        for offset, length in _joined(small):
            with suppress(OSError):
                self._disk.punch(source.descriptor, offset, length)

    # --- what the walk did not meet ------------------------------------------------------------

    def _settle_strays(self, run: _Run) -> None:
        """Look up by their place the blobs that are left in volumes that were walked to the end.

        Their records' headers are damaged: each is moved after all, or quarantined and reported.
        Costs a scan of all blobs, and is next to never needed.
        """
        if not run.unfinished:
            return
        live, damaged, _ = self._index.view(self._read_live)
        left = {volume_id for volume_id in live if live[volume_id] > damaged.get(volume_id, 0)}
        wanted = run.unfinished & left
        if not wanted:
            return
        by_volume: dict[int, list[Found]] = {}
        for sha256, blob in scan_blobs(self._index, wanted):
            by_volume.setdefault(blob.volume_id, []).append((sha256, blob))
        for volume_id, found in by_volume.items():
            source = self._own(volume_id)
            if source is None:
                continue
            try:
                for batch in _in_batches(sorted(found, key=lambda item: item[1].offset)):
                    self._move(source, batch, run, is_tight=True)
            finally:
                self._disk.close(source.descriptor)
            run.report.dropped_volumes += self._housekeeping.drop_volume(volume_id)

    # --- figures -------------------------------------------------------------------------------

    def _sealed(self) -> list[VolumeRoom]:
        """Return the figures of the volumes that nobody appends to."""
        ids = volume_ids(self._volumes)
        live, damaged, given = self._index.view(self._read_live)
        found = []
        for volume_id in ids:
            room = self._sealed_room(volume_id) if volume_id in given else None
            if room is not None:
                volume = (volume_id, room, live.get(volume_id, 0), damaged.get(volume_id, 0))
                found.append(VolumeRoom(*volume))
        return found

    def _sealed_room(self, volume_id: int) -> int | None:
        """Return what a volume takes on the disk; None when somebody appends to it, or it is gone.

        Like `is_owned` it shares the lock with others who only look.
        """
        try:
            descriptor = self._disk.open(volume_path(self._volumes, volume_id))
        except FileNotFoundError:
            return None
        try:
            return self._disk.room(descriptor) if try_share(descriptor) else None
        finally:
            self._disk.close(descriptor)

    def _read_live(
        self, txn: lmdb.Transaction[bytes]
    ) -> tuple[dict[int, int], dict[int, int], range]:
        """Return live bytes and those in quarantine by volume, and the ids that are ours to judge.

        Others were never given out by this index, or are held since a salvage.
        """
        tables = self._index.tables
        with txn.cursor(tables.volumes) as cursor:
            live = {keys.sequence_number(key): number(value) for key, value in cursor}
        damaged: dict[int, int] = {}
        with txn.cursor(tables.quarantine) as cursor:
            for sha256 in cursor.iternext(values=False):
                value = txn.get(sha256, db=tables.blobs)
                if value is not None:
                    blob = rows.decode_blob(value)
                    damaged[blob.volume_id] = damaged.get(blob.volume_id, 0) + blob.length
        last = number(txn.get(LAST_VOLUME, db=tables.meta))
        return live, damaged, range(meta.read_held_volumes(txn, tables) + 1, last + 1)


class _Run:
    """One run: its report, its pace, and how far it has come."""

    def __init__(
        self, options: CompactionOptions, plans: list[VolumePlan], unfinished: set[int]
    ) -> None:
        self.threshold = options.threshold
        self.report = CompactionReport(plans=plans)
        self.pace = Pace(options.bytes_per_second, options.should_stop, options.is_slice_over)
        self.left = list(plans)
        self.unfinished = unfinished  # walked to the end, and still used
        self._progress = options.progress
        self._done = 0
        self._total = sum(plan.moved_bytes for plan in plans)

    def pause(self, length: int) -> None:
        """Take note of bytes that were copied; Stopped."""
        self._done += length
        self._progress(min(self._done, self._total), self._total)
        self.pace.pause(length)


def _in_batches(found: list[Found]) -> Iterator[list[Found]]:
    """Cut a list where its records come to what is copied between two commits."""
    batch: list[Found] = []
    size = 0
    for item in found:
        batch.append(item)
        size += item[1].length
        if size >= COMPACTION_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _joined(ranges: list[Range]) -> Iterator[Range]:
    """Join ranges, in order of place, where one ends as the next begins."""
    start = end = 0
    for offset, length in ranges:
        if offset != end:
            if end > start:
                yield start, end - start
            start = offset
        end = offset + length
    if end > start:
        yield start, end - start
