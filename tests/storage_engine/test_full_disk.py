"""A disk that really is full: refusals before anything breaks, and on again once there is room."""

from __future__ import annotations

import subprocess
from random import Random
from typing import TYPE_CHECKING

import pytest

from storage_engine import CompactionOptions, DiskFull, EngineOptions, open_engine
from tests.storage_engine.engine_steps import BUCKET, KIB, MIB, get, noise, problems, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

SIZES = (100, 3000, 9000, 70 * KIB, 300 * KIB)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 48 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting is not permitted here: {error}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def options(reserve_bytes: int) -> EngineOptions:
    """Choose volumes and a journal that fit the small disk."""
    return EngineOptions(
        volume_bytes_max=4 * MIB, segment_bytes=MIB, disk_reserve_bytes=reserve_bytes
    )


def fill(engine: StorageEngine) -> dict[str, tuple[int, int]]:
    """Put objects until nothing of any size is taken any more; return (size, seed) of each."""
    chance = Random(1)  # noqa: S311  # sizes, not secrets
    kept = {}
    refused = seed = 0
    while refused < 60:
        seed += 1
        size = chance.choice(SIZES)
        try:
            put(engine, f"{seed}", noise(size, seed))
        except DiskFull:
            refused += 1
        else:
            kept[f"{seed}"] = (size, seed)
    return kept


def check(engine: StorageEngine, kept: dict[str, tuple[int, int]]) -> None:
    """Compare all that the store holds, and the store with itself."""
    for key, (size, seed) in kept.items():
        assert get(engine, key) == noise(size, seed)
    assert engine.namespace_counts(BUCKET).objects == len(kept)
    assert problems(engine) == []
    assert engine.failure is None


def test_a_full_disk_refuses_writes_and_takes_deletes(small_disk: Path) -> None:
    """At the reserve writes are refused; reads, deletes and compaction go on, and then writes."""
    with open_engine(small_disk / "store", options(12 * MIB)) as engine:
        kept = fill(engine)
        assert len(kept) > 100
        check(engine, kept)
        for key in sorted(kept)[::2]:
            engine.delete_object(BUCKET, key).result()
            del kept[key]
        check(engine, kept)
        report = engine.compact(CompactionOptions(threshold=0.05))
        assert report.moved_blobs > 0
        assert report.skipped == []
        check(engine, kept)
        for seed in range(9000, 9020):
            put(engine, f"{seed}", noise(20 * KIB, seed))
            kept[f"{seed}"] = (20 * KIB, seed)
        check(engine, kept)
    with open_engine(small_disk / "store", options(12 * MIB)) as engine:
        check(engine, kept)


def test_a_disk_without_any_room_breaks_nothing(small_disk: Path) -> None:
    """Where no reserve is kept and every write may fail half-way, nothing is lost or half there."""
    with open_engine(small_disk / "store", options(0)) as engine:
        kept = fill(engine)
        check(engine, kept)
        for key in sorted(kept):
            try:
                engine.delete_object(BUCKET, key).result()
            except DiskFull:
                continue
            del kept[key]
        check(engine, kept)
    with open_engine(small_disk / "store", options(0)) as engine:
        check(engine, kept)
        enlarge(small_disk)
        put(engine, "again", noise(200 * KIB, 77))
        kept["again"] = (200 * KIB, 77)
        for key in sorted(kept)[::2]:
            engine.delete_object(BUCKET, key).result()
            del kept[key]
        engine.compact()
        check(engine, kept)


def enlarge(place: Path) -> None:
    """Give the file system some room."""
    command = ["mount", "-o", "remount,size=64m", str(place)]
    subprocess.run(command, check=True, capture_output=True)
