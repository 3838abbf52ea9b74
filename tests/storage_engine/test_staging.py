"""Payloads on their way in: written once, whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage_engine import DiskFull, EngineOptions, Origin, StorageError, open_engine
from storage_engine.record import (
    RECORD_MAGIC,
    read_description,
    record_seed,
    unpack_record_header,
)
from storage_engine.volume import volume_path
from tests.storage_engine.bad_disks import FaultyDisk
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import BlobWriter, StagedBlob, StorageEngine


@pytest.fixture
def disk() -> FaultyDisk:
    """Give a disk that can be told to fail."""
    return FaultyDisk()


@pytest.fixture
def faulty(tmp_path: Path, disk: FaultyDisk) -> Iterator[StorageEngine]:
    """Open a store on that disk."""
    options = EngineOptions(inline_bytes_max=64, disk_reserve_bytes=0)
    with open_engine(tmp_path / "faulty", options, disk=disk) as engine:
        yield engine


def tail(engine: StorageEngine) -> int:
    """Tell where the next region would begin."""
    region = engine._appender.reserve(1)
    region.give_back()
    return region.offset


def stream(writer: BlobWriter, data: bytes) -> None:
    """Write a payload in large pieces, and finish."""
    stream_pieces(writer, data)
    writer.finish()


def stream_pieces(writer: BlobWriter, data: bytes) -> None:
    """Write a payload in large pieces."""
    for at in range(0, len(data), 300 * KIB):
        writer.write(data[at : at + 300 * KIB])


def commit(engine: StorageEngine, key: str, blob: StagedBlob) -> None:
    """Make a staged payload an object."""
    engine.put_object(BUCKET, key, blob, attributes()).result()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 300 * KIB), st.lists(st.integers(1, 100 * KIB), max_size=8), st.booleans())
def test_a_payload_is_the_same_however_it_arrives(
    engine: StorageEngine, size: int, steps: list[int], whole: bool
) -> None:
    """Written in pieces of any size or at once, the bytes and their SHA-256 come back."""
    data = noise(size, size)
    if whole:
        blob = engine.stage_bytes(data)
    else:
        with engine.begin_blob(size) as writer:
            at = 0
            for step in [*steps, size]:
                writer.write(data[at : at + step])
                at = min(at + step, size)
            blob = writer.finish()
    assert (blob.sha256, blob.size) == (hashlib.sha256(data).digest(), size)
    commit(engine, "key", blob)
    assert get(engine, "key") == data


@pytest.mark.parametrize("size", [10, 10 * KIB])
def test_a_payload_of_another_size_than_promised_is_refused(
    engine: StorageEngine, size: int
) -> None:
    """Fewer or more bytes than promised are a ValueError, and the room is given back."""
    put(engine, "other", noise(1000))
    before = tail(engine)
    short = engine.begin_blob(size)
    short.write(bytes(size - 1))
    with pytest.raises(ValueError, match="instead of"):
        short.finish()
    long = engine.begin_blob(size)
    with pytest.raises(ValueError, match="more than"):
        long.write(bytes(size + 1))
    with pytest.raises(ValueError, match="finished or aborted"):
        long.write(b"")
    assert tail(engine) == before


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000, 99 * KIB, 100 * KIB])
def test_a_payload_may_be_shorter_than_its_bound(engine: StorageEngine, size: int) -> None:
    """What was reserved beyond the payload is free again, and the bytes come back."""
    before = tail(engine)
    with engine.begin_blob(100 * KIB, is_bound=True) as writer:
        writer.write(noise(size))
        commit(engine, "bound", writer.finish())
    with engine.begin_blob(100 * KIB) as writer:
        writer.write(noise(100 * KIB, 1))
        commit(engine, "next", writer.finish())
    assert get(engine, "bound") == noise(size)
    assert get(engine, "next") == noise(100 * KIB, 1)
    assert tail(engine) - before <= size + 103 * KIB
    with engine.begin_blob(1000, is_bound=True) as writer, pytest.raises(ValueError, match="more"):
        writer.write(bytes(1001))


def test_leaving_the_block_gives_the_room_back(engine: StorageEngine) -> None:
    """A writer that was not finished aborts; one that was finished keeps its payload."""
    before = tail(engine)
    with engine.begin_blob(100 * KIB) as writer:
        writer.write(bytes(50 * KIB))
    assert tail(engine) == before
    with engine.begin_blob(1000) as writer:
        writer.write(noise(1000))
        blob = writer.finish()
    writer.abort()
    commit(engine, "key", blob)
    assert get(engine, "key") == noise(1000)


def test_a_negative_size_is_a_mistake(engine: StorageEngine) -> None:
    """No payload has less than no bytes."""
    with pytest.raises(ValueError, match="-1"):
        engine.begin_blob(-1)


def test_small_payloads_do_no_io(faulty: StorageEngine, disk: FaultyDisk) -> None:
    """An inline payload touches no volume, staged or streamed."""
    assert faulty.is_inline(63)
    assert not faulty.is_inline(64)
    put(faulty, "a", noise(63))
    with faulty.begin_blob(5) as writer:
        writer.write(b"12345")
        commit(faulty, "b", writer.finish())
    put(faulty, "empty", b"")
    assert (disk.writes, disk.syncs) == (0, 0)
    assert (get(faulty, "a"), get(faulty, "b"), get(faulty, "empty")) == (noise(63), b"12345", b"")


def test_a_staged_payload_costs_one_write_and_one_sync(
    faulty: StorageEngine, disk: FaultyDisk
) -> None:
    """A payload in memory is written in one call and synced once."""
    put(faulty, "first", noise(1000, 1))
    writes, syncs = disk.writes, disk.syncs
    put(faulty, "second", noise(1000, 2))
    assert (disk.writes - writes, disk.syncs - syncs) == (1, 1)


def test_a_large_payload_is_written_out_as_it_arrives(
    faulty: StorageEngine, disk: FaultyDisk
) -> None:
    """The disk is asked to begin long before the end, each byte once, and nothing changes."""
    data = noise(20 * KIB * KIB)
    with faulty.begin_blob(len(data)) as writer:
        stream_pieces(writer, data)
        commit(faulty, "large", writer.finish())
    assert len(disk.hastened) == 2
    (first, length), (second, _) = disk.hastened
    assert first + length == second
    assert get(faulty, "large") == data


def test_content_the_store_has_is_not_written_again(
    faulty: StorageEngine, disk: FaultyDisk
) -> None:
    """Staging known content does no I/O and the object shares the blob."""
    put(faulty, "first", noise(1000))
    writes = disk.writes
    put(faulty, "second", noise(1000))
    assert disk.writes == writes
    assert faulty.stats().blobs == 1
    assert get(faulty, "second") == noise(1000)


def test_known_content_that_vanishes_before_the_commit_is_written_after_all(
    engine: StorageEngine,
) -> None:
    """A payload that was counted on and then deleted is still stored whole."""
    put(engine, "first", noise(1000))
    blob = engine.stage_bytes(noise(1000))
    engine.delete_object(BUCKET, "first").result()
    commit(engine, "second", blob)
    assert get(engine, "second") == noise(1000)


def test_a_vanished_payload_that_cannot_be_written_refuses_only_its_operation(
    faulty: StorageEngine, disk: FaultyDisk
) -> None:
    """When the second chance fails for want of room, the caller hears so; the rest goes on."""
    put(faulty, "first", noise(1000))
    blob = faulty.stage_bytes(noise(1000))
    faulty.delete_object(BUCKET, "first").result()
    disk.refuses_writes = errno.ENOSPC
    with pytest.raises(DiskFull):
        commit(faulty, "second", blob)
    disk.refuses_writes = 0
    put(faulty, "third", noise(1000))
    assert problems(faulty) == []


def test_content_that_arrives_twice_at_once_is_kept_once(engine: StorageEngine) -> None:
    """The second of two staged copies gives its region back and shares the first's."""
    blobs = []
    for _ in range(2):
        with engine.begin_blob(1000) as writer:
            writer.write(noise(1000))
            blobs.append(writer.finish())
    before = engine._appender.reserve(1).offset
    commit(engine, "first", blobs[0])
    commit(engine, "second", blobs[1])
    assert engine.stats().blobs == 1
    assert (get(engine, "first"), get(engine, "second")) == (noise(1000), noise(1000))
    assert before > 0


