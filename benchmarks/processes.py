"""What a tree of processes costs, read from /proc (Linux only; see proc(5))."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024
BLOCK_BYTES = 512  # of st_blocks
SYNCS = ("fdatasync", "fsync", "msync", "syncfs", "sync")
REST_SECONDS = 0.5
REST_SECONDS_MAX = 15.0
REST_SHARE = 0.02  # of a core, all processes of one server together


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tree has used so far, and the memory it holds now."""

    cpu_seconds: float
    written_bytes: int  # handed to the block layer
    resident_bytes: int  # with shared pages and mapped files, counted once per process
    anonymous_bytes: int  # resident, not backed by a file
    processes: int

    def since(self, before: Cost) -> Cost:
        """Tell what was used since `before`; memory stays as it is now."""
        return Cost(
            self.cpu_seconds - before.cpu_seconds,
            self.written_bytes - before.written_bytes,
            self.resident_bytes,
            self.anonymous_bytes,
            self.processes,
        )


def tree(pid: int) -> list[int]:
    """List a process and all its descendants."""
    found = [pid]
    for parent in found:
        for children in PROC.glob(f"{parent}/task/*/children"):
            found += map(int, _read(children).split())
    return found


def cost(pid: int) -> Cost:
    """Add up a process and its descendants, and the children they have outlived."""
    pids = tree(pid)
    return Cost(
        cpu_seconds=sum(map(_cpu_seconds, pids)),
        written_bytes=sum(_field(f"{one}/io", "write_bytes") for one in pids),
        resident_bytes=sum(_field(f"{one}/status", "VmRSS") for one in pids) * KIB,
        anonymous_bytes=sum(_field(f"{one}/status", "RssAnon") for one in pids) * KIB,
        processes=len(pids),
    )


def rest(
    pids: Sequence[int], seconds: float = REST_SECONDS, seconds_max: float = REST_SECONDS_MAX
) -> bool:
    """Wait until trees of processes have used next to no CPU for so long; tell whether they did.

    What a server does by itself, its start above all, would be counted as what requests cost, and
    take the core from a neighbour. What was written before is on the disk by then, too.
    """
    os.sync()
    deadline = time.monotonic() + seconds_max
    used = [_tree_seconds(pid) for pid in pids]
    while time.monotonic() < deadline:
        time.sleep(seconds)
        before, used = used, [_tree_seconds(pid) for pid in pids]
        ticks = [(now - then) * TICKS for now, then in zip(used, before, strict=True)]
        if round(max(ticks)) <= REST_SHARE * seconds * TICKS:
            return True
    return False


def _tree_seconds(pid: int) -> float:
    return sum(map(_cpu_seconds, tree(pid)))


def memory(pid: int) -> int:
    """Tell how many bytes a tree holds; of a page that several share each has its part."""
    return sum(_field(f"{one}/smaps_rollup", "Pss") for one in tree(pid)) * KIB


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # the process ended meanwhile


def _cpu_seconds(pid: int) -> float:
    """Read user and system time; fields 14 to 17 of stat, the name in field 2 may hold blanks."""
    fields = _read(PROC / str(pid) / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _field(name: str, key: str) -> int:
    for line in _read(PROC / name).splitlines():
        label, _, value = line.partition(":")
        if label == key:
            return int(value.split()[0])
    return 0


def disk_use(directory: Path) -> tuple[int, int]:
    """Count the files under a directory and the bytes they occupy on the disk."""
    files = occupied = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # the server removed it meanwhile
                occupied += os.lstat(f"{root}/{name}").st_blocks * BLOCK_BYTES
                files += 1
    return files, occupied


def filesystem(directory: Path) -> str:
    """Name the type of the file system a directory lies on."""
    best, kind = "", "unknown"
    for line in _read(PROC / "self/mounts").splitlines():
        _, point, mount_type, *_ = line.split()
        inside = directory.is_relative_to(point)
        if inside and len(point) >= len(best):
            best, kind = point, mount_type
    return kind


@contextmanager
def syncs_counted(pid: int, directory: Path) -> Iterator[dict[str, int]]:
    """Count the syncs of a tree of processes by the kernel's own tracepoints.

    perf slows nobody down noticeably, unlike strace. The dictionary has the counts by system call
    after the block; it stays empty where perf may not look (no root, no tracing in the kernel).
    """
    counts: dict[str, int] = {}
    if shutil.which("perf") is None:
        yield counts
        return
    output = directory / "perf"
    output.unlink(missing_ok=True)
    events = ",".join(f"syscalls:sys_enter_{name}" for name in SYNCS)
    pids = ",".join(map(str, tree(pid)))
    command = ["perf", "stat", "-x", ",", "-o", str(output), "-e", events, "-p", pids]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield counts
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
    for line in _read(output).splitlines():
        value, _, name, *_ = [*line.split(","), "", "", ""]
        if value.isdigit():
            counts[name.rpartition("sys_enter_")[2]] = int(value)
