"""What S4 needs of the machine, looked at before a start, and what it says where that is not there.

What S4 cannot do without ends the start, with one line and code 1; what it can do without, or what
somebody should know of, is a warning. The lines stand in `Lack` and `Doubt` and nowhere else:
docs/troubleshooting.md explains each, and a test compares. Knows no HTTP and no Django.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES_MIN: Final = 256  # what one worker has open besides connections, with room for volumes
FILES_ENOUGH: Final = 8192  # twice the connections that a worker takes
MEMORY: Final = Path("/dev/shm")  # noqa: S108  # where Linux has files that are no disk's
NETWORKS: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "lustre", "afs", "glusterfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs2", "virtiofs"),
    }
)
AHEAD_SECONDS: Final = 600  # of the clock: what NTP does not set right without a word
STAMPED: Final = ("journal", "volumes", "s4.sqlite3", "s4.sqlite3-wal", "meters")


class Lack(StrEnum):
    """What S4 cannot start without; each is written behind `S4 cannot start: `."""

    NO_DIRECTORY = "the data directory {path} cannot be made: {why}"
    NOT_A_DIRECTORY = "the data directory {path} is no directory"
    NOT_OURS = "the data directory {path} belongs to {owner}: {user} may not read and write there"
    READ_ONLY = "the data directory {path} is on a file system that is mounted read-only"
    FULL = "the data directory {path} is on a disk that has no room left"
    FEW_FILES = "a process may have {files} files open, and S4 needs {least}: raise ulimit -n"


class Doubt(StrEnum):
    """What S4 can start with, and somebody should know."""

    FEW_FILES = "Few files may be open at once: each worker takes fewer connections"
    NETWORK = "The data directory is on a network file system: locks and memory maps may fail there"
    ROOTS_FILES = "S4 runs as root on the data directory of another, who cannot read what it makes"
    NO_MEMORY_FILES = "No file can be made in /dev/shm: what is to be in memory is on the disk"
    JUMPED = "The clock was set: sessions, signatures and what goes by age follow it"
    JUMPED_FAR = "The clock was set far ahead: what deletes by age waits an hour"
    BEHIND = "The clock is behind what the data directory has seen: set it right"


class MachineError(Exception):
    """The machine lacks something; the text says what."""


class Warned(NamedTuple):
    """A doubt, and what it is about."""

    doubt: Doubt
    facts: dict[str, Any]


def demand_files() -> int:
    """Answer how many files a process may have open; MachineError where they are too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES_MIN:
        raise MachineError(Lack.FEW_FILES.format(files=hard, least=FILES_MIN))
    return FILES_ENOUGH if hard == resource.RLIM_INFINITY else hard


def demand_directory(path: Path) -> None:
    """Make the data directory where there is none, and see that it can be used; MachineError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise MachineError(Lack.NOT_A_DIRECTORY.format(path=path)) from None
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            raise MachineError(Lack.NOT_A_DIRECTORY.format(path=path)) from error
        raise _trouble(path, error, Lack.NO_DIRECTORY) from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        code = errno.EROFS if is_read_only else errno.EACCES
        raise _trouble(path, OSError(code, os.strerror(code)), Lack.NO_DIRECTORY)


def _trouble(path: Path, error: OSError, otherwise: Lack) -> MachineError:
    """Say what an error of the data directory means."""
    found = {errno.EROFS: Lack.READ_ONLY, errno.ENOSPC: Lack.FULL, errno.EDQUOT: Lack.FULL}
    lack = found.get(error.errno or 0, otherwise)
    owner = ""
    if error.errno in {errno.EACCES, errno.EPERM} and path.exists():
        lack, owner = Lack.NOT_OURS, name_of(path.stat().st_uid)
    facts = {"path": path, "why": error.strerror, "owner": owner, "user": name_of(os.geteuid())}
    return MachineError(lack.format(**facts))


def name_of(user_id: int) -> str:
    """Name an account of the machine; a container may run as a number that has no name."""
    try:
        return f"{pwd.getpwuid(user_id).pw_name} ({user_id})"
    except KeyError:
        return str(user_id)


def doubts(path: Path, files: int) -> Iterator[Warned]:
    """Look for what somebody should know, with the data directory and the files there may be."""
    if files < FILES_ENOUGH:
        yield Warned(Doubt.FEW_FILES, {"files": files, "connections": files // 2})
    kind = file_system(path.resolve(), Path("/proc/self/mountinfo"))
    if kind in NETWORKS:
        yield Warned(Doubt.NETWORK, {"path": str(path), "kind": kind})
    owner = path.stat().st_uid
    if os.geteuid() == 0 != owner:
        yield Warned(Doubt.ROOTS_FILES, {"path": str(path), "owner": name_of(owner)})
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        yield Warned(Doubt.NO_MEMORY_FILES, {"path": str(MEMORY)})
    behind = newest(path) - time.time()
    if behind > AHEAD_SECONDS:
        yield Warned(Doubt.BEHIND, {"seconds": round(behind)})


def file_system(path: Path, table: Path) -> str:
    """Name the kind of file system that a path is on, by proc_pid_mountinfo(5); "": unknown."""
    best, kind = -1, ""
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if len(point) >= best and path.is_relative_to(point):
            best, kind = len(point), after.split()[0]
    return kind


def newest(path: Path) -> float:
    """Tell when the store was last written to, as its files say; 0: it was never."""
    stamps = [0.0]
    for name in STAMPED:
        try:
            stamps.append((path / name).stat().st_mtime)
        except OSError:
            continue
    return max(stamps)
