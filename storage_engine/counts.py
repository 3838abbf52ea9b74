"""What one process's engine has done since it was opened: plain numbers, for metrics.

Each is added to where the thing happens, by one thread at a time; whoever reads them makes of them
what he needs. Knows nothing of Prometheus.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SECONDS_BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class Spread:
    """How numbers are spread: how many up to each bound and above the one before; and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    def add(self, value: float) -> None:
        """Count one more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counts:
    """All of them; only ever grow."""

    __slots__ = (
        "checkpoint_seconds",
        "commit_seconds",
        "commits",
        "compaction",
        "group_operations",
        "journal_bytes",
        "lifecycle",
        "lock_seconds",
        "reads_cached",
        "reads_disk",
        "scrub",
        "sync_seconds",
    )

    def __init__(self) -> None:
        self.commits = 0  # groups that became durable
        self.group_operations = Spread(GROUP_BOUNDS)
        self.lock_seconds = Spread(SECONDS_BOUNDS)  # a group waited for the index's write lock
        self.sync_seconds = Spread(SECONDS_BOUNDS)  # the journal was written and synced
        self.commit_seconds = Spread(SECONDS_BOUNDS)  # both, and what lies between
        self.checkpoint_seconds = Spread(SECONDS_BOUNDS)
        self.journal_bytes = 0
        self.reads_cached = 0  # steps of reading that found all their bytes in the page cache
        self.reads_disk = 0  # and those that did not
        self.compaction: dict[str, int] = {}  # sums over runs, as their reports call them
        self.scrub: dict[str, int] = {}
        self.lifecycle: dict[str, int] = {}  # by action; and `kept`, `bytes`

    @property
    def changes(self) -> int:
        """A number that moves when any of the frequent ones does."""
        return self.commits + self.reads_cached + self.reads_disk


def add_up(sums: dict[str, int], figures: dict[str, int]) -> None:
    """Add the figures of one run to the sums of all."""
    for name, figure in figures.items():
        sums[name] = sums.get(name, 0) + figure
