"""The scrub: reads everything that is in use, in order of place, and tells what went bad.

A pass goes through the inline payloads of the index, then through the volumes. It notes in the
index how far it is, so that a restart costs little. What verifies leaves quarantine, what does not
enters it. Nothing is written when there is nothing to do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from storage_engine import blobs, keys, rows
from storage_engine.errors import CorruptBlob, EngineError
from storage_engine.healing import Healer
from storage_engine.limits import HOUSEKEEPING_BATCH, SCRUB_NOTE_BYTES
from storage_engine.operation import Operation
from storage_engine.pace import Pace, Stopped, ignore, never
from storage_engine.record import VOLUME_HEADER_BYTES
from storage_engine.stored import StoredRecord, is_damage
from storage_engine.transaction import SCRUB, number
from storage_engine.volume import volume_ids
from storage_engine.volume_blobs import scan_blobs, walk_blobs
from storage_engine.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.disk import Disk
    from storage_engine.index import Index
    from storage_engine.layout import Layout
    from storage_engine.quarantine import Quarantine
    from storage_engine.transaction import Transaction
    from storage_engine.volume_files import VolumeFile, VolumeFiles
    from storage_engine.walk import FoundRecord


@dataclass(frozen=True, slots=True)
class ScrubOptions:
    """How to scrub. `progress` is told (bytes read in this pass, bytes in all)."""

    bytes_per_second: int = 0  # 0: as fast as it goes
    is_hashed: bool = False  # compare the SHA-256 of payloads too, not only block checksums
    is_restarted: bool = False  # begin a pass although one is under way
    pass_ms_min: int = 0  # begin none when the last one ended less than this ago
    progress: Callable[[int, int], None] = ignore
    should_stop: Callable[[], bool] = never  # at once: what was not read whole is read again
    is_slice_over: Callable[[], bool] = never  # after the record that is being read


@dataclass(slots=True)
class ScrubReport:
    """What this run read, of the pass that it was part of. `problems` are sentences."""

    blobs: int = 0
    bytes: int = 0
    inline_payloads: int = 0
    lifted: int = 0  # blobs that were in quarantine and are right
    healed: int = 0  # damaged blobs of which a whole record was found elsewhere
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True  # the pass came to its end
    is_due: bool = True  # there was a pass to make


@dataclass(slots=True)
class NoteScrub(Operation[None]):
    """Notes how far the scrub is."""

    needs_room: ClassVar[bool] = False
    state: rows.ScrubState

    def mutate(self, transaction: Transaction) -> None:
        """Write it."""
        transaction.put(transaction.tables.meta, SCRUB, rows.encode(self.state))


class Scrub:
    """Scrubs one store."""

    def __init__(  # noqa: PLR0913  # the parts of the engine it works with
        self,
        index: Index,
        committer: Committer,
        disk: Disk,
        place: Layout,
        files: VolumeFiles,
        quarantine: Quarantine,
        seed: int,
    ) -> None:
        self._index = index
        self._committer = committer
        self._disk = disk
        self._volumes = place.volumes
        self._files = files
        self._quarantine = quarantine
        self._seed = seed
        self._healer = Healer(committer, disk, place.volumes, seed)

    def run(self, options: ScrubOptions, now_ms: int | None = None) -> ScrubReport:
        """Go on with the pass, or begin one, to its end or until stopped; StorageError."""
        now_ms = now_ms or time.time_ns() // 1_000_000
        state = self.state()
        if options.is_restarted or not state.started_ms:
            if now_ms < state.finished_ms + options.pass_ms_min:
                return ScrubReport(is_due=False)
            state = rows.ScrubState(started_ms=now_ms, finished_ms=state.finished_ms)
        run = _Run(options, state, self._live_bytes())
        run.sick = {blob.sha256 for blob in self._quarantine.blobs()}
        try:
            self._check_inline(run)
            self._check_missing(run)
            for volume_id in volume_ids(self._volumes):
                if volume_id >= state.volume_id:
                    self._check_volume(volume_id, run)
        except Stopped:
            run.report.is_complete = False
        else:
            run.state = rows.ScrubState(finished_ms=now_ms)
        self._note(run)
        return run.report

    def state(self) -> rows.ScrubState:
        """Return how far the pass under way is, and when the last one ended."""
        meta = self._index.tables.meta
        value = self._index.view(lambda txn: txn.get(SCRUB, db=meta))
        return rows.ScrubState() if value is None else rows.decode_scrub(value)

    def _note(self, run: _Run) -> None:
        run.unnoted = 0
        self._committer.submit(NoteScrub(run.state)).result()

    # --- the index -----------------------------------------------------------------------------

    def _check_inline(self, run: _Run) -> None:
        """Check the payloads in the index, some at a time; Stopped."""
        while True:
            checked, bad = self._index.view(partial(self._inline, run.state.inline + 1))
            if not checked:
                return
            run.state.inline = checked[-1]
            run.report.inline_payloads += len(checked)
            for problem in bad:
                run.tell(problem)
            run.pace.check()

    def _inline(self, start: int, txn: lmdb.Transaction[bytes]) -> tuple[list[int], list[str]]:
        """Check some from a sequence on; return their sequences, and what is wrong."""
        tables = self._index.tables
        checked: list[int] = []
        bad: list[str] = []
        with txn.cursor(tables.inline) as cursor:
            is_found = cursor.set_range(keys.sequence(start))
            while is_found and len(checked) < HOUSEKEEPING_BATCH:
                checked.append(keys.sequence_number(cursor.key()))
                try:
                    blobs.read_inline(txn, tables, checked[-1])
                except CorruptBlob as error:
                    bad.append(str(error))
                is_found = cursor.next()
        return checked, bad

    # --- volumes -------------------------------------------------------------------------------

    def _check_missing(self, run: _Run) -> None:
        """Put the blobs of volumes that have no file into quarantine; Stopped."""
        missing = self._live_volumes() - set(volume_ids(self._volumes))
        for sha256, blob in scan_blobs(self._index, missing) if missing else ():
            if sha256 not in run.sick and self._quarantine.is_at(sha256, blob):
                self._condemn(sha256, blob, f"volume {blob.volume_id} is missing", run)
            run.pace.check()

    # --- a volume ------------------------------------------------------------------------------

    def _check_volume(self, volume_id: int, run: _Run) -> None:
        """Check the blobs in use in a volume; Stopped."""
        state = run.state
        if volume_id != state.volume_id or not state.offset:
            state.volume_id, state.offset, state.met_bytes = volume_id, VOLUME_HEADER_BYTES, 0
            state.live_bytes = self._live_of(volume_id)
        try:
            file = self._files.acquire(volume_id)
        except FileNotFoundError:
            return  # dropped since the directory was read
        try:
            meet = partial(self._meet, run)
            for found in walk_blobs(self._index, self._walk(file), state.offset, meet):
                for sha256, blob in found:
                    self._check(file, sha256, blob, run)
                    state.met_bytes += blob.length
                    state.offset = blob.offset + blob.length
                    if run.unnoted >= SCRUB_NOTE_BYTES:
                        self._note(run)
                    run.pace.check()
            # What was added meanwhile need not have been met, nor what was removed.
            if state.met_bytes < min(state.live_bytes, self._live_of(volume_id)):
                self._check_strays(file, run)
        finally:
            self._files.release(file)
        state.volume_id, state.offset = volume_id + 1, 0

    def _walk(self, file: VolumeFile) -> Walk:
        end = self._disk.length(file.descriptor)
        next_data = partial(self._disk.next_data, file.descriptor)
        return Walk(file.id, file.read, end, self._seed, next_data=next_data)

    def _check_strays(self, file: VolumeFile, run: _Run) -> None:
        """Check the blobs of a volume that the walk cannot have met: their headers are damaged.

        Costs a scan of all blobs, and is next to never needed.
        """
        walk = self._walk(file)
        strays = []
        for sha256, blob in scan_blobs(self._index, {file.id}):
            record = walk.record_at(blob.offset)
            if record is None or record.header.sha256 != sha256:
                strays.append((sha256, blob))
        for sha256, blob in strays:
            self._check(file, sha256, blob, run)

    def _check(self, file: VolumeFile, sha256: bytes, blob: rows.Blob, run: _Run) -> None:
        """Read one record; whether it is damaged is remembered. Stopped."""
        try:
            record = StoredRecord(file.read, sha256, blob, self._seed)
            record.check(is_hashed=run.options.is_hashed, pause=run.pace.pause)
        except (EngineError, OSError) as error:
            if not is_damage(error):
                raise
            self._condemn(sha256, blob, str(error), run)
        else:
            run.report.lifted += self._quarantine.lift(sha256, blob)
        run.count(blob.length)

    def _condemn(self, sha256: bytes, blob: rows.Blob, reason: str, run: _Run) -> None:
        """Remember a damaged blob, unless it is elsewhere by now."""
        self._quarantine.put(sha256, blob, reason)
        if self._quarantine.is_at(sha256, blob):
            run.sick.add(sha256)
            where = f"volume {blob.volume_id} at {blob.offset}"
            run.tell(f"blob {sha256.hex()} in {where}: {reason}")

    def _meet(self, run: _Run, record: FoundRecord) -> None:
        """Use a record for a damaged blob of its content, if it is that of none."""
        sha256 = record.header.sha256
        if sha256 not in run.sick:
            return
        place = (record.header.volume_id, record.offset)
        if place != self._quarantine.place(sha256) and self._healer.heal(record):
            run.sick.discard(sha256)
            run.report.healed += 1

    # --- figures -------------------------------------------------------------------------------

    def _live_bytes(self) -> int:
        """Return what blobs in use come to."""
        table = self._index.tables.volumes

        def look(txn: lmdb.Transaction[bytes]) -> int:
            with txn.cursor(table) as cursor:
                return sum(number(value) for value in cursor.iternext(keys=False))

        return self._index.view(look)

    def _live_volumes(self) -> set[int]:
        """Return the ids of volumes that blobs in use lie in."""
        table = self._index.tables.volumes

        def look(txn: lmdb.Transaction[bytes]) -> set[int]:
            with txn.cursor(table) as cursor:
                return {keys.sequence_number(key) for key, value in cursor if number(value)}

        return self._index.view(look)

    def _live_of(self, volume_id: int) -> int:
        table = self._index.tables.volumes
        key = keys.sequence(volume_id)
        return number(self._index.view(lambda txn: txn.get(key, db=table)))


class _Run:
    """One run: its report, its pace, and how far the pass has come."""

    def __init__(self, options: ScrubOptions, state: rows.ScrubState, total: int) -> None:
        self.options = options
        self.state = state
        self.report = ScrubReport()
        self.pace = Pace(options.bytes_per_second, options.should_stop, options.is_slice_over)
        self.unnoted = 0  # bytes read since the state was written
        self.sick: set[bytes] = set()  # blobs in quarantine
        self._total = total

    def tell(self, problem: str) -> None:
        """Take note of something wrong."""
        self.state.damaged += 1
        self.report.problems.append(problem)

    def count(self, length: int) -> None:
        """Take note of a blob that was read."""
        self.report.blobs += 1
        self.report.bytes += length
        self.state.blobs += 1
        self.state.bytes += length
        self.unnoted += length
        self.options.progress(min(self.state.bytes, self._total), self._total)
