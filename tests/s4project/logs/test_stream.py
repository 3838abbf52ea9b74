"""Lines come out, in order and whole, and nobody waits for who should read them."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from s4project.logs.stream import WAITING_BYTES_MAX, Stream
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = b"%08d" + b"x" * 91 + b"\n"
LINE_BYTES = len(LINE % 0)


class Pipe:
    """A pipe, the stream that writes into it, what came out, and what it said to be lost."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.lost: list[int] = []
        self.stream = Stream(self.writing, self.lost.append)
        self.got = b""
        self.reader = threading.Thread(target=self._read)

    def _read(self) -> None:
        while data := os.read(self.reading, 1 << 16):
            self.got += data

    def lines(self) -> list[bytes]:
        """Read all there is, to the end."""
        if not self.reader.ident:
            self.reader.start()
        self.stream.end()
        os.close(self.writing)
        self.reader.join()
        self.writing = -1
        return self.got.splitlines(keepends=True)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Make a pipe."""
    made = Pipe()
    yield made
    os.close(made.reading)


def test_a_line_is_out_before_the_call_is_over(pipe: Pipe) -> None:
    """What can be written at once is: it is there though the process should die."""
    pipe.stream.put(LINE % 1)
    assert os.read(pipe.reading, 4096) == LINE % 1
    assert pipe.stream._thread is None


def test_a_full_pipe_holds_nobody_up(pipe: Pipe) -> None:
    """While nobody reads, lines wait in order, up to a bound; the rest is lost and counted."""
    room = 65_536 // LINE_BYTES + WAITING_BYTES_MAX // LINE_BYTES
    count = room + 5_000
    for number in range(count):
        pipe.stream.put(LINE % number)
    pipe.reader.start()
    wait_until(lambda: bool(pipe.lost), "what was lost is said", 20)
    lines = pipe.lines()
    assert lines == [LINE % number for number in range(len(lines))]
    assert len(lines) >= room - 1_000
    assert len(lines) + sum(pipe.lost) == count


def test_lines_of_many_threads_stay_whole(pipe: Pipe) -> None:
    """What threads write at the same time comes out line by line, whether it waited or not."""
    pipe.reader.start()

    def write(first: int) -> None:
        for number in range(first, first + 500):
            pipe.stream.put(LINE % number)
            pipe.stream.put_record(partial((LINE.replace(b"x", b"y")).__mod__, number))

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1_000, 2_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = pipe.lines()
    assert len(lines) == 3_000
    assert {len(line) for line in lines} == {LINE_BYTES}
    assert not pipe.lost


def test_a_descriptor_that_fails_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    """Where nothing can be written, as on a full disk, lines are lost; later ones are not."""
    lost: list[int] = []
    full = os.open("/dev/full", os.O_WRONLY)
    stream = Stream(full, lost.append)
    for number in range(10):
        stream.put(LINE % number)
    stream.end()
    room = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(room, full)
    stream.put_record(partial(LINE.__mod__, 11))
    wait_until(lambda: bool(lost), "what was lost is said", 20)
    stream.end()
    os.close(full)
    os.close(room)
    assert sum(lost) == 10
    assert (tmp_path / "log").read_bytes() == LINE % 11


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # newer Pythons, of threads
def test_a_child_has_a_stream_of_its_own(pipe: Pipe) -> None:
    """A forked process writes no line that waited in its parent, and its own ones come out."""
    for number in range(2_000):
        pipe.stream.put(LINE % number)
    child = os.fork()
    if child == 0:
        pipe.stream.put(LINE % 9_999)
        time.sleep(0.2)
        pipe.stream.end()
        os._exit(0)
    pipe.reader.start()
    os.waitpid(child, 0)
    lines = pipe.lines()
    assert sorted(lines) == [LINE % number for number in (*range(2_000), 9_999)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_cannot_be_made_a_line_ends_no_log(pipe: Pipe) -> None:
    """After a record that fails, lines come out as before it."""

    def fail() -> bytes:
        raise ZeroDivisionError

    pipe.stream.put_record(fail)
    wait_until(lambda: not pipe.stream._is_writing and not pipe.stream._bytes, "it failed", 20)
    pipe.stream.put(LINE % 1)
    pipe.stream.put_record(partial(LINE.__mod__, 2))
    assert pipe.lines() == [LINE % 1, LINE % 2]
