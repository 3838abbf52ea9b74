"""What requests make a real server do, counted: calls by name, and system calls by the kernel.

A worker counts its own calls (instrument/sitecustomize.py); strace counts what it asks the
system. Batches are counted several times and the least is taken, because what S4 does besides (a
checkpoint, a note of who used a key) falls into some of them.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.server import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.server import Server
    from tests.e2e.wire import Connection

INSTRUMENT: Final = Path(__file__).with_name("instrument")
WARM_UP: Final = 5
BATCH: Final = 10
BATCHES: Final = 4
ATTACH_SECONDS: Final = 20
CALL: Final = re.compile(r"^\d+ +(\w+)\((?:\d+<([^>]*)>)?")
RESUMED: Final = re.compile(r"^\d+ +<... (\w+) resumed>")


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls for one request, on average; a place is a file, or `<module>` of a built-in."""

    counts: dict[tuple[str, str], float]

    def named(self, *names: str) -> float:
        """Count the calls of some qualified names, wherever they are."""
        return sum(count for (_, name), count in self.counts.items() if name in names)

    @property
    def python(self) -> float:
        """Calls of Python functions, and steps of coroutines and generators: each takes a frame."""
        return sum(count for (place, _), count in self.counts.items() if place[0] != "<")

    @property
    def transactions(self) -> float:
        """Transactions of the index."""
        return self.named("Environment.begin")

    @property
    def lookups(self) -> float:
        """Rows looked up in the index, and cursors placed in it."""
        return self.named("Transaction.get", "Cursor.set_range", "Cursor.set_key", "Cursor.get")

    @property
    def writes(self) -> float:
        """Rows written in the index or removed from it."""
        return self.named(
            "Transaction.put", "Transaction.delete", "Transaction.pop", "Transaction.replace"
        )

    @property
    def hops(self) -> float:
        """Times that work was given to another thread."""
        return self.named("SimpleQueue.put")

    @property
    def syncs(self) -> float:
        """Waits for the disk."""
        return self.named("fdatasync", "fsync")

    def frequent(self) -> str:
        """List the most frequent calls, for whoever must find what is one too many."""
        ordered = sorted(self.counts.items(), key=lambda item: -item[1])
        lines = [f"{count:7.1f} {place} {name}" for (place, name), count in ordered[:60]]
        return "\n".join(lines)


class Counting:
    """A server with one worker that counts; requests go over one connection, one at a time."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        (self.worker,) = server.workers()
        self._told_at = str(directory / str(self.worker))
        self.connection = server.caller.connect()
        self._number = 0

    @property
    def next_number(self) -> int:
        """The number of the request that will be asked next."""
        return self._number + 1

    def calls(
        self, ask: Callable[[Connection, int], None], batch: int = BATCH, batches: int = BATCHES
    ) -> Calls:
        """Count the calls of a request of some kind."""
        least: Counter[tuple[str, str]] | None = None
        self._ask(ask, WARM_UP)
        for _ in range(batches):
            before = self._told()
            self._ask(ask, batch)
            spent = self._told() - before
            if least is None or spent.total() < least.total():
                least = spent
        assert least is not None
        return Calls({place: count / batch for place, count in least.items()})

    def system_calls(
        self, ask: Callable[[Connection, int], None], trace: Path
    ) -> Counter[tuple[str, str]]:
        """Count a request's system calls by name and kind of file; the least of all batches."""
        self._ask(ask, WARM_UP)
        with _traced(self.worker, trace):
            ends = [trace.stat().st_size]
            for _ in range(BATCHES):
                self._ask(ask, BATCH)
                ends.append(_settled_bytes(trace))  # with what comes after an answer
        text = trace.read_bytes()
        batches = [
            _parsed(text[start:end].decode(errors="replace")) for start, end in pairwise(ends)
        ]
        return min(batches, key=Counter.total)

    def _ask(self, ask: Callable[[Connection, int], None], count: int) -> None:
        for _ in range(count):
            self._number += 1
            ask(self.connection, self._number)

    def _told(self) -> Counter[tuple[str, str]]:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._told_at)
            text = b"".join(iter(lambda: asking.recv(1 << 20), b""))
        return Counter({(place, name): count for place, name, count in json.loads(text)})


@contextmanager
def counting(directory: Path, **settings: str) -> Iterator[Counting]:
    """Run a server that counts."""
    told = directory / "told"
    told.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUDGET_DIRECTORY", str(told))
        patch.setenv("PYTHONPATH", str(INSTRUMENT))
        with running(directory / "server", workers="1", **settings) as server:
            found = Counting(server, told)
            yield found
            found.connection.close()


@contextmanager
def _traced(pid: int, trace: Path) -> Iterator[None]:
    """Have strace write down a process's system calls, from when it says that it has them."""
    assert shutil.which("strace"), "strace is installed"
    command = ["strace", "-f", "-y", "-o", str(trace), "-p", str(pid)]
    with trace.with_suffix(".said").open("wb") as said:
        process = subprocess.Popen(command, stderr=said, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + ATTACH_SECONDS
    while "attached" not in trace.with_suffix(".said").read_text():
        assert process.poll() is None, trace.with_suffix(".said").read_text()
        assert time.monotonic() < deadline, "strace did not attach"
        time.sleep(0.02)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _settled_bytes(trace: Path) -> int:
    """Wait until nothing more is written down; tell how much that is."""
    size = -1
    while size != (now := trace.stat().st_size):
        size = now
        time.sleep(0.25)  # a thread that comes after an answer may wait for its turn
    return size


def _parsed(text: str) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for line in text.splitlines():
        if RESUMED.match(line) is None and (call := CALL.match(line)) is not None:
            counts[call[1], _kind(call[2] or "")] += 1
    return counts


def _kind(path: str) -> str:
    """Name what kind of file a path is."""
    for part in ("socket:", "TCP:", "journal", "volumes", "index", "sqlite", "anon_inode"):
        if part in path:
            return {"TCP:": "socket:"}.get(part, part).rstrip(":")
    return ""
