"""A power cut that forgets any unsynced sectors of the volumes: acknowledged bytes are intact."""

from __future__ import annotations

import threading
from random import Random
from typing import TYPE_CHECKING

import pytest

from storage_engine import EngineOptions, open_engine
from storage_engine.limits import BLOCK_BYTES
from tests.storage_engine.bad_disks import LossyDisk
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    get,
    noise,
    problems,
    put,
    put_multipart,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

OPTIONS = EngineOptions(inline_bytes_max=64, volume_bytes_max=300 * KIB, disk_reserve_bytes=0)


def work(engine: StorageEngine, random: Random, name: str, kept: dict[str, bytes]) -> None:
    """Put, share, upload and delete; note what was acknowledged."""
    for n in range(12):
        key = f"{name}/{n % 4}"
        data = noise(random.choice((10, 900, BLOCK_BYTES + 7, 100 * KIB)), random.randrange(30))
        if n % 5 == 4:
            put_multipart(engine, key, [data, data[: len(data) // 2]])
            kept[key] = data + data[: len(data) // 2]
        elif n % 7 == 6:
            engine.delete_object(BUCKET, key).result()
            kept.pop(key, None)
        else:
            put(engine, key, data)
            kept[key] = data


@pytest.mark.parametrize("seed", range(12))
def test_acknowledged_bytes_survive_a_power_cut(tmp_path: Path, seed: int) -> None:
    """With streams half-written and staged payloads waiting, a cut harms nothing acknowledged."""
    random = Random(seed)  # noqa: S311  # a chance, not a secret
    disk = LossyDisk()
    engine = open_engine(tmp_path / "store", OPTIONS, disk=disk)
    kept: dict[str, bytes] = {}
    threads = [
        threading.Thread(target=work, args=(engine, Random(seed * 10 + n), f"{n}", kept))  # noqa: S311
        for n in range(3)
    ]
    writers = []
    for thread in threads:
        thread.start()
        writer = engine.begin_blob(600 * KIB)
        writer.write(noise(300 * KIB, seed))
        writers.append(writer)
    for thread in threads:
        thread.join()
    engine.stage_bytes(noise(5000, 99))
    for writer in writers:  # the power fails while their last bytes are on the way
        writer.write(noise(300 * KIB, seed))
    engine.close()
    lost = disk.cut_power(random)
    assert lost > 0
    with open_engine(tmp_path / "store", OPTIONS) as again:
        assert problems(again) == []
        assert {key: get(again, key) for key in kept} == kept
        assert again.namespace_counts(BUCKET).objects == len(kept)
        put(again, "after", noise(5000))
        assert get(again, "after") == noise(5000)


def test_the_lossy_disk_loses_what_was_not_synced(tmp_path: Path) -> None:
    """The cut is real: an engine that syncs nothing does lose acknowledged bytes."""

    class NeverSyncing(LossyDisk):
        def sync(self, descriptor: int) -> None:
            """Claim to have synced, if it is a volume."""
            if self._paths[descriptor].suffix != ".volume":
                super().sync(descriptor)

    disk = NeverSyncing()
    with open_engine(tmp_path / "store", OPTIONS, disk=disk) as engine:
        for n in range(5):
            put(engine, f"{n}", noise(50 * KIB, n))
    disk.cut_power(Random(1))  # noqa: S311  # a chance, not a secret
    with open_engine(tmp_path / "store", OPTIONS) as again:
        assert sum("blob" in problem for problem in problems(again)) == 5
