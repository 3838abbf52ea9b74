"""Notices that the machine's clock was set, by the one that nobody sets.

What is told by age goes wrong then: a clock that is set far ahead, by a mistake, would have rules
delete in a minute what was to be kept for a year. Knows no jobs and no Django.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP_SECONDS: Final = 60  # less is NTP at its work
FAR_SECONDS: Final = 24 * 3600
HOLD_SECONDS: Final = 3600  # long enough for NTP, or somebody, to set a wrong clock right


class ClockWatch:
    """Remembers by how much the two clocks differ."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._difference = self._measure()

    def look(self) -> float:
        """Tell by how many seconds the clock was set ahead since the last look; back: below 0.

        0 where it was not, or by little. A machine that slept has not been set.
        """
        before, self._difference = self._difference, self._measure()
        jump = self._difference - before
        return jump if abs(jump) >= JUMP_SECONDS else 0.0

    def _measure(self) -> float:
        return self._wall() - time.clock_gettime(time.CLOCK_BOOTTIME)
