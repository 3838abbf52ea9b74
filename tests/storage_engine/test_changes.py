"""What the journal keeps of a group: every change, in order, and nothing else."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_engine.changes import Changes, unpack
from storage_engine.transaction import Transaction
from tests.storage_engine.engine_steps import put

if TYPE_CHECKING:
    import lmdb

    from storage_engine import StorageEngine


class Handles:
    """Stands for the tables where only their numbers matter."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.numbers = {name: number for number, name in enumerate(names)}


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("a", "b", "c")),
        st.binary(min_size=1, max_size=511),
        st.none() | st.binary(max_size=5000),
    )
)


@given(CHANGES)
def test_changes_come_back_as_they_were_made(
    made: list[tuple[str, bytes, bytes | None]],
) -> None:
    """Packing and unpacking keeps table, key, value and order, and tells removal from emptiness."""
    handles = Handles(("a", "b", "c"))
    changes = Changes(handles)  # type: ignore[arg-type]  # numbers are all that is asked
    for table, key, value in made:
        if value is None:
            changes.delete(table, key)  # type: ignore[arg-type]
        else:
            changes.put(table, key, value)  # type: ignore[arg-type]
    expected = [(handles.numbers[table], key, value) for table, key, value in made]
    assert list(unpack(changes.pack())) == expected


def test_a_cut_body_is_noticed() -> None:
    """Bytes that end within a change raise."""
    with pytest.raises(struct.error):
        list(unpack(b"\x00\x00"))


def test_every_change_of_a_transaction_is_noted(engine: StorageEngine) -> None:
    """What a transaction did to the tables can be done again from its changes alone."""
    put(engine, "a/b", b"x")
    index = engine._index

    def dump(txn: lmdb.Transaction[bytes]) -> list[dict[bytes, bytes]]:
        found = []
        for table in index.tables:
            with txn.cursor(table) as cursor:
                found.append(dict(cursor))
        return found

    before = index.view(dump)
    txn = index.begin_write()
    transaction = Transaction(txn, index.tables)
    transaction.entries.put(transaction, 1, b"a/c/d", b"y")
    transaction.entries.delete(transaction, 1, b"a/b")
    transaction.delete(index.tables.meta, b"absent")
    assert transaction.pop(index.tables.meta, b"absent") is None
    transaction.namespace(1).objects = 7
    transaction.add_live(3, 512)
    transaction.finish()
    after = dump(txn)
    txn.abort()
    for number, key, value in unpack(transaction.changes.pack()):
        if value is None:
            del before[number][key]
        else:
            before[number][key] = value
    assert before == after
