"""What stands for an event loop: a thread that does what it is called to, or the test itself."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class LoopThread:
    """Runs until the block ends; `call_soon` raises RuntimeError then, as a loop's does."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._has_ended = False
        self.rests = False

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have something called in the thread."""
        if self._has_ended:
            raise RuntimeError("the loop has ended")
        self._calls.put(call)

    def after_a_round(self, call: Callable[[], None]) -> None:
        """Have something called next."""
        self.call_soon(call)

    def is_here(self) -> bool:
        """Whether the caller is in the thread."""
        return threading.current_thread() is self._thread

    def is_at_rest(self) -> bool:
        """Whether it sleeps: it is always busy, unless a test says otherwise."""
        return self.rests

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def start(self) -> None:
        """Begin, for as long as the process lives."""
        self._thread.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended = True
        self._calls.put(None)
        self._thread.join()


class Rounds:
    """A loop that the test is in, and whose rounds it makes."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.is_left = False  # the test is in another loop

    def call_soon(self, call: Callable[[], None]) -> None:
        """Keep a call for the next round."""
        self.calls.append(call)

    after_a_round = call_soon

    def is_here(self) -> bool:
        """Whether the caller is in the loop: the test itself is."""
        return threading.current_thread() is threading.main_thread() and not self.is_left

    def is_at_rest(self) -> bool:
        """Whether it sleeps: so that nothing is carried out in it."""
        return True

    def pass_round(self) -> None:
        """Call what was to be called."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
