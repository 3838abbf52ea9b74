"""`manage.py stats`: the totals of the store, for people or (--json) for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from s4project.care_command import Answer, CareCommand
from storage_engine import HoldCause
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import Hold, StorageEngine

REASONS: Final = {
    HoldCause.SALVAGE: "the index was salvaged from them",
    HoldCause.ACCEPT_LOSS: "the index was rebuilt without all of its journal",
    HoldCause.UNKNOWN_VOLUMES: "the index met volumes that it did not know",
}


class Command(CareCommand):
    help = "Shows how much the store holds and where; costs next to nothing."

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        del options, progress, should_stop
        totals, volumes, hold = asdict(engine.stats()), engine.volumes(), engine.hold()
        figures = totals | {
            "hold": hold and hold._asdict(),
            "volume_list": [volume._asdict() for volume in volumes],
        }
        lines = [
            f"{name.replace('_', ' '):<16} {value:>20,}"
            for name, value in totals.items()
            if value is not None
        ]
        for volume in volumes:
            state = f"{volume.state}{', held' if volume.is_held else ''}"
            lines.append(
                f"volume {volume.id:08d}  {state:<12} {volume.size:>16,} bytes, "
                f"{volume.live_bytes:,} live"
            )
        return Answer(figures, [*lines, *held(hold)], [])


def held(hold: Hold | None) -> list[str]:
    """Say what is held, why, and how that ends."""
    if hold is None:
        return []
    since = datetime.fromtimestamp(hold.since_ms // 1000, UTC)
    line = (
        f"Volumes up to {hold.last_volume:08d} are held since {since:%Y-%m-%d %H:%M} UTC, when "
        f"{REASONS[hold.cause]}: no room of theirs comes back before "
        f"{command('rebuild_index --release')}."
    )
    return [line]
