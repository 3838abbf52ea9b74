"""How fast a job of hours may go, and when it has to stop: asked after each piece of work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SLICE_S: Final = 0.2
"""How long a pause lasts before somebody who wants the job to stop is heard."""

CREDIT_S: Final = 1.0
"""Time that was not used counts for this long: a job that waited must not make up for it."""


def ignore(_done: int, _total: int) -> None:
    """Take note of no progress."""


def never() -> bool:
    """Stop for nobody."""
    return False


class Stopped(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The job was asked to stop."""


class Pace:
    """Lets work go on at a number of bytes per second (0: at any), until `should_stop` says so.

    `is_slice_over` only lets others have their turn: it is asked between whole pieces of work. A
    piece that takes longer than a slice would otherwise be begun again and again, and never done.
    """

    def __init__(
        self,
        bytes_per_second: int,
        should_stop: Callable[[], bool],
        is_slice_over: Callable[[], bool] = never,
    ) -> None:
        self._bytes_per_second = bytes_per_second
        self._should_stop = should_stop
        self._is_slice_over = is_slice_over
        self._due = time.monotonic()

    def pause(self, length: int) -> None:
        """Take note of so many bytes of a piece of work, and wait until they are due; Stopped."""
        self._check_stop()
        if not self._bytes_per_second:
            return
        now = time.monotonic()
        self._due = max(self._due, now - CREDIT_S) + length / self._bytes_per_second
        while (left := self._due - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_S))
            self._check_stop()

    def check(self) -> None:
        """Raise Stopped when it is time to stop after a piece of work, or before one."""
        self._check_stop()
        if self._is_slice_over():
            raise Stopped

    def _check_stop(self) -> None:
        if self._should_stop():
            raise Stopped
