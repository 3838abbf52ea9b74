"""From a key to its bytes, while volumes are dropped under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine.lookup import Lookup
from tests.storage_engine.engine_steps import BUCKET, KIB, noise, put

if TYPE_CHECKING:
    import pytest

    from storage_engine import StorageEngine


def test_a_volume_dropped_between_looking_and_opening_is_looked_up_again(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader whose volume went away meanwhile finds the object's new place."""
    put(engine, "k", noise(200 * KIB, 1))
    look = Lookup._find
    dropped: list[int] = []

    def look_then_lose(self: Lookup, *arguments: object) -> object:
        found = look(self, *arguments)  # type: ignore[arg-type]  # handed on as it came
        if not dropped:
            put(engine, "k", noise(200 * KIB, 2))  # into the next volume: the first is full
            dropped.append(engine.reclaim(10**15)["volumes"])
        return found

    monkeypatch.setattr(Lookup, "_find", look_then_lose)
    with engine.open_object(BUCKET, "k") as reader:
        assert reader.read(0, 200 * KIB) == noise(200 * KIB, 2)
    assert dropped == [1]


def test_a_record_dead_or_alive_is_there_until_it_is_punched(engine: StorageEngine) -> None:
    """A place is safe to read while the index names it as in use or as dead."""
    put(engine, "k", noise(300 * KIB))
    with engine.open_object(BUCKET, "k") as reader:
        extent = reader._extents.known[0]
    assert extent.blob is not None
    assert engine._lookup.is_there(extent.sha256, extent.blob)
    engine.delete_object(BUCKET, "k").result()
    assert engine._lookup.is_there(extent.sha256, extent.blob)
    engine.reclaim(10**15)
    assert not engine._lookup.is_there(extent.sha256, extent.blob)


def test_a_blob_is_found_where_it_lies_now(engine: StorageEngine) -> None:
    """The place of a blob is told by its name, and None when nothing uses it."""
    info = put(engine, "k", noise(1000))
    assert info.sha256 is not None
    found = engine._lookup.find(info.sha256)
    assert found is not None
    assert (found.volume_id, found.offset, found.size) == (1, 512, 1000)
    engine.delete_object(BUCKET, "k").result()
    assert engine._lookup.find(info.sha256) is None