def test_a_discarded_payload_gives_its_room_back(engine: StorageEngine) -> None:
    """What will not be committed leaves nothing, and may be discarded twice."""
    before = tail(engine)
    blob = written(engine, noise(10 * KIB))
    assert tail(engine) > before
    engine.discard(blob)
    engine.discard(blob)
    engine.discard(engine.stage_bytes(noise(10 * KIB)))
    assert tail(engine) == before


def test_a_refused_put_gives_the_room_back(engine: StorageEngine) -> None:
    """A payload whose operation is refused leaves nothing."""
    put(engine, "key", b"x")
    before = tail(engine)

    def refuse(_current: object) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        put(engine, "key", noise(10 * KIB), guard=refuse)
    assert tail(engine) == before


@pytest.mark.parametrize("room", [0, 100, 700 * KIB])
def test_a_disk_that_fills_up_leaves_nothing_half_there(
    faulty: StorageEngine, disk: FaultyDisk, room: int
) -> None:
    """A write that finds the disk full is DiskFull; later ones, with room again, succeed."""
    put(faulty, "old", noise(1000))
    data = noise(1000 * KIB)
    disk.bytes_before_full = room
    with pytest.raises(DiskFull):
        put(faulty, "key", data)
    with faulty.begin_blob(len(data)) as writer, pytest.raises(DiskFull):
        stream(writer, data)
    disk.bytes_before_full = -1
    put(faulty, "key", data)
    assert (get(faulty, "key"), get(faulty, "old")) == (data, noise(1000))
    assert problems(faulty) == []
    assert faulty.failure is None


