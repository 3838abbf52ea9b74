"""Tidying: what is due goes, what somebody may still need stays."""

from __future__ import annotations

import sys
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

from storage_engine import ScrubOptions, VolumeState
from storage_engine.disk import RealDisk
from storage_engine.limits import PUNCH_BYTES_MIN, PUNCH_GRACE_MS
from storage_engine.volume import volume_path
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
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

    from storage_engine import StorageEngine

LATER = 10**15
NOTHING = {"readers": 0, "tombstones": 0, "punched_bytes": 0, "volumes": 0}
DEAD = PUNCH_BYTES_MIN + 100

HOLDER = """
import sys
from pathlib import Path
from storage_engine import EngineOptions, open_engine
with open_engine(Path(sys.argv[1]), EngineOptions(volume_bytes_max=1 << 30)) as engine:
    readers = [engine.open_object(1, "k")]
    print("open", flush=True)
    sys.stdin.readline()
    data = readers[0].read(0, readers[0].info.size)
    sys.stdout.write(data[:8].hex())
"""


def room(path: Path) -> int:
    """Return how much of the disk the volumes take."""
    return sum(file.stat().st_blocks * 512 for file in (path / "volumes").iterdir())


def test_an_idle_store_is_left_alone(engine: StorageEngine) -> None:
    """When nothing is due nothing is written."""
    put(engine, "k", noise(DEAD))
    before = engine._index.view(lambda txn: txn.id())
    assert engine.reclaim() == NOTHING
    assert engine._index.view(lambda txn: txn.id()) == before


def test_dead_room_comes_back_after_the_grace_time(engine: StorageEngine, tmp_path: Path) -> None:
    """A large deleted blob is punched once, when it has been dead long enough."""
    put(engine, "kept", noise(1000))
    info = put(engine, "k", noise(DEAD))
    before = room(tmp_path / "store")
    engine.delete_object(BUCKET, "k").result()
    assert engine.reclaim(info.modified_ms)["punched_bytes"] == 0
    assert engine.reclaim(info.modified_ms + 2 * PUNCH_GRACE_MS)["punched_bytes"] >= DEAD
    assert room(tmp_path / "store") < before - PUNCH_BYTES_MIN // 2
    assert engine.reclaim(LATER) == NOTHING
    assert get(engine, "kept") == noise(1000)
    put(engine, "again", noise(DEAD))
    assert get(engine, "again") == noise(DEAD)


def test_a_reader_in_another_process_keeps_its_room(tmp_path: Path) -> None:
    """A blob is not punched while any process reads it, and is when that process has died."""
    store = tmp_path / "shared"
    with small_store(store, volume_bytes_max=1 << 30) as engine:
        put(engine, "k", noise(DEAD))
        with Popen([sys.executable, "-c", HOLDER, str(store)], stdin=PIPE, stdout=PIPE) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
            engine.delete_object(BUCKET, "k").result()
            assert engine.reclaim(LATER)["punched_bytes"] == 0
            holder.stdin.write(b"\n")
            holder.stdin.flush()
            assert holder.stdout.read() == noise(DEAD)[:8].hex().encode()
        assert engine.reclaim(LATER)["punched_bytes"] > 0
        assert problems(engine) == []


def test_a_volume_without_life_is_dropped(engine: StorageEngine, tmp_path: Path) -> None:
    """A full volume all of whose blobs are dead goes; the active one and living ones stay."""
    put(engine, "first", noise(200 * KIB, 1))
    put(engine, "second", noise(200 * KIB, 2))
    assert [volume.id for volume in engine.volumes()] == [1, 2]
    assert engine.reclaim(LATER)["volumes"] == 0
    engine.delete_object(BUCKET, "first").result()
    engine.delete_object(BUCKET, "second").result()
    assert engine.reclaim(LATER)["volumes"] == 1
    assert [(v.id, v.state) for v in engine.volumes()] == [(2, VolumeState.ACTIVE)]
    assert not volume_path(tmp_path / "store" / "volumes", 1).exists()
    put(engine, "third", noise(200 * KIB, 3))
    assert get(engine, "third") == noise(200 * KIB, 3)


def test_a_volume_with_an_uncommitted_payload_is_not_dropped(engine: StorageEngine) -> None:
    """A full volume stays owned while a payload in it waits for its commit."""
    blob = written(engine, noise(200 * KIB, 1))
    put(engine, "second", noise(200 * KIB, 2))
    assert engine.reclaim(LATER)["volumes"] == 0
    engine.put_object(BUCKET, "first", blob, attributes()).result()
    assert get(engine, "first") == noise(200 * KIB, 1)


