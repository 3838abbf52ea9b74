"""What S4 asks of the operating system for its processes: locks, limits, ending together.

Linux only where it says so. Knows nothing of HTTP or Django.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG: Final = 1
FORWARDED: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP})


class LockedError(Exception):
    """Another process holds the lock; `holder` is what that process wrote about itself."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by another process")
        self.holder = holder


@contextlib.contextmanager
def hold_lock(path: Path, *, is_patient: bool = False) -> Iterator[int]:
    """Hold the lock file at `path` until the block ends; yield its descriptor.

    The lock belongs to the open file: processes forked inside the block hold it as well, and the
    last one to end gives it back, however it ends. Raises LockedError when the lock is taken, or
    waits for it when `is_patient`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
            raise LockedError(path, holder) from None
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether some process holds the lock file at `path`; takes no lock itself (Linux).

    By the file's number: what the kernel calls its device differs from `stat` on some file systems.
    """
    try:
        number = path.stat().st_ino
        held = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return False
    return any(
        "FLOCK" in line and field.endswith(f":{number}")
        for line in held.splitlines()
        for field in line.split()
    )


def write_holder(descriptor: int, text: str) -> None:
    """Write into a held lock file who holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold back the signals that end or reload while this process forks.

    A child inherits the parent's handlers: a signal that came before it has set its own would be
    taken by them and lost, and nobody would end the child. It must call `release_signals`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release_signals() -> None:
    """Let the signals through again, in a child whose handlers are its own."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """End in order on SIGTERM while nothing is begun; the first process of a container must say so.

    The kernel keeps signals from it for which it has no handler.
    """

    def end(*_: object) -> None:
        sys.exit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process as soon as its parent is gone, even by SIGKILL.

    SIGKILL, for nobody is left who could insist; what S4 has acknowledged survives it.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent_pid:  # it was gone before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


def raise_file_limit() -> int:
    """Allow this process as many open files as the system lets it have; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize
