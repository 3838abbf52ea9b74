"""A tree of keys, whole and damaged, as its check sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from storage_engine import keys, links
from storage_engine.tree_check import TreeCheck
from tests.storage_engine.key_strategies import key_sets
from tests.storage_engine.namespace_store import NamespaceStore

if TYPE_CHECKING:
    import pytest

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
