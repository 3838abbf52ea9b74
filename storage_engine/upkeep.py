"""The verbs of the engine's facade that look after a store and answer no request.

A part of StorageEngine in a file of its own: it only hands over to those who know.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import lmdb

from storage_engine import meta
from storage_engine.blob_users import BlobUser, BlobUsers
from storage_engine.checkpoint import read_checkpoint
from storage_engine.compaction import CompactionOptions, CompactionReport
from storage_engine.counts import Counts, add_up
from storage_engine.errors import StorageError
from storage_engine.journal import Tail, journal_bytes
from storage_engine.keys import JOURNAL
from storage_engine.pace import ignore, never
from storage_engine.scrub import ScrubOptions, ScrubReport
from storage_engine.values import Durability

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager

    from storage_engine.care import Care
    from storage_engine.checkpoint import Checkpointer
    from storage_engine.commit import Committer
    from storage_engine.copying import Copying
    from storage_engine.health import Health
    from storage_engine.index import Index
    from storage_engine.journal import Journal
    from storage_engine.layout import Layout
    from storage_engine.object_reads import ObjectReads
    from storage_engine.rows import ScrubState
    from storage_engine.salvage import SalvageReport
    from storage_engine.snapshots import Snapshot
    from storage_engine.values import EngineStats, Hold, QuarantinedBlob, VolumeInfo


class Upkeep:
    """What an open store offers beside its data."""

    _index: Index
    _committer: Committer
    _objects: ObjectReads
    _care: Care
    _checkpointer: Checkpointer
    _health: Health
    _journal: Journal
    _place: Layout

    @property
    def counts(self) -> Counts:
        """What was done here since the store was opened, for metrics."""
        return self._journal.counts

    def durability(self) -> Durability:
        """Tell how far the newest checkpoint is behind, and how large journal and map are."""
        last = read_checkpoint(self._index.path)
        tail = self._index.view(
            lambda txn: Tail.unpack(txn.get(JOURNAL, db=self._index.tables.meta))
        )
        return Durability(
            checkpoint_ms=last.created_ms,
            replay_bytes=max(0, tail.position - last.tail.position),
            journal_bytes=journal_bytes(self._place.journal),
            map_bytes=self._index.map_bytes(),
        )

    def stats(self) -> EngineStats:
        """Return the totals of the store."""
        return self._care.statistics.stats()

    def last_commit(self) -> int:
        """Return the number of the last commit: the same as before means that nothing changed."""
        return self._index.last_txn_id()

    def has_room(self) -> bool:
        """Tell whether the disk has room above the reserve, so that writes are taken; OSError."""
        return self._health.has_room()

    def checkpoint_lag_seconds(self) -> float:
        """Return for how long commits have waited for a checkpoint; a few seconds is healthy."""
        return self._checkpointer.lag_seconds

    def live_bytes(self) -> int:
        """Return what blobs in use come to, from the index alone: no volume is asked."""
        return self._care.statistics.live_bytes()

    def volumes(self) -> list[VolumeInfo]:
        """Return every volume, oldest first."""
        return self._care.statistics.volumes()

    def retained_from_ms(self) -> int:
        """Return the earliest time that the next default retention counts from; 0: its own.

        Later than now when the clock was ahead once, or is behind; see FORMAT.md, "Locks".
        """
        return self._index.view(lambda txn: meta.read_retained_from(txn, self._index.tables))

    def trust_clock(self) -> None:
        """Have default retentions count from now again. What is locked stays as it is."""
        self._committer.submit(meta.TrustClock()).result()

    def checkpoint(self) -> None:
        """Make the index durable as it is, so that a recovery starts from here; StorageError.

        Happens by itself after every few seconds with changes.
        """
        try:
            self._checkpointer.checkpoint()
        except (OSError, lmdb.Error) as error:
            raise StorageError(f"no checkpoint could be made: {error}") from error

    def snapshot(
        self,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Snapshot:
        """Copy the index, so that it can be made anew if it is lost; StorageError, Busy, Stopped.

        `progress` is told (bytes written, bytes in use). Others may go on using the store.
        """
        return self._care.snapshots.make(progress or ignore, should_stop or never)

    def snapshot_is_due(self, age_ms_max: int) -> bool:
        """Tell whether much, or for so long anything, has changed since the last snapshot."""
        return self._care.snapshots.is_due(age_ms_max)

    def copying(self) -> AbstractContextManager[Copying]:
        """Begin to copy the store: nothing that was there is given up before the block ends."""
        return self._care.copying()

    def verify(
        self,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[str]:
        """Check everything against everything; yield a sentence for each problem; Stopped.

        `progress` is told (blobs read, blobs in all). Others may go on using the store.
        """
        return self._care.verification.run(progress or ignore, should_stop or never)

    def quarantined(self) -> list[QuarantinedBlob]:
        """Return the blobs whose bytes were found wrong and that nobody has put again since."""
        return self._care.quarantine.blobs()

    def users(
        self, sha256s: Collection[bytes], should_stop: Callable[[], bool] | None = None
    ) -> Iterator[BlobUser]:
        """Yield every version and open upload that blobs are in; Stopped.

        Looks at all keys of the store.
        """
        return BlobUsers(self._index, self._objects).find(sha256s, should_stop or never)

    def reclaim(self, now_ms: int | None = None) -> dict[str, int]:
        """Tidy what is safe to tidy while the store is in use; return counts of what was done."""
        return self._care.housekeeping.reclaim(now_ms or time.time_ns() // 1_000_000)

    def compact(self, options: CompactionOptions | None = None) -> CompactionReport:
        """Give room back from volumes that are mostly dead; Busy, StorageError."""
        report = self._care.compact(options or CompactionOptions())
        figures = ("moved_blobs", "moved_bytes", "freed_bytes", "dropped_volumes")
        done = {name: getattr(report, name) for name in figures}
        add_up(self.counts.compaction, done | {"damaged_blobs": len(report.problems)})
        return report

    def scrub(self, options: ScrubOptions | None = None) -> ScrubReport:
        """Read everything in use, or go on with that, and tell what went bad; Busy."""
        report = self._care.scrub(options or ScrubOptions())
        figures = ("blobs", "bytes", "inline_payloads", "lifted", "healed")
        done = {name: getattr(report, name) for name in figures}
        add_up(self.counts.scrub, done | {"damaged_blobs": len(report.problems)})
        return report

    def scrub_state(self) -> ScrubState:
        """Return how far the pass under way has come, and when the last one ended."""
        return self._care.scrub_state()

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot of the index, None when there is none."""
        return self._care.snapshots.newest()

    def salvage(
        self,
        progress: Callable[[int, int], None] | None = None,
        buckets: Collection[int] | None = None,
    ) -> SalvageReport:
        """Fill an empty index from the volumes, of which none is changed; IndexNotEmpty.

        With `buckets`, what was stored for others (deleted ones, perhaps) is only counted.
        `progress` is told (bytes gone through, bytes in all). The volumes are held, so that what
        was left out stays, until `release_volumes`. Cut off, it must begin with a new index.
        """
        return self._care.salvage.run(progress or ignore, buckets)

    def held_volumes(self) -> int:
        """Return the id of the last volume that is held since a salvage, or 0."""
        return self._care.salvage.held_volumes()

    def hold(self) -> Hold | None:
        """Tell which volumes are held, since when and why; None when none is."""
        return self._care.salvage.hold()

    def release_volumes(self) -> int:
        """Let go of what salvage left out: its room may come back. Returns what was held."""
        return self._care.salvage.release_volumes()
