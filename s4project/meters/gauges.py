"""What there is in the store, looked at now and then beside the requests.

Adding up costs a few microseconds for each bucket and volume, so whoever has very many is looked at
less often: looking takes a thousandth of the time at most.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import lmdb
import structlog

from s4project.meters.columns import Gauges
from s4project.meters.ring import NAME, TIERS, Ring
from storage_engine.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

SHARE: Final = 1000
TROUBLE: Final = (EngineError, OSError, lmdb.Error)

log = structlog.get_logger(__name__)


def look(engine: StorageEngine, directory: Path) -> Gauges:
    """Tell what there is now: by the engine's own counts, and by the file system's."""
    stats, disk = engine.stats(), os.statvfs(directory)
    return Gauges(
        at=int(time.time()),
        objects=stats.objects,
        versions=stats.versions,
        object_bytes=stats.object_bytes,
        volume_bytes=stats.volume_bytes,
        dead_bytes=stats.dead_bytes,
        index_bytes=stats.index_bytes,
        blobs=stats.blobs,
        blob_references=stats.blob_references or 0,
        uploads=stats.uploads,
        quarantined=stats.quarantined,
        disk_free=disk.f_bavail * disk.f_frsize,
        disk_total=disk.f_blocks * disk.f_frsize,
    )


def note(engine: StorageEngine, directory: Path) -> None:
    """Keep what there is now, where something changed it without a request; or else do nothing."""
    ring = Ring(directory / NAME)
    try:
        seen = look(engine, directory)
        ring.add(seen.at, {}, seen)
    except TROUBLE as error:
        log.warning("What there is could not be kept", error=str(error))
    finally:
        ring.close()


class Sampler:
    """Looks when it is time again."""

    def __init__(self, engine: StorageEngine, directory: Path) -> None:
        self._engine = engine
        self._directory = directory
        self._due = 0.0

    def __call__(self) -> Gauges | None:
        """Tell what there is; None: it was looked at just before."""
        began = time.monotonic()
        if began < self._due:
            return None
        try:
            found = look(self._engine, self._directory)
        except TROUBLE:
            return None  # whoever asks the engine next is told
        now = time.monotonic()
        self._due = now + max(TIERS[0].seconds, SHARE * (now - began))
        return found
