"""A damaged blob is healed from any whole record of its content that is safe to use."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from storage_engine import CompactionOptions, CorruptBlob, ScrubOptions
from storage_engine.disk import RealDisk
from storage_engine.limits import PUNCH_BYTES_MIN
from storage_engine.volume import volume_path
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    get,
    noise,
    problems,
    put,
    small_store,
    written,
)
from tests.storage_engine.test_quarantine import damage, settled

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StagedBlob, StorageEngine

ANEW = ScrubOptions(is_restarted=True)


@pytest.mark.parametrize("size", [20 * KIB, PUNCH_BYTES_MIN + 1000])
def test_an_older_record_of_the_content_serves(tmp_path: Path, size: int) -> None:
    """The dead record of a deleted object is used when the later one of the same bytes is bad."""
    store = tmp_path / "store"
    data = noise(size)
    with small_store(store) as engine:
        put(engine, "old", data)
        engine.delete_object(BUCKET, "old").result()
        put(engine, "other", noise(200 * KIB, 5))
    with small_store(store) as engine:
        put(engine, "new", data)
        place = engine._lookup.find(engine.head_object(BUCKET, "new").sha256 or b"")
        assert place is not None
        damage(store, place.volume_id, place.offset + 1000)
        assert problems(engine) != []
        assert settled(engine) == 1
        report = engine.scrub(ANEW)
        assert report.healed == 1
        assert settled(engine) == 0
        assert get(engine, "new") == data
        engine.reclaim(10**15)
        engine.compact(CompactionOptions(threshold=0.0))
        assert get(engine, "new") == data
        assert problems(engine) == []


def test_an_index_that_is_older_than_a_compaction_finds_its_blobs(tmp_path: Path) -> None:
    """Blobs that were moved to volumes the index does not know of are found there again."""
    store, backup = tmp_path / "store", tmp_path / "backup"
    kept = {f"{n}": noise(30 * KIB + n, n) for n in range(20)}
    with small_store(store) as engine:
        for key, data in kept.items():
            put(engine, key, data)
        for n in range(0, 20, 2):
            engine.delete_object(BUCKET, f"{n}").result()
            del kept[f"{n}"]
    shutil.copytree(store, backup)
    with small_store(store) as engine:
        assert engine.compact(CompactionOptions(threshold=0.1)).dropped_volumes > 1
    for part in ("index", "journal"):  # as of before, beside the volumes of after
        shutil.rmtree(store / part)
        shutil.copytree(backup / part, store / part)
    with small_store(store) as engine:
        with pytest.raises(CorruptBlob):
            [get(engine, key) for key in kept]
        report = engine.scrub(ANEW)
        assert report.healed == len(report.problems) > 5
        assert settled(engine) == 0
        assert {key: get(engine, key) for key in kept} == kept
        assert problems(engine) == []


def test_what_cannot_be_made_durable_heals_nothing(tmp_path: Path) -> None:
    """A record whose writer may never have synced it is synced before anything relies on it."""
    store, disk = tmp_path / "store", FaultyDisk()
    data = noise(20 * KIB)
    with small_store(store) as engine:
        put(engine, "old", data)
        engine.delete_object(BUCKET, "old").result()
    with small_store(store, disk=disk) as engine:
        put(engine, "new", data)
        damage(store, volume_id=2, at=5000)
        assert problems(engine) != []
        assert settled(engine) == 1
        disk.refuses_syncs = errno.EIO
        assert engine.scrub(ANEW).healed == 0
        disk.refuses_syncs = 0
        assert engine.scrub(ANEW).healed == 0, "a second sync proves nothing"
    with small_store(store) as engine:
        assert engine.scrub(ANEW).healed == 1
        assert get(engine, "new") == data


class Overtaken(RealDisk):
    """A disk on which somebody drops a volume between our opening it and owning it."""

    wanted = ""

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open it, and lose its name."""
        descriptor = super().open(path, is_writable=is_writable)
        if is_writable and path.name == self.wanted:
            path.unlink()
        return descriptor


def test_a_volume_that_was_just_dropped_heals_nothing(tmp_path: Path) -> None:
    """A record in a file that has lost its name is nobody's place."""
    store, disk = tmp_path / "store", Overtaken()
    data = noise(20 * KIB)
    with small_store(store) as engine:
        put(engine, "old", data)
        engine.delete_object(BUCKET, "old").result()
    with small_store(store, disk=disk) as engine:
        put(engine, "new", data)
        damage(store, volume_id=2, at=5000)
        assert problems(engine) != []
        assert settled(engine) == 1
        disk.wanted = volume_path(store, 1).name
        report = engine.scrub(ANEW)
        assert not volume_path(store / "volumes", 1).exists(), "the healer came to open it"
        assert (report.healed, settled(engine)) == (0, 1)


def test_what_may_still_be_given_back_is_not_used(tmp_path: Path) -> None:
    """A record in a volume that somebody appends to, or whose bytes are damaged too, is left."""
    store = tmp_path / "store"
    data = noise(20 * KIB)
    with small_store(store) as engine:
        put(engine, "k", data)
        put(engine, "fill", noise(250 * KIB, 1))
    with small_store(store) as engine:
        damage(store, at=2000)
        with pytest.raises(CorruptBlob):
            get(engine, "k")
        assert settled(engine) == 1
        waiting = healing_copy(engine, data)
        assert engine.scrub(ANEW).healed == 0
        engine.discard(waiting)
        assert settled(engine) == 1
        put(engine, "again", data)
        assert get(engine, "k") == data


def healing_copy(engine: StorageEngine, data: bytes) -> StagedBlob:
    """Stage the content anew, and commit nothing."""
    staged = written(engine, data)
    assert staged.place is not None
    return staged


def test_the_blobs_of_a_missing_volume_are_told(tmp_path: Path) -> None:
    """A volume without a file is found by the scrub, blob by blob."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        for n in range(3):
            put(engine, f"{n}", noise(5 * KIB, n))
    volume_path(store / "volumes", 1).unlink()
    with small_store(store) as engine:
        report = engine.scrub()
        assert len(report.problems) == 3
        assert "volume 1 is missing" in report.problems[0]
        assert settled(engine) == 3
