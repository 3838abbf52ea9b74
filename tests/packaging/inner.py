"""The process 1 of a process namespace, as this machine numbers it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

SECONDS: Final = 60


def children(pid: int) -> list[int]:
    """List the children of a process."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def process_one(unshare: int) -> int:
    """Name what `unshare --pid --fork` started, once it is there."""
    deadline = time.monotonic() + SECONDS
    while not (found := children(unshare)):
        assert time.monotonic() < deadline, "unshare has started nothing"
        time.sleep(0.01)
    return found[0]
