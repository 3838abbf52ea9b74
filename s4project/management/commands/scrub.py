"""`manage.py scrub`: read everything that is in use, and tell what went bad."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from s4project.care_command import Answer, CareCommand
from storage_engine import ScrubOptions

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import StorageEngine


class Command(CareCommand):
    help = (
        "Reads every payload in use against its checksums, in the order of the disk. What is "
        "wrong goes into quarantine, what is right again leaves it. The server may be running. "
        "Goes on with a pass that was stopped. Exit code 1 when something is wrong."
    )
    counts = "bytes read"
    has_rate = True
    ends_in_order = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--hash", action="store_true", help="compare SHA-256 too, not only block checksums"
        )
        parser.add_argument(
            "--restart", action="store_true", help="begin anew although a pass was begun"
        )

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        report = engine.scrub(
            ScrubOptions(
                bytes_per_second=options["rate"],
                is_hashed=options["hash"],
                is_restarted=options["restart"],
                progress=progress,
                should_stop=should_stop,
            )
        )
        damaged = engine.stats().quarantined
        lines = [
            f"{report.blobs} blobs read, {report.bytes:,} bytes.",
            f"{report.inline_payloads} payloads in the index read.",
            f"{report.lifted + report.healed} blobs left quarantine, {damaged} are in it.",
        ]
        if not report.is_complete:
            lines.append("It was stopped; run it again to go on.")
        figures = asdict(report) | {"quarantined": damaged}
        return Answer(figures, lines, report.problems, report.is_complete)
