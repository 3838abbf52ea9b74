"""The index: readers and writers while the map grows, here and elsewhere, and across a fork."""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING

import lmdb
import pytest

from storage_engine import EngineClosed, FormatError, StorageError
from storage_engine.index import Index
from storage_engine.keys import Table
from storage_engine.limits import INDEX_ROOM_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
SPAWN = get_context("spawn")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Open a small index."""
    opened = Index(tmp_path, 1 << 17)
    yield opened
    opened.close()


def write(index: Index, key: bytes, value: bytes) -> None:
    """Commit one row, growing the map when it must."""
    while True:
        txn = index.begin_write()
        try:
            txn.put(key, value, db=index.tables.meta)
            txn.commit()
        except lmdb.MapFullError:
            txn.abort()
            index.grow()
        else:
            return


def read(index: Index, key: bytes) -> bytes | None:
    """Read one row."""
    return index.view(lambda txn: txn.get(key, db=index.tables.meta))


def write_much(path: str) -> None:
    """Fill an index far beyond the map that its other users have."""
    index = Index(Path(path), 1 << 17)
    for n in range(200):
        write(index, b"%d" % n, bytes(PAGE))
    index.close()


def grow_for_ever(path: str) -> None:
    """Fill an index whose map grows by little, so that it grows often."""
    index = Index(Path(path), 1 << 16)
    for n in count():
        try:
            with index.begin_write() as txn:
                txn.put(b"%d" % n, bytes(PAGE), db=index.tables.meta)
        except lmdb.MapFullError:
            index._resize(lambda env: env.set_mapsize(env.info()["map_size"] + (1 << 16)))


def test_every_table_is_there(index: Index) -> None:
    """The tables are those that keys.py names, and they are kept."""
    assert set(index.tables._fields) == {table.value for table in Table}
    with index.begin_write() as txn:
        txn.put(b"a", b"1", db=index.tables.due)
    assert index.view(lambda txn: txn.get(b"a", db=index.tables.due)) == b"1"


def test_the_file_is_as_large_as_what_is_in_it(tmp_path: Path) -> None:
    """A large map costs address room, not disk."""
    index = Index(tmp_path, 1 << 36)
    assert index.size_bytes() < 1 << 20
    assert (tmp_path / "data.mdb").stat().st_size < 1 << 20
    index.close()


def test_a_map_that_grew_elsewhere_is_followed(index: Index, tmp_path: Path) -> None:
    """When another process outgrows our map, the next read and the next write find out."""
    write(index, b"mine", b"1")
    process = SPAWN.Process(target=write_much, args=(str(tmp_path),))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert read(index, b"199") == bytes(PAGE)
    write(index, b"mine", b"2")
    assert read(index, b"mine") == b"2"


def test_a_write_is_the_first_to_find_a_map_that_grew(index: Index, tmp_path: Path) -> None:
    """A writer that meets a larger index adopts it."""
    process = SPAWN.Process(target=write_much, args=(str(tmp_path),))
    process.start()
    process.join()
    write(index, b"mine", b"1")
    assert read(index, b"mine") == b"1"


def test_a_copy_is_the_first_to_find_a_map_that_grew(index: Index, tmp_path: Path) -> None:
    """A copy begun just after another process outgrew our map is whole."""
    other = SPAWN.Process(target=write_much, args=(str(tmp_path),))
    other.start()
    other.join()
    (tmp_path / "copy").mkdir()
    with (tmp_path / "copy" / "data.mdb").open("wb") as file:
        index.copy(file.fileno())
    copied = Index(tmp_path / "copy", 1 << 17)
    assert read(copied, b"199") == bytes(PAGE)
    copied.close()


def test_an_opening_follows_a_map_that_grows_at_that_moment(tmp_path: Path) -> None:
    """An index is opened however often another process makes it larger in between."""
    other = SPAWN.Process(target=grow_for_ever, args=(str(tmp_path),))
    other.start()
    while not (tmp_path / "data.mdb").exists():
        time.sleep(0.01)
    for _ in range(300):
        Index(tmp_path, 1 << 16).close()
    assert other.is_alive()
    other.kill()
    other.join()


def test_readers_go_on_while_the_map_grows(index: Index) -> None:
    """Threads that read all the time see right values through every growth, and no error."""
    write(index, b"k", b"constant")
    stop, wrong = threading.Event(), []

    def look() -> None:
        while not stop.wait(0.0001):  # without a pause the readers never let go of the GIL
            try:
                values = index.view(
                    lambda txn: [txn.get(b"k", db=index.tables.meta) for _ in range(20)]
                )
            except Exception as error:  # noqa: BLE001  # any error at all is the failure
                wrong.append(error)
                return
            if values != [b"constant"] * 20:
                wrong.append(values)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(300):
        write(index, b"%d" % n, bytes(PAGE))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert index.size_bytes() > 1 << 20


def test_a_readers_own_error_is_not_retried(index: Index) -> None:
    """What goes wrong inside a read is raised, once."""
    calls = []

    def broken(txn: lmdb.Transaction[bytes]) -> None:
        calls.append(1)
        txn.get(b"", db=index.tables.meta)

    with pytest.raises(lmdb.BadValsizeError):
        index.view(broken)
    assert calls == [1]


def test_a_closed_index_says_so(index: Index) -> None:
    """After close every use is EngineClosed, and closing again is allowed."""
    index.close()
    index.close()
    with pytest.raises(EngineClosed):
        read(index, b"k")
    with pytest.raises(EngineClosed):
        index.begin_write()


def test_a_forked_child_cannot_use_its_parents_index(index: Index) -> None:
    """In a child process the index refuses, and closing it there harms nothing here."""
    write(index, b"k", b"1")
    child = os.fork()
    if not child:
        try:
            read(index, b"k")
        except EngineClosed:
            index.close()
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    write(index, b"k", b"2")
    assert read(index, b"k") == b"2"


ENDING = """
import gc, os, sys
from pathlib import Path
from storage_engine.index import Index
from storage_engine.limits import INDEX_ROOM_BYTES
index = Index(Path(sys.argv[1]), 1 << 20)
long_read = index._env.begin()
before = index._env.readers()
if not os.fork():
    index.abandon()
    del index, long_read
    gc.collect()
    sys.exit()
