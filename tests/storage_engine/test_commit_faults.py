"""Commits that fail between journal and index: nothing shows, and nothing comes back later."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING, Any

import lmdb
import pytest

from storage_engine import DiskFull, NoSuchKey, StorageError, checkpoint
from storage_engine.changes import Changes
from storage_engine.disk import RealDisk
from storage_engine.journal import Tail
from storage_engine.keys import JOURNAL
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    get,
    noise,
    problems,
    put,
    small_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import StorageEngine

GHOST = b"ghost"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no checkpoint be made but those that a test asks for."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 1000.0)


def as_killed(store: Path, target: Path) -> Path:
    """Copy what a process leaves that is killed now; LMDB's lock file is nobody else's to open."""
    shutil.copytree(store, target, ignore=shutil.ignore_patterns("lock.mdb"))
    return target


def is_there(engine: StorageEngine, key: str) -> bool:
    """Tell whether there is an object."""
    try:
        engine.head_object(BUCKET, key)
    except NoSuchKey:
        return False
    return True


def has_ghost(engine: StorageEngine) -> bool:
    """Tell whether the row of a dead writer's frame is in the index."""
    table = engine._index.tables.meta
    return engine._index.view(lambda txn: txn.get(GHOST, db=table)) is not None


def die_before_commit(engine: StorageEngine, size: int = 1) -> None:
    """Leave a frame at the tail, as a writer that was killed between journal and index does."""
    tables = engine._index.tables
    changes = Changes(tables)
    changes.put(tables.meta, GHOST, bytes(size))
    txn = engine._index.begin_write()
    tail = Tail.unpack(txn.get(JOURNAL, db=tables.meta))
    engine._journal.write(engine._journal.plan(tail, changes.pack()))
    txn.abort()


class SyncFailsOnce(FaultyDisk):
    """A disk on which one sync of the journal fails, and the next says that all is well."""

    fails = False

    def sync(self, descriptor: int) -> None:
        """Fail once."""
        if self.fails and descriptor in self._watched:
            self.fails = False
            raise OSError(errno.EIO, "gone")
        super().sync(descriptor)


def test_a_journal_that_cannot_be_synced_ends_all_writing(tmp_path: Path) -> None:
    """The group is refused and never comes back, writes end with the reason, reads go on."""
    disk = SyncFailsOnce(".segment")
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "old", b"x")
        disk.fails = True
        with pytest.raises(StorageError, match="journal"):
            put(engine, "new", b"x")
        assert "journal" in (engine.failure or "")
        assert not is_there(engine, "new")
        with pytest.raises(StorageError, match="read-only"):
            put(engine, "later", b"x")
        assert get(engine, "old") == b"x"
        after = as_killed(tmp_path / "store", tmp_path / "killed")
    for path in (after, tmp_path / "store"):
        with small_store(path) as engine:
            assert not is_there(engine, "new")
            assert get(engine, "old") == b"x"
            put(engine, "new", b"y")
            assert problems(engine) == []


