"""What /proc says of a server's processes: who they are, what memory they hold.

A server's processes are found by a mark in their environment, so that one which has lost its
parent, its session or its name is found all the same.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

MARK: Final = "E2E_SERVER"
PROC: Final = Path("/proc")
SAMPLE_SECONDS: Final = 0.05
GONE: Final = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True, slots=True)
class Process:
    """One living process."""

    pid: int
    parent: int
    command: str

    def maps(self, name: str) -> bool:
        """Tell whether the process has a file of that name in its memory."""
        with contextlib.suppress(*GONE):
            return name in (PROC / str(self.pid) / "maps").read_text()
        return False


def marked(mark: str) -> list[Process]:
    """List the living processes started under a mark, by pid; zombies are dead."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(*GONE):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(_read(entry))
    return sorted((process for process in found if process), key=lambda process: process.pid)


def _read(entry: Path) -> Process | None:
    _, _, rest = (entry / "stat").read_text().rpartition(")")
    state, parent, *_ = rest.split()
    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return None if state in "ZX" else Process(int(entry.name), int(parent), command)


def kill(pid: int, sent: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one process, which may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sent)


def wait_until(claim: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for something to become true; AssertionError when it does not.

    Of a look that takes long, or before which this process got no turn, a second counts: so long
    the others may have had none either.
    """
    left, looked_at = seconds, time.monotonic()
    while not claim():
        assert left > 0, f"waited {seconds:g} s in vain: {what}"
        time.sleep(SAMPLE_SECONDS)
        before, looked_at = looked_at, time.monotonic()
        left -= min(looked_at - before, 1.0)


def stands(pid: int) -> bool:
    """Tell whether every thread of a process is halted: that takes effect some time after."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    with contextlib.suppress(*GONE):  # a thread that ended while it was looked at
        return all(stat.read_text().rpartition(") ")[2].startswith("T") for stat in threads)
    return False


@contextlib.contextmanager
def standing(*pids: int) -> Iterator[None]:
    """Halt processes for a block: what they are sent meanwhile comes to them all at once."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(map(stands, pids)), "the processes stand")
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def bytes_read(pid: int) -> int:
    """Answer how many bytes a process has read by read(2) and its like: no mapped pages."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def resident_bytes(pid: int) -> int:
    """Measure the memory a process holds, files it maps left out; 0 for one that is gone."""
    with contextlib.suppress(*GONE):
        rows = (PROC / str(pid) / "status").read_text().splitlines()
        sizes = dict(row.split(":", 1) for row in rows if row.startswith("Rss"))
        kib = sum(int(sizes[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in sizes)
        return kib * 1024
    return 0


class MemoryWatch:
    """Samples the memory of processes while a block runs; `growth` tells each one's most, after."""

    def __init__(self, pids: list[int]) -> None:
        self._before = {pid: resident_bytes(pid) for pid in pids}
        self._peak = dict(self._before)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for pid, peak in self._peak.items():
                self._peak[pid] = max(peak, resident_bytes(pid))

    @property
    def growth(self) -> dict[int, int]:
        """Bytes by which each process grew at its largest."""
        return {pid: self._peak[pid] - before for pid, before in self._before.items()}
