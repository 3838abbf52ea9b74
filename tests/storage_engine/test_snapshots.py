"""Snapshots: whole copies that tell where they stand, and never half there."""

from __future__ import annotations

import os
import select
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from storage_engine import Busy, DiskFull, NoSuchKey, StorageError
from storage_engine.pace import Stopped, ignore, never
from storage_engine.snapshots import NEW, NICENESS, copy_index, is_whole, snapshots, stands_at
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import BUCKET, KIB, noise, put, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_engine import StorageEngine

LONG_MS = 10**12
PATIENCE_SECONDS: Final = 10.0


def test_a_snapshot_stands_where_the_journal_was(engine: StorageEngine) -> None:
    """Its file, its name and the index agree on the position, and its bytes on the checksum."""
    put(engine, "a", noise(100))
    made = engine.snapshot()
    assert stands_at(made.path).position == made.position > 0
    assert is_whole(made)
    assert engine._care.snapshots.keep_from() == made.position


def test_a_newer_snapshot_replaces_the_older(engine: StorageEngine) -> None:
    """One snapshot is kept, and it is the newest."""
    put(engine, "a", noise(100))
    first = engine.snapshot()
    put(engine, "b", noise(100))
    second = engine.snapshot()
    assert second.position > first.position
    assert snapshots(second.path.parent) == [second]


def test_so_many_snapshots_are_kept_and_the_journal_since_the_oldest(tmp_path: Path) -> None:
    """Three of five stay, the newest, and nothing of the journal since is given up."""
    with open_kept(tmp_path / "store", 3) as engine:
        made = []
        for n in range(5):
            put(engine, f"{n}", noise(3000, n))
            made.append(engine.snapshot())
        directory = made[0].path.parent
        assert snapshots(directory) == made[-3:]
        assert engine._care.keep_from() == made[2].position
    with open_kept(tmp_path / "store", 1) as engine:
        assert engine._care.keep_from() == made[4].position, "fewer are wanted now"
        put(engine, "more", noise(10))
        last = engine.snapshot()
        assert snapshots(directory) == [last]


def test_snapshots_from_beyond_are_not_kept(tmp_path: Path) -> None:
    """One that stands where this journal has not come to belongs to another past: it goes."""
    with open_kept(tmp_path / "store", 3) as engine:
        put(engine, "a", noise(10))
        made = engine.snapshot()
        made.path.with_name(f"{10**15:020d}-{made.crc:08x}.snapshot").write_bytes(b"")
        put(engine, "b", noise(10))
        second = engine.snapshot()
        assert snapshots(made.path.parent) == [made, second]


def test_one_is_due_at_once_where_there_is_none_and_the_journal_is_not_whole(
    tmp_path: Path,
) -> None:
    """As in a store that was put back from a backup: nothing could be made of its journal."""
    with small_store(tmp_path / "store") as engine:
        for n in range(200):
            put(engine, f"{n}", noise(1000, n))
        made = engine.snapshot()
        engine.checkpoint()
        engine._journal.recycle(made.position)
        assert not engine.snapshot_is_due(LONG_MS)
        made.path.unlink()
        assert engine.snapshot_is_due(LONG_MS)


def open_kept(path: Path, kept: int) -> StorageEngine:
    """Open a store that keeps so many snapshots."""
    return small_store(path, snapshots_kept=kept)


def test_a_damaged_snapshot_is_told_from_a_whole_one(engine: StorageEngine) -> None:
    """One flipped bit is noticed."""
    put(engine, "a", noise(100))
    made = engine.snapshot()
    data = bytearray(made.path.read_bytes())
    data[len(data) // 2] ^= 1
    made.path.write_bytes(data)
    assert not is_whole(made)


def test_a_snapshot_is_due_when_something_changed_long_ago(engine: StorageEngine) -> None:
    """Nothing is due without changes, nor soon after one; later it is."""
    put(engine, "a", noise(100))
    assert not engine.snapshot_is_due(LONG_MS)
    engine.snapshot()
    assert not engine.snapshot_is_due(0)
    put(engine, "b", noise(100))
    assert engine.snapshot_is_due(0)
    assert not engine.snapshot_is_due(LONG_MS)


def test_a_snapshot_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    """A full disk costs the new snapshot, not the old one, and the next attempt tidies up."""
    disk = FaultyDisk(suffix="")
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "a", noise(100))
        first = engine.snapshot()
        put(engine, "b", noise(100))
        disk.refuses_syncs = 28
        with pytest.raises(StorageError, match="snapshot"):
            engine.snapshot()
        disk.refuses_syncs = 0
        assert snapshots(first.path.parent) == [first]
        assert engine.snapshot().position > first.position
        assert not (first.path.parent / NEW).exists()


def left(store: Path) -> list[str]:
    """Return the names of what lies among the snapshots."""
    return sorted(path.name for path in (store / "snapshots").iterdir())


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """What was written before the disk refused is removed at once: it eats others' room."""
    disk = FaultyDisk(suffix="")
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "a", noise(100))
        disk.refuses_syncs = 28
        with pytest.raises(StorageError, match="snapshot"):
            engine.snapshot()
        disk.refuses_syncs = 0
        assert left(tmp_path / "store") == []


