"""How the jobs stand: when each last looked, what came of it, when it is due again.

That is memory of the jobs process, which tells it to whoever asks. What must outlive the process,
what a job last did and why it last failed, is a row; a look that found nothing to do writes none.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import Error
from django.utils import timezone

from s4project.models import JobRecord
from s4project.sql.gate import gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FAILURE_SECONDS: Final = 3600.0  # before the same failure is written down again
FAILURE_CHARACTERS_MAX: Final = 500

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class JobState:
    """How one job stands; moments are seconds since 1970, 0: none yet."""

    name: str
    every_seconds: float
    is_running: bool = False
    began: float = 0.0
    looked: float = 0.0
    took_seconds: float = 0.0
    due: float = 0.0
    failure: str = ""  # of the last look, if it failed
    is_unfinished: bool = False


@dataclass(slots=True)
class Board:
    """What the jobs of one process did; written by the thread that runs them, read by others."""

    record: Callable[..., None] | None = None  # writes down what must outlive the process
    after: Callable[[], None] | None = None  # is told that a job has looked
    runs: dict[str, list[float]] = field(default_factory=dict)  # by job and outcome, for metrics
    began: float = field(default_factory=time.time)
    _states: dict[str, JobState] = field(default_factory=dict)
    _told: dict[str, tuple[str, float]] = field(default_factory=dict)

    def expect(self, jobs: Iterable[tuple[str, float]]) -> None:
        """Name the jobs there are, and how often each looks."""
        now = time.time()
        self._states = {name: JobState(name, every, due=now) for name, every in jobs}

    def begins(self, name: str) -> None:
        """Note that a job is at it."""
        state = self._state(name)
        state.began, state.is_running = time.time(), True

    def ends(self, name: str, due_seconds: float, result: Any, *, is_unfinished: bool) -> None:
        """Note what came of it, and in how many seconds it is due again."""
        state = self._ended(name, due_seconds)
        state.failure, state.is_unfinished = "", is_unfinished
        if result:
            known = result if isinstance(result, dict) else {"result": str(result)}
            self._write(name, done_at=timezone.now(), result=known)
        self._count(name, "unfinished" if is_unfinished else "done" if result else "idle")

    def fails(self, name: str, due_seconds: float, failure: str) -> bool:
        """Note that it met trouble; it is written down when it is news, which is answered."""
        state = self._ended(name, due_seconds)
        state.failure = failure[:FAILURE_CHARACTERS_MAX]
        told, when = self._told.get(name, ("", 0.0))
        is_news = told != state.failure or time.monotonic() - when > FAILURE_SECONDS
        if is_news:
            self._told[name] = (state.failure, time.monotonic())
            self._write(name, failed_at=timezone.now(), failure=state.failure)
        self._count(name, "failed")
        return is_news

    def as_dict(self) -> dict[str, Any]:
        """Show everything as JSON has it."""
        states = list(self._states.values())
        return {"began": self.began, "jobs": [asdict(state) for state in states]}

    def _count(self, name: str, outcome: str) -> None:
        self.runs.setdefault(f"{name}\n{outcome}", [0])[0] += 1
        if self.after is not None:
            self.after()

    def _state(self, name: str) -> JobState:
        return self._states.setdefault(name, JobState(name, 0.0))

    def _ended(self, name: str, due_seconds: float) -> JobState:
        state, now = self._state(name), time.time()
        state.is_running, state.looked = False, now
        state.took_seconds, state.due = now - state.began, now + due_seconds
        return state

    def _write(self, name: str, **columns: Any) -> None:
        if self.record is not None:
            self.record(name, **columns)


def write_record(name: str, **columns: Any) -> None:
    """Write a row; a database that takes none costs the record and not the job."""
    try:
        JobRecord.objects.update_or_create(name=name, defaults=columns)
    except Error as error:
        if gate.is_away:
            return
        log.warning("What a job did is not on record", job=name, error=str(error))
