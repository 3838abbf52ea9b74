"""Gives each process of a server a share of a core, by the kernel's control groups.

Where workers and clients share the cores, two workers cannot do twice what one does: the client
takes its part. With a share of a core for each worker there is room for all of them, and for the
client, and what a second worker adds is seen by itself. Needs a controller of `cpu` that this
program may write to: version 1, or version 2.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

PERIOD_US = 5000  # short against a stage, so that a share is one in every moment
SHARE = 0.4  # of a core: for one worker a core leaves more than half of the cores to the client
ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup"))
START_SECONDS_MAX = 30
LEAVE_SECONDS = 5.0
TITLE = f"workers, {SHARE:.0%} of a core each"


@dataclass(frozen=True, slots=True)
class Controller:
    """Where groups are made, and which version's files they have."""

    root: Path
    is_second: bool

    def limit(self, group: Path) -> None:
        """Let a group have its share of a core."""
        quota = round(SHARE * PERIOD_US)
        if self.is_second:
            _write(group / "cpu.max", f"{quota} {PERIOD_US}")
        else:
            _write(group / "cpu.cfs_period_us", str(PERIOD_US))
            _write(group / "cpu.cfs_quota_us", str(quota))


def controller() -> Controller | None:
    """Find a controller of `cpu` that groups can be made under; None: there is none for us."""
    for root in ROOTS:
        is_second = (root / "cgroup.controllers").is_file()
        if is_second:
            with suppress(OSError):
                _write(root / "cgroup.subtree_control", "+cpu")
        found = Controller(root, is_second)
        with suppress(OSError), _group(found, "try") as group:
            found.limit(group)
            return found
    return None


@contextmanager
def limited(found: Controller, pids: list[int]) -> Iterator[None]:
    """Give each process, with all its threads, a share of a core.

    They must have ended when the block does.
    """
    with ExitStack() as stack:
        for pid in pids:
            group = stack.enter_context(_group(found, str(pid)))
            found.limit(group)
            _write(group / "cgroup.procs", str(pid))
        yield


def children(pid: int, count: int) -> list[int]:
    """List what a server's main process has forked, once it is so many; TimeoutError.

    The first worker answers before the others are there.
    """
    deadline = time.monotonic() + START_SECONDS_MAX
    while len(found := processes.tree(pid)[1:]) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(found)} processes of {count} have come")
        time.sleep(0.05)
    return found


def _write(path: Path, text: str) -> None:
    """Tell the kernel something; FileNotFoundError where it does not ask for it."""
    with path.open("r+") as file:
        file.write(text)


@contextmanager
def _group(found: Controller, name: str) -> Iterator[Path]:
    """Make a group; who is in it ends before it does."""
    group = found.root / f"s4-bench-{os.getpid()}-{name}"
    group.mkdir()
    try:
        yield group
    finally:
        _wait_until_empty(group)
        group.rmdir()


def _wait_until_empty(group: Path) -> None:
    deadline = time.monotonic() + LEAVE_SECONDS
    with suppress(FileNotFoundError):  # it is no group
        while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
