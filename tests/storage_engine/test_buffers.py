"""Buffers are lent as they are, and never to two at once."""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage_engine import reader as reader_module
from storage_engine.buffers import Buffers
from storage_engine.limits import BLOCK_BYTES, BUFFER_BYTES, BUFFERS_MAX
from tests.storage_engine.engine_steps import BUCKET, noise, put

if TYPE_CHECKING:
    from storage_engine import StorageEngine


@pytest.fixture
def buffers() -> Buffers:
    """No buffers yet."""
    return Buffers(BUFFERS_MAX)


def test_what_was_lent_is_kept_until_nobody_refers_to_it(buffers: Buffers) -> None:
    """A part of a part is enough to keep a buffer, and without it the buffer is lent again."""
    lend = buffers.lend
    first = lend(BUFFER_BYTES)
    first[:] = bytes([1]) * BUFFER_BYTES
    part = first[BLOCK_BYTES:][:5]
    del first
    lend(BUFFER_BYTES)[:] = bytes([2]) * BUFFER_BYTES
    assert part == bytes([1]) * 5
    del part
    assert lend(5) == bytes([1]) * 5


def test_one_buffer_serves_whoever_takes_turns(buffers: Buffers) -> None:
    """What is given back is used again at once; another buffer is made only beside it."""
    lend = buffers.lend
    for length in (1, BLOCK_BYTES, BUFFER_BYTES):
        assert len(lend(length)) == length
    assert len(buffers.kept) == 1
    both = lend(1), lend(1)
    assert len(buffers.kept) == len(both) == 2


def test_slow_clients_cost_what_they_are_sent(buffers: Buffers) -> None:
    """Only so many buffers are kept: beyond them, and for more than fits, memory is to measure."""
    lend = buffers.lend
    held = [lend(1) for _ in range(BUFFERS_MAX + 3)]
    assert len(buffers.kept) == BUFFERS_MAX
    assert [type(view.obj) for view in held] == [mmap.mmap] * BUFFERS_MAX + [bytearray] * 3
    del held
    large = lend(BUFFER_BYTES + 1)
    assert isinstance(large.obj, mmap.mmap)
    assert len(large.obj) == len(large) == BUFFER_BYTES + 1
    assert len(buffers.kept) == BUFFERS_MAX


def test_memory_beyond_what_is_kept_is_taken_page_by_page(buffers: Buffers) -> None:
    """Large memory that a client is slow to fill costs what he has sent: nothing is touched yet."""
    held = [buffers.lend(1) for _ in range(BUFFERS_MAX)]
    before = resident_bytes()
    slow = [buffers.lend(BUFFER_BYTES) for _ in range(200)]
    for view in slow:
        view[0] = 1
    assert resident_bytes() - before < len(slow) * BUFFER_BYTES / 20
    del held


def resident_bytes() -> int:
    """Tell how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_threads_share_no_buffer(buffers: Buffers) -> None:
    """A thread finds none of another's, free or not."""
    lend = buffers.lend
    lend(1)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(lend(1).obj))
    thread.start()
    thread.join()
    assert found
    assert found[0] is not buffers.kept[0]


def test_what_was_read_stays_as_it_was(
    engine: StorageEngine, buffers: Buffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces that wait for their client are not overwritten by what is read after them."""
    monkeypatch.setattr(reader_module, "lend", buffers.lend)
    wanted = {f"{n}": noise(3 * BLOCK_BYTES + n, n) for n in range(4)}
    for key, data in wanted.items():
        put(engine, key, data)
    read = {}
    for key, data in wanted.items():
        with engine.open_object(BUCKET, key) as reader:
            read[key] = [reader.read_cached(0, BLOCK_BYTES), reader.read_cached(7, len(data))]
    assert [read[key] for key in wanted] == [
        [data[:BLOCK_BYTES], data[7:]] for data in wanted.values()
    ]
    assert len(buffers.kept) == 8
    assert all(view.readonly for views in read.values() for view in map(memoryview, views))
