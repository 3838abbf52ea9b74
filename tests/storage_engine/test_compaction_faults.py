"""Compaction on full disks, killed at every step, and beside everything else: nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from storage_engine import CompactionOptions, DiskFull, EngineError, open_engine
from storage_engine.volume import volume_path
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.compaction_store import ALL, LARGE, OPTIONS, check, fill
from tests.storage_engine.engine_steps import KIB, MIB, noise, problems, put
from tests.storage_engine.lossy_disk import LossyDisk
from tests.storage_engine.test_quarantine import damage, restore

LONG = bool(os.environ.get("S4_TEST_LONG"))


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, bytes]:
    """Make a store that needs compaction at `tmp_path / "store"`."""
    return fill(tmp_path / "store")


# --- full disks ---------------------------------------------------------------------------------


class SmallDisk(FaultyDisk):
    """A disk of a fixed size: what volumes take of it is what their blocks say."""

    def __init__(self, directory: Path, size: int, *, is_punching: bool = True) -> None:
        super().__init__()
        self._directory = directory
        self._size = size
        self._is_punching = is_punching

    def free_bytes(self, path: Path) -> int:  # noqa: ARG002  # as the seam is
        """Tell what is left."""
        files = self._directory.glob("volumes/*.volume")
        return self._size - sum(file.stat().st_blocks * 512 for file in files)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Punch, if this disk can."""
        if self._is_punching:
            super().punch(descriptor, offset, length)


def full_disk(path: Path, spare: int, *, is_punching: bool = True) -> SmallDisk:
    """Make a disk on which the store at `path` leaves `spare` bytes."""
    taken = sum(file.stat().st_blocks * 512 for file in path.glob("volumes/*.volume"))
    return SmallDisk(path, taken + spare, is_punching=is_punching)


