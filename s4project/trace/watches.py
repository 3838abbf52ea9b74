"""Brings the trace from the workers to who watches, by named pipes in the data directory.

Who watches makes a pipe, with a file beside it that says what is asked for, and rings in the ear
that each worker has there; a worker finds the pipe, and writes a line for each request that is
wanted. Nothing is looked at while nobody watches, and nobody ever waits: what a full pipe does not
take is lost, counted and told. A pipe that nobody reads any more, because his process died, is
taken away by the first worker that finds out.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog

from s4project.trace.events import Asked, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from s3api.audit import Course

    Teller = Callable[[Course], None]

log = structlog.get_logger(__name__)

NAME: Final = "trace"
EAR: Final = ".ear"
WATCH: Final = ".watch"
ASKED: Final = ".asked"
OPENING: Final = ".opening"  # a pipe that has no reader yet
OPENING_SECONDS_MAX: Final = 60
WATCHES_MAX: Final = 8
READ_BYTES: Final = 1 << 18
PIPE_BYTES: Final = 1 << 20  # asked for; a system that grants less loses more
GONE: Final = {errno.ENXIO, errno.ENOENT}  # nobody reads; other errors are this process's own


class TooManyError(Exception):
    """As many watch as may."""


class _Told(NamedTuple):
    """A watch as a worker has it: what it asks for, and the pipe's end."""

    asked: Asked
    descriptor: int


class Tracer:
    """A worker's side: its ear, and the pipes that it writes to. All on its event loop."""

    def __init__(self, directory: Path, tellers: list[Teller]) -> None:
        """Hear in a directory; tell as one of `tellers` while somebody watches."""
        self._directory = directory
        self._tellers = tellers
        self._watches: dict[str, _Told] = {}
        self._lost: dict[str, int] = {}
        self._ear = -1

    def start(self) -> None:
        """Have an ear, and look who watches already; without an ear there is no trace."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            _sweep(self._directory)
            self._ear = _open_pipe(self._directory / f"{os.getpid()}{EAR}")
        except OSError as error:
            log.warning("The live trace does not tell of this worker", error=str(error))
            return
        asyncio.get_running_loop().add_reader(self._ear, self._hear)
        self._look()

    def stop(self) -> None:
        """Hear and tell nothing more."""
        if self._ear >= 0:
            asyncio.get_running_loop().remove_reader(self._ear)
            os.close(self._ear)
            self._ear = -1
            with suppress(OSError):  # a disk that takes no writes any more
                (self._directory / f"{os.getpid()}{EAR}").unlink(missing_ok=True)
        for name in list(self._watches):
            self._leave(name)

    def tell(self, course: Course) -> None:
        """Tell those who watch of a request that has ended, if it is one that they asked for."""
        if not course.request_id:
            return  # no request of S3's: REST asked for it
        for name, watch in list(self._watches.items()):
            if not watch.asked.wants(course):
                continue
            lost = self._lost[name]
            try:
                os.write(watch.descriptor, line(course, lost))
            except BlockingIOError:
                self._lost[name] = lost + 1
            except OSError:  # nobody reads: whoever watched is gone
                _take_away(self._directory / name)
                self._leave(name)
            else:
                self._lost[name] = 0

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._ear, READ_BYTES)
        self._look()

    def _look(self) -> None:
        """Find new pipes, and leave those that are gone."""
        there = {path.name for path in self._directory.glob(f"*{WATCH}")}
        for name in self._watches.keys() - there:
            self._leave(name)
        for name in there - self._watches.keys():
            self._join(name)
        self._be_called()

    def _join(self, name: str) -> None:
        path = self._directory / name
        try:
            asked = msgspec.json.decode(path.with_suffix(ASKED).read_bytes(), type=Asked)
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except msgspec.MsgspecError:
            _take_away(path)  # it is none of ours
            return
        except OSError as error:
            if error.errno in GONE:
                _take_away(path)
            return
        self._watches[name] = _Told(asked, descriptor)
        self._lost[name] = 0

    def _leave(self, name: str) -> None:
        os.close(self._watches.pop(name).descriptor)
        del self._lost[name]
        self._be_called()

    def _be_called(self) -> None:
        """Be among the tellers while somebody watches, as the last: others are not passed over."""
        if bool(self._watches) is not (self.tell in self._tellers):
            (self._tellers.append if self._watches else self._tellers.remove)(self.tell)


class Watch:
    """The reading end of one who watches, in whichever worker he is served by."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._waiting: asyncio.Future[None] | None = None
        self.is_ended = False

    async def lines(self, seconds: float) -> list[bytes]:
        """Wait for lines, at most so long, and return all that have come; none: it was in vain."""
        if not self.is_ended:
            await self._wait(seconds)
        try:
            text = self._rest + os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return []
        *whole, self._rest = text.split(b"\n")
        return whole

    def end(self) -> None:
        """Wait no more."""
        self.is_ended = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        loop.add_reader(self._descriptor, _come, waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(self._descriptor)


def _come(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


watches: set[Watch] = set()  # of this process


def end_watches() -> None:
    """End whatever watches here: the process is to end."""
    for watch in watches:
        watch.end()


@contextmanager
def watching(directory: Path, asked: Asked) -> Iterator[Watch]:
    """Have every worker tell of what is asked for; TooManyError, OSError."""
    directory.mkdir(mode=0o700, exist_ok=True)
    if len(list(directory.glob(f"*{WATCH}"))) >= WATCHES_MAX:
        raise TooManyError
    path = directory / f"{secrets.token_hex(8)}{WATCH}"
    try:
        path.with_suffix(ASKED).write_bytes(msgspec.json.encode(asked))
        descriptor = _open_pipe(path)
    except OSError:
        _take_away(path)
        raise
    watch = Watch(descriptor)
    watches.add(watch)
    try:
        with suppress(OSError):  # a system that grants less
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        _ring(directory)
        yield watch
    finally:
        watches.discard(watch)
        _take_away(path)
        os.close(descriptor)
        _ring(directory)


def _open_pipe(path: Path) -> int:
    """Make a pipe that is read from the moment that it is there."""
    opening = path.with_suffix(OPENING)
    opening.unlink(missing_ok=True)
    os.mkfifo(opening, 0o600)
    # For writing as well: so it is never at its end, though nobody else has it open.
    descriptor = os.open(opening, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    opening.rename(path)
    return descriptor


def _take_away(path: Path) -> None:
    for each in (path, path.with_suffix(ASKED), path.with_suffix(OPENING)):
        with suppress(OSError):  # a disk that takes no writes any more
            each.unlink(missing_ok=True)


def _sweep(directory: Path) -> None:
    """Take away what processes left that died while they began to watch."""
    for path in directory.iterdir():
        is_part = path.suffix in {OPENING, ASKED} and not path.with_suffix(WATCH).exists()
        with suppress(FileNotFoundError):
            if is_part and time.time() - path.stat().st_mtime > OPENING_SECONDS_MAX:
                path.unlink()


def _ring(directory: Path) -> None:
    """Ring in every ear; one that no process listens with any more is taken away."""
    for path in directory.glob(f"*{EAR}"):
        try:
            ear = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in GONE:
                path.unlink(missing_ok=True)
            continue
        with suppress(BlockingIOError):
            os.write(ear, b"!")
        os.close(ear)
