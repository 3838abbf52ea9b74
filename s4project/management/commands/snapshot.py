"""`manage.py snapshot`: a copy of the index, from which it is made anew if it is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s4project.care_command import Answer, CareCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import StorageEngine


class Command(CareCommand):
    help = (
        "Copies the index into DATA/snapshots. With the journal since, it is enough to make the "
        "index anew (rebuild_index). The server may be running; it makes snapshots by itself."
    )
    counts = "bytes copied"

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        del options, should_stop
        made = engine.snapshot(progress)
        figures = {"name": made.path.name, "position": made.position, "bytes": made.size}
        return Answer(figures, [f"{made.path.name}, {made.size:,} bytes."], [])
