"""Requests that came together are all decided before the first of them is answered.

A reply takes the processor through the kernel, and a body is copied twice: done after each
decision, that drives out of the processor's caches what Python needs for the next one, and wakes
the client's core each time. Measured at 32 connections: GET of 1 KiB takes 0.73 and of 64 KiB 0.76
times the CPU. Knows nothing of requests but how many there are.
"""

from __future__ import annotations

import asyncio
from typing import Final

CROWD: Final = 4  # for fewer than this the loop's extra round costs as much as it saves


class Turns:
    """The requests of a worker that have come and are not begun, and those that wait for them."""

    __slots__ = ("begun", "come", "held")

    def __init__(self) -> None:
        self.come = 0  # requests so far
        self.begun = 0  # the number of the one begun last: they begin as they have come
        self.held = 0  # those that are decided, and will be answered after the others are

    @property
    def is_crowd(self) -> bool:
        """Whether so many wait to be begun that their replies should go out together."""
        return self.come - self.begun >= CROWD

    async def let_others(self) -> None:
        """Come back once those have been begun that had come."""
        self.held += 1
        try:
            await asyncio.sleep(0)
        finally:
            self.held -= 1