def test_a_snapshot_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    """The disk's reserve is not for snapshots; the one before stays."""
    disk = FaultyDisk()
    with small_store(tmp_path / "store", disk=disk, disk_reserve_bytes=100 * KIB) as engine:
        put(engine, "a", b"inline")
        first = engine.snapshot()
        put(engine, "b", b"inline")
        disk.free = 100 * KIB + engine._care.snapshots._bytes_used() - 1
        with pytest.raises(DiskFull, match="snapshot"):
            engine.snapshot()
        assert left(tmp_path / "store") == [first.path.name]
        disk.free += 1
        assert engine.snapshot().position > first.position


def test_a_snapshot_takes_the_room_it_was_said_to(tmp_path: Path) -> None:
    """Pages that are free again in the index's file are not copied, and not asked for."""
    with small_store(tmp_path / "store", inline_bytes_max=128 * KIB) as engine:
        for n in range(50):
            put(engine, f"{n}", noise(100 * KIB, n))
        for n in range(1, 50):
            engine.delete_object(BUCKET, f"{n}").result()
        said, made = engine._care.snapshots._bytes_used(), engine.snapshot()
        assert 0 <= made.size - said <= 16 * KIB, "two pages of LMDB's own, and its list of tables"
        assert made.size < engine._index.size_bytes() / 4


def test_a_snapshot_ends_early_when_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LMDB's copy is cut off in the middle, nothing of it is left, and the next one is whole."""
    monkeypatch.setattr("storage_engine.snapshots.PROGRESS_SECONDS", 0.001)
    sizes: list[int] = []

    class Watched(FaultyDisk):
        def unlink(self, path: Path) -> None:
            if path.name == NEW and path.exists():
                sizes.append(path.stat().st_size)
            super().unlink(path)

    options = {"inline_bytes_max": 128 * KIB}
    with small_store(tmp_path / "store", disk=Watched(), **options) as engine:
        for n in range(400):
            put(engine, f"{n}", noise(100 * KIB, n))
        for _ in range(5):
            with pytest.raises(Stopped):
                engine.snapshot(should_stop=lambda: True)
            assert left(tmp_path / "store") == []
        made = engine.snapshot()
        assert min(sizes) < made.size / 2
        assert is_whole(made)


def test_others_write_while_a_snapshot_is_made(engine: StorageEngine) -> None:
    """A snapshot taken in the middle of writes is that of one moment."""
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            put(engine, f"k{n % 50}", noise(200, n))
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    told: list[tuple[int, int]] = []
    for _ in range(3):
        made = engine.snapshot(lambda done, total: told.append((done, total)))
        assert is_whole(made)
    stop.set()
    writer.join()
    assert told


def test_one_snapshot_is_made_at_a_time(engine: StorageEngine) -> None:
    """Who comes while another makes one is refused and does not wait."""
    put(engine, "a", noise(100))
    refused: list[type[BaseException]] = []

    def try_too(_done: int, _total: int) -> None:
        with pytest.raises(Busy) as caught:
            engine.snapshot()
        refused.append(caught.type)

    made = engine.snapshot(try_too)
    assert refused
    assert snapshots(made.path.parent) == [made]
    assert engine.snapshot().path == made.path


def test_nobody_waits_for_a_copy_to_end(tmp_path: Path) -> None:
    """While the index is copied, changes, refusals and checkpoints of the same process go on."""
    with small_store(tmp_path / "store", inline_bytes_max=128 * KIB) as engine, copying(engine):
        done = threading.Event()

        def go_on() -> None:
            put(engine, "new", noise(100))
            with suppress(NoSuchKey):
                engine.rename_object(BUCKET, "missing", "other").result()
            engine._checkpointer.checkpoint()
            put(engine, "newer", noise(100))
            done.set()

        threading.Thread(target=go_on).start()
        assert done.wait(PATIENCE_SECONDS)


def test_a_copy_lets_requests_go_first(tmp_path: Path) -> None:
    """The threads that copy have a lower priority, and no other thread has."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    before = tasks()
    with small_store(tmp_path / "store", inline_bytes_max=128 * KIB) as engine, copying(engine):
        lowered = {task for task in tasks() if priority(task) == min(own + NICENESS, 19)}
        assert lowered
        assert not lowered & before
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def priority(task: int) -> int | None:
    """Tell a thread's priority; None when it has ended meanwhile."""
    with suppress(ProcessLookupError):
        return os.getpriority(os.PRIO_PROCESS, task)
    return None


def tasks() -> set[int]:
    """List the threads of this process as the system numbers them."""
    return {int(entry.name) for entry in Path("/proc/self/task").iterdir()}


@contextmanager
def copying(engine: StorageEngine) -> Iterator[None]:
    """Have the index copied in a thread, no further than a pipe takes, until the block ends."""
    for n in range(50):
        put(engine, f"{n}", noise(100 * KIB, n))
    reading, writing = os.pipe()
    copier = threading.Thread(target=copy_index, args=(engine._index, writing, ignore, never))
    copier.start()
    try:
        assert select.select([reading], [], [], PATIENCE_SECONDS)[0]
        assert copier.is_alive()
        yield
    finally:
        drain = threading.Thread(target=read_all, args=(reading,))
        drain.start()
        copier.join()
        os.close(writing)
        drain.join()
        os.close(reading)


def read_all(descriptor: int) -> None:
    """Read to the end."""
    while os.read(descriptor, 64 * KIB):
        pass
