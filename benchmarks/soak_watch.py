"""What a server's processes hold while they are watched, and whether it stays level.

Read from /proc (proc(5)): proportional memory from smaps_rollup, so that pages which workers share
count once; the anonymous part of it is what leaks, the rest are pages of files that the kernel may
take back.
"""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIB = 1 << 20
VOLUMES = "/volumes/"
# From when on things are level: before, caches fill and keys come to be.
WARM_SHARE, LATE_SHARE, WINDOW_SHARE = 0.3, 0.8, 0.2
GROWTH_MAX = 1.10
GROWTH_BYTES_MAX = 24 * MIB
DESCRIPTORS_MORE_MAX = 24
THREADS_MORE_MAX = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """The whole tree at a moment, in seconds since the beginning."""

    at: float
    rss_bytes: int
    pss_bytes: int
    anonymous_bytes: int
    descriptors: int  # but for those of volumes, of which there are more as the store grows
    volume_descriptors: int  # each process keeps some hundred open, and no more
    threads: int
    processes: int
    cpu_seconds: float
    written_bytes: int


def sample(pid: int, began: float) -> Sample:
    """Look at a process and its descendants."""
    pids = processes.tree(pid)
    cost = processes.cost(pid)
    rolled = [_rolled_up(one) for one in pids]
    opened = [place for one in pids for place in _opened(one)]
    in_volumes = sum(VOLUMES in place for place in opened)
    return Sample(
        at=time.monotonic() - began,
        rss_bytes=sum(row.get("Rss", 0) for row in rolled),
        pss_bytes=sum(row.get("Pss", 0) for row in rolled),
        anonymous_bytes=sum(row.get("Pss_Anon", 0) for row in rolled),
        descriptors=len(opened) - in_volumes,
        volume_descriptors=in_volumes,
        threads=sum(_count(one, "task") for one in pids),
        processes=len(pids),
        cpu_seconds=cost.cpu_seconds,
        written_bytes=cost.written_bytes,
    )


def _rolled_up(pid: int) -> dict[str, int]:
    try:
        lines = (processes.PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines)
    return {name: int(value.split()[0]) * processes.KIB for name, value in pairs}


def _opened(pid: int) -> list[str]:
    """Name what a process has open; what is closed meanwhile is not."""
    found = []
    with suppress(OSError):
        for descriptor in (processes.PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                found.append(str(descriptor.readlink()))
    return found


def _count(pid: int, what: str) -> int:
    try:
        return sum(1 for _ in (processes.PROC / str(pid) / what).iterdir())
    except OSError:
        return 0


class Watcher(threading.Thread):
    """Takes samples until it is told to stop."""

    def __init__(self, pid: int, began: float, every_seconds: float) -> None:
        super().__init__(name="watcher", daemon=True)
        self.pid, self.began, self.every_seconds = pid, began, every_seconds
        self.samples: list[Sample] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.is_over.wait(self.every_seconds):
            self.samples.append(sample(self.pid, self.began))

    def stop(self) -> list[Sample]:
        """End, and answer what was seen."""
        self.is_over.set()
        self.join()
        return self.samples


@dataclass(frozen=True, slots=True)
class Level:
    """How much there was when the load had warmed up, at the end, and how much that may be."""

    early: float
    late: float
    bound: float

    @property
    def is_flat(self) -> bool:
        """Whether it did not grow beyond what chance explains."""
        return self.late <= self.bound


def level(
    samples: Sequence[Sample], of: Callable[[Sample], int], bound: Callable[[float], float]
) -> Level:
    """Compare the medians of two windows."""
    count = len(samples)
    window = max(1, int(count * WINDOW_SHARE))
    warm, late = int(count * WARM_SHARE), int(count * LATE_SHARE)
    early = statistics.median(of(one) for one in samples[warm : warm + window])
    return Level(early, statistics.median(of(one) for one in samples[late:]), bound(early))


def levels(samples: Sequence[Sample]) -> dict[str, Level]:
    """Judge all that must stay level."""

    def memory(early: float) -> float:
        return early * GROWTH_MAX + GROWTH_BYTES_MAX

    return {
        "anonymous_bytes": level(samples, lambda one: one.anonymous_bytes, memory),
        "descriptors": level(
            samples, lambda one: one.descriptors, lambda early: early + DESCRIPTORS_MORE_MAX
        ),
        "threads": level(samples, lambda one: one.threads, lambda early: early + THREADS_MORE_MAX),
        "processes": level(samples, lambda one: one.processes, lambda early: early),
    }
