"""The verbs that look after a store in use tell the same story, each from its side."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.storage_engine.engine_steps import KIB, get, noise, problems, put

if TYPE_CHECKING:
    from storage_engine import StorageEngine

LATER = 10**15


def test_what_is_told_of_a_store_agrees(engine: StorageEngine) -> None:
    """Totals, volumes and the users of a blob are of the same objects."""
    for key in ("a", "b"):
        put(engine, key, noise(3000))
    put(engine, "c", noise(300 * KIB, 1))
    stats, volumes = engine.stats(), engine.volumes()
    assert (stats.objects, stats.blobs) == (3, 2)
    assert [volume.id for volume in volumes] == [1, 2]
    assert sum(volume.live_bytes for volume in volumes) == stats.live_bytes
    users = engine.users([hashlib.sha256(noise(3000)).digest()])
    assert sorted(user.key for user in users) == ["a", "b"]
    assert engine.quarantined() == []
    assert (engine.held_volumes(), engine.release_volumes()) == (0, 0)


def test_a_snapshot_is_due_until_it_is_made(engine: StorageEngine) -> None:
    """One that was made just now is enough until something changes."""
    put(engine, "a", b"x")
    assert engine.snapshot_is_due(0)
    engine.snapshot()
    assert not engine.snapshot_is_due(LATER)
    put(engine, "b", b"x")
    assert engine.snapshot_is_due(0)


def test_room_comes_back_by_reclaim_and_compaction(engine: StorageEngine) -> None:
    """What was deleted is given back, what is left reads as before, and the scrub meets it."""
    for n in range(20):
        put(engine, f"k{n}", noise(10 * KIB, n))
    put(engine, "large", noise(300 * KIB, 77))
    engine.delete_object(1, "large").result()
    for n in range(19):
        engine.delete_object(1, f"k{n}").result()
    before = sum(volume.size for volume in engine.volumes())
    engine.reclaim(LATER)
    engine.compact()
    engine.checkpoint()
    assert sum(volume.size for volume in engine.volumes()) < before
    assert get(engine, "k19") == noise(10 * KIB, 19)
    assert engine.scrub().problems == []
    assert problems(engine) == []
