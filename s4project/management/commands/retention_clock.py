"""`manage.py retention_clock`: from when default retentions count, and how to set that right."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from s4project.care_command import Answer, CareCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import StorageEngine

NOTABLE_MS: Final = 60_000  # by as much clocks are set back and forth in ordinary life


class Command(CareCommand):
    help = (
        "Tells from when default retentions count: now, or later if the clock was ahead once. "
        "Exit code 1 when it is later by more than a minute."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--trust",
            action="store_true",
            help="the machine's clock is right: count from now again; what is locked stays",
        )

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        del progress, should_stop
        if options["trust"]:
            engine.trust_clock()
        now_ms, from_ms = time.time_ns() // 1_000_000, engine.retained_from_ms()
        figures = {"now_ms": now_ms, "retained_from_ms": max(now_ms, from_ms)}
        if from_ms <= now_ms + NOTABLE_MS:
            return Answer(figures, ["Default retentions count from now."], [])
        problem = (
            f"Default retentions count from {shown(from_ms)}, and the machine says that it is "
            f"{shown(now_ms)}. Set its clock right; if it is, --trust has them count from now."
        )
        return Answer(figures, [], [problem])


def shown(epoch_ms: int) -> str:
    """Write a time for people."""
    return f"{datetime.fromtimestamp(epoch_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
