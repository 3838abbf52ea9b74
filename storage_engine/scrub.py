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
from storage_engine.commit import Operation
from storage_engine.errors import CorruptBlob, EngineError
from storage_engine.limits import HOUSEKEEPING_BATCH, SCRUB_NOTE_BYTES
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


@dataclass(frozen=True, slots=True)
class ScrubOptions:
    """How to scrub. `progress` is told (bytes read in this pass, bytes in all)."""

    bytes_per_second: int = 0  # 0: as fast as it goes
    is_hashed: bool = False  # compare the SHA-256 of payloads too, not only block checksums
    is_restarted: bool = False  # begin a pass although one is under way
    pass_ms_min: int = 0  # begin none when the last one ended less than this ago
    progress: Callable[[int, int], None] = ignore
    should_stop: Callable[[], bool] = never


@dataclass(slots=True)
class ScrubReport:
    """What this run read, of the pass that it was part of. `problems` are sentences."""

    blobs: int = 0
    bytes: int = 0
    inline_payloads: int = 0
    lifted: int = 0  # blobs that were in quarantine and are right
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

    def run(self, options: ScrubOptions, now_ms: int | None = None) -> ScrubReport:
        """Go on with the pass, or begin one, to its end or until stopped; StorageError."""
        now_ms = now_ms or time.time_ns() // 1_000_000
        state = self.state()
        if options.is_restarted or not state.started_ms:
            if now_ms < state.finished_ms + options.pass_ms_min:
                return ScrubReport(is_due=False)
            state = rows.ScrubState(started_ms=now_ms, finished_ms=state.finished_ms)
        run = _Run(options, state, self._live_bytes())
        try:
            self._check_inline(run)
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

    # --- a volume ------------------------------------------------------------------------------

    def _check_volume(self, volume_id: int, run: _Run) -> None:
        """Check the blobs in use in a volume; Stopped."""
        state = run.state
        if volume_id != state.volume_id or not state.offset:
            state.volume_id, state.offset, state.met_bytes = volume_id, VOLUME_HEADER_BYTES, 0
        try:
            file = self._files.acquire(volume_id)
        except FileNotFoundError:
            return  # dropped since the directory was read
        try:
            for found in walk_blobs(self._index, self._walk(file), state.offset):
                for sha256, blob in found:
                    self._check(file, sha256, blob, run)
                    state.met_bytes += blob.length
                    state.offset = blob.offset + blob.length
                    if run.unnoted >= SCRUB_NOTE_BYTES:
                        self._note(run)
            if state.met_bytes < self._live_of(volume_id):
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

        Or they were added meanwhile. Costs a scan of all blobs.
        """
        walk = self._walk(file)
        for sha256, blob in scan_blobs(self._index, {file.id}):
            record = walk.record_at(blob.offset)
            if record is None or record.header.sha256 != sha256:
                self._check(file, sha256, blob, run)
            run.pace.check()

    def _check(self, file: VolumeFile, sha256: bytes, blob: rows.Blob, run: _Run) -> None:
        """Read one record; whether it is damaged is remembered. Stopped."""
        try:
            record = StoredRecord(file.read, sha256, blob, self._seed)
            record.check(is_hashed=run.options.is_hashed, pause=run.pace.pause)
        except (EngineError, OSError) as error:
            if not is_damage(error):
                raise
            where = f"volume {blob.volume_id} at {blob.offset}"
            self._quarantine.put(sha256, blob, str(error))
            if self._quarantine.is_at(sha256, blob):
                run.tell(f"blob {sha256.hex()} in {where}: {error}")
        else:
            run.report.lifted += self._quarantine.lift(sha256, blob)
        run.count(blob.length)

    # --- figures -------------------------------------------------------------------------------

    def _live_bytes(self) -> int:
        """Return what blobs in use come to."""
        table = self._index.tables.volumes

        def look(txn: lmdb.Transaction[bytes]) -> int:
            with txn.cursor(table) as cursor:
                return sum(number(value) for value in cursor.iternext(keys=False))

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
        self.pace = Pace(options.bytes_per_second, options.should_stop)
        self.unnoted = 0  # bytes read since the state was written
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
