"""Brings lines of the log out through a descriptor, and lets nobody wait for whoever reads them.

A line is written at once where that cannot block; otherwise, and where a thing must yet be made a
line, one thread writes, in batches. What waits for it is bounded: beyond, lines are lost, counted,
and said to be lost as soon as somebody reads again. Trouble of the descriptor (a full disk, a pipe
that nobody reads) costs lines and nothing else. Knows nothing of what is in a line.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Written = bytes | Callable[[], bytes]

WAITING_BYTES_MAX: Final = 4 << 20
RECORD_BYTES: Final = 1024  # what a record counts that is no line yet
TAKEN_BYTES_MAX: Final = 64 << 10
GATHER_SECONDS: Final = 0.1  # records that come this soon after one are written with it
RETRY_SECONDS: Final = 1.0  # after trouble
END_SECONDS: Final = 2.0  # how long a process that ends waits for whoever reads
WHERE: Final = -1  # pwritev2(2): at the file's own place, as write(2)
CANNOT_TELL: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ESPIPE, errno.ENOSYS})


class Stream:
    """Lines on their way to a descriptor."""

    def __init__(self, descriptor: int, on_lost: Callable[[int], None]) -> None:
        """Write to a descriptor; `on_lost` writes a line that so many were lost."""
        self._descriptor = descriptor
        self._on_lost = on_lost
        # What a pipe takes whole or not at all, so that lines of several processes do not mix.
        self._batch_bytes_max = TAKEN_BYTES_MAX if is_file(descriptor) else select.PIPE_BUF
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Be empty: what waits in a parent is the parent's to write."""
        self._lock = threading.Lock()  # held for no longer than a write that does not block
        self._waiting: deque[Written] = deque()
        self._bytes = 0  # of all that waits
        self._lost = 0
        self._is_direct = True  # until the system says that it cannot write without blocking
        self._is_writing = False
        self._is_at_rest = True
        self._is_heard = True  # what was written last was taken
        self._bell: SimpleQueue[float] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        """Write a line, now or soon; from any thread, never waiting."""
        with self._lock:
            if self._is_direct and not self._waiting and not self._is_writing:
                line = self._write_now(line)
            if line:
                self._keep(line, 0.0)

    def put_record(self, make: Callable[[], bytes]) -> None:
        """Have what is made of a record written soon; `make` is called in the thread."""
        with self._lock:
            self._keep(make, GATHER_SECONDS)

    def end(self) -> None:
        """Wait until all is written, or until somebody should have read it."""
        deadline = time.monotonic() + END_SECONDS
        while (self._waiting or self._is_writing) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _write_now(self, line: bytes) -> bytes:
        """Write what can be written without blocking; return what is left of the line."""
        try:
            return line[write_without_waiting(self._descriptor, line) :]
        except BlockingIOError:
            return line
        except OSError as error:
            if error.errno in CANNOT_TELL:
                self._is_direct = False
                return line
            self._lost += 1
            return b""

    def _keep(self, what: Written, gather_seconds: float) -> None:
        """Let something wait for the thread, unless too much does."""
        size = _weight(what)
        if self._bytes + size > WAITING_BYTES_MAX:
            self._lost += 1
            return
        self._bytes += size
        self._waiting.append(what)
        if self._is_at_rest:
            self._is_at_rest = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._bell.put(gather_seconds)

    def _run(self) -> None:
        """Write whenever the bell rings, until something cannot be made a line."""
        try:
            while True:
                time.sleep(self._bell.get())
                while some := self._take():
                    self._write_all(what if isinstance(what, bytes) else what() for what in some)
                    with self._lock:
                        self._is_writing = False
                        lost, self._lost = (self._lost, 0) if self._is_heard else (0, self._lost)
                    if lost:
                        self._on_lost(lost)
        finally:
            with self._lock:  # the next line, which tells of this end, starts another thread
                self._thread, self._is_writing, self._is_at_rest = None, False, True

    def _take(self) -> list[Written]:
        """Take the oldest of what waits, not too much; none: come to rest."""
        some: list[Written] = []
        size = 0
        with self._lock:
            while self._waiting and size < TAKEN_BYTES_MAX:
                some.append(self._waiting.popleft())
                size += _weight(some[-1])
            self._bytes -= size
            self._is_writing = bool(some)
            self._is_at_rest = not some
        return some

    def _write_all(self, lines: Iterable[bytes]) -> None:
        """Write whole lines, as many at once as stay together."""
        batch: list[bytes] = []
        size = 0
        for line in lines:
            if batch and size + len(line) > self._batch_bytes_max:
                self._write(batch)
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        self._write(batch)

    def _write(self, batch: list[bytes]) -> None:
        """Write a batch, however long that takes; one that cannot be written is lost."""
        data = b"".join(batch)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self._is_heard = False
            with self._lock:
                self._lost += len(batch)
            time.sleep(RETRY_SECONDS)
        else:
            self._is_heard = True


def is_file(descriptor: int) -> bool:
    """Tell whether a descriptor is a regular file's, which makes nobody wait but for the disk."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def write_without_waiting(descriptor: int, line: bytes) -> int:
    """Write what a file, a pipe or a socket takes now; return how much.

    BlockingIOError when that is nothing; CANNOT_TELL are the codes of what is none of these.
    """
    if is_file(descriptor):
        return os.write(descriptor, line)
    return os.pwritev(descriptor, [line], WHERE, os.RWF_NOWAIT)


def _weight(what: Written) -> int:
    return len(what) if isinstance(what, bytes) else RECORD_BYTES
