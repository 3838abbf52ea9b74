"""What a group shares: counters are read and written once, whatever its size."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine import NamespaceClosed, NamespaceCounts, ObjectRef
from storage_engine.objects import PutObject
from storage_engine.transaction import SEQUENCE, Transaction, number
from tests.storage_engine.engine_steps import BUCKET, attributes, noise, put, written

if TYPE_CHECKING:
    import lmdb

    from storage_engine import StorageEngine
    from storage_engine.staging import StagedBlob


class Counted:
    """A write transaction that counts what it is asked."""

    def __init__(self, txn: lmdb.Transaction[bytes]) -> None:
        self.txn = txn
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self.txn, name)


def run(engine: StorageEngine, operations: list[PutObject]) -> Counter[str]:
    """Carry operations out as one group; return how often the index was asked for what."""
    txn = engine._index.begin_write()
    counted = Counted(txn)
    transaction = Transaction(counted, engine._index.tables)  # type: ignore[arg-type]  # it counts
    for operation in operations:
        operation.check(transaction)
        operation.mutate(transaction)
    transaction.finish()
    txn.commit()
    for operation in operations:
        operation.settle(is_committed=True)
    return counted.calls


def staged(engine: StorageEngine, data: bytes) -> StagedBlob:
    """Stage a payload that a group may count on: in the index, or written."""
    return engine.stage_bytes(data) if engine.is_inline(len(data)) else written(engine, data)


def puts(engine: StorageEngine, count: int, size: int) -> list[PutObject]:
    """Make puts of new keys in one directory of a new bucket."""
    return [
        PutObject(ObjectRef(BUCKET, f"dir/{n}"), staged(engine, noise(size, n)), attributes(), None)
        for n in range(count)
    ]


@pytest.mark.parametrize(("size", "lookups"), [(10, 4), (1000, 5)])
def test_a_put_costs_a_handful_of_lookups(engine: StorageEngine, size: int, lookups: int) -> None:
    """A new object two levels deep costs two writes and a bounded number of lookups."""
    calls = run(engine, puts(engine, 100, size))
    shared = 5  # the directory's own entry and the counters, for all hundred
    assert calls["put"] <= 100 * 2 + shared
    assert calls["get"] <= 100 * lookups + shared
    assert engine.namespace_counts(BUCKET).objects == 100


def test_numbers_are_never_given_twice(engine: StorageEngine) -> None:
    """Sequence numbers grow through groups, and one that was thrown away leaves no mark."""
    put(engine, "a", b"x")
    txn = engine._index.begin_write()
    lost = Transaction(txn, engine._index.tables).next_sequence()
    txn.abort()
    put(engine, "b", b"y")
    tables = engine._index.tables
    kept = engine._index.view(lambda txn: number(txn.get(SEQUENCE, db=tables.meta)))
    assert kept == lost == 2


def test_numbers_that_a_lost_index_gave_are_skipped(engine: StorageEngine) -> None:
    """What was given in lost commits is not given again, however many there were, nor by a loop."""
    put(engine, "a", b"x")
    for _ in range(2):
        txn = engine._index.begin_write()
        transaction = Transaction(txn, engine._index.tables)
        transaction.skip_sequences()
        skipped = transaction.next_sequence()
        transaction.finish()
        txn.commit()
        assert skipped > transaction.now_ms << 16
    assert put(engine, "b", b"y").size == 1
    tables = engine._index.tables
    assert engine._index.view(lambda txn: number(txn.get(SEQUENCE, db=tables.meta))) > skipped


def test_totals_of_a_group_are_added_up(engine: StorageEngine) -> None:
    """Operations of one group see the totals their predecessors left."""
    run(engine, puts(engine, 3, 10))
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(objects=3, bytes=30, versions=3)


def test_a_closed_namespace_is_known_to_the_group(engine: StorageEngine) -> None:
    """Closed means closed for everything that writes."""
    engine.close_namespace(5).result()
    txn = engine._index.begin_write()
    transaction = Transaction(txn, engine._index.tables)
    assert transaction.open_namespace(4).objects == 0
    with pytest.raises(NamespaceClosed):
        transaction.open_namespace(5)
    txn.abort()
