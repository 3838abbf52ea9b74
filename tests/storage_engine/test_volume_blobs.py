"""What is in use in a volume is found by its bytes and by a scan alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine.volume import volume_path
from storage_engine.volume_blobs import scan_blobs, walk_blobs
from storage_engine.walk import Walk
from tests.storage_engine.engine_steps import BUCKET, KIB, noise, put

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.mark.parametrize("steps", [1, 7, 20_000])
def test_walk_and_scan_agree(
    engine: StorageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Both tell exactly the blobs that the index names in a volume, the walk in order of place."""
    monkeypatch.setattr("storage_engine.volume_blobs.SCAN_STEPS_MAX", steps)
    for n in range(30):
        put(engine, f"{n}", noise(20 * KIB + n, n))
    for n in range(0, 30, 3):
        engine.delete_object(BUCKET, f"{n}").result()
    ids = {volume.id for volume in engine.volumes()}
    assert len(ids) > 2
    total = 0
    for volume_id in ids:
        data = volume_path(tmp_path / "store" / "volumes", volume_id).read_bytes()
        walk = Walk(
            volume_id,
            lambda length, at, data=data: data[at : at + length],  # type: ignore[misc]
            len(data),
            engine._appender.seed,
        )
        walked = [item for found in walk_blobs(engine._index, walk, 512) for item in found]
        places = [blob.offset for _, blob in walked]
        assert places == sorted(places)
        assert {name for name, _ in walked} == {
            name for name, _ in scan_blobs(engine._index, {volume_id})
        }
        total += len(walked)
    assert total == 20 == len(list(scan_blobs(engine._index, ids)))
    assert list(scan_blobs(engine._index, {999})) == []
