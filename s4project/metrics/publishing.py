"""When a process leaves its numbers for the others: at its tick, at a scrape, at its end.

Looks each second whether anything changed, which costs a comparison; where nothing did, nothing is
written, in memory neither. The processes of `serve` take part, the jobs, and commands that look
after the store: each has a slot, or none where memory has no room, and is then not counted.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog
from django.conf import settings

from s4project.metrics.slots import Figures, Now, Slots, find_slots
from storage_engine.apps import get_engine, opened_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from s4project.job_board import Board
    from s4project.metrics.slots import Row, Slot
    from storage_engine import StorageEngine
    from storage_engine.counts import Spread

log = structlog.get_logger(__name__)

WORKER: Final = "worker"
JOBS: Final = "jobs"
COMMAND: Final = "command"


def engine_figures(engine: StorageEngine) -> Figures:
    """Tell what this process's engine did."""
    counts = engine.counts
    return {
        "commits": {"": [counts.commits]},
        "group_operations": {"": spread_row(counts.group_operations)},
        "lock_seconds": {"": spread_row(counts.lock_seconds)},
        "sync_seconds": {"": spread_row(counts.sync_seconds)},
        "commit_seconds": {"": spread_row(counts.commit_seconds)},
        "checkpoint_seconds": {"": spread_row(counts.checkpoint_seconds)},
        "journal_bytes": {"": [counts.journal_bytes]},
        "reads": {"cache": [counts.reads_cached], "disk": [counts.reads_disk]},
        "compaction": {name: [count] for name, count in list(counts.compaction.items())},
        "scrub": {name: [count] for name, count in list(counts.scrub.items())},
        "lifecycle": {name: [count] for name, count in list(counts.lifecycle.items())},
    }


def spread_row(spread: Spread) -> Row:
    """Write how numbers are spread as a row: the bars, then the sum."""
    return [*spread.counts, spread.total]


class Publisher:
    """What one process publishes of itself."""

    def __init__(
        self, slots: Slots, role: str, engine: StorageEngine, *sources: Callable[[], Figures]
    ) -> None:
        self.slots = slots
        self.now = Now(role, os.getpid())
        self._engine = engine
        self._sources = [*sources]
        self._lock = threading.Lock()  # a scrape comes in a thread of its own
        self._slot: Slot | None = None
        self._seen: tuple[int, ...] = ()
        self._is_lame = False

    def add_source(self, tell: Callable[[], Figures]) -> None:
        """Publish this, too."""
        self._sources.append(tell)

    def tick(self, *seen: int) -> None:
        """Publish if anything changed: what is seen, or what the engine did."""
        found = (*seen, self._engine.counts.changes)
        if found != self._seen:
            self._seen = found
            self.publish()

    def publish(self) -> None:
        """Publish; what cannot be written now is with the next."""
        present: Figures = {"starts": {self.now.role: [1]}}
        for figures in (engine_figures(self._engine), *(source() for source in self._sources)):
            present |= figures
        with self._lock:
            try:
                if self._slot is None:
                    self._slot = self.slots.claim()
                self._slot.write(present, self.now)
            except OSError as error:
                if not self._is_lame:
                    log.warning("Metrics of this process are behind", error=str(error))
                self._is_lame = True
            else:
                self._is_lame = False

    def end(self) -> None:
        """Publish for the last time, and leave the slot."""
        self.publish()
        with self._lock:
            if self._slot is not None:
                self._slot.let_go()
                self._slot = None


def open_slots(*, is_made: bool = True) -> Slots | None:
    """Find where the processes of this store leave their numbers; None where metrics are off.

    Makes it, unless it `is_made` by others alone.
    """
    if not settings.S4.metrics_enabled:
        return None
    try:
        return find_slots(settings.S4.data_dir, is_made=is_made)
    except OSError as error:
        if is_made:
            log.warning("There are no metrics", error=str(error))
        return None


@contextmanager
def fresh_slots() -> Iterator[None]:
    """Begin anew to count, and leave nothing in memory at the end: for the process of `serve`.

    It forks inside, and ends where the block does; a worker leaves by another way.
    """
    slots = open_slots()
    main = os.getpid()
    if slots is not None:
        slots.clear()
    try:
        yield
    finally:
        if slots is not None and os.getpid() == main:
            slots.remove()


def start_jobs_metrics(board: Board) -> Publisher | None:
    """Publish, after each look of a job, what the jobs process has done."""
    slots = open_slots()
    if slots is None:
        return None
    publisher = Publisher(slots, JOBS, get_engine(), lambda: {"job_runs": board.runs})
    publisher.publish()
    board.after = publisher.publish
    return publisher


def publish_command() -> None:
    """Leave what a command did, which then ends, for the processes that run, if any do."""
    engine = opened_engine()
    slots = open_slots(is_made=False)
    if engine is not None and slots is not None:
        Publisher(slots, COMMAND, engine).end()
