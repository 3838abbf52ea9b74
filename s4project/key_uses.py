"""When access keys were last used: a ledger with one line for each key, however busy it is.

AWS's GetAccessKeyLastUsed. A request costs it a store into a dict; the scribe writes at most once
a minute, so that a worker that is killed loses no more than its last minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import Error

from iam import services

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_SECONDS: Final = 60.0
BATCH_KEYS_MAX: Final = 500  # a transaction of these holds SQLite's write lock for milliseconds


class KeyUses:
    """The ledger of one worker."""

    def __init__(self, pause_seconds: float = PAUSE_SECONDS) -> None:
        self.name = "key uses"
        self.pause_seconds = pause_seconds
        self._uses: dict[str, int] = {}
        self._ring: Callable[[], None] = lambda: None
        self._is_at_rest = False

    def note_use(self, access_key: str, now_ms: int) -> None:
        """Note that a request was signed with a key, and rightly so."""
        self._uses[access_key] = now_ms
        if self._is_at_rest:
            self._is_at_rest = False
            self._ring()

    def attach(self, ring: Callable[[], None]) -> None:
        """Take the bell."""
        self._ring = ring
        self.rest()

    def write_batch(self) -> bool:
        """Write some keys' uses and tell whether there are more."""
        # One by one: requests go on noting meanwhile, and each step is whole.
        size = min(len(self._uses), BATCH_KEYS_MAX)
        batch = dict(self._uses.popitem() for _ in range(size))
        if not batch:
            return False
        try:
            left = services.record_uses(batch)
        except (Error, OSError):
            self._keep(batch)
            raise
        self._keep(left)
        return bool(self._uses) and not left

    def rest(self) -> None:
        """Ring again at the next use, or at once if there is one."""
        self._is_at_rest = True
        if self._uses:  # it may have come just before
            self._is_at_rest = False
            self._ring()

    def count(self) -> int:
        """Count the keys whose last use is not written."""
        return len(self._uses)

    def _keep(self, uses: dict[str, int]) -> None:
        """Take back what was not written; a use noted meanwhile is later."""
        for access_key, used_ms in uses.items():
            self._uses.setdefault(access_key, used_ms)
