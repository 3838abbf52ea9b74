"""Lets streams write in turn: what one connection can send is everybody's.

Whoever has written a step, or cannot use his turn, passes it on.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Those who wait to write on one connection, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self) -> None:
        """Wait for a turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            raise

    def pass_on(self) -> None:
        """Give the turn to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def release(self) -> None:
        """Let everybody go: there is nothing to wait for any more."""
        while self._waiting:
            self.pass_on()