def test_what_a_dead_process_left_is_dropped(tmp_path: Path) -> None:
    """Volumes of earlier runs are judged by their live bytes alone."""
    for n in range(3):
        with small_store(tmp_path / "runs") as engine:
            put(engine, f"{n}", noise(1000, n))
            written(engine, noise(2000, n))
    with small_store(tmp_path / "runs") as engine:
        engine.delete_object(BUCKET, "1").result()
        assert engine.reclaim(LATER)["volumes"] == 1
        assert [volume.id for volume in engine.volumes()] == [1, 3]
        assert [volume.state for volume in engine.volumes()] == [VolumeState.SEALED] * 2
        assert get(engine, "2") == noise(1000, 2)
        assert problems(engine) == []


def test_a_file_this_index_never_made_is_not_touched(engine: StorageEngine, tmp_path: Path) -> None:
    """A volume whose id the index has not given out yet may hold what an older index lost."""
    strange = volume_path(tmp_path / "store" / "volumes", 77)
    strange.write_bytes(b"precious")
    assert engine.reclaim(LATER)["volumes"] == 0
    assert strange.read_bytes() == b"precious"


def test_dead_records_outlive_their_volume_for_the_grace_time(engine: StorageEngine) -> None:
    """Records of a dropped volume are forgotten when their time has come."""
    info = put(engine, "first", noise(DEAD, 1))
    put(engine, "second", noise(DEAD, 2))
    engine.delete_object(BUCKET, "first").result()
    done = engine.reclaim(info.modified_ms)
    assert (done["volumes"], done["punched_bytes"]) == (1, 0)
    assert len(engine._care.housekeeping._dead(LATER, b"", engine._index._env.begin())) == 1
    assert engine.reclaim(LATER)["punched_bytes"] == 0
    assert engine._care.housekeeping._dead(LATER, b"", engine._index._env.begin()) == []


def test_thousands_of_things_are_tidied_in_small_commits(engine: StorageEngine) -> None:
    """More tombstones than one commit takes are all forgotten."""
    for n in range(300):
        upload = engine.create_upload(BUCKET, "m", attributes()).result()
        blob = engine.stage_bytes(b"%d" % n)
        part = engine.put_part(BUCKET, "m", upload.upload_id, 1, blob, "e", {}).result()
        engine.complete_upload(BUCKET, "m", upload.upload_id, [part], attributes()).result()
    assert engine.reclaim(LATER)["tombstones"] == 300
    assert engine.stats().uploads == 0


class Overtaken(RealDisk):
    """A disk on which somebody else drops a volume between our opening it and owning it."""

    is_overtaken = False

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open it, and lose its name."""
        descriptor = super().open(path, is_writable=is_writable)
        if self.is_overtaken and is_writable and path.suffix == ".volume":
            path.unlink()
        return descriptor


def test_two_may_drop_a_volume_at_once(tmp_path: Path) -> None:
    """Who comes second to a volume without life leaves it to who came first."""
    disk = Overtaken()
    with small_store(tmp_path / "store", disk=disk) as engine:
        put(engine, "k", noise(1000))
        engine.delete_object(BUCKET, "k").result()
    with small_store(tmp_path / "store", disk=disk) as engine:
        disk.is_overtaken = True
        assert engine.reclaim(LATER)["volumes"] == 0
        assert engine.volumes() == []
        assert problems(engine) == []


def test_a_record_that_was_healed_meanwhile_is_not_punched(tmp_path: Path) -> None:
    """A dead record that a blob was healed with, after reclaim looked, is in use and stays."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "old", noise(DEAD))
        engine.delete_object(BUCKET, "old").result()
        put(engine, "other", noise(200 * KIB, 5))
    with small_store(store) as engine:
        info = put(engine, "new", noise(DEAD))
        assert info.sha256 is not None
        place = engine._lookup.find(info.sha256)
        assert place is not None
        damage(store, place.volume_id, place.offset + 1000)
        assert problems(engine) != []
        assert settled(engine) == 1
        housekeeping = engine._care.housekeeping
        batch = engine._index.view(lambda txn: housekeeping._dead(LATER, b"", txn))
        assert len(batch) == 1
        assert engine.scrub(ScrubOptions(is_restarted=True)).healed == 1
        assert housekeeping._punch_batch(batch) == 0
        assert get(engine, "new") == noise(DEAD)
        assert engine.reclaim(LATER)["punched_bytes"] >= DEAD, "the damaged record is dead now"
        assert problems(engine) == []
