"""Checkpoints: exact on disk, due after activity alone, and made by nobody without a pin."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_engine import FormatError, checkpoint
from storage_engine.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    read_checkpoint,
    read_durable_checkpoint,
    write_checkpoint,
)
from storage_engine.disk import RealDisk
from storage_engine.index import META_PAGE_BYTES
from storage_engine.journal import Tail
from tests.storage_engine.counting_disk import CountingDisk
from tests.storage_engine.engine_steps import noise, put, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

NUMBERS = st.integers(0, (1 << 64) - 1)
CHECKPOINTS = st.builds(
    Checkpoint,
    NUMBERS,
    NUMBERS,
    st.builds(Tail, NUMBERS, NUMBERS, NUMBERS, st.integers(0, (1 << 32) - 1)),
    st.builds(noise, st.just(META_PAGE_BYTES), st.integers(0, 1000)),
)
SOME = Checkpoint(7, 8, Tail(1, 2, 3, 4), noise(META_PAGE_BYTES))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no checkpoint be made but those that a test asks for."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 1000.0)


@pytest.fixture
def disk() -> CountingDisk:
    """Give a disk that counts."""
    return CountingDisk()


@pytest.fixture
def store(tmp_path: Path, disk: CountingDisk) -> Iterator[StorageEngine]:
    """Open a store on it."""
    with small_store(tmp_path / "store", disk=disk) as opened:
        yield opened


@given(made=CHECKPOINTS)
def test_a_checkpoint_comes_back(made: Checkpoint) -> None:
    """A checkpoint is what it was after it was packed."""
    assert Checkpoint.unpack(made.pack()) == made


@given(at=st.integers(0, len(SOME.pack()) - 1), bit=st.integers(0, 7))
def test_one_wrong_bit_is_noticed(at: int, bit: int) -> None:
    """A checkpoint with any bit flipped is refused."""
    data = bytearray(SOME.pack())
    data[at] ^= 1 << bit
    with pytest.raises(FormatError):
        Checkpoint.unpack(bytes(data))


@given(length=st.integers(0, len(SOME.pack()) - 1))
def test_a_part_of_a_checkpoint_is_none(length: int) -> None:
    """A checkpoint that is cut off is refused."""
    with pytest.raises(FormatError):
        Checkpoint.unpack(SOME.pack()[:length])


def test_a_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Writing one replaces the last, also where an earlier attempt left a file behind."""
    disk = RealDisk()
    write_checkpoint(disk, tmp_path, SOME)
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    later = replace(SOME, txn_id=9)
    write_checkpoint(disk, tmp_path, later)
    assert read_checkpoint(tmp_path) == read_durable_checkpoint(disk, tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_idle_means_idle(store: StorageEngine, disk: CountingDisk) -> None:
    """Once everything is in a checkpoint, a tick touches no file, however often it comes."""
    put(store, "a", b"x")
    store._checkpointer.checkpoint()
    last = store._index.last_txn_id()
    disk.calls.clear()
    for _ in range(3):
        store._checkpointer._tick()
    assert disk.calls == []
    assert store._index.last_txn_id() == last


def test_a_tick_makes_a_checkpoint_when_one_is_due(
    store: StorageEngine, disk: CountingDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes wait for a checkpoint no longer than they may; the next tick is idle again."""
    put(store, "a", b"x")
    before = store._checkpointer.last
    store._checkpointer._tick()
    assert store._checkpointer.last == before
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.0)
    store._checkpointer._tick()
    made = store._checkpointer.last
    assert made is not None
    assert made.txn_id == store._index.last_txn_id()
    disk.calls.clear()
    store._checkpointer._tick()
    assert disk.calls == []


def test_much_journal_wakes_the_checkpointer(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint comes at once when the journal behind the last one has grown long."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_JOURNAL_BYTES", 1)
    before = store._checkpointer.last
    put(store, "a", b"x")
    for _ in range(500):
        if store._checkpointer.last != before:
            break
        threading.Event().wait(0.01)
    assert store._checkpointer.last != before


def test_growing_takes_the_pin_and_a_checkpoint_gives_it_back(store: StorageEngine) -> None:
    """Who has no pin makes a checkpoint before he commits."""
    put(store, "a", b"x")
    before = store._checkpointer.last
    store._index.grow()
    assert not store._checkpointer.is_pinned
    put(store, "b", b"x")
    assert store._checkpointer.is_pinned
    assert store._checkpointer.last != before


def test_a_map_does_not_grow_under_a_checkpoint(store: StorageEngine) -> None:
    """While a checkpoint looks at the newest tree, growing waits: it would void what it holds."""
    grown = threading.Thread(target=store._index.grow)
    with store._index.kept_size():
        txn = store._index.begin_write()
        grown.start()
        grown.join(0.1)
        assert grown.is_alive()
        assert txn.get(b"store_id", db=store._index.tables.meta)
        txn.abort()
    grown.join()
    put(store, "a", b"x")


def test_a_close_without_changes_writes_nothing(tmp_path: Path, disk: CountingDisk) -> None:
    """A store that was only read is left as it was found."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", b"x")
    before = (tmp_path / "store" / "index" / CHECKPOINT).read_bytes()
    small_store(tmp_path / "store", disk=disk).close()
    assert (tmp_path / "store" / "index" / CHECKPOINT).read_bytes() == before
    assert {name for name, _ in disk.calls} <= {"open", "read", "close", "sync_directory"}


def test_pins_go_only_when_the_checkpoint_of_another_is_durable(
    store: StorageEngine, disk: CountingDisk
) -> None:
    """Who meets a checkpoint he did not make syncs its name first, once."""
    put(store, "a", b"x")
    store._checkpointer.checkpoint()
    store._checkpointer._last = None  # as if another process had made it
    disk.calls.clear()
    store._checkpointer._tick()
    assert [call for call in disk.calls if "sync" in call[0]] == [("sync_directory", "index")]
    disk.calls.clear()
    store._checkpointer._tick()
    assert disk.calls == []
