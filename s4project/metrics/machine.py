"""What the operating system says of S4's processes and of the disk that its data are on.

Linux only where it says so: elsewhere there is nothing of processes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/PID/stat behind the name, from 0 (proc(5) counts from 1, and the name is 2).
USER_TICKS, SYSTEM_TICKS, THREADS = 11, 12, 17
RESIDENT_PAGES, SHARED_PAGES = 1, 2  # of /proc/PID/statm
LIMIT_NAME: Final = "Max open files"


def look_at_disk(directory: Path) -> dict[str, float]:
    """Tell how large the file system is and what of it is free, by the names of the series."""
    disk = os.statvfs(directory)
    return {
        "s4_disk_bytes": disk.f_blocks * disk.f_frsize,
        "s4_disk_free_bytes": disk.f_bavail * disk.f_frsize,
        "s4_disk_inodes": disk.f_files,
        "s4_disk_free_inodes": disk.f_favail,
    }


def look_at_process(proc: Path) -> dict[str, float]:
    """Tell what a process takes, by the series' names; nothing of one that is gone (Linux)."""
    with suppress(OSError, ValueError, IndexError):
        status = (proc / "stat").read_text(encoding="ascii", errors="replace")
        fields = status.rpartition(")")[2].split()
        pages = (proc / "statm").read_text(encoding="ascii").split()
        resident, shared = int(pages[RESIDENT_PAGES]), int(pages[SHARED_PAGES])
        return {
            "s4_process_cpu_seconds_total": (int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS]))
            / TICKS,
            "s4_process_resident_bytes": resident * PAGE_BYTES,
            "s4_process_private_bytes": (resident - shared) * PAGE_BYTES,
            "s4_process_threads": int(fields[THREADS]),
            "s4_process_open_fds": sum(1 for _ in (proc / "fd").iterdir()),
            "s4_process_max_fds": _file_limit(proc),
        }
    return {}


def _file_limit(proc: Path) -> int:
    limits = (proc / "limits").read_text(encoding="ascii").splitlines()
    line = next(line for line in limits if line.startswith(LIMIT_NAME))
    return int(line.removeprefix(LIMIT_NAME).split()[0])
