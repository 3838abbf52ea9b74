"""The index counted again: what contradicts itself is said in one sentence that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from storage_engine import keys, rows
from storage_engine.recount import Recount
from storage_engine.transaction import SHARED
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    noise,
    put,
    put_multipart,
    put_part,
    small_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import lmdb

    from storage_engine import StorageEngine
    from storage_engine.index import Tables


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    """Make a store of an object in one piece, one of two parts, and an open upload."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "dir/whole", noise(5000))
        put_multipart(engine, "parts", [noise(3000, 1), noise(4000, 2)])
        upload = engine.create_upload(BUCKET, "open", attributes()).result()
        put_part(engine, "open", upload.upload_id, 1, noise(2000, 3))
        yield engine


def counted(engine: StorageEngine) -> Recount:
    """Count everything, as of now."""
    return engine._index.view(lambda txn: Recount(txn, engine._index.tables))


def only(txn: lmdb.Transaction[bytes], table: lmdb._Database) -> tuple[bytes, bytes]:
    """Return a table's one row."""
    with txn.cursor(table) as cursor:
        (row,) = list(cursor)
    return row


def shorten_manifest(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let a manifest forget its last part."""
    key, value = only(txn, tables.manifests)
    manifest = rows.decode_manifest(value)
    manifest.numbers, manifest.ends = manifest.numbers[:2], manifest.ends[:8]
    txn.put(key, rows.encode(manifest), db=tables.manifests)


def open_again(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let the upload of an object be open, though it was completed."""
    raw_id, _ = only(txn, tables.manifests)
    value = txn.get(raw_id, db=tables.uploads)
    assert value is not None
    row = msgspec.structs.replace(rows.decode_upload(value), completed=None)
    txn.put(raw_id, rows.encode(row), db=tables.uploads)


def distrust_elsewhere(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Put a blob into quarantine for bytes that are not where it is."""
    with txn.cursor(tables.blobs) as cursor:
        assert cursor.first()
        sha256 = cursor.key()
    txn.put(sha256, rows.encode(rows.Quarantined(1, 77, 512, "wrong")), db=tables.quarantine)


def cut_link(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Cut the link to a directory off in the middle of its id."""
    txn.put(keys.entry(BUCKET, 0, b"dir/"), b"\x00\x00\x00", db=tables.entries)


def grow_part(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let a part of an object be longer than it was when that was made of it."""
    raw_id, _ = only(txn, tables.manifests)
    key = keys.part(raw_id, 2)
    value = txn.get(key, db=tables.parts)
    assert value is not None
    part = msgspec.structs.replace(rows.decode_part(value), size=4001)
    txn.put(key, rows.encode(part), db=tables.parts)


def keep_receipt(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let a receipt be kept that nobody will forget."""
    txn.put(keys.receipt(b"t" * 16), b"request", db=tables.meta)


def lose_receipt(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let a receipt fall due that is not there."""
    txn.put(keys.due(1, keys.Due.RECEIPT, b"t" * 16), b"", db=tables.due)


def miscount_users(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let blobs have more users beside the first than use them."""
    txn.put(SHARED, (7).to_bytes(8, "big"), db=tables.meta)


def miscount_account(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let an account hold more than its namespaces do."""
    txn.put(keys.sequence(7), rows.encode(rows.AccountRow(bytes=1)), db=tables.accounts)


def lose_account(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Let a namespace count in an account of which there is no row."""
    key, value = only(txn, tables.namespaces)
    row = msgspec.structs.replace(rows.decode_namespace(value), account=9)
    txn.put(key, rows.encode(row), db=tables.namespaces)


DAMAGES: list[tuple[Callable[[lmdb.Transaction[bytes], Tables], None], str]] = [
    (shorten_manifest, "object b'parts' in namespace 1 and its manifest disagree"),
    (shorten_manifest, "cites 1 parts and holds 2"),
    (open_again, "belong to an upload and an object"),
    (distrust_elsewhere, "is in quarantine for a record it does not have"),
    (cut_link, "leads nowhere"),
    (grow_part, "part 2 of object"),
    (keep_receipt, "receipt 7474747474747474"),
    (lose_receipt, "receipt 7474747474747474"),
    (miscount_users, "the index counts 7 users beside the first, has 0"),
    (miscount_account, "account 7 counts AccountRow(objects=0, versions=0, bytes=1,"),
    (lose_account, "account 9 has AccountRow(objects=2, versions=2, bytes=14000,"),
]


def test_a_whole_index_has_its_blobs_in_the_order_of_the_disk(store: StorageEngine) -> None:
    """What is right is passed over, and every blob is there to be read."""
    recount = counted(store)
    assert recount.problems == []
    places = [(blob.volume_id, blob.offset) for _, blob in recount.blobs_in_order()]
    assert len(places) == 4
    assert places == sorted(places)


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_what_contradicts_itself_is_named(
    store: StorageEngine,
    damage: Callable[[lmdb.Transaction[bytes], Tables], None],
    sentence: str,
) -> None:
    """The sentence says which row it is and what is wrong with it."""
    with store._index.begin_write() as txn:
        damage(txn, store._index.tables)
    assert any(sentence in problem for problem in counted(store).problems)


def test_an_index_from_before_the_count_of_users_goes_on_without(store: StorageEngine) -> None:
    """It is neither wrong nor begun half-way: the figure is not known."""
    with store._index.begin_write() as txn:
        txn.delete(SHARED, db=store._index.tables.meta)
    put(store, "dir/again", noise(5000))
    assert store.stats().blob_references is None
    assert counted(store).problems == []


def test_two_rows_of_one_place_overlap(store: StorageEngine) -> None:
    """No two records can lie over one another, be one of them dead."""
    _, blob = counted(store).blobs_in_order()[0]
    tables = store._index.tables
    with store._index.begin_write() as txn:
        dead = keys.extent(blob.volume_id, blob.offset + 512)
        txn.put(dead, rows.encode(rows.DeadExtent(512, 1)), db=tables.dead)
    told = f"records overlap in volume {blob.volume_id} at {blob.offset + 512}"
    assert counted(store).problems == [told]
