"""A store that needs compaction, and the proof that it still holds what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import CompactionOptions, EngineOptions, open_engine
from storage_engine.limits import PUNCH_BYTES_MIN
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    MIB,
    get,
    noise,
    problems,
    put,
    put_multipart,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

ALL = CompactionOptions(threshold=0.0)
LARGE = PUNCH_BYTES_MIN + 50 * KIB
OPTIONS = EngineOptions(
    inline_bytes_max=64, volume_bytes_max=1 * MIB, disk_reserve_bytes=0, segment_bytes=64 * KIB
)


def fill(path: Path, options: EngineOptions = OPTIONS) -> dict[str, bytes]:
    """Make a store whose volumes are half dead and have no owner; return what it holds."""
    kept: dict[str, bytes] = {}
    with open_engine(path, options) as engine:
        for n in range(40):
            data = noise((3, 20, 70)[n % 3] * KIB + n, n)
            put(engine, f"{n}", data)
            kept[f"{n}"] = data
        for n, size in enumerate((LARGE, LARGE + 5, 2 * MIB)):
            kept[f"large{n}"] = noise(size, 100 + n)
            put(engine, f"large{n}", kept[f"large{n}"])
        pieces = [noise(100 * KIB, 200), noise(LARGE, 201), b"inline", noise(5 * KIB, 2)]
        put_multipart(engine, "multi", pieces)
        kept["multi"] = b"".join(pieces)
        put(engine, "shared", kept["5"])
        kept["shared"] = kept["5"]
        for key in [*(f"{n}" for n in range(40) if n % 2), "large1"]:
            engine.delete_object(BUCKET, key).result()
            del kept[key]
    return kept


def check(engine: StorageEngine, kept: dict[str, bytes]) -> None:
    """Compare all that the store holds, and the store with itself."""
    assert {key: get(engine, key) for key in kept} == kept
    assert engine.namespace_counts(BUCKET).objects == len(kept)
    assert problems(engine) == []
