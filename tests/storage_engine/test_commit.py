"""Group commit: who shares a commit, and that nobody's fault becomes his neighbours'."""

from __future__ import annotations

import errno
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import lmdb
import pytest

from storage_engine import DiskFull, EngineClosed, EngineOptions, StorageError, open_engine
from storage_engine.operation import Operation
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    get,
    noise,
    problems,
    put,
    small_store,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import ObjectInfo, StorageEngine
    from storage_engine.futures import Future
    from storage_engine.transaction import Transaction


@dataclass(slots=True)
class Note(Operation[int]):
    """Writes one row; may wait, refuse, or fail when it has written half."""

    key: bytes
    starts: threading.Event | None = None
    waits_for: threading.Event | None = None
    refuses: bool = False
    fails: BaseException | None = None
    runs: int = 0

    def check(self, _transaction: Transaction) -> None:
        """Wait, or refuse."""
        if self.starts is not None:
            self.starts.set()
        if self.waits_for is not None:
            self.waits_for.wait()
        if self.refuses:
            raise PermissionError(self.key)

    def mutate(self, transaction: Transaction) -> int:
        """Write, then fail if told to."""
        self.runs += 1
        transaction.put(transaction.tables.meta, b"note." + self.key, b"x")
        if self.fails is not None:
            raise self.fails
        return transaction.txn.id()


@dataclass(slots=True)
class NoteWithoutRoom(Note):
    """Writes one row also when the disk is nearly full."""

    needs_room: ClassVar[bool] = False


def notes(engine: StorageEngine) -> list[bytes]:
    """Return the keys of all notes that were committed."""
    tables = engine._index.tables

    def look(txn: lmdb.Transaction[bytes]) -> list[bytes]:
        with txn.cursor(tables.meta) as cursor:
            return [key[5:] for key, _ in cursor if key.startswith(b"note.")]

    return engine._index.view(look)


