"""The event loop in which requests wait for mutations, as it is lent to the engine.

Its counters belong to its own thread. Knows nothing of what the requests are about.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Home:
    """One loop, for as long as it runs; `in_flight` tells how many requests are being served."""

    def __init__(self, loop: asyncio.AbstractEventLoop, in_flight: Callable[[], int]) -> None:
        self.loop = loop
        self.waiting = 0  # for mutations
        self._in_flight = in_flight
        self._is_called = False  # to tell some of them of an outcome

    # --- for the engine ------------------------------------------------------------------------

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call something in the loop, from another thread; RuntimeError once it has ended."""
        self.loop.call_soon_threadsafe(call)

    def after_a_round(self, call: Callable[[], None]) -> None:
        """Call something once what lies in the sockets by now has been heard."""
        self.loop.call_soon(self.loop.call_soon, call)

    def is_here(self) -> bool:
        """Whether the caller is in the loop."""
        return asyncio._get_running_loop() is self.loop  # noqa: SLF001  # asyncio's own, and public

    def is_at_rest(self) -> bool:
        """Whether all requests wait for mutations, and none is about to be told."""
        return not self._is_called and self.waiting >= self._in_flight()

    # --- for requests --------------------------------------------------------------------------

    def tell(self, waiters: list[asyncio.Future[None]]) -> None:
        """Let requests go on whose mutations have an outcome; from any thread, RuntimeError."""
        self._is_called = True
        self.loop.call_soon_threadsafe(self._wake, waiters)

    def _wake(self, waiters: list[Any]) -> None:
        """Wake them, but who was cancelled meanwhile."""
        self._is_called = False
        self.waiting -= len(waiters)
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
