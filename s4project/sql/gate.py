"""Who may connect to PostgreSQL, and when: so many at once, and one a second while it is away.

Every page, call and batch has a connection for as long as it takes, and none is kept: a server that
was replaced, restarted or failed over is met anew by the next. Knows no Django.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Made = TypeVar("Made")

TURN_SECONDS: Final = 5.0  # how long one waits for a connection that others have
PROBE_SECONDS: Final = 1.0  # between two attempts while the server is away

log = structlog.get_logger(__name__)


class AwayError(Exception):
    """Nobody gets through; the text says why."""


class Turn:
    """One of the connections that a process may have; given back when nobody has it any more."""

    def __init__(self, free: threading.Semaphore) -> None:
        self._free: threading.Semaphore | None = free

    def end(self) -> None:
        """Give it back."""
        free, self._free = self._free, None
        if free is not None:
            free.release()

    __del__ = end  # a thread that ended without closing costs nobody a connection


class Gate:
    """The way of one process's threads to the server; open until `guard` is called."""

    def __init__(self) -> None:
        self._free: threading.Semaphore | None = None
        self._count = 0
        self._here = threading.local()
        self._is_guarded = False
        self._probing = threading.Lock()
        self._away = ""  # why nobody gets through
        self._away_since = 0.0
        self._probe_at = 0.0

    def guard(self, connections: int = 0) -> None:
        """Tell in the log that the server goes and comes; let so many connect at once, 0: all."""
        self._is_guarded = True
        self._count = connections
        self._free = threading.Semaphore(connections) if connections else None

    @contextmanager
    def residence(self) -> Iterator[Self]:
        """Let this thread through in any case: others may hold their turns until it is done."""
        before = self._is_resident
        self._here.is_resident = True
        try:
            yield self
        finally:
            self._here.is_resident = before

    @property
    def is_away(self) -> bool:
        """Whether the log says of the server that it does not answer."""
        return bool(self._away)

    @property
    def _is_resident(self) -> bool:
        return getattr(self._here, "is_resident", False)

    def take_turn(self) -> Turn | None:
        """Wait for one's turn; AwayError when it does not come."""
        free = self._free
        if free is None or self._is_resident:
            return None
        if not free.acquire(timeout=TURN_SECONDS):
            raise AwayError(f"all {self._count} connections are in use")
        return Turn(free)

    def connect(self, make: Callable[[], Made]) -> Made:
        """Connect; AwayError, at once where another has just found nobody there.

        `make` raises AwayError when it finds nobody.
        """
        if not self._is_guarded:
            return make()
        if not self._away:
            return self._attempt(make)
        if not self._probing.acquire(blocking=False):
            raise AwayError(self._away)
        try:
            if time.monotonic() < self._probe_at:
                raise AwayError(self._away)
            return self._attempt(make)
        finally:
            self._probing.release()

    def _attempt(self, make: Callable[[], Made]) -> Made:
        """Connect, and note whether somebody is there."""
        try:
            made = make()
        except AwayError as error:
            self._probe_at = time.monotonic() + PROBE_SECONDS
            self._note_away(" ".join(str(error).split()))
            raise
        self._note_here()
        return made

    def _note_away(self, why: str) -> None:
        is_news, self._away = not self._away, why or "no connection"
        if is_news:
            self._away_since = time.monotonic()
            log.warning("The SQL database does not answer: objects are served on", error=why)

    def _note_here(self) -> None:
        away, self._away = self._away, ""
        if away:
            spent = round(time.monotonic() - self._away_since, 1)
            log.info("The SQL database answers again", away_seconds=spent)


gate: Final = Gate()  # of this process