def test_a_disk_that_refuses_a_write_harms_only_that_write(
    faulty: StorageEngine, disk: FaultyDisk
) -> None:
    """An I/O error before the sync is StorageError for its payload alone."""
    put(faulty, "old", noise(1000))
    disk.refuses_writes = errno.EIO
    with pytest.raises(StorageError):
        put(faulty, "key", noise(2000))
    disk.refuses_writes = 0
    put(faulty, "key", noise(2000))
    assert problems(faulty) == []


def test_a_failed_sync_turns_the_engine_read_only(faulty: StorageEngine, disk: FaultyDisk) -> None:
    """After a failed sync every write is StorageError, inline ones too, and reads go on."""
    put(faulty, "old", noise(1000))
    disk.refuses_syncs = errno.EIO
    with pytest.raises(StorageError):
        put(faulty, "key", noise(2000))
    disk.refuses_syncs = 0
    for size in (10, 2000):
        with pytest.raises(StorageError, match="read-only"):
            put(faulty, "key", noise(size))
    with pytest.raises(StorageError, match="read-only"):
        faulty.delete_object(BUCKET, "old").result()
    assert faulty.failure is not None
    assert get(faulty, "old") == noise(1000)


def test_a_record_tells_what_it_was_written_for(engine: StorageEngine, tmp_path: Path) -> None:
    """What is said when a payload begins and ends can be read from the volume alone."""
    origin = Origin(7, "a/b", attributes(**{"content-type": "text/plain"}), "id", 5)
    writer = engine.begin_blob(1000, origin)
    writer.write(noise(1000))
    commit(engine, "key", writer.finish("etag", {"SHA256": "sum"}))
    other = Origin(8, "c", attributes(b"c"))
    blob = engine.stage_bytes(noise(2000), origin=other)
    commit(engine, "other", blob)
    data = volume_path(tmp_path / "store" / "volumes", 1).read_bytes()
    seed = record_seed(data[12:28])
    first = unpack_record_header(data[512:], seed)
    assert read_description(first.description) == origin.with_digests("etag", {"SHA256": "sum"})
    assert first.sha256 == hashlib.sha256(noise(1000)).digest()
    start = 512 + first.header_bytes
    assert data[start : start + first.payload_bytes] == noise(1000)
    second = unpack_record_header(data[blob.place.offset :] if blob.place else b"", seed)
    assert read_description(second.description) == other


def test_no_record_is_left_of_what_nobody_stored(engine: StorageEngine, tmp_path: Path) -> None:
    """A payload that was refused, or that the store had, leaves no record to be salvaged."""
    staged = [written(engine, noise(1000, seed)) for seed in (1, 2, 3)]
    engine.discard(staged[1])
    commit(engine, "key", staged[0])
    engine.discard(staged[2])
    with engine.begin_blob(1000) as writer:
        writer.write(noise(1000, 1))
        commit(engine, "same", writer.finish())
    data = volume_path(tmp_path / "store" / "volumes", 1).read_bytes()
    assert data.count(RECORD_MAGIC) == 1
    assert data[512:].startswith(RECORD_MAGIC)


def test_staged_payloads_survive_the_store_they_were_meant_for(tmp_path: Path) -> None:
    """Closing a store with open writers harms nothing; their bytes go nowhere."""
    engine = small_store(tmp_path / "closing")
    writer = engine.begin_blob(1000)
    engine.close()
    writer.write(noise(1000))
    writer.abort()
    with small_store(tmp_path / "closing") as again:
        assert problems(again) == []
