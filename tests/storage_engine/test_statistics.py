"""Totals and volumes, as people and metrics see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import VolumeState
from storage_engine.volume import volume_path
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    noise,
    put,
    put_part,
    small_store,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine


def test_an_empty_store_is_all_zeros(engine: StorageEngine) -> None:
    """Before the first object there is nothing but the index."""
    stats = engine.stats()
    assert stats.index_bytes > 0
    assert (stats.objects, stats.blobs, stats.volumes, stats.volume_bytes) == (0, 0, 0, 0)
    assert engine.volumes() == []


def test_totals_add_up(engine: StorageEngine) -> None:
    """Logical and physical figures tell what is shared, dead and open."""
    put(engine, "a", noise(5000))
    put(engine, "b", noise(5000), bucket_id=2)
    put(engine, "c", b"inline")
    put(engine, "d", noise(3000, 1))
    upload = engine.create_upload(BUCKET, "m", attributes()).result()
    put_part(engine, "m", upload.upload_id, 1, noise(700))
    engine.delete_object(BUCKET, "d").result()
    stats = engine.stats()
    assert (stats.namespaces, stats.objects, stats.object_bytes) == (2, 3, 10_006)
    assert (stats.uploads, stats.upload_bytes) == (1, 700)
    assert (stats.blobs, stats.inline_payloads, stats.volumes) == (2, 1, 1)
    assert stats.blob_references == 3
    engine.delete_object(2, "b").result()
    assert engine.stats().blob_references == engine.stats().blobs == 2
    assert 5700 <= stats.live_bytes < 7000
    assert engine.live_bytes() == stats.live_bytes
    assert stats.dead_bytes == stats.volume_bytes - stats.live_bytes >= 3000


def test_holes_take_no_room(engine: StorageEngine) -> None:
    """Room given back to the disk is neither physical nor dead any more."""
    put(engine, "kept", noise(1000))
    put(engine, "k", noise(500 * KIB))
    engine.delete_object(BUCKET, "k").result()
    put(engine, "active", noise(1000, 2))
    before = engine.stats()
    engine.reclaim(10**15)
    after = engine.stats()
    assert before.dead_bytes - after.dead_bytes > 450 * KIB


def test_volumes_tell_who_writes_them(tmp_path: Path) -> None:
    """The volume of this process is active, those of the past are sealed; each has a length."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", noise(1000))
    with small_store(tmp_path / "store") as engine:
        put(engine, "b", noise(2000))
        first, second = engine.volumes()
        assert (first.id, first.state) == (1, VolumeState.SEALED)
        assert (second.id, second.state) == (2, VolumeState.ACTIVE)
        assert first.live_bytes < second.live_bytes
        assert first.size == volume_path(tmp_path / "store" / "volumes", 1).stat().st_size
