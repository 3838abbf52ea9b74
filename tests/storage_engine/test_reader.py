"""Reading: any range, verified, and never a wrong byte whatever happens to the object or disk."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage_engine import (
    CorruptBlob,
    EngineOptions,
    NoSuchKey,
    ObjectReader,
    StorageError,
    open_engine,
)
from storage_engine.disk import RealDisk, release_range, try_seize_range
from storage_engine.limits import (
    BLOCK_BYTES,
    BLOCK_CHECKS_IN_INDEX_MAX,
    BUFFER_BYTES,
    EXTENTS_RESOLVED_MAX,
    PUNCH_GRACE_MS,
    READ_BYTES_MAX,
)
from storage_engine.volume import volume_path
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    MIB,
    attributes,
    get,
    noise,
    put,
    put_multipart,
    small_store,
)
from tests.storage_engine.test_quarantine import damage, restore, settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

LARGE = (BLOCK_CHECKS_IN_INDEX_MAX + 3) * BLOCK_BYTES + 77  # its checksums are read from the volume
PIECES = [noise(3 * BLOCK_BYTES + 5, 1), b"inline", b"", noise(BLOCK_BYTES, 2), noise(LARGE, 3)]


def open_volumes(engine: StorageEngine) -> int:
    """Count the volumes that readers of this process are in."""
    return sum(file.users for file in engine._files._files.values())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.data())
def test_any_range_of_any_object_is_read(engine: StorageEngine, data: st.DataObject) -> None:
    """Ranges within and across blocks and parts, cached or not, are the object's bytes."""
    whole = {"multi": b"".join(PIECES), "large": PIECES[4], "small": PIECES[1]}
    if not engine.list_objects(BUCKET).objects:
        put_multipart(engine, "multi", PIECES)
        put(engine, "large", PIECES[4])
        put(engine, "small", PIECES[1])
    key = data.draw(st.sampled_from(sorted(whole)))
    expected = whole[key]
    edges = st.one_of(
        st.integers(0, len(expected)),
        st.integers(0, len(expected) // BLOCK_BYTES).map(lambda n: n * BLOCK_BYTES),
    )
    with engine.open_object(BUCKET, key) as reader:
        for _ in range(3):
            offset, length = data.draw(edges), data.draw(edges)
            assert reader.read(offset, length) == expected[offset : offset + length]
            cached = reader.read_cached(offset, length)
            assert cached is None or cached == expected[offset : offset + length]
    assert open_volumes(engine) == 0


def test_what_was_just_written_needs_no_disk(engine: StorageEngine) -> None:
    """A fresh object is served from memory, block checksums included."""
    put(engine, "large", noise(LARGE))
    with engine.open_object(BUCKET, "large") as reader:
        assert reader.read_cached(BLOCK_BYTES - 1, 2) == noise(LARGE)[BLOCK_BYTES - 1 :][:2]
        assert reader.read_cached(0, LARGE) == noise(LARGE)


def test_what_is_not_in_memory_is_left_to_a_thread(engine: StorageEngine, tmp_path: Path) -> None:
    """A cold range is None to read_cached, and its bytes to read."""
    put(engine, "large", noise(LARGE))
    with volume_path(tmp_path / "store" / "volumes", 1).open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with engine.open_object(BUCKET, "large") as reader:
        assert reader.read_cached(0, LARGE) is None
        assert reader.read(0, LARGE) == noise(LARGE)


def test_a_reader_ends_where_the_object_ends(engine: StorageEngine) -> None:
    """What lies beyond the end is left out; nothing is nothing; a closed reader says so."""
    put(engine, "k", noise(1000))
    put(engine, "empty", b"")
    with engine.open_object(BUCKET, "k") as reader:
        assert reader.read(990, 50) == noise(1000)[990:]
        assert reader.read(1000, 5) == reader.read(7, 0) == b""
    with pytest.raises(ValueError, match="closed"):
        reader.read(0, 1)
    reader.close()
    with engine.open_object(BUCKET, "empty") as reader:
        assert reader.read(0, 10) == reader.read_cached(0, 10) == b""


@pytest.mark.parametrize("size", [5000, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_an_object_of_one_block_is_read_in_one_step_and_as_others(
    engine: StorageEngine, tmp_path: Path, size: int
) -> None:
    """Whole and in part it is right; damaged, cold or closed it is what larger ones are."""
    put(engine, "k", noise(size))
    volume = volume_path(tmp_path / "store" / "volumes", 1)
    with engine.open_object(BUCKET, "k") as reader:
        assert reader.read_cached(0, size) == reader.read_cached(0, MIB) == noise(size)
        assert reader.read_cached(7, size) == noise(size)[7:]
        assert reader.read_cached(0, 9) == noise(size)[:9]
        held = damage(tmp_path / "store", at=1000)
        with pytest.raises(CorruptBlob, match="block 0"):
            reader.read_cached(0, size)
        restore(tmp_path / "store", held, at=1000)
        assert reader.read_cached(0, size) == noise(size)
        with volume.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert reader.read_cached(0, size) is None
        assert reader.read(0, size) == noise(size)
    assert open_volumes(engine) == 0
    with pytest.raises(ValueError, match="closed"):
        reader.read_cached(0, size)


class FaultyMemory(RealDisk):
    """A disk whose reads fail at once."""

    refuses = False

    def read_cached(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """Fail if told so."""
        if self.refuses:
            raise OSError(errno.EIO, "told to fail")
        return super().read_cached(descriptor, buffer, offset)


def test_an_unreadable_block_is_corrupt_in_memory_too(tmp_path: Path) -> None:
    """An I/O error on the only block is CorruptBlob, and the next read may succeed."""
    disk = FaultyMemory()
    with open_engine(tmp_path / "faulty", disk=disk) as engine:
        put(engine, "k", noise(5000))
        with engine.open_object(BUCKET, "k") as reader:
            disk.refuses = True
            with pytest.raises(CorruptBlob, match="cannot be read"):
                reader.read_cached(0, 5000)
            disk.refuses = False
            assert reader.read_cached(0, 5000) == noise(5000)


def test_a_reader_outlives_its_object(tmp_path: Path) -> None:
    """Objects that are overwritten or deleted while they are open are read to the end."""
    later = 10**15
    with small_store(tmp_path / "store", volume_bytes_max=1 << 30) as engine:
        put(engine, "small", b"old")
        put(engine, "large", noise(LARGE, 1))
        put_multipart(engine, "multi", PIECES)
        readers = [engine.open_object(BUCKET, key) for key in ("small", "large", "multi")]
        for key in ("small", "large", "multi"):
            put(engine, key, b"new")
            engine.delete_object(BUCKET, key).result()
        assert engine.reclaim(later)["punched_bytes"] > 0, "parts that no reader is in yet"
        assert readers[0].read(0, 10) == b"old"
        assert readers[1].read(0, LARGE) == noise(LARGE, 1)
        with pytest.raises(NoSuchKey):
            readers[2].read(len(b"".join(PIECES[:4])), LARGE)
        for reader in readers:
            reader.close()
        assert engine.reclaim(later)["punched_bytes"] > 0
        assert list(engine.verify()) == []


def test_a_reader_outlives_its_volume(engine: StorageEngine) -> None:
    """An open object is read to the end also when its whole volume is dropped."""
    put_multipart(engine, "multi", PIECES)
    with engine.open_object(BUCKET, "multi") as reader:
        info = engine.delete_object(BUCKET, "multi").result()
        assert info is not None
        put(engine, "other", noise(200 * KIB, 7))
        assert engine.reclaim(info.modified_ms)["volumes"] > 0
        assert reader.read(0, info.size) == b"".join(PIECES)


def test_within_the_grace_time_every_part_can_still_be_read(engine: StorageEngine) -> None:
    """A deleted multipart object is read to the end while its room is not yet given back."""
    put_multipart(engine, "multi", PIECES)
    with engine.open_object(BUCKET, "multi") as reader:
        info = engine.delete_object(BUCKET, "multi").result()
        assert info is not None
        engine.reclaim(info.modified_ms + PUNCH_GRACE_MS // 2)
        assert reader.read(0, info.size) == b"".join(PIECES)


def test_an_object_of_very_many_parts_breaks_cleanly(engine: StorageEngine) -> None:
    """When its later parts are gone before they were looked up, that is NoSuchKey."""
    count = EXTENTS_RESOLVED_MAX + 10
    put_multipart(engine, "multi", [b"%05d" % n for n in range(count)])
    with engine.open_object(BUCKET, "multi") as reader:
        put(engine, "multi", b"other")
        assert reader.read(5 * 255, 5) == b"00255"
        with pytest.raises(NoSuchKey):
            reader.read(5 * 255, 10)


def test_many_windows_of_parts_may_be_read_backwards(engine: StorageEngine) -> None:
    """Parts looked up from the middle and from the front meet without being opened twice."""
    count = 3 * EXTENTS_RESOLVED_MAX
    pieces = [noise(100, n) for n in range(count)]
    put_multipart(engine, "multi", pieces)
    with engine.open_object(BUCKET, "multi") as reader:
        for n in (count - 1, 2 * EXTENTS_RESOLVED_MAX - 9, EXTENTS_RESOLVED_MAX, 0):
            assert reader.read(100 * n, 100) == pieces[n]
        assert reader.read(0, 100 * count) == b"".join(pieces)
    assert open_volumes(engine) == 0


def test_a_close_during_a_read_waits_for_it(tmp_path: Path) -> None:
    """The volume stays open for a read under way, and is let go when that ends."""
    reading, go_on = threading.Event(), threading.Event()

    class Slow(FaultyDisk):
        def read(self, descriptor: int, length: int, offset: int) -> bytes:
            reading.set()
            go_on.wait()
            return super().read(descriptor, length, offset)

    options = EngineOptions(disk_reserve_bytes=0)
    with open_engine(tmp_path / "slow", options, disk=Slow()) as engine:
        put(engine, "k", noise(5000))
        reader = engine.open_object(BUCKET, "k")
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.append(reader.read(0, 5000)))
        thread.start()
        reading.wait()
        reader.close()
        assert open_volumes(engine) == 1
        go_on.set()
        thread.join()
        assert found == [noise(5000)]
        assert open_volumes(engine) == 0


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Make a store with one large blob and close it; return its volume."""
    with small_store(tmp_path / "damaged") as engine:
        put(engine, "k", noise(LARGE))
    return volume_path(tmp_path / "damaged" / "volumes", 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_no_damaged_byte_is_ever_served(damaged: Path, data: st.DataObject) -> None:
    """Wherever a byte of a volume changed, a read is right or CorruptBlob, and says so again."""
    size = damaged.stat().st_size
    at = data.draw(st.integers(0, size - 1))
    with damaged.open("r+b") as file:
        file.seek(at)
        (old,) = file.read(1)
        file.seek(at)
        file.write(bytes([old ^ data.draw(st.integers(1, 255))]))
    expected = noise(LARGE)
    try:
        with small_store(damaged.parent.parent) as engine:
            with engine.open_object(BUCKET, "k") as reader:
                for offset in range(0, LARGE, READ_BYTES_MAX):
                    _right_or_corrupt(reader, expected, offset)
            is_in_record = 512 <= at < 512 + reader._extents.known[0].blob.length - RECORD_PAD
            assert bool(list(engine.verify())) == (is_in_record or at < 48)
    finally:
        with damaged.open("r+b") as file:
            file.seek(at)
            file.write(bytes([old]))


RECORD_PAD = 512


def _right_or_corrupt(reader: ObjectReader, expected: bytes, offset: int) -> None:
    length = READ_BYTES_MAX
    for read in (reader.read, reader.read_cached):
        try:
            found = read(offset, length)
        except CorruptBlob:
            continue
        assert found is None or found == expected[offset : offset + length]


def test_damage_in_one_block_leaves_the_others_readable(damaged: Path) -> None:
    """A range that does not touch the damaged block is served."""
    with damaged.open("r+b") as file:
        file.seek(512 + 200 + 5 * BLOCK_BYTES)
        file.write(b"damage")
    with (
        small_store(damaged.parent.parent) as engine,
        engine.open_object(BUCKET, "k") as reader,
    ):
        assert reader.read(0, 5 * BLOCK_BYTES) == noise(LARGE)[: 5 * BLOCK_BYTES]
        with pytest.raises(CorruptBlob, match="block 5"):
            reader.read(5 * BLOCK_BYTES, 1)


def test_a_volume_cut_off_is_corrupt(damaged: Path) -> None:
    """Bytes that the file no longer has are CorruptBlob."""
    os.truncate(damaged, 100 * KIB)
    with small_store(damaged.parent.parent) as engine:
        with pytest.raises(CorruptBlob):
            get(engine, "k")
        assert len(list(engine.verify())) == 1


def test_a_missing_volume_is_corrupt(damaged: Path) -> None:
    """A blob whose volume is gone is CorruptBlob, not a search without end."""
    damaged.unlink()
    with small_store(damaged.parent.parent) as engine:
        with pytest.raises(CorruptBlob, match="missing"):
            engine.open_object(BUCKET, "k")
        assert engine.head_object(BUCKET, "k").size == LARGE
        put(engine, "k", noise(1000))
        assert get(engine, "k") == noise(1000)
        assert list(engine.verify()) == []


def test_an_unreadable_disk_is_corrupt(tmp_path: Path) -> None:
    """An I/O error on reading is CorruptBlob, and the next read may succeed."""
    disk = FaultyDisk()
    with open_engine(tmp_path / "faulty", disk=disk) as engine:
        put(engine, "k", noise(5000))
        disk.refuses_reads = errno.EIO
        with engine.open_object(BUCKET, "k") as reader:
            with pytest.raises(CorruptBlob, match="cannot be read"):
                reader.read(0, 5000)
            disk.refuses_reads = 0
            assert reader.read(0, 5000) == noise(5000)


def test_a_volume_that_cannot_be_opened_is_the_disks_trouble(tmp_path: Path) -> None:
    """When no descriptor is left the object is not called damaged."""

    class Exhausted(FaultyDisk):
        def open(self, path: Path, *, is_writable: bool = False) -> int:
            if path.suffix == ".volume":
                raise OSError(errno.EMFILE, "too many")
            return super().open(path, is_writable=is_writable)

    with open_engine(tmp_path / "faulty", disk=Exhausted()) as engine:
        put(engine, "k", noise(5000))
        with pytest.raises(StorageError, match="opened"):
            engine.open_object(BUCKET, "k")


@pytest.fixture
def locked(engine: StorageEngine, tmp_path: Path) -> Iterator[int]:
    """Put a large object whose record somebody else has locked; give the lock's descriptor."""
    info = put(engine, "k", noise(LARGE))
    place = engine._lookup.find(info.sha256 or b"")
    assert place is not None
    disk = RealDisk()
    path = volume_path(tmp_path / "store" / "volumes", place.volume_id)
    descriptor = disk.open(path, is_writable=True)
    assert try_seize_range(descriptor, place.offset, place.length)
    yield descriptor
    disk.close(descriptor)


def test_a_record_that_is_locked_and_in_use_is_read(engine: StorageEngine, locked: int) -> None:
    """Who healed a blob a moment ago still has its lock: no damage, and nothing to wait for."""
    with engine.open_object(BUCKET, "k") as reader:
        assert reader.read_cached(0, 1000) == noise(LARGE)[:1000]
        assert reader.read(0, LARGE) == noise(LARGE)
        release_range(locked, 0, 1 << 40)
        assert reader.read(0, 1000) == noise(LARGE)[:1000]
        assert not try_seize_range(locked, 0, 1 << 40), "the reader holds it now"
    assert try_seize_range(locked, 0, 1 << 40)
    assert settled(engine) == 0


@pytest.mark.usefixtures("locked")
def test_damage_is_told_of_a_record_that_is_locked(engine: StorageEngine, tmp_path: Path) -> None:
    """Whoever has a lock: bytes that are wrong where the index says they are stay damage."""
    held = damage(tmp_path / "store", at=BLOCK_BYTES)
    with pytest.raises(CorruptBlob):
        get(engine, "k")
    assert settled(engine) == 1
    restore(tmp_path / "store", held, at=BLOCK_BYTES)


def test_a_damaged_inline_payload_is_corrupt(engine: StorageEngine) -> None:
    """A payload in the index is verified too."""
    put(engine, "k", b"12345")
    tables = engine._index.tables
    with engine._index.begin_write() as txn, txn.cursor(tables.inline) as cursor:
        cursor.first()
        original = cursor.value()
        cursor.put(cursor.key(), original[:-1] + b"6")
    with pytest.raises(CorruptBlob, match="inline"):
        engine.open_object(BUCKET, "k")
    assert any("inline" in problem for problem in engine.verify())
    with engine._index.begin_write() as txn, txn.cursor(tables.inline) as cursor:
        cursor.first()
        cursor.put(cursor.key(), original)


def test_readers_and_writers_of_one_key_never_see_a_mixture(engine: StorageEngine) -> None:
    """While a key is overwritten all the time, every read is one of its versions, whole."""
    versions = [noise(70 * KIB, n) for n in range(3)] + [b"tiny"]
    put(engine, "k", versions[0])
    stop, wrong = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            data = get(engine, "k")
            if data not in versions:
                wrong.append(len(data))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(100):
        put(engine, "k", versions[n % 4])
        if n % 10 == 0:
            engine.reclaim(10**15)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_large_read_is_made_in_steps(tmp_path: Path) -> None:
    """However much is asked for, no single read of a volume exceeds the bound."""
    lengths: list[int] = []

    class Watched(FaultyDisk):
        def read(self, descriptor: int, length: int, offset: int) -> bytes:
            if descriptor in self._watched:
                lengths.append(length)
            return super().read(descriptor, length, offset)

    with open_engine(tmp_path / "watched", disk=Watched()) as engine:
        data = noise(5 * MIB + 3)
        engine.put_object(BUCKET, "k", engine.stage_bytes(data), attributes()).result()
        assert get(engine, "k") == data
    assert max(lengths) == BUFFER_BYTES
    assert len(lengths) <= 8
