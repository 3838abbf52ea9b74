"""Where the jobs process is asked how its jobs stand, and woken: a socket in the data directory.

It sleeps in the kernel until somebody connects, so that nothing is written for figures which nobody
reads. Who cannot connect learns that nobody is there. Knows no Django.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME: Final = "jobs.socket"
WORD_BYTES_MAX: Final = 8
WAKE: Final = b"wake"
STATE: Final = b"state"
ANSWER_SECONDS: Final = 2.0
BLIND_SECONDS: Final = 60.0  # between two looks where nobody can wake
LOOK_SECONDS: Final = 3600.0  # for what was asked by one who was killed before it could wake
BACKLOG: Final = 16
READ_BYTES: Final = 65_536

log = structlog.get_logger(__name__)


def wake(directory: Path) -> None:
    """Wake the jobs process, if it is there."""
    with suppress(OSError):
        _ask(directory, WAKE)


def ask_state(directory: Path) -> Any:
    """Ask the jobs process what it says of itself; None when it is not there."""
    try:
        answer = _ask(directory, STATE)
        return json.loads(answer) if answer else None
    except (OSError, ValueError):
        return None


def _ask(directory: Path, word: bytes) -> bytes:
    with _socket(directory) as (door, place):
        door.settimeout(ANSWER_SECONDS)
        door.connect(place)
        door.sendall(word)
        door.shutdown(socket.SHUT_WR)
        answer = b""
        while data := door.recv(READ_BYTES):
            answer += data
        return answer


@contextmanager
def _socket(directory: Path) -> Iterator[tuple[socket.socket, str]]:
    """Make a socket, and name its place shortly: a socket's name has room for 108 bytes (Linux)."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as door:
            yield door, f"/proc/self/fd/{held}/{NAME}"
    finally:
        os.close(held)


class Door:
    """The jobs process's end: a thread that answers one after the other."""

    def __init__(
        self, directory: Path, state: Callable[[], Any], on_wake: Callable[[], None]
    ) -> None:
        self._directory = directory
        self._state = state
        self._on_wake = on_wake
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs door", daemon=True)

    def start(self) -> None:
        """Open, and look at once: somebody may have asked while nobody was there."""
        self._thread.start()

    def stop(self) -> None:
        """Close."""
        self._is_ending.set()
        wake(self._directory)
        self._thread.join(ANSWER_SECONDS)

    def _run(self) -> None:
        try:
            with _socket(self._directory) as (door, place):
                self._open(door, place)
        finally:
            if not self._is_ending.is_set():  # the process ends too, and is started anew
                os.kill(os.getpid(), signal.SIGTERM)

    def _open(self, door: socket.socket, place: str) -> None:
        """Answer until the end; where no socket can be made, only look now and then."""
        path = self._directory / NAME
        try:
            path.unlink(missing_ok=True)  # of a process that was killed
            door.bind(place)
        except OSError as error:
            log.warning("The jobs process cannot be woken", place=str(path), error=str(error))
            self._on_wake()
            while not self._is_ending.wait(BLIND_SECONDS):
                self._on_wake()
            return
        door.listen(BACKLOG)
        door.settimeout(LOOK_SECONDS)
        self._on_wake()
        while not self._is_ending.is_set():
            self._answer_one(door)
        path.unlink(missing_ok=True)

    def _answer_one(self, door: socket.socket) -> None:
        try:
            caller, _ = door.accept()
        except TimeoutError:
            self._on_wake()
            return
        with caller, suppress(OSError):
            caller.settimeout(ANSWER_SECONDS)
            word = caller.recv(WORD_BYTES_MAX)
            if word == STATE:
                caller.sendall(json.dumps(self._state()).encode())
            elif word == WAKE and not self._is_ending.is_set():
                self._on_wake()
