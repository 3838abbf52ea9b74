"""What a worker writes down beside its requests: one thread that waits, gathers and writes.

Requests only put records into ledgers, which never blocks them; the scribe writes each ledger in
batches. It sleeps in the kernel while there is nothing: no ticks, no writes. Trouble of the
database is waited out; what a full ledger cannot take meanwhile is counted and told.
Knows no S3 and no table: a ledger is given how its records are written.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import structlog
from django.db import (
    DataError,
    Error,
    IntegrityError,
    connections,
)

from s4project.sql.visits import residence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record = TypeVar("Record")

GATHER_SECONDS: Final = 0.25  # what comes this soon after a record is written with it
RECORDS_MAX: Final = 20_000
BATCH_RECORDS_MAX: Final = 500
RETRY_SECONDS_MIN: Final = 1.0
RETRY_SECONDS_MAX: Final = 5.0
STOP_SECONDS: Final = 10.0  # how long a worker that ends waits for the last writes
# Trying again helps none of these: ValueError is PostgreSQL's driver about a NUL.
UNWRITABLE: Final = (DataError, IntegrityError, ValueError)

log = structlog.get_logger(__name__)


class Ledger(Protocol):
    """What the scribe writes: it rings, once, when there is something after there was nothing."""

    name: str
    pause_seconds: float  # the least time between two writes

    def attach(self, ring: Callable[[], None]) -> None:
        """Take the bell."""

    def write_batch(self) -> bool:
        """Write some of what there is and tell whether there is more; keep what fails.

        Raises Django's Error or OSError when it should be tried again later.
        """

    def rest(self) -> None:
        """Ring again at the next record, or at once if there is one."""

    def count(self) -> int:
        """Count what is not written."""


class RecordQueue(Generic[Record]):
    """A ledger of records in the order in which they came; the newest are lost when it is full.

    `write(records, lost)` writes a batch whole or not at all; `lost` counts the records that could
    not be kept since the last batch. A large record counts as several, as `weigh` says, so that
    neither memory nor a transaction grows with what records hold.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[Record], int], None],
        *,
        pause_seconds: float = 0.0,
        records_max: int = RECORDS_MAX,
        weigh: Callable[[Record], int] = lambda _: 1,
    ) -> None:
        self.name = name
        self.pause_seconds = pause_seconds
        self._write = write
        self._records_max = records_max
        self._weigh = weigh
        self._weight = 0  # of all that wait
        self._records: deque[Record] = deque()
        self._ring: Callable[[], None] = lambda: None
        self._is_at_rest = False
        self._suspects = 0  # that many from the front on are written one by one
        self._lost = 0
        self._counting = threading.Lock()  # held for a sum and no longer

    def attach(self, ring: Callable[[], None]) -> None:
        """Take the bell."""
        self._ring = ring
        self.rest()

    def put(self, record: Record) -> None:
        """Leave a record to be written; from any thread, never waiting."""
        weight = self._weigh(record)
        with self._counting:
            if self._weight + weight > self._records_max:
                self._lost += 1
                return
            self._weight += weight
        self._records.append(record)
        if self._is_at_rest:
            self._is_at_rest = False
            self._ring()

    def write_batch(self) -> bool:
        """Write the oldest records, at most a batch of them, and tell whether there are more."""
        batch = self._take()
        with self._counting:
            lost, self._lost = self._lost, 0
        if not batch and not lost:
            return False
        try:
            self._write(batch, lost)
        except UNWRITABLE as error:
            self._lose(lost)
            self._sift(batch, error)
        except (Error, OSError):
            self._lose(lost)
            self._give_back(batch)
            raise
        else:
            self._suspects = max(0, self._suspects - len(batch))
            if lost:
                log.error("Records were lost", ledger=self.name, lost=lost)
        return bool(self._records)

    def rest(self) -> None:
        """Ring again at the next record, or at once if there is one."""
        self._is_at_rest = True
        if self._records:  # it may have come just before
            self._is_at_rest = False
            self._ring()

    def count(self) -> int:
        """Count what is not written."""
        return len(self._records)

    def _take(self) -> list[Record]:
        """Take the oldest records, as many as make a batch."""
        batch: list[Record] = []
        weight = 0
        while self._records and weight < (1 if self._suspects else BATCH_RECORDS_MAX):
            batch.append(self._records.popleft())
            weight += self._weigh(batch[-1])
        with self._counting:
            self._weight -= weight
        return batch

    def _give_back(self, batch: Sequence[Record]) -> None:
        """Put a batch back in its place."""
        with self._counting:
            self._weight += sum(map(self._weigh, batch))
        self._records.extendleft(reversed(batch))

    def _sift(self, batch: Sequence[Record], error: Exception) -> None:
        """Find the record that the database will never take, and go on without it."""
        if len(batch) > 1:
            self._give_back(batch)
            self._suspects = len(batch)
            return
        self._suspects = max(0, self._suspects - 1)
        self._lose(len(batch))
        log.error("A record cannot be written", ledger=self.name, kind=type(error).__name__)

    def _lose(self, count: int) -> None:
        with self._counting:
            self._lost += count