class Group:
    """Operations that are sure to share one commit: the committer waits until all have come."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine = engine
        self._gate = threading.Event()
        has_begun = threading.Event()
        self._first = engine._submit(Note(b"gate", starts=has_begun, waits_for=self._gate))
        has_begun.wait()  # its group is closed: what comes now is of the next

    def submit(self, *operations: Operation[int]) -> list[Future[int]]:
        """Queue operations behind the first commit, then let it go."""
        futures = [self._engine._submit(operation) for operation in operations]
        self._gate.set()
        self._first.result()
        return futures


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[StorageEngine]:
    """Open a store whose index gets strange rows, so it is not verified at the end."""
    with small_store(tmp_path / "plain") as engine:
        yield engine


def test_those_who_wait_share_one_commit(plain: StorageEngine) -> None:
    """What is queued while a commit runs is committed together, in order."""
    futures = Group(plain).submit(*(Note(bytes([n])) for n in range(50)))
    assert len({future.result() for future in futures}) == 1


def test_a_refusal_harms_nobody(plain: StorageEngine) -> None:
    """A refused operation gets its own exception, and its neighbours their results."""
    first, refused, last = Group(plain).submit(Note(b"a"), Note(b"b", refuses=True), Note(b"c"))
    with pytest.raises(PermissionError):
        refused.result()
    assert first.result() == last.result()
    assert notes(plain) == [b"a", b"c", b"gate"]


def test_a_fault_half_way_harms_nobody(plain: StorageEngine) -> None:
    """An operation that fails with changes made leaves none of them, and its neighbours all."""
    faulty = Note(b"b", fails=ZeroDivisionError())
    first, failed, last = Group(plain).submit(Note(b"a"), faulty, Note(b"c"))
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert first.result() == last.result()
    assert notes(plain) == [b"a", b"c", b"gate"]
    assert plain.failure is None


def test_an_error_of_the_index_is_its_operations_own(plain: StorageEngine) -> None:
    """A row that the index cannot hold fails the operation that wrote it, and no other."""
    first, failed, last = Group(plain).submit(Note(b"a"), Note(b"b" * 600), Note(b"c"))
    with pytest.raises(lmdb.BadValsizeError):
        failed.result()
    first.result()
    last.result()
    assert notes(plain) == [b"a", b"c", b"gate"]
    assert plain.failure is None


def test_trouble_of_the_index_as_a_whole_is_everybodys(plain: StorageEngine) -> None:
    """A full disk under the index is DiskFull for the group, which leaves nothing behind."""
    full = Note(b"b", fails=lmdb.DiskError("mdb_put: No space left on device"))
    futures = Group(plain).submit(Note(b"a"), full, Note(b"c"))
    for future in futures:
        with pytest.raises(DiskFull):
            future.result()
    assert notes(plain) == [b"gate"]
    assert plain.failure is None
    plain._submit(Note(b"d")).result()
    assert notes(plain) == [b"d", b"gate"]


def test_a_refusal_of_a_group_that_failed_is_void(plain: StorageEngine) -> None:
    """Who was refused for what a neighbour did is told of the failure when that is undone."""
    full = Note(b"b", fails=lmdb.DiskError("mdb_put: No space left on device"))
    faulty = Note(b"c", fails=ZeroDivisionError())
    group = Group(plain)
    refused, failed, _ = group.submit(Note(b"a", refuses=True), faulty, full)
    assert isinstance(refused.exception(), DiskFull)
    assert isinstance(failed.exception(), ZeroDivisionError), "a fault is its own in any case"


def test_an_io_error_of_the_index_ends_all_writing(plain: StorageEngine) -> None:
    """An I/O error fails the group, and every later write is refused while reads go on."""
    put(plain, "old", b"x")
    error = lmdb.Error("mdb_put: Input/output error")
    error.code = errno.EIO  # type: ignore[misc]  # as the binding sets it
    broken = Note(b"b", fails=error)
    with pytest.raises(StorageError):
        plain._submit(broken).result()
    with pytest.raises(StorageError, match="read-only"):
        put(plain, "new", b"x")
    assert get(plain, "old") == b"x"


def test_an_index_that_grows_loses_nothing(tmp_path: Path) -> None:
    """When the map is full the whole group runs again in a larger one, with the same results."""
    with small_store(tmp_path / "store", map_bytes=1 << 17, inline_bytes_max=4096) as engine:
        for n in range(20):
            group = [
                engine.put_object(
                    BUCKET, f"{n}/{i}", engine.stage_bytes(noise(2000, i)), attributes()
                )
                for i in range(20)
            ]
            assert [future.result().size for future in group] == [2000] * 20
        assert engine.namespace_counts(BUCKET).objects == 400
        assert problems(engine) == []
        assert engine._index.size_bytes() > 1 << 17


def test_several_operations_can_share_a_commit_for_sure(plain: StorageEngine) -> None:
    """What is submitted together is committed together, each with an outcome of its own."""
    operations = [Note(bytes([n]), refuses=n == 1) for n in range(3)]
    first, refused, last = plain._committer.submit_all(operations).result()
    assert first == last
    assert isinstance(refused, PermissionError)
    assert plain._committer.submit_all([]).result() == []


def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    """Everything queued before the close is committed; what comes after is EngineClosed."""
    engine = small_store(tmp_path / "store")
    futures: list[Future[ObjectInfo]] = [
        engine.put_object(BUCKET, str(n), engine.stage_bytes(b"x"), attributes())
        for n in range(100)
    ]
    engine.close()
    assert all(future.done() for future in futures)
    late = engine.put_object(BUCKET, "late", engine._stager.stage_bytes(b"x"), attributes())
    with pytest.raises(EngineClosed):
        late.result()
    with pytest.raises(EngineClosed):
        engine.head_object(BUCKET, "0")
    engine.close()
    with small_store(tmp_path / "store") as again:
        assert again.namespace_counts(BUCKET).objects == 100


def test_deletes_go_on_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    """Below the reserve new data is DiskFull, while reads, deletes and aborts work."""
    disk = FaultyDisk()
    options = EngineOptions(inline_bytes_max=64, disk_reserve_bytes=1000)
    with open_engine(tmp_path / "store", options, disk=disk) as engine:
        put(engine, "old", b"x")
        upload = engine.create_upload(BUCKET, "m", attributes()).result()
        disk.free = 999
        for size in (10, 2000):
            with pytest.raises(DiskFull, match="nearly"):
                put(engine, "new", noise(size))
        with pytest.raises(DiskFull):
            engine.create_upload(BUCKET, "m", attributes()).result()
        assert get(engine, "old") == b"x"
        engine.delete_object(BUCKET, "old").result()
        engine.abort_upload(BUCKET, "m", upload.upload_id).result()
        engine.close_namespace(BUCKET).result()
        assert problems(engine) == []
        disk.free = None
        put(engine, "new", noise(2000), bucket_id=2)


def test_a_group_takes_what_needs_no_room_and_leaves_the_rest(tmp_path: Path) -> None:
    """In one group on a nearly full disk, only what brings new data is refused."""
    disk = FaultyDisk()
    options = EngineOptions(disk_reserve_bytes=1000)
    with open_engine(tmp_path / "store", options, disk=disk) as engine:
        group = Group(engine)
        disk.free = 0
        refused, done = group.submit(Note(b"a"), NoteWithoutRoom(b"b"))
        assert isinstance(refused.exception(), DiskFull)
        assert done.exception() is None


class _LastPageFails:
    """A transaction whose commit reaches the disk and is then reported as failed."""

    def __init__(self, txn: lmdb.Transaction[bytes]) -> None:
        self._txn = txn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._txn, name)

    def commit(self) -> None:
        self._txn.commit()
        error = lmdb.Error("mdb_txn_commit: Input/output error")
        error.code = errno.EIO  # type: ignore[misc]  # as the binding sets it
        raise error


def test_a_commit_of_unknown_outcome_keeps_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a failed commit turns out to be on disk, what it names can be read."""
    payload = noise(1 << 20, 7)
    with small_store(tmp_path / "store") as engine:
        begin = engine._index.begin_write
        blob = written(engine, payload)
        monkeypatch.setattr(engine._index, "begin_write", lambda: _LastPageFails(begin()))
        with pytest.raises(StorageError):
            engine.put_object(BUCKET, "k", blob, attributes()).result()
    with small_store(tmp_path / "store") as engine:
        assert get(engine, "k") == payload
        assert problems(engine) == []
