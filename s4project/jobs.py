"""The jobs process: what S4 does by itself, in turn, each job when it is due.

Sleeps in the kernel until the next job or a signal; touches nothing in between. A job that meets
trouble it may meet (the engine's, the database's, the disk's) is logged and tried again; anything
else ends the process, which `serve` starts anew.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from django.db import DatabaseError, close_old_connections

from buckets.services import finish_deletions
from storage_engine.apps import get_engine
from storage_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
HOUR: Final = 3600.0
RETRY_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again.

    `run` returns what it did (empty: nothing); when it takes long it asks `is_stopping` between
    its steps.
    """

    name: str
    run: Callable[[], object]
    every_seconds: float


def is_stopping() -> bool:
    """Tell whether the process has been asked to end."""
    return bool(STOP_SIGNALS & signal.sigpending())


def reclaim() -> dict[str, int]:
    """Give back what the engine no longer needs; return the counts that are not zero."""
    return {name: count for name, count in get_engine().reclaim().items() if count}


JOBS: Final = (
    Job("finish_deletions", finish_deletions, HOUR),
    Job("reclaim", reclaim, HOUR),
)


def hold_stop_signals() -> None:
    """Keep the signals that end the process waiting, so that they interrupt no job half-way.

    To be called before any thread is started: one that does not block them would be given them,
    and the process would end on the spot.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def run_forever(jobs: Sequence[Job] = JOBS) -> None:
    """Run each job now and whenever it is due, until SIGTERM or SIGINT."""
    hold_stop_signals()
    due = dict.fromkeys(jobs, time.monotonic())
    while True:
        job = min(due, key=due.__getitem__)
        if signal.sigtimedwait(STOP_SIGNALS, max(0.0, due[job] - time.monotonic())):
            return
        due[job] = time.monotonic() + _run(job)


def _run(job: Job) -> float:
    """Run a job; return in how many seconds it is due again."""
    try:
        result = job.run()
    except (EngineError, DatabaseError, OSError) as error:
        log.warning(
            "A job will be tried again", job=job.name, error=str(error), kind=type(error).__name__
        )
        return min(RETRY_SECONDS, job.every_seconds)
    finally:
        close_old_connections()
    if result:
        log.info("A job is done", job=job.name, result=result)
    return job.every_seconds
