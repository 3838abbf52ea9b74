"""Damaged blobs: noticed by whoever meets them, never shared, healed by putting them again."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from storage_engine import CorruptBlob, EngineOptions, ObjectRef, open_engine
from storage_engine.limits import PUNCH_BYTES_MIN
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
    put_multipart,
    small_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

DATA = noise(100 * KIB, 1)


def damage(store: Path, volume_id: int = 1, at: int = 5000, width: int = 100) -> bytes:
    """Overwrite some bytes of a volume; return what they were."""
    with volume_path(store / "volumes", volume_id).open("r+b") as file:
        file.seek(at)
        held = file.read(width)
        file.seek(at)
        file.write(bytes(byte ^ 0xFF for byte in held))
    return held


def restore(store: Path, held: bytes, at: int = 5000) -> None:
    """Put back what `damage` took from the first volume."""
    with volume_path(store / "volumes", 1).open("r+b") as file:
        file.seek(at)
        file.write(held)


def settled(engine: StorageEngine) -> int:
    """Wait for what was submitted before now; return how many blobs are in quarantine."""
    engine.bump_generation("tests")
    assert engine.stats().quarantined == len(engine.quarantined())
    return engine.stats().quarantined


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Name the directory of a store."""
    return tmp_path / "store"


@pytest.fixture
def engine(store: Path) -> Iterator[StorageEngine]:
    """Open a store whose volumes do not fill up."""
    with small_store(store, volume_bytes_max=1 << 30) as opened:
        yield opened


def test_a_read_that_meets_damage_reports_it_once(engine: StorageEngine, store: Path) -> None:
    """The blob is listed with its place and what was wrong, however often it is read."""
    put(engine, "k", DATA)
    put(engine, "copy", DATA)
    damage(store)
    assert settled(engine) == 0
    for _ in range(3):
        with pytest.raises(CorruptBlob):
            get(engine, "k")
        assert settled(engine) == 1
    (blob,) = engine.quarantined()
    assert (blob.volume_id, blob.offset, blob.size, blob.references) == (1, 512, len(DATA), 2)
    assert "block 0" in blob.reason


def test_verify_reports_and_lifts(engine: StorageEngine, store: Path) -> None:
    """What verify finds wrong is in quarantine, until verify finds it right."""
    put(engine, "k", DATA)
    held = damage(store)
    assert len(problems(engine)) == 1
    assert settled(engine) == 1
    assert len(problems(engine)) == 1, "being in quarantine is not a problem of its own"
    restore(store, held)
    assert problems(engine) == []
    assert settled(engine) == 0


def test_bytes_that_verify_are_served_from_quarantine(engine: StorageEngine, store: Path) -> None:
    """A read is refused for what it finds, not for what an earlier one found."""
    put(engine, "k", DATA)
    held = damage(store)
    with pytest.raises(CorruptBlob):
        get(engine, "k")
    restore(store, held)
    assert settled(engine) == 1
    assert get(engine, "k") == DATA


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("size", [100 * KIB, PUNCH_BYTES_MIN + 1000])
def test_a_put_of_the_same_content_heals_every_key(
    engine: StorageEngine, store: Path, is_streamed: bool, size: int
) -> None:
    """The fresh record takes over all references, and the damaged one is dead."""
    data = noise(size, 2)
    put(engine, "k", data)
    engine.copy_object(
        ObjectRef(BUCKET, "k"), ObjectRef(BUCKET, "copy"), lambda info: info.attributes
    ).result()
    put_multipart(engine, "multi", [data, b"end"])
    damage(store)
    with pytest.raises(CorruptBlob):
        get(engine, "k")
    assert settled(engine) == 1
    if is_streamed:
        with engine.begin_blob(size) as writer:
            writer.write(data)
            blob = writer.finish()
        engine.put_object(BUCKET, "again", blob, attributes(data)).result()
    else:
        put(engine, "again", data)
    assert settled(engine) == 0
    assert get(engine, "k") == get(engine, "copy") == get(engine, "again") == data
    assert get(engine, "multi") == data + b"end"
    assert problems(engine) == []
    put(engine, "shared", data)
    assert engine.stats().blobs == 2  # parts are never inline
    for key in ("k", "copy", "multi", "again", "shared"):
        engine.delete_object(BUCKET, key).result()
    assert problems(engine) == []
    assert engine.stats().live_bytes == 0