def test_a_nearly_full_disk_is_compacted_bit_by_bit(
    tmp_path: Path, kept: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for one blob is enough: each batch gives back what the next one needs."""
    monkeypatch.setattr("storage_engine.compaction.COMPACTION_BATCH_BYTES", 64 * KIB)
    disk = full_disk(tmp_path / "store", LARGE + 150 * KIB)
    with open_engine(tmp_path / "store", OPTIONS, disk=disk) as engine:
        before = engine.stats()
        report = engine.compact()
        assert report.skipped == []
        assert engine.stats().volume_bytes < before.volume_bytes - before.dead_bytes * 0.8
        check(engine, kept)


def test_a_volume_that_does_not_fit_is_skipped_and_said_so(
    tmp_path: Path, kept: dict[str, bytes]
) -> None:
    """Where no room comes back under way, and not all fits at once, nothing is begun in vain."""
    disk = full_disk(tmp_path / "store", LARGE + 100 * KIB, is_punching=False)
    with open_engine(tmp_path / "store", OPTIONS, disk=disk) as engine:
        report = engine.compact()
        assert "do not fit" in report.skipped[0]
        assert disk.free_bytes(tmp_path) >= 0
        check(engine, kept)


def test_compaction_goes_below_the_reserve_of_the_others(
    tmp_path: Path, kept: dict[str, bytes]
) -> None:
    """When writes are refused for want of room, compaction still makes some, and writes go on."""
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        dead = engine.stats().dead_bytes
    disk = full_disk(tmp_path / "store", 20 * MIB)
    options = replace(OPTIONS, disk_reserve_bytes=20 * MIB + dead // 2)
    with open_engine(tmp_path / "store", options, disk=disk) as engine:
        with pytest.raises(DiskFull):
            put(engine, "new", noise(10 * KIB, 5000))
        engine.compact()
        put(engine, "new", noise(10 * KIB, 5000))
        check(engine, kept | {"new": noise(10 * KIB, 5000)})


class Watching(FaultyDisk):
    """A disk that notes by which descriptors, since they were opened, was read and punched."""

    def __init__(self) -> None:
        super().__init__()
        self.read_by: set[int] = set()
        self.holes: list[tuple[str, bool]] = []

    def close(self, descriptor: int) -> None:
        """Forget it: its number may come again."""
        self.read_by.discard(descriptor)
        super().close(descriptor)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Read, and note it."""
        self.read_by.add(descriptor)
        return super().read(descriptor, length, offset)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Punch, and note by what."""
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        self.holes.append((name, descriptor in self.read_by))
        super().punch(descriptor, offset, length)


def test_a_hole_is_made_under_the_ownership_that_the_copy_was(
    tmp_path: Path, kept: dict[str, bytes]
) -> None:
    """From a move to the hole in its place nobody else owns the volume: none heals a blob there."""
    held = damage(tmp_path / "store", at=512 + 1000)
    disk = Watching()
    with open_engine(tmp_path / "store", OPTIONS, disk=disk) as engine:
        assert len(engine.compact(ALL).problems) == 1
        holes = [is_same for name, is_same in disk.holes if name == volume_path(tmp_path, 1).name]
        assert holes
        assert all(holes)
        restore(tmp_path / "store", held, at=512 + 1000)
        check(engine, kept)


# --- crashes ------------------------------------------------------------------------------------


class NearlyFull(LossyDisk):
    """A lossy disk on which compaction has to give room back under way."""

    def free_bytes(self, path: Path) -> int:  # noqa: ARG002  # as the seam is
        """Tell of room for one large blob."""
        return LARGE + 150 * KIB


def stop_at(disk: LossyDisk, calls: int) -> bool:
    """Compact until the machine stops after so many calls; False when it came through before."""
    disk.calls_left = calls
    with suppress(EngineError, OSError):
        with open_engine(disk.root, OPTIONS, disk=disk) as engine:
            with suppress(EngineError, OSError):
                engine.compact(ALL)
            is_stopped = disk.is_frozen
            disk.freeze()
        return is_stopped
    return True


@pytest.mark.parametrize("make_disk", [LossyDisk, NearlyFull])
def test_a_stop_at_any_step_loses_nothing(
    tmp_path: Path, kept: dict[str, bytes], make_disk: type[LossyDisk]
) -> None:
    """Killed at any call of the disk, or its power cut there, it harmed nothing and can go on."""
    chance = Random(1)  # noqa: S311  # a chance, not a secret
    calls = stops = 0
    is_stopped = True
    while is_stopped:
        calls += 1 if LONG else chance.randrange(1, 14)
        killed, cut = tmp_path / "killed", tmp_path / "cut"
        shutil.copytree(tmp_path / "store", killed)
        disk = make_disk(killed)
        is_stopped = stop_at(disk, calls)
        stops += is_stopped
        disk.lose(cut, chance)
        disk.release()
        for store in (killed, cut):
            with open_engine(store, OPTIONS) as engine:
                check(engine, kept)
                engine.compact(ALL)
                engine.reclaim(10**15)
                check(engine, kept)
                stats = engine.stats()
                assert stats.dead_bytes < stats.volumes * 64 * KIB
            shutil.rmtree(store)
    assert stops > 5


# --- everybody at once --------------------------------------------------------------------------

WORKER = """
import random, sys
from pathlib import Path
from storage_engine import NoSuchKey, ObjectRef, open_engine
from tests.storage_engine.engine_steps import BUCKET, KIB, get, noise, put, put_multipart
from tests.storage_engine.compaction_store import OPTIONS

name, rounds = sys.argv[2], int(sys.argv[3])
chance = random.Random(name)
kept = {}
with open_engine(Path(sys.argv[1]), OPTIONS) as engine:
    for n in range(rounds):
        key = f"{name}/{chance.randrange(12)}"
        data = noise(chance.choice((10, 5 * KIB, 70 * KIB, 300 * KIB)), chance.randrange(6))
        act = chance.randrange(6)
        if act == 0:
            engine.delete_object(BUCKET, key).result()
            kept.pop(key, None)
        elif act == 1:
            put_multipart(engine, key, [data, data[: len(data) // 2], b"end"])
            kept[key] = data + data[: len(data) // 2] + b"end"
        elif act == 2 and kept:
            source = chance.choice(sorted(kept))
            engine.copy_object(
                ObjectRef(BUCKET, source), ObjectRef(BUCKET, key), lambda info: info.attributes
            ).result()
            kept[key] = kept[source]
        else:
            put(engine, key, data)
            kept[key] = data
        for wanted in chance.sample(sorted(kept), min(3, len(kept))):
            assert get(engine, wanted) == kept[wanted], wanted
    for key in kept:
        assert get(engine, key) == kept[key], key
"""


def test_compaction_beside_everything_else(tmp_path: Path) -> None:
    """Processes that put, share, copy, upload, delete and read notice nothing of it."""
    store = tmp_path / "busy"
    with open_engine(store, OPTIONS) as engine:
        put(engine, "first", b"x")
        command = [sys.executable, "-c", WORKER, str(store)]
        workers = [subprocess.Popen([*command, f"w{n}", "150"]) for n in range(3)]
        moved = 0
        while any(worker.poll() is None for worker in workers):
            moved += engine.compact(CompactionOptions(threshold=0.02)).moved_blobs
            engine.reclaim(10**15)
        assert [worker.returncode for worker in workers] == [0, 0, 0]
        assert moved > 0
        assert problems(engine) == []
        assert engine.quarantined() == []
        engine.compact(ALL)
        assert problems(engine) == []
