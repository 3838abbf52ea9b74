"""Bounds what a client may ask beside requests: pings, settings, resets, crumbs of windows.

Each costs us something and brings nothing. A client has so many in a row and so many a second, and
earns more by requests that are answered and bodies that are taken. Against CVE-2019-9511 to 9518,
CVE-2023-44487 (rapid reset), CVE-2025-8671 (made to reset). Knows nothing of frames.
"""

from __future__ import annotations

from typing import Final

RESET_COST: Final = 50  # a request begun in vain
REQUEST_WORTH: Final = 50
BYTES_WORTH: Final = 1024  # of a body sent, for which a client may update its windows once


class Budget:
    """What is left to one client."""

    __slots__ = ("_at", "_left", "_most", "_per_second")

    def __init__(self, most: int, per_second: int, now: float) -> None:
        self._left = float(most)
        self._most = most
        self._per_second = per_second
        self._at = now

    def spend(self, cost: int) -> None:
        """Take off what something cost."""
        self._left -= cost

    def earn(self, worth: float) -> None:
        """Add what something was worth."""
        self._left = min(self._left + worth, self._most)

    def is_spent(self, now: float) -> bool:
        """Tell whether nothing is left, after what time has added."""
        if self._left > 0:
            return False
        self.earn((now - self._at) * self._per_second)
        self._at = now
        return self._left <= 0
