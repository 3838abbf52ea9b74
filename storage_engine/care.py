"""The care of a store: figures, proof, tidying, compaction, scrub, and what they share.

The engine's facade hands over to it. Compaction and scrub run one at a time each, over all
processes: the system's locks see to it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from storage_engine import meta
from storage_engine.compaction import Compaction, CompactionOptions, CompactionReport
from storage_engine.copying import Copying
from storage_engine.errors import Busy
from storage_engine.housekeeping import Housekeeping
from storage_engine.layout import MARKER
from storage_engine.leases import Kept, Leases
from storage_engine.limits import COMPACTION_RESERVE_SHARE
from storage_engine.quarantine import Quarantine
from storage_engine.record import record_seed
from storage_engine.salvage import Salvage
from storage_engine.scrub import Scrub, ScrubOptions, ScrubReport
from storage_engine.snapshots import Snapshots
from storage_engine.statistics import Statistics
from storage_engine.verification import Verification
from storage_engine.volume import Appender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from storage_engine.commit import Committer
    from storage_engine.disk import Disk
    from storage_engine.health import Health
    from storage_engine.index import Index
    from storage_engine.layout import Layout
    from storage_engine.options import EngineOptions
    from storage_engine.rows import ScrubState
    from storage_engine.volume_files import VolumeFiles


class Care:
    """Everything that looks after one store and answers no request."""

    def __init__(  # noqa: PLR0913  # the parts of the engine it works with
        self,
        index: Index,
        committer: Committer,
        disk: Disk,
        place: Layout,
        files: VolumeFiles,
        health: Health,
        options: EngineOptions,
    ) -> None:
        self._place = place
        self.quarantine = Quarantine(index, committer)
        self._index, self._disk = index, disk
        self._leases = Leases(place.root / MARKER)
        self.snapshots = Snapshots(
            index, disk, place.snapshots, health, kept=options.snapshots_kept
        )
        self.statistics = Statistics(index, disk, place.volumes)
        self.housekeeping = Housekeeping(index, committer, disk, place.volumes, self._leases)
        self.salvage = Salvage(index, committer, disk, place)
        self.verification = Verification(
            index, files, self.quarantine, place.store_id, options.clock
        )
        # Compaction appends to volumes of its own: what it moved is not mixed with what is new.
        self._appender = Appender(
            disk,
            place.volumes,
            place.store_id,
            lambda strangers: committer.submit(meta.NextVolume(strangers)).result(),
            health,
            length_max=options.volume_bytes_max,
            reserve_bytes=int(options.disk_reserve_bytes * COMPACTION_RESERVE_SHARE),
        )
        self._compaction = Compaction(
            index,
            committer,
            disk,
            place,
            health,
            self._appender,
            self.quarantine,
            self.housekeeping,
        )
        seed = record_seed(place.store_id)
        self._scrub = Scrub(index, committer, disk, place, files, self.quarantine, seed)

    def compact(self, options: CompactionOptions) -> CompactionReport:
        """Compact; Busy while somebody else does."""
        if options.is_dry_run:
            return self._compaction.run(options)
        with self._compaction_lock():
            if self._leases.is_held(Kept.VOLUMES):  # it would copy, and give nothing back
                raise Busy("this store is being copied: compaction waits for the end of that")
            return self._compaction.run(options)

    def keep_from(self) -> int:
        """Return from which position on the journal is needed."""
        return 0 if self._leases.is_held(Kept.JOURNAL) else self.snapshots.keep_from()

    @contextmanager
    def copying(self) -> Iterator[Copying]:
        """Keep all that there is until the block ends, to copy it; others go on meanwhile."""
        with self._leases.hold() as lease:
            yield Copying(self._index, self._disk, self._place, lease)

    def scrub(self, options: ScrubOptions) -> ScrubReport:
        """Scrub; Busy while somebody else does."""
        with _alone(self._place.root / MARKER, "a scrub"):
            return self._scrub.run(options)

    def scrub_state(self) -> ScrubState:
        """Return how far the scrub is."""
        return self._scrub.state()

    def _compaction_lock(self) -> AbstractContextManager[None]:
        return _alone(self._place.volumes, "a compaction")

    def close(self) -> None:
        """Give up the volumes that compaction appends to."""
        self._appender.close()

    def abandon(self) -> None:
        """Let go of what a fork made this process inherit."""
        self._appender.abandon()


@contextmanager
def _alone(path: Path, what: str) -> Iterator[None]:
    """Hold the lock of a file or directory that is always there; Busy when somebody else does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{what} of this store is running already") from None
        yield
    finally:
        os.close(descriptor)
