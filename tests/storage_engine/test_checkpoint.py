"""Checkpoints: exact on disk, due after activity alone, and made by nobody without a pin."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_engine import FormatError, NoSuchKey, StorageError, checkpoint
from storage_engine.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    read_checkpoint,
    read_durable_checkpoint,
    write_checkpoint,
)
from storage_engine.disk import RealDisk
from storage_engine.index import DATA_FILE, META_PAGE_BYTES
from storage_engine.journal import Tail
from tests.storage_engine.counting_disk import CountingDisk
from tests.storage_engine.engine_steps import BUCKET, get, noise, put, small_store

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


class LosingDisk(RealDisk):
    """A disk that tells once, at a sync or while writing out, that it lost pages of the index."""

    def __init__(self, code: int, verb: str) -> None:
        self.code = code
        self.verb = verb
        self.is_due = False
        self._data = -1

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open, and know the index."""
        descriptor = super().open(path, is_writable=is_writable)
        if path.name == DATA_FILE:
            self._data = descriptor
        return descriptor

    def sync(self, descriptor: int) -> None:
        """Sync, or tell."""
        self._tell(descriptor, "sync")
        super().sync(descriptor)

    def write_out(self, descriptor: int, offset: int, length: int) -> None:
        """Write out, or tell."""
        self._tell(descriptor, "write_out")
        super().write_out(descriptor, offset, length)

    def _tell(self, descriptor: int, verb: str) -> None:
        if self.is_due and descriptor == self._data and verb == self.verb:
            self.is_due = False
            raise OSError(self.code, "lost")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_sync_of_the_index_that_failed_is_final(tmp_path: Path, code: int) -> None:
    """What a sync lost it does not tell of again: no later checkpoint is believed."""
    disk = LosingDisk(code, "sync")
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "a", noise(1000))
        before = read_checkpoint(tmp_path / "store" / "index")
        disk.is_due = True
        for _ in range(2):
            with pytest.raises(StorageError, match="synced"):
                engine.checkpoint()
        assert engine.failure is not None
        assert read_checkpoint(tmp_path / "store" / "index") == before
        with pytest.raises(StorageError, match="read-only"):
            put(engine, "b", noise(1000))
    with small_store(tmp_path / "store") as engine:
        assert get(engine, "a") == noise(1000)


def test_an_error_told_while_pages_go_out_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells an error once, and whoever hears it must not take the sync's word."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.05)
    disk = LosingDisk(errno.EIO, "write_out")
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "a", noise(1000))
        disk.is_due = True
        for number in range(200):  # the pages of any one may go out with a sync that was under way
            if engine.failure is not None:
                break
            with suppress(StorageError):  # the last of them meets the failure
                put(engine, f"b{number}", noise(1000))
            time.sleep(0.05)
        assert engine.failure is not None
        for _ in range(200):
            if not engine._checkpointer.is_pinned:  # others may have the pages
                break
            time.sleep(0.05)
        assert not engine._checkpointer.is_pinned
        assert get(engine, "a") == noise(1000)


# Dies between the sync of its frame and its commit.
GHOST = """
import os, sys
from pathlib import Path
from storage_engine.journal import Journal
from tests.storage_engine.engine_steps import put, small_store
engine = small_store(Path(sys.argv[1]))
write = Journal.write
def die(self, frame):
    write(self, frame)
    os._exit(37)
Journal.write = die
put(engine, "ghost", b"boo")
"""


def test_what_a_dead_process_left_does_not_come_back(tmp_path: Path) -> None:
    """Everybody saw that it did not happen: closing in order settles it, without any commit."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", noise(1000))
        engine.checkpoint()
        command = [sys.executable, "-c", GHOST, str(tmp_path / "store")]
        with subprocess.Popen(command) as process:
            assert process.wait() == 37
        with pytest.raises(NoSuchKey):
            engine.head_object(BUCKET, "ghost")
    with small_store(tmp_path / "store") as engine:
        with pytest.raises(NoSuchKey):
            engine.head_object(BUCKET, "ghost")
        assert get(engine, "a") == noise(1000)