os.wait()
print("same" if index._env.readers() == before else "lost")
"""


def test_the_end_of_a_forked_child_frees_no_reader_of_its_parent(tmp_path: Path) -> None:
    """A child that ends in an orderly way leaves the parent's reader slots alone."""
    done = run([sys.executable, "-c", ENDING, str(tmp_path)], check=True, capture_output=True)
    assert done.stdout == b"same\n"


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    """A damaged or foreign data file is FormatError."""
    (tmp_path / "data.mdb").write_bytes(b"something else entirely" * 1000)
    with pytest.raises(FormatError):
        Index(tmp_path, 1 << 20)


def test_room_is_made_ahead_of_its_use(index: Index) -> None:
    """The file has blocks for more pages than are in use, and is given more as they fill."""
    file = index.path / "data.mdb"
    assert index.make_room()
    first = file.stat().st_blocks * 512
    assert first >= index.size_bytes() + INDEX_ROOM_BYTES
    for n in range(3):
        write(index, b"%d" % n, bytes(INDEX_ROOM_BYTES // 4))
        assert index.make_room()
    assert file.stat().st_blocks * 512 >= first + INDEX_ROOM_BYTES // 2


def test_an_index_that_cannot_be_opened_is_an_error_of_storage(tmp_path: Path) -> None:
    """What LMDB refuses for the system's reasons is StorageError and says why."""
    (tmp_path / "data.mdb").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        Index(tmp_path, 1 << 20)


def test_a_closed_index_keeps_no_file_open(tmp_path: Path) -> None:
    """What was mapped or opened is let go of, so that the file system can be unmounted."""
    index = Index(tmp_path, 1 << 20)
    index.last_txn_id()
    index.close()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [link for link in links if link.is_relative_to(tmp_path)]
