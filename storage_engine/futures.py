"""Outcomes to come: what a mutation gives its caller before its group is on disk.

Threads wait for one, or an event loop is told: of all outcomes that a group has for one loop, in
one call, for waking a loop costs more than a small mutation. There is no lock here: who waits and
who resolves may run side by side, and each heir is taken from the list by one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

Tell = Callable[[list[Any]], object]
"""Tells those who wait in one place, all at once; called in whichever thread resolves.

RuntimeError, as a loop's that has ended, where nobody waits any more."""

Heirs = dict[Tell, list[Any]]
"""Who is to be told, by how: gathered from a group, then told by `tell_all`."""


class Future(Generic[Result]):
    """What became of a mutation, once that is certain. It cannot be cancelled."""

    __slots__ = ("_error", "_heirs", "_is_done", "_result")

    _result: Result

    def __init__(self) -> None:
        self._is_done = False
        self._error: BaseException | None = None
        self._heirs: list[tuple[Tell, Any]] = []

    def resolve(self, result: Any, error: BaseException | None, heirs: Heirs) -> None:
        """Take the outcome; whoever waits for it is added to those who are to be told."""
        self._result, self._error = result, error
        self._is_done = True
        waiting = self._heirs
        while waiting:
            try:
                tell, heir = waiting.pop()
            except IndexError:  # he saw by himself that it is done
                break
            heirs.setdefault(tell, []).append(heir)

    def tell(self, tell: Tell, heir: Any) -> bool:
        """Have an heir told, together with others, when it is done; False when it is already."""
        if self._is_done:
            return False
        waiting = self._heirs
        waiting.append((tell, heir))
        if self.done():  # just now
            with suppress(ValueError):  # taken by who resolves, and about to be told
                waiting.remove((tell, heir))
                return False
        return True

    def done(self) -> bool:
        """Tell whether it is."""
        return self._is_done

    def result(self, timeout: float | None = None) -> Result:
        """Wait, then return what the mutation did or raise why it was refused; TimeoutError."""
        self._wait(timeout)
        if self._error is None:
            return self._result
        try:
            raise self._error
        finally:
            del self  # a cycle: the error would keep this frame, and it the error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, then return why it was refused, or None; TimeoutError."""
        self._wait(timeout)
        return self._error

    def _wait(self, timeout: float | None) -> None:
        if self._is_done:
            return
        bell = threading.Lock()
        bell.acquire()
        if self.tell(_ring, bell) and not bell.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError


def tell_all(heirs: Heirs) -> None:
    """Tell all who were gathered."""
    for tell, waiting in heirs.items():
        with suppress(RuntimeError):  # others wait elsewhere, and the thread has more to do
            tell(waiting)


def _ring(bells: list[threading.Lock]) -> None:
    for bell in bells:
        bell.release()
