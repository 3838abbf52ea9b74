"""A move changes where a blob is, if it is still where it was, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import CorruptBlob, ObjectRef
from storage_engine.limits import PUNCH_BYTES_MIN
from storage_engine.moving import Move, Mover
from storage_engine.stored import StoredRecord
from tests.storage_engine.engine_steps import BUCKET, KIB, get, noise, problems, put
from tests.storage_engine.test_quarantine import settled

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.fixture
def mover(engine: StorageEngine) -> Mover:
    """Make a mover into the volumes of compaction."""
    return Mover(engine._committer, engine._care._appender, engine._health)


def copied(engine: StorageEngine, mover: Mover, data: bytes) -> Move:
    """Put an object and copy its record."""
    info = put(engine, "k", data)
    return copied_again(engine, mover, info.sha256)


def copied_again(engine: StorageEngine, mover: Mover, sha256: bytes | None) -> Move:
    """Copy a blob's record, wherever it is."""
    assert sha256 is not None
    blob = engine._lookup.find(sha256)
    assert blob is not None
    file = engine._files.acquire(blob.volume_id)
    try:
        record = StoredRecord(file.read, sha256, blob, engine._appender.seed)
        return mover.copy(record, lambda _: None)
    finally:
        engine._files.release(file)


@pytest.mark.parametrize("size", [1000, 200 * KIB, PUNCH_BYTES_MIN + 5, 3000 * KIB])
def test_a_moved_blob_is_the_same_elsewhere(engine: StorageEngine, mover: Mover, size: int) -> None:
    """Bytes, description, time and references stay; place and live bytes of volumes change."""
    move = copied(engine, mover, noise(size))
    engine.copy_object(
        ObjectRef(BUCKET, "k"), ObjectRef(BUCKET, "copy"), lambda info: info.attributes
    ).result()
    mover.commit([move])
    assert move.is_done
    found = engine._lookup.find(move.sha256)
    assert found is not None
    assert (found.volume_id, found.offset) == (move.target.volume_id, move.target.offset)
    assert found.references == 2
    assert get(engine, "k") == get(engine, "copy") == noise(size)
    assert {volume.id: volume.live_bytes for volume in engine.volumes()} == {
        move.source.volume_id: 0,
        found.volume_id: found.length,
    }
    assert problems(engine) == []


def test_what_changed_meanwhile_is_left_alone(engine: StorageEngine, mover: Mover) -> None:
    """A blob that was deleted, and perhaps put again, stays as it is; its copy's room is free."""
    deleted = copied(engine, mover, noise(5 * KIB, 1))
    engine.delete_object(BUCKET, "k").result()
    mover.commit([deleted])
    assert not deleted.is_done
    replaced = copied(engine, mover, noise(5 * KIB, 2))
    engine.delete_object(BUCKET, "k").result()
    put(engine, "k", noise(6 * KIB, 3))
    put(engine, "again", noise(5 * KIB, 2))
    mover.commit([replaced])
    assert not replaced.is_done
    assert get(engine, "again") == noise(5 * KIB, 2)
    assert replaced.region.volume._open_regions == 0
    assert problems(engine) == []


def test_a_blob_in_quarantine_does_not_move(engine: StorageEngine, mover: Mover) -> None:
    """Whether its bytes are right is to be found out where they are."""
    move = copied(engine, mover, noise(5 * KIB))
    assert engine._care.quarantine.put(move.sha256, move.source, "somebody read it wrong")
    mover.commit([move])
    assert not move.is_done
    assert problems(engine) == []
    assert settled(engine) == 0


def test_two_copies_of_one_blob_move_it_once(engine: StorageEngine, mover: Mover) -> None:
    """Of two moves from the same place the second changes nothing."""
    first = copied(engine, mover, noise(5 * KIB))
    second = copied_again(engine, mover, first.sha256)
    mover.commit([first, second])
    assert (first.is_done, second.is_done) == (True, False)
    assert get(engine, "k") == noise(5 * KIB)
    assert problems(engine) == []


def test_a_damaged_record_is_not_copied(
    engine: StorageEngine, mover: Mover, tmp_path: Path
) -> None:
    """The copy breaks off, and its room is free again."""
    put(engine, "k", noise(100 * KIB))
    volume = tmp_path / "store" / "volumes" / "00000001.volume"
    with volume.open("r+b") as file:
        file.seek(512 + 70 * KIB)
        file.write(b"damage")
    info = engine.head_object(BUCKET, "k")
    with pytest.raises(CorruptBlob):
        copied_again(engine, mover, info.sha256)
    active = engine._care._appender._active
    assert active is not None
    assert active._open_regions == 0
    put(engine, "k", b"")
