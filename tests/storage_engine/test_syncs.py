"""How often the disk is asked to sync, counted at the seam through which volumes and journal go."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from storage_engine import open_engine
from storage_engine.disk import RealDisk
from tests.storage_engine.engine_steps import BUCKET, KIB, attributes, noise, put

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

COMMITS = 10


class CountingDisk(RealDisk):
    """A real disk that counts the syncs of each kind of file."""

    def __init__(self) -> None:
        self.syncs: Counter[str] = Counter()
        self._suffixes: dict[int, str] = {}

    def create(self, path: Path) -> int:
        """Make a file, and note its kind."""
        descriptor = super().create(path)
        self._suffixes[descriptor] = path.suffix
        return descriptor

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file, and note its kind."""
        descriptor = super().open(path, is_writable=is_writable)
        self._suffixes[descriptor] = path.suffix
        return descriptor

    def sync(self, descriptor: int) -> None:
        """Count, and sync."""
        self.syncs[self._suffixes[descriptor]] += 1
        super().sync(descriptor)

    def of_commits(self) -> dict[str, int]:
        """Return what was counted since the last call, but for checkpoints, which come by time."""
        counted, self.syncs = self.syncs, Counter()
        return {suffix: counted[suffix] for suffix in (".segment", ".volume") if counted[suffix]}


def opened(path: Path, disk: RealDisk) -> StorageEngine:
    """Open a store whose journal and volume have been begun already."""
    engine = open_engine(path, disk=disk)
    put(engine, "first/tiny", b"tiny")
    put(engine, "first/blob", noise(100 * KIB))
    return engine


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, {".segment": COMMITS}),
        (100, {".segment": COMMITS}),
        (100 * KIB, {".segment": COMMITS, ".volume": COMMITS}),
    ],
    ids=["empty", "tiny", "blob"],
)
def test_a_commit_is_one_sync_and_a_blob_one_more(
    tmp_path: Path, size: int, expected: dict[str, int]
) -> None:
    """An object put by itself syncs the journal once, and one volume once when it lies in one."""
    disk = CountingDisk()
    with opened(tmp_path / "store", disk) as engine:
        disk.of_commits()
        for number in range(COMMITS):
            put(engine, f"key-{number}", noise(size, 1 + number))
        assert disk.of_commits() == expected


def test_content_that_is_known_syncs_no_volume(tmp_path: Path) -> None:
    """A payload that the store has already costs the sync of its commit and no other."""
    disk, data = CountingDisk(), noise(100 * KIB, seed=99)
    with opened(tmp_path / "store", disk) as engine:
        put(engine, "original", data)
        disk.of_commits()
        put(engine, "again", data)
        assert disk.of_commits() == {".segment": 1}


def test_all_who_wait_share_one_sync(tmp_path: Path) -> None:
    """However many objects wait for the write lock, their group is synced once."""
    disk = CountingDisk()
    with opened(tmp_path / "store", disk) as engine:
        disk.of_commits()
        lock = engine._index.begin_write()
        futures = [
            engine.put_object(BUCKET, f"key-{n}", engine.stage_bytes(b"%d" % n), attributes())
            for n in range(200)
        ]
        lock.abort()
        for future in futures:
            future.result()
        assert disk.of_commits() == {".segment": 1}


def test_reading_and_refusing_sync_nothing(tmp_path: Path) -> None:
    """Heads, lists, reads, and deletions of what is not there leave the disk alone."""
    disk = CountingDisk()
    with opened(tmp_path / "store", disk) as engine:
        disk.of_commits()
        engine.head_object(BUCKET, "first/tiny")
        engine.list_objects(BUCKET)
        with engine.open_object(BUCKET, "first/blob") as reader:
            reader.read(0, 1)
        assert engine.delete_object(BUCKET, "missing").result() is None
        assert disk.of_commits() == {}
