"""The index: a map that another process grew is taken on once, whoever in this one sees it."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmdb

from storage_engine.index import Index

if TYPE_CHECKING:
    import pytest

SMALL, LARGE = 1 << 17, 1 << 20
SPAWN = get_context("spawn")


def outgrow(path: str) -> None:
    """Fill an index beyond the map that its other users have."""
    index = Index(Path(path), LARGE)
    with index.begin_write() as txn:
        txn.put(b"theirs", bytes(2 * SMALL), db=index.tables.meta)
    index.close()


class Overtaken:
    """An environment whose first reader sees that the map is too small, and then is overtaken."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.env: Any = index._env
        self.writer: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def begin(self, *, write: bool = False) -> Any:
        """Let a writer of this process begin between what the reader saw and what it does."""
        if write or self.writer is not None:
            return self.env.begin(write=write)
        self.writer = self.index.begin_write()
        raise lmdb.MapResizedError("mdb_txn_begin")


def test_a_late_reader_leaves_the_writer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sees last that the map has grown must not void the transaction of who saw it first."""
    index = Index(tmp_path, SMALL)
    growing = SPAWN.Process(target=outgrow, args=(str(tmp_path),))
    growing.start()
    growing.join()
    overtaken = Overtaken(index)
    monkeypatch.setattr(index, "_env", overtaken)
    theirs = index.view(lambda txn: txn.get(b"theirs", db=index.tables.meta))
    assert theirs == bytes(2 * SMALL)
    overtaken.writer.put(b"mine", b"1", db=index.tables.meta)
    overtaken.writer.commit()
    assert index.view(lambda txn: txn.get(b"mine", db=index.tables.meta)) == b"1"
    monkeypatch.undo()
    index.close()


def test_an_opening_that_is_overtaken_goes_on(tmp_path: Path) -> None:
    """When another process outgrows the map before the tables are open, it is followed."""
    index = Index(tmp_path, SMALL)
    growing = SPAWN.Process(target=outgrow, args=(str(tmp_path),))
    growing.start()
    growing.join()
    assert index._open_tables()._fields == index.tables._fields
    theirs = index.view(lambda txn: txn.get(b"theirs", db=index.tables.meta))
    assert theirs == bytes(2 * SMALL)
    index.close()
