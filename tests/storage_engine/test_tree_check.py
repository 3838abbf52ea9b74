"""A tree of keys, whole and damaged, as its check sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from storage_engine import CorruptBlob, Versioning, keys, links
from storage_engine.tree_check import TreeCheck
from tests.storage_engine.engine_steps import put, small_store
from tests.storage_engine.key_strategies import key_sets
from tests.storage_engine.namespace_store import NamespaceStore

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = 7


@given(key_sets)
def test_any_tree_that_was_written_is_whole(
    tmp_path_factory: pytest.TempPathFactory, object_keys: set[bytes]
) -> None:
    """Whatever keys a bucket holds, nothing is wrong with its tree."""
    store = NamespaceStore(tmp_path_factory.mktemp("tree"))
    check = TreeCheck()
    with store.env.begin(write=True) as txn:
        for key in object_keys:
            store.namespace.put(store.writer(txn), BUCKET, key, b"value")
        for row in store.raw(txn):
            check.add(*row)
    store.close()
    assert list(check.problems()) == []


def test_a_long_key_far_below_counts_everywhere_above() -> None:
    """A bound is too low if any key below is longer, at any depth, in whatever order it is met."""
    rows = [
        (keys.entry(BUCKET, 0, b"a/"), links.pack(keys.sequence(3), 8)),
        (keys.entry(BUCKET, 3, b"b/"), links.pack(keys.sequence(2), 6)),
        (keys.entry(BUCKET, 2, b"c/"), links.pack(keys.sequence(1), 4)),
        (keys.entry(BUCKET, 1, b"12345"), b"value"),
    ]
    for shown in (rows, rows[::-1]):
        check = TreeCheck()
        for row in shown:
            check.add(*row)
        found = list(check.problems())
        assert len(found) == 3
        assert all("longer than its bound" in problem for problem in found)


def link(directory_id: int, name: bytes, child: int) -> tuple[bytes, bytes]:
    """Make an entry that leads on, with a bound that is high enough for anything."""
    return keys.entry(BUCKET, directory_id, name), links.pack(keys.sequence(child), 1000)


def leaf(directory_id: int) -> tuple[bytes, bytes]:
    """Make an object."""
    return keys.entry(BUCKET, directory_id, b"leaf"), b"value"


def found(rows: list[tuple[bytes, bytes]]) -> list[str]:
    """Show entries in both orders; return what is told in each."""
    told = []
    for shown in (rows, rows[::-1]):
        check = TreeCheck()
        for row in shown:
            check.add(*row)
        told.append("\n".join(check.problems()))
    return told


def named(directory_id: int) -> str:
    """Write a directory as problems name it."""
    return f"directory {keys.directory(BUCKET, directory_id).hex()}"


WHOLE = [link(0, b"a/", 1), leaf(1)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([link(0, b"b/", 1)], f"{named(1)} has 2 links or is empty"),
        ([link(0, b"b/", 2)], f"{named(2)} has 1 links or is empty"),
        ([leaf(2)], f"{named(2)} is not linked from anywhere"),
        ([link(2, b"b/", 3), leaf(3)], f"{named(2)} is not linked from anywhere"),
        ([link(1, b"b/", 0)], f"{named(0)} is a bucket's first and has 1 links"),
        ([link(2, b"b/", 2), leaf(2)], f"{named(2)} is reached from nowhere but from within"),
        ([link(1, b"b/", 1)], f"{named(1)} has 2 links or is empty"),
        ([(keys.entry(BUCKET, 0, b"b/"), b"")], "leads nowhere"),
        ([(keys.entry(BUCKET, 0, b"b/"), b"9 bytes..")], "leads nowhere"),
    ],
)
def test_what_does_not_hang_together_is_told(rows: list[tuple[bytes, bytes]], problem: str) -> None:
    """A double link, one to nothing, one that is no link, a lost directory, an island, a root."""
    assert found(WHOLE) == ["", ""]
    assert all(problem in told for told in found(WHOLE + rows))


def test_a_loop_is_told_once_and_what_hangs_on_it_is_not_climbed() -> None:
    """Directories that lead to one another, and to others, but from no root, are one problem."""
    island = [link(2, b"a/", 3), link(3, b"b/", 4), link(4, b"c/", 2), link(4, b"d/", 5), leaf(5)]
    for told in found(WHOLE + island):
        assert "is reached from nowhere but from within itself" in told
        assert "\n" not in told


@pytest.mark.parametrize("is_root", [False, True])
def test_a_check_ends_where_a_link_leads_back(tmp_path: Path, is_root: bool) -> None:
    """Verify tells of an entry that leads to its own directory or above; nobody reads for ever."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "a/b/c", b"x")
        engine.delete_object(1, "a/b/m", versioning=Versioning.ENABLED).result()
        tables = engine._index.tables
        for table in (tables.entries, tables.markers):
            with engine._index.begin_write() as txn:
                rows = [row for row in txn.cursor(table) if keys.leads_on(row[0][16:])]
                (_, to_itself), (below, _) = rows
                to_root = links.pack(keys.sequence(keys.ROOT_DIRECTORY), 1000)
                txn.put(below, to_root if is_root else to_itself, db=table)
        assert any("links" in problem for problem in engine.verify())
        with pytest.raises(CorruptBlob):
            engine.list_objects(1, prefix="a/")
        with pytest.raises(CorruptBlob):
            engine.list_versions(1, prefix="a/")
