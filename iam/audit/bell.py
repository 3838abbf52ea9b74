"""Wakes the process that passes entries on: a named pipe in the data directory.

Whoever waits sleeps in the kernel and touches nothing. Ringing never blocks: it is no trouble when
nobody listens, for who begins to listen looks first. Knows no Django.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME: Final = "audit.bell"
STROKES_MAX: Final = 65_536  # what a pipe holds


def ring(directory: Path) -> None:
    """Wake who waits, if there is anybody."""
    with suppress(OSError):  # nobody has it open; or it is full, and he is being woken already
        descriptor = os.open(directory / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"!")
        finally:
            os.close(descriptor)


class Bell:
    """The listener's end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Sleep until it rings, or so long; all strokes so far count as one."""
        if self._poll.poll(seconds * 1000):
            with suppress(BlockingIOError):
                os.read(self._descriptor, STROKES_MAX)


@contextmanager
def hung_up(directory: Path) -> Iterator[Bell]:
    """Listen until the block ends; OSError."""
    path = directory / NAME
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    # For writing as well: so it has a writer at all times, and is never at its end.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise FileExistsError(f"{path} is in the way: it should be a named pipe")
        yield Bell(descriptor)
    finally:
        os.close(descriptor)