class Scribe:
    """The thread that writes the ledgers of one worker."""

    def __init__(self, *ledgers: Ledger) -> None:
        self._ledgers = ledgers
        self._bell: SimpleQueue[Ledger | None] = SimpleQueue()
        self._due: dict[Ledger, float] = {}
        self._written_at: dict[Ledger, float] = {}
        self._retry_seconds: dict[Ledger, float] = {}
        self._told: dict[Ledger, str] = {}  # the kind of trouble that is known of
        # A daemon: a worker that is told to end at once does not wait for it.
        self._thread = threading.Thread(target=self._run, name="scribe", daemon=True)

    def start(self) -> None:
        """Begin; to be called in the process that makes the records, after it was forked."""
        for ledger in self._ledgers:
            ledger.attach(partial(self._bell.put, ledger))
        self._thread.start()

    def stop(self) -> None:
        """Write what there is and end; what the database does not take in time is lost, and told.

        Nobody may put records any more.
        """
        self._bell.put(None)
        self._thread.join(STOP_SECONDS)
        for ledger in self._ledgers:
            if count := ledger.count():
                log.error("Records were lost at the end", ledger=ledger.name, lost=count)

    def _run(self) -> None:
        """Wait for the bell or for a ledger's time, until told to end."""
        try:
            while True:
                try:
                    rung = self._bell.get(timeout=self._patience())
                except Empty:
                    self._write_due()
                    continue
                if rung is None:
                    break
                earliest = self._written_at.get(rung, -math.inf) + rung.pause_seconds
                self._due[rung] = max(time.monotonic() + GATHER_SECONDS, earliest)
            for ledger in self._ledgers:
                self._write(ledger)
        finally:
            connections.close_all()

    def _patience(self) -> float | None:
        """Tell how long to wait for the bell; None: until it rings."""
        if not self._due:
            return None
        return max(0.0, min(self._due.values()) - time.monotonic())

    def _write_due(self) -> None:
        """Write the ledgers whose time has come."""
        now = time.monotonic()
        for ledger in [ledger for ledger, due in self._due.items() if due <= now]:
            del self._due[ledger]
            if self._write(ledger):
                self._written_at[ledger] = time.monotonic()
                self._retry_seconds.pop(ledger, None)
                ledger.rest()
                continue
            pause = self._retry_seconds.get(ledger, RETRY_SECONDS_MIN)
            self._retry_seconds[ledger] = min(2 * pause, RETRY_SECONDS_MAX)
            self._due[ledger] = time.monotonic() + pause

    def _write(self, ledger: Ledger) -> bool:
        """Write what a ledger has; False when there was trouble, and the rest is kept."""
        try:
            with residence():
                while ledger.write_batch():
                    continue
        except (Error, OSError) as error:
            self._tell_trouble(ledger, error)
            return False
        if self._told.pop(ledger, ""):
            log.info("What was noted is written", ledger=ledger.name)
        return True

    def _tell_trouble(self, ledger: Ledger, error: Exception) -> None:
        """Say that a ledger waits: once, and again when its trouble is of another kind."""
        kind = type(error).__name__
        if self._told.get(ledger) == kind:
            return
        self._told[ledger] = kind
        log.warning(
            "What is noted will be written later",
            ledger=ledger.name,
            waiting=ledger.count(),
            error=str(error),
            kind=kind,
        )
