"""What whoever opens a store may choose, with the engine's own choices as defaults."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from storage_engine.limits import (
    DESCRIPTORS_MAX,
    DISK_RESERVE_BYTES,
    INLINE_BYTES_MAX,
    JOURNAL_SEGMENT_BYTES,
    MAP_BYTES,
    VOLUME_BYTES_MAX,
)

Clock = Callable[[], int]
"""Tells the time in epoch milliseconds."""

DAY_MS: Final = 24 * 3600 * 1000


def wall_clock() -> int:
    """Tell the machine's time."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What may be chosen when a store is opened; sizes in bytes."""

    inline_bytes_max: int = INLINE_BYTES_MAX  # payloads shorter than this are kept in the index
    volume_bytes_max: int = VOLUME_BYTES_MAX
    map_bytes: int = MAP_BYTES
    descriptors_max: int = DESCRIPTORS_MAX
    disk_reserve_bytes: int = DISK_RESERVE_BYTES
    segment_bytes: int = JOURNAL_SEGMENT_BYTES
    snapshots_kept: int = 1
    neighbours: frozenset[str] = frozenset()  # files of others that a new store may find
    clock: Clock = wall_clock  # what commits are dated by, and what falls due
    lifecycle_day_ms: int = DAY_MS  # how long a day of a lifecycle rule is; shorter for tests


DEFAULTS: Final = EngineOptions()
