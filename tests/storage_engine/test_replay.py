"""Replay: a batch of the journal is what its changes come to, and strange ones are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import FormatError, keys
from storage_engine.changes import REMOVED, ROW
from storage_engine.journal import START, Tail
from storage_engine.recovery import _apply
from tests.storage_engine.engine_steps import small_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine
    from storage_engine.index import Index

META = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    """Open a store whose index a test may fill with rows of its own."""
    with small_store(tmp_path / "store") as engine:
        yield engine


def change(key: bytes, value: bytes | None, table: int = META) -> bytes:
    """Write one change as the journal has it."""
    if value is None:
        return ROW.pack(table, len(key), REMOVED) + key
    return ROW.pack(table, len(key), len(value)) + key + value


def rows(index: Index, prefix: bytes) -> dict[bytes, bytes]:
    """Read the rows of META that begin alike."""
    with index.begin_read() as txn, txn.cursor(index.tables.meta) as cursor:
        return {key: value for key, value in cursor if key.startswith(prefix)}


def test_the_last_change_of_a_row_counts(store: StorageEngine) -> None:
    """Rows written, removed and written again within a batch end as the last change left them."""
    index = store._index
    assert index.tables._fields[META] == keys.Table.META
    batch = [
        change(b"x.b", b"1") + change(b"x.a", b"1") + change(b"x.c", b"1"),
        change(b"x.a", None) + change(b"x.b", b"2") + change(b"x.c", None),
        change(b"x.c", b"3") + change(b"x.never", None),
    ]
    assert _apply(index, batch, START)
    assert rows(index, b"x.") == {b"x.b": b"2", b"x.c": b"3"}


def test_a_batch_ends_where_the_journal_goes_on(store: StorageEngine) -> None:
    """The tail behind a batch becomes durable with its changes, and with a batch of none too."""
    index, tail = store._index, Tail(0, 65536, 8192, 7)
    assert _apply(index, [], tail)
    assert rows(index, keys.JOURNAL) == {keys.JOURNAL: tail.pack()}


@pytest.mark.parametrize(
    "body",
    [change(b"x", b"1", table=200), change(b"x", b"1")[:3]],
    ids=["a table nobody knows", "a change cut off"],
)
def test_a_change_nobody_can_read_stops_the_recovery(store: StorageEngine, body: bytes) -> None:
    """What a newer version wrote is refused before any of the batch is made."""
    with pytest.raises(FormatError, match="this version cannot read"):
        _apply(store._index, [change(b"x.good", b"1"), body], START)
    assert rows(store._index, b"x.") == {}