class NoFilesDisk(RealDisk):
    """A disk of a process that has as many files open as it may."""

    is_at_limit = False

    def create(self, path: Path) -> int:
        """Refuse or make."""
        self._refuse()
        return super().create(path)

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Refuse or open."""
        self._refuse()
        return super().open(path, is_writable=is_writable)

    def sync_directory(self, path: Path) -> None:
        """Refuse or sync."""
        self._refuse()
        super().sync_directory(path)

    def _refuse(self) -> None:
        if self.is_at_limit:
            raise OSError(errno.EMFILE, "Too many open files")


def fill(engine: StorageEngine, done: list[str]) -> None:
    """Put more than one segment of the journal takes, and note what was answered."""
    for number in range(100):
        put(engine, f"{number}", b"x")
        done.append(f"{number}")


@pytest.mark.parametrize("is_map_full", [False, True])
def test_a_process_out_of_descriptors_writes_again_once_it_has_some(
    tmp_path: Path, *, is_map_full: bool
) -> None:
    """Neither a segment nor a checkpoint that could not be opened is a failure of the disk."""
    disk = NoFilesDisk()
    done: list[str] = []
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "old", b"x")
        disk.is_at_limit = True
        if is_map_full:
            engine._index.grow()  # no pin: a checkpoint comes first
        with pytest.raises(StorageError, match="files") as refusal:
            fill(engine, done)
        assert not isinstance(refusal.value, DiskFull)
        assert engine.failure is None
        disk.is_at_limit = False
        put(engine, "new", b"x")
        assert not is_there(engine, f"{len(done)}")
        killed = as_killed(tmp_path / "store", tmp_path / "killed")
    for path in (killed, tmp_path / "store"):
        with small_store(path) as engine:
            assert problems(engine) == []
            assert not is_there(engine, f"{len(done)}")
            assert all(get(engine, key) == b"x" for key in ("old", "new", *done))


def test_a_frame_that_cannot_be_revoked_keeps_its_bytes(tmp_path: Path) -> None:
    """When nobody knows whether a refused frame is on disk, what it names can still be read."""
    disk = FaultyDisk(".segment")
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "old", b"x")
        disk.refuses_syncs = errno.EIO
        with pytest.raises(StorageError):
            put(engine, "new", noise(300 * KIB))
        assert not is_there(engine, "new")
    with small_store(tmp_path / "store") as engine:
        if is_there(engine, "new"):
            assert get(engine, "new") == noise(300 * KIB)
        assert problems(engine) == []


def test_a_full_disk_under_the_journal_is_over_when_there_is_room(tmp_path: Path) -> None:
    """A group that finds no room for a segment is refused, and the next one finds its way."""
    disk = FaultyDisk(".filling")
    with small_store(tmp_path / "store", disk=disk, inline_bytes_max=4096) as engine:
        disk.bytes_before_full = 0
        refused = 0
        for n in range(60):
            try:
                put(engine, f"{n}", noise(3000, n))
            except DiskFull:
                refused += 1
                disk.bytes_before_full = -1 if refused > 2 else 0
        assert refused == 3
        assert engine.failure is None
        assert engine.namespace_counts(BUCKET).objects == 57
        after = as_killed(tmp_path / "store", tmp_path / "killed")
    with small_store(after) as engine:
        assert engine.namespace_counts(BUCKET).objects == 57
        assert problems(engine) == []


class CommitFails:
    """A transaction whose commit fails before anything was written."""

    def __init__(self, txn: lmdb.Transaction[bytes], error: lmdb.Error) -> None:
        self._txn = txn
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._txn, name)

    def commit(self) -> None:
        """Fail, and let go of the lock, as LMDB does."""
        self._txn.abort()
        raise self._error


def fail_next_commit(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch, error: lmdb.Error
) -> None:
    """Let the next commit of the index fail, and no other."""
    begin = engine._index.begin_write
    left = [error]

    def begin_write() -> Any:
        return CommitFails(begin(), left.pop()) if left else begin()

    monkeypatch.setattr(engine._index, "begin_write", begin_write)


def test_a_map_that_is_full_at_the_commit_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame of the failed commit is replaced by that of the next one, in a larger map."""
    with small_store(tmp_path / "store", map_bytes=1 << 20) as engine:
        put(engine, "a", b"1")
        fail_next_commit(engine, monkeypatch, lmdb.MapFullError("mdb_txn_commit"))
        put(engine, "b", b"2")
        put(engine, "c", b"3")
        assert engine._index.resizes == 1
        after = as_killed(tmp_path / "store", tmp_path / "killed")
    with small_store(after) as engine:
        assert [get(engine, key) for key in "abc"] == [b"1", b"2", b"3"]
        assert problems(engine) == []


def test_a_commit_that_failed_leaves_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When LMDB fails after the frame was synced, no recovery carries the group out."""
    error = lmdb.Error("mdb_txn_commit: Input/output error")
    error.code = errno.EIO  # type: ignore[misc]  # as the binding sets it
    with small_store(tmp_path / "store") as engine:
        put(engine, "old", b"x")
        fail_next_commit(engine, monkeypatch, error)
        with pytest.raises(StorageError):
            put(engine, "new", noise(5000))
        assert engine.failure is not None
        after = as_killed(tmp_path / "store", tmp_path / "killed")
    with small_store(after) as engine:
        assert not is_there(engine, "new")
        assert get(engine, "old") == b"x"
        assert problems(engine) == []


def make_checkpoint(engine: StorageEngine) -> None:
    """Make a checkpoint."""
    engine._checkpointer.checkpoint()


def change(engine: StorageEngine) -> None:
    """Commit something."""
    put(engine, "other", b"x")


def change_nothing(engine: StorageEngine) -> None:
    """Commit a group that has nothing to change."""
    assert engine.delete_object(BUCKET, "missing").result() is None


@pytest.mark.parametrize("settle", [make_checkpoint, change, change_nothing])
def test_what_a_killed_writer_left_does_not_come_back(
    tmp_path: Path, settle: Callable[[StorageEngine], None]
) -> None:
    """Once others have acted on its not having happened, a dead writer's frame is void."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "old", b"x")
        die_before_commit(engine)
        with small_store(as_killed(tmp_path / "store", tmp_path / "before")) as early:
            assert has_ghost(early), "the frame is real: a recovery now carries it out"
        settle(engine)
        after = as_killed(tmp_path / "store", tmp_path / "after")
        assert not has_ghost(engine)
    for path in (after, tmp_path / "store"):
        with small_store(path) as engine:
            assert not has_ghost(engine)
            assert get(engine, "old") == b"x"
            assert problems(engine) == []


def test_a_segment_that_nobody_committed_in_is_no_gap(tmp_path: Path) -> None:
    """When the frame of a killed writer opened a segment, and a small one followed, all is well."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "old", b"x")
        die_before_commit(engine, 100 * KIB)
        put(engine, "new", b"y")
        after = as_killed(tmp_path / "store", tmp_path / "killed")
    with small_store(after) as engine:
        assert not has_ghost(engine)
        assert [get(engine, key) for key in ("old", "new")] == [b"x", b"y"]
        assert problems(engine) == []
