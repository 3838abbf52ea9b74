"""Leases: who copies a store keeps it from being given up, and lets go when he is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from storage_engine import Busy, CompactionOptions
from storage_engine.journal import segment_starts
from storage_engine.leases import Kept, Leases
from storage_engine.limits import PUNCH_GRACE_MS
from storage_engine.options import wall_clock
from storage_engine.volume import volume_ids
from tests.storage_engine.engine_steps import BUCKET, KIB, get, noise, put, small_store

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

HOLDER = """
import sys, time
from pathlib import Path
from storage_engine.leases import Leases
with Leases(Path(sys.argv[1])).hold():
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lease_is_seen_by_all_and_let_go_in_parts(tmp_path: Path) -> None:
    """Held, it is seen in the same process too; each part ends alone, and the rest at the end."""
    marker = tmp_path / "FORMAT"
    leases = Leases(marker)
    assert not leases.is_held(Kept.JOURNAL), "a store that is just being made"
    marker.write_bytes(b"")
    assert not leases.is_held(Kept.JOURNAL)
    with leases.hold() as lease, leases.hold():
        assert leases.is_held(Kept.JOURNAL)
        assert leases.is_held(Kept.VOLUMES)
        lease.let_go(Kept.JOURNAL)
        assert leases.is_held(Kept.JOURNAL), "by the other one"
    with leases.hold() as lease:
        lease.let_go(Kept.JOURNAL)
        assert not leases.is_held(Kept.JOURNAL)
        assert leases.is_held(Kept.VOLUMES)
    assert not any(map(leases.is_held, Kept))


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    """The kernel takes the lease of a killed process back: nothing is kept for ever."""
    marker = tmp_path / "FORMAT"
    marker.write_bytes(b"")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(marker)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert Leases(marker).is_held(Kept.VOLUMES)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert not Leases(marker).is_held(Kept.VOLUMES)


def rooms(engine: StorageEngine) -> dict[int, int]:
    """Return what each volume takes on the disk."""
    volumes = engine._place.volumes
    return {
        volume_id: (volumes / f"{volume_id:08d}.volume").stat().st_blocks
        for volume_id in volume_ids(volumes)
    }


def test_no_room_comes_back_while_the_store_is_copied(tmp_path: Path) -> None:
    """Neither holes nor whole volumes; all of it comes back afterwards, and nothing else did."""
    later = wall_clock() + 2 * PUNCH_GRACE_MS
    with small_store(tmp_path / "store", volume_bytes_max=1024 * KIB) as engine:
        for n in range(4):
            put(engine, f"{n}", noise(400 * KIB, n))
    with small_store(tmp_path / "store", volume_bytes_max=1024 * KIB) as engine:
        before = rooms(engine)
        with engine.copying():
            for n in range(3):
                engine.delete_object(BUCKET, f"{n}").result()
            done = engine.reclaim(later)
            assert (done["punched_bytes"], done["volumes"]) == (0, 0)
            assert rooms(engine) == before
            with pytest.raises(Busy, match="copied"):
                engine.compact(CompactionOptions(threshold=0.0))
            assert engine.compact(CompactionOptions(threshold=0.0, is_dry_run=True)).plans
        done = engine.reclaim(later)
        assert done["punched_bytes"] or done["volumes"]
        assert engine.compact(CompactionOptions(threshold=0.0)).is_complete
        assert sum(rooms(engine).values()) < sum(before.values())
        assert get(engine, "3") == noise(400 * KIB, 3)
        assert not list(engine.verify())


def test_a_compaction_under_way_gives_nothing_back_once_a_copy_begins(tmp_path: Path) -> None:
    """What it moves stays in its old place as well, until the copy has ended."""
    with small_store(tmp_path / "store", volume_bytes_max=1024 * KIB) as engine:
        for n in range(12):
            put(engine, f"{n}", noise(30 * KIB, n))
    with small_store(tmp_path / "store", volume_bytes_max=1024 * KIB) as engine:
        before = rooms(engine)
        for n in range(0, 12, 2):
            engine.delete_object(BUCKET, f"{n}").result()
        with engine.copying() as copying:
            copying.settle()
            # Past the door, as a run that began before the copy is.
            report = engine._care._compaction.run(CompactionOptions(threshold=0.1))
            assert report.moved_blobs
            assert not report.dropped_volumes
            now = rooms(engine)
            assert {volume_id: now[volume_id] for volume_id in before} == before
        assert engine.reclaim()["volumes"]
        assert not set(before) & set(rooms(engine))
        assert not list(engine.verify())


def test_the_journal_is_kept_while_the_store_is_copied(tmp_path: Path) -> None:
    """Checkpoint and snapshot pass, and no segment is given up before the copy has it."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", noise(10))
        with engine.copying() as copying:
            for n in range(200):
                put(engine, f"{n}", noise(1000, n))
            engine.snapshot()
            engine.checkpoint()
            assert engine._care.keep_from() == 0
            (tmp_path / "target").mkdir()
            copying.copy_index(tmp_path / "target", lambda *_: None, lambda: False)
            copying.settle()
            copying.copy_journal(tmp_path / "target")
            assert engine._care.keep_from() > 0
        assert segment_starts(engine._place.journal)