def test_a_reader_in_the_middle_is_healed_too(engine: StorageEngine, store: Path) -> None:
    """A reader that was opened before goes on with the fresh record."""
    put(engine, "k", DATA)
    damage(store)
    with engine.open_object(BUCKET, "k") as reader:
        with pytest.raises(CorruptBlob):
            reader.read(0, 10)
        assert settled(engine) == 1
        put(engine, "again", DATA)
        assert reader.read(0, len(DATA)) == DATA


def test_a_payload_counted_on_the_damaged_blob_is_written_after_all(
    engine: StorageEngine, store: Path
) -> None:
    """Content that was known when it was staged, and is damaged by the commit, heals as well."""
    put(engine, "k", DATA)
    staged = engine.stage_bytes(DATA)
    assert staged.place is None
    damage(store)
    with pytest.raises(CorruptBlob):
        get(engine, "k")
    engine.put_object(BUCKET, "late", staged, attributes(DATA)).result()
    assert get(engine, "k") == get(engine, "late") == DATA
    assert settled(engine) == 0
    assert problems(engine) == []


def test_several_puts_in_one_commit_heal_once(engine: StorageEngine, store: Path) -> None:
    """Of equal payloads that were all written, one is used and the others' room comes back."""
    put(engine, "k", DATA)
    damage(store)
    with pytest.raises(CorruptBlob):
        get(engine, "k")
    assert settled(engine) == 1
    staged = [engine.stage_bytes(DATA) for _ in range(4)]
    futures = [
        engine.put_object(BUCKET, f"{n}", blob, attributes(DATA)) for n, blob in enumerate(staged)
    ]
    for future in futures:
        future.result()
    assert [get(engine, f"{n}") for n in range(4)] == [DATA] * 4
    assert engine.quarantined() == []
    assert problems(engine) == []


def test_a_damaged_blob_that_nothing_uses_is_forgotten(engine: StorageEngine, store: Path) -> None:
    """Deleting the last user ends the quarantine."""
    put(engine, "k", DATA)
    damage(store)
    with pytest.raises(CorruptBlob):
        get(engine, "k")
    assert settled(engine) == 1
    engine.delete_object(BUCKET, "k").result()
    assert settled(engine) == 0
    assert problems(engine) == []


def test_a_report_about_a_place_that_was_left_changes_nothing(engine: StorageEngine) -> None:
    """Only what the index still names can be put into quarantine, or let out."""
    put(engine, "k", DATA)
    with engine.open_object(BUCKET, "k") as reader:
        extent = reader._extents.known[0]
    assert extent.blob is not None
    engine.delete_object(BUCKET, "k").result()
    put(engine, "other", noise(10 * KIB, 3))
    put(engine, "k", DATA)
    engine._care.quarantine.report(extent.sha256, extent.blob, "late")
    assert settled(engine) == 0
    current = engine._lookup.find(extent.sha256)
    assert current is not None
    engine._care.quarantine.report(extent.sha256, current, "x" * 10_000)
    assert settled(engine) == 1
    assert engine._care.quarantine.lift(extent.sha256, extent.blob)
    assert settled(engine) == 1
    assert engine._care.quarantine.lift(extent.sha256, current)
    assert settled(engine) == 0


def test_what_the_disk_does_not_read_is_damaged(tmp_path: Path) -> None:
    """An I/O error puts a blob into quarantine; running out of descriptors or memory does not."""
    disk = FaultyDisk()
    with open_engine(tmp_path / "faulty", EngineOptions(disk_reserve_bytes=0), disk=disk) as engine:
        put(engine, "k", DATA)
        for code, expected in ((errno.ENOMEM, 0), (errno.EIO, 1)):
            disk.refuses_reads = code
            with pytest.raises(CorruptBlob):
                get(engine, "k")
            assert settled(engine) == expected
        disk.refuses_reads = 0
        assert problems(engine) == []
        assert settled(engine) == 0


def test_a_missing_volume_is_healed_by_putting_again(store: Path) -> None:
    """Content whose volume is gone is written anew, not thought to be there."""
    with small_store(store) as engine:
        put(engine, "k", DATA)
    volume_path(store / "volumes", 1).unlink()
    with small_store(store) as engine:
        with pytest.raises(CorruptBlob, match="missing"):
            get(engine, "k")
        assert settled(engine) == 1
        put(engine, "other", DATA)
        assert get(engine, "k") == DATA
        assert problems(engine) == []
