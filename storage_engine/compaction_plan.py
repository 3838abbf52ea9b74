"""Which volumes are worth rewriting: those that give most room back for least copying.

Two reasons: a volume has a large share of dead bytes; or it is one of several small ones, as
each start of a process leaves behind, that become one. Knows figures only, no file.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from storage_engine.limits import COMPACTION_GAIN_BYTES_MIN, MERGE_FLOOR_BYTES

DEAD: Final = "dead bytes"
SMALL: Final = "small"


class VolumeRoom(NamedTuple):
    """A volume that nobody appends to: its room on disk, and how much of it blobs in use take."""

    id: int
    room: int
    live: int
    damaged: int = 0  # of the live bytes: blobs in quarantine, which stay where they are


class VolumePlan(NamedTuple):
    """A volume to be rewritten: what would be copied, and what room it gives back in the end."""

    id: int
    reason: str
    moved_bytes: int
    gained_bytes: int


def choose(volumes: list[VolumeRoom], threshold: float, length_max: int) -> list[VolumePlan]:
    """Choose volumes, the cheapest gains first; of equal ones the oldest.

    What comes of rewriting them is not chosen again for as long as nothing else happens.
    """
    dead, rest = [], []
    for volume in volumes:
        gain = volume.room - volume.live
        movable = volume.live - volume.damaged
        if not volume.live:
            dead.append(VolumePlan(volume.id, DEAD, 0, gain))
        elif not movable:
            continue
        elif gain >= max(COMPACTION_GAIN_BYTES_MIN, threshold * volume.room):
            dead.append(VolumePlan(volume.id, DEAD, movable, gain))
        elif movable < length_max // 2 and not volume.damaged:
            rest.append(VolumePlan(volume.id, SMALL, movable, max(0, gain)))
    dead.sort(key=lambda plan: (plan.moved_bytes / max(1, plan.gained_bytes), plan.id))
    return dead + _to_merge(rest)


def _to_merge(volumes: list[VolumePlan]) -> list[VolumePlan]:
    """Choose small volumes, of which none is larger than all that are smaller together.

    So a byte is copied again only into something at least twice as large, and what is left are
    few volumes, each more than twice the one before.
    """
    chosen: list[VolumePlan] = []
    total = 0
    for volume in sorted(volumes, key=lambda plan: (plan.moved_bytes, plan.id)):
        size = max(volume.moved_bytes, MERGE_FLOOR_BYTES)
        if chosen and size > total:
            if len(chosen) > 1:
                break
            chosen, total = [], 0
        chosen.append(volume)
        total += size
    return chosen if len(chosen) > 1 else []
