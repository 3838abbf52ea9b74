"""References: counted with their objects, and damage that does not spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import CorruptBlob, NamespaceCounts, ObjectRef, rows
from tests.storage_engine.engine_steps import (
    BUCKET,
    get,
    noise,
    put,
    put_multipart,
    small_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

TABLES = {"inline": "small", "blobs": "large", "manifests": "multi", "parts": "multi"}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[StorageEngine]:
    """Open a store with an object of each kind."""
    with small_store(tmp_path / "full") as engine:
        put(engine, "small", b"12345")
        put(engine, "large", noise(5000))
        put_multipart(engine, "multi", [noise(50, 1), noise(60, 2)])
        yield engine


def references(engine: StorageEngine) -> list[int]:
    """Return the reference count of every blob."""
    tables = engine._index.tables

    def look(txn: object) -> list[int]:
        with txn.cursor(tables.blobs) as cursor:  # type: ignore[attr-defined]  # a transaction
            return [rows.decode_blob(value).references for _, value in cursor]

    return engine._index.view(look)


def test_each_object_and_part_is_a_reference(engine: StorageEngine) -> None:
    """Objects, parts and copies of one content count one reference each."""
    put(engine, "a", noise(5000))
    put(engine, "b", noise(5000))
    put(engine, "b", noise(5000))
    put_multipart(engine, "m", [noise(5000), noise(5000)])
    engine.copy_object(
        ObjectRef(BUCKET, "a"), ObjectRef(BUCKET, "c"), lambda info: info.attributes
    ).result()
    engine.copy_object(
        ObjectRef(BUCKET, "m"), ObjectRef(BUCKET, "n"), lambda info: info.attributes
    ).result()
    assert references(engine) == [5]
    engine.delete_objects(BUCKET, [("a", None), ("m", None)]).result()
    assert references(engine) == [4]


@pytest.mark.parametrize("table", TABLES)
def test_what_the_index_lost_is_corrupt_and_can_be_deleted(full: StorageEngine, table: str) -> None:
    """An object that lost a row is CorruptBlob to read and to copy, and goes when it is deleted."""
    key = TABLES[table]
    with (
        full._index.begin_write() as txn,
        txn.cursor(getattr(full._index.tables, table)) as cursor,
    ):
        assert cursor.last() if table == "parts" else cursor.first()
        cursor.delete()
    with pytest.raises(CorruptBlob):
        get(full, key)
    if table != "parts":
        with pytest.raises(CorruptBlob):
            full.copy_object(
                ObjectRef(BUCKET, key), ObjectRef(BUCKET, "copy"), lambda info: info.attributes
            ).result()
    others = [other for other in ("small", "large", "multi") if other != key]
    assert all(get(full, other) for other in others)
    assert full.delete_object(BUCKET, key).result() is not None
    assert full.namespace_counts(BUCKET).objects == 2


def test_sizes_add_up_after_everything_is_gone(full: StorageEngine) -> None:
    """When the last object is deleted no reference and no live byte is left."""
    full.delete_objects(BUCKET, [(key, None) for key in ("small", "large", "multi")]).result()
    assert full.namespace_counts(BUCKET) == NamespaceCounts()
    assert references(full) == []
    assert full.stats().live_bytes == 0
