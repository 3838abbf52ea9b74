"""Verification finds every kind of damage, and none where there is none."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest

from storage_engine import Versioning, keys, links, rows
from storage_engine.pace import Stopped
from storage_engine.transaction import SEQUENCE
from storage_engine.volume import volume_path
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    MIB,
    attributes,
    noise,
    problems,
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

    Damage = Callable[[lmdb.Transaction[bytes], Tables], None]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[StorageEngine]:
    """Open a store with something of every kind in it."""
    with small_store(tmp_path / "full") as engine:
        put(engine, "dir/inline", b"12345")
        put(engine, "dir/blob", noise(5000))
        put(engine, "shared", noise(5000))
        put(engine, "dead", noise(300 * KIB))
        engine.delete_object(BUCKET, "dead").result()
        put_multipart(engine, "multi", [noise(3000, 1), b"tail"])
        upload = engine.create_upload(BUCKET, "open", attributes()).result()
        put_part(engine, "open", upload.upload_id, 1, noise(4000, 2))
        engine.close_namespace(9).result()
        for versioning in (Versioning.UNVERSIONED, Versioning.ENABLED):
            blob = engine.stage_bytes(b"version")
            engine.put_object(BUCKET, "kept", blob, attributes(), versioning=versioning)
        engine.delete_object(BUCKET, "hidden", versioning=Versioning.ENABLED).result()
        yield engine


def change_first(table: str, change: Callable[[bytes], bytes]) -> Damage:
    """Make a damage that changes the value of a table's first row."""

    def damage(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
        with txn.cursor(getattr(tables, table)) as cursor:
            assert cursor.first()
            cursor.put(cursor.key(), change(cursor.value()))

    return damage


def lose_first(table: str) -> Damage:
    """Make a damage that removes a table's first row."""

    def damage(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
        with txn.cursor(getattr(tables, table)) as cursor:
            assert cursor.first()
            cursor.delete()

    return damage


def add(table: str, key: bytes, value: bytes) -> Damage:
    """Make a damage that adds a row."""

    def damage(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
        txn.put(key, value, db=getattr(tables, table))

    return damage


def more_references(value: bytes) -> bytes:
    """Count one user too many."""
    blob = rows.decode_blob(value)
    blob.references += 1
    return rows.encode(blob)


def more_objects(value: bytes) -> bytes:
    """Count one object too many."""
    row = rows.decode_namespace(value)
    row.objects += 1
    return rows.encode(row)


def more_bytes(value: bytes) -> bytes:
    """Count one byte of uploads too many."""
    row = rows.decode_namespace(value)
    row.upload_bytes += 1
    return rows.encode(row)


def more_copies(value: bytes) -> bytes:
    """Count one object too many on a manifest."""
    manifest = rows.decode_manifest(value)
    manifest.references += 1
    return rows.encode(manifest)


NULL_ENTRY = rows.Entry(0, 0, None, 0, attributes())


def changed(value: bytes, **changes: object) -> bytes:
    """Change fields of an entry."""
    return rows.encode(msgspec.structs.replace(rows.decode_entry(value), **changes))


def change_version(**changes: object) -> Damage:
    """Make a damage that changes fields of the first version in its table."""
    return change_first("versions", lambda value: changed(value, **changes))


def change_entry(table: str, key: str, **changes: object) -> Damage:
    """Make a damage that changes fields of a key's row."""

    def damage(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
        place, db = keys.entry(BUCKET, 0, key.encode()), getattr(tables, table)
        value = txn.get(place, db=db)
        assert value is not None
        txn.put(place, changed(value, **changes), db=db)

    return damage


def share_versions(txn: lmdb.Transaction[bytes], tables: Tables) -> None:
    """Give a key the versions of another."""
    value = txn.get(keys.entry(BUCKET, 0, b"kept"), db=tables.entries)
    assert value is not None
    object_id = rows.decode_entry(value).object_id
    change_entry("entries", "shared", object_id=object_id)(txn, tables)


DAMAGES: dict[str, Damage] = {
    "a lost directory entry": lose_first("entries"),
    "an unlinked directory": add("entries", keys.entry(BUCKET, 3, b"x"), b""),
    "an empty directory": add(
        "entries", keys.entry(BUCKET, 0, b"e/"), links.pack(keys.sequence(1), 1)
    ),
    "a damaged link": add("entries", keys.entry(BUCKET, 0, b"dir/"), keys.sequence(1)),
    "a bound that is too low": change_first("entries", lambda link: links.pack(link[:8], 3)),
    "a lost marker": lose_first("markers"),
    "a lost version": lose_first("versions"),
    "an unreadable version": change_first("versions", lambda _: b"\xc1"),
    "a version of nothing": add("versions", keys.version(1, 1), rows.encode(NULL_ENTRY)),
    "a version that is not null any more": change_version(is_null=False),
    "a version that says it is another": change_version(version=3),
    "a lock that was not counted": change_version(has_hold=True),
    "an object among the markers": change_entry("markers", "hidden", is_marker=False),
    "an object with a number and no versions": change_entry("entries", "shared", version=5),
    "an object that looks for a null version": change_entry("entries", "kept", null_behind=77),
    "an object that is the second null version": change_entry("entries", "kept", is_null=True),
    "an object whose versions are lost": change_entry("entries", "kept", object_id=1),
    "a key that is object and marker": add(
        "entries", keys.entry(BUCKET, 0, b"hidden"), rows.encode(NULL_ENTRY)
    ),
    "two keys with the same versions": share_versions,
    "an unreadable entry": add("entries", keys.entry(BUCKET, 0, b"x"), b"\xc1"),
    "a lost inline payload": lose_first("inline"),
    "an inline payload nobody uses": add("inline", keys.sequence(1), b"\x00" * 4),
    "an inline payload from the future": add("inline", keys.sequence(999), b"\x00" * 4),
    "a lost blob": lose_first("blobs"),
    "a blob with too many users": change_first("blobs", more_references),
    "lost volume totals": lose_first("volumes"),
    "wrong volume totals": change_first("volumes", lambda value: value[:-1] + b"\x01"),
    "totals of a volume without blobs": add("volumes", keys.sequence(99), keys.sequence(5)),
    "a lost manifest": lose_first("manifests"),
    "a manifest with too many objects": change_first("manifests", more_copies),
    "a lost part": lose_first("parts"),
    "a part of nothing": add(
        "parts", keys.part(b"x" * 16, 1), rows.encode(rows.Part(1, 0, "", 0, {}, None))
    ),
    "a part without bytes": add(
        "parts", keys.part(b"x" * 16, 1), rows.encode(rows.Part(1, 5, "", 0, {}, None))
    ),
    "a lost upload": lose_first("uploads"),
    "a lost open upload": lose_first("open_uploads"),
    "a lost upload name": lose_first("upload_names"),
    "an open upload of nothing": add("open_uploads", keys.open_upload(5, b"x" * 16), b""),
    "a lost deadline": lose_first("due"),
    "a deadline of nothing": add("due", keys.due(5, 1, b"x" * 16), b""),
    "lost namespace totals": lose_first("namespaces"),
    "wrong object totals": change_first("namespaces", more_objects),
    "wrong upload totals": change_first("namespaces", more_bytes),
    "a closed namespace that is not empty": change_first(
        "namespaces",
        lambda _: rows.encode(rows.NamespaceRow(True, 1, 1)),  # a row
    ),
    "a lost counter": add("meta", SEQUENCE, keys.sequence(1)),
    "overlapping records": add(
        "dead", keys.extent(1, 600), rows.encode(rows.DeadExtent(10_000, 0))
    ),
}


def test_a_healthy_store_has_no_problems(full: StorageEngine) -> None:
    """A store with something of everything agrees with itself, and progress reaches its end."""
    seen: list[tuple[int, int]] = []
    assert list(full.verify(lambda done, total: seen.append((done, total)))) == []
    assert seen[-1] == (4, 4)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_to_the_index_is_found(full: StorageEngine, name: str) -> None:
    """Every single row that is lost, added or wrong shows as a problem."""
    with full._index.begin_write() as txn:
        DAMAGES[name](txn, full._index.tables)
    assert problems(full), name


@pytest.mark.parametrize("at", [0, 10, 40, 47, 512, 600, 700, 3000])
def test_damage_to_a_volume_is_found(full: StorageEngine, tmp_path: Path, at: int) -> None:
    """A changed byte in a volume's header, or in a record's, or in a payload is a problem."""
    with volume_path(tmp_path / "full" / "volumes", 1).open("r+b") as file:
        file.seek(at)
        (old,) = file.read(1)
        file.seek(at)
        file.write(bytes([old ^ 1]))
    assert problems(full)


def test_a_volume_of_another_store_is_found(full: StorageEngine, tmp_path: Path) -> None:
    """A volume file put in the place of another is a problem for every blob in it."""
    with small_store(tmp_path / "other") as other:
        put(other, "dir/blob", noise(5000))
    theirs = volume_path(tmp_path / "other" / "volumes", 1).read_bytes()
    volume_path(tmp_path / "full" / "volumes", 1).write_bytes(theirs)
    assert any("elsewhere" in problem for problem in problems(full))


def test_a_blob_that_goes_while_it_is_checked_is_no_problem(full: StorageEngine) -> None:
    """What was deleted and punched since the index was read is passed over."""
    put(full, "going", noise(300 * KIB, 5))

    def delete_then(done: int, _total: int) -> None:
        if done == 1:
            full.delete_object(BUCKET, "going").result()
            full.reclaim(10**15)

    assert list(full.verify(delete_then)) == []
    assert problems(full) == []


def test_a_large_payload_is_left_half_read_when_it_is_to_stop(tmp_path: Path) -> None:
    """Whoever wants to stop is heard in the midst of a payload, which may have gigabytes."""
    asked = itertools.count()

    def never() -> bool:
        return next(asked) < 0

    with small_store(tmp_path, volume_bytes_max=64 * MIB) as store:
        put(store, "a", noise(5 * KIB))
        list(store.verify(should_stop=never))
        few = next(asked)
        put(store, "a", noise(5 * MIB))
        list(store.verify(should_stop=never))
        many = next(asked) - few - 1
        assert many > few
        but_one = iter([False] * (many - 1))
        with pytest.raises(Stopped):
            list(store.verify(should_stop=lambda: next(but_one, True)))
        assert store.quarantined() == []
