"""The ids of directories are remembered by path, and never to anybody's disadvantage."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine import NoSuchKey, paths
from tests.storage_engine.engine_steps import BUCKET, get, noise, put

if TYPE_CHECKING:
    import lmdb

    from storage_engine import StorageEngine
    from storage_engine.paths import PathCache


class Counted:
    """A read transaction that counts lookups."""

    def __init__(self, txn: lmdb.Transaction[bytes]) -> None:
        self.txn = txn
        self.calls: Counter[str] = Counter()

    def get(self, *arguments: Any, **options: Any) -> bytes | None:
        """Look up."""
        self.calls["get"] += 1
        return self.txn.get(*arguments, **options)

    def id(self) -> int:
        """Tell which commit is read."""
        return self.txn.id()


def lookups(engine: StorageEngine, key: str) -> int:
    """Count what it takes to find a key."""
    cache: PathCache = engine._objects._paths

    def look(txn: lmdb.Transaction[bytes]) -> int:
        counted = Counted(txn)
        assert cache.get(counted, BUCKET, key.encode()) is not None  # type: ignore[arg-type]  # it counts
        return counted.calls["get"]

    return engine._index.view(look)


def test_a_deep_key_is_found_in_one_lookup(engine: StorageEngine) -> None:
    """Once a neighbour was found, a key costs its own entry; after a commit, the renames too."""
    for name in ("x", "y"):
        put(engine, f"a/b/c/d/{name}", b"1")
    assert lookups(engine, "a/b/c/d/x") == 6
    assert lookups(engine, "a/b/c/d/y") == 1
    put(engine, "elsewhere", b"1")
    assert lookups(engine, "a/b/c/d/y") == 2


def test_a_renamed_prefix_is_not_found_under_its_old_name(engine: StorageEngine) -> None:
    """A rename makes every reader forget: the old path leads nowhere, the new one to the object."""
    put(engine, "old/deep/k", b"1")
    assert get(engine, "old/deep/k") == b"1"
    engine.rename_prefix(BUCKET, "old/", "new/").result()
    with pytest.raises(NoSuchKey):
        engine.head_object(BUCKET, "old/deep/k")
    assert get(engine, "new/deep/k") == b"1"
    put(engine, "old/deep/k", b"2")
    assert (get(engine, "old/deep/k"), get(engine, "new/deep/k")) == (b"2", b"1")


def test_a_directory_that_went_and_came_back_is_found(engine: StorageEngine) -> None:
    """A remembered directory that is gone does not hide the one that has its path now."""
    for turn in range(3):
        put(engine, "a/b/k", b"%d" % turn)
        assert get(engine, "a/b/k") == b"%d" % turn
        engine.delete_object(BUCKET, "a/b/k").result()
        with pytest.raises(NoSuchKey):
            engine.head_object(BUCKET, "a/b/k")


def test_buckets_do_not_share_paths(engine: StorageEngine) -> None:
    """The same path leads elsewhere in another bucket."""
    for bucket_id in (1, 2):
        put(engine, "a/b/k", noise(5, bucket_id), bucket_id=bucket_id)
    for bucket_id in (1, 2, 1):
        assert get(engine, "a/b/k", bucket_id=bucket_id) == noise(5, bucket_id)


def test_names_of_every_length_are_found(engine: StorageEngine) -> None:
    """Names that continue in another directory are told from those that do not."""
    names = [f"d/{'n' * length}" for length in (1, 399, 400, 401, 800, 801)]
    for name in names:
        put(engine, name, name.encode())
    for _ in range(2):
        assert [get(engine, name) for name in names] == [name.encode() for name in names]


def test_what_is_remembered_is_bounded(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many directories are read, only so many are kept."""
    monkeypatch.setattr(paths, "PATHS_REMEMBERED_MAX", 5)
    for n in range(20):
        put(engine, f"{n}/k", b"1")
        get(engine, f"{n}/k")
        assert len(engine._objects._paths._known[-1]) <= 5
