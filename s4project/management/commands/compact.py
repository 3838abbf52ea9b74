"""`manage.py compact`: room back from volumes that are mostly dead."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.conf import settings

from s4project.care_command import Answer, CareCommand
from s4project.setting_values import parse_share
from storage_engine import CompactionOptions

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import CompactionReport, StorageEngine


class Command(CareCommand):
    help = (
        "Moves what is in use out of volumes that are mostly dead, merges small ones, and gives "
        "their room back. The server may be running. Can be stopped at any time, and goes on when "
        "it is run again. Exit code 1 when it met damaged blobs, or volumes that did not fit."
    )
    counts = "bytes moved"
    has_rate = True
    ends_in_order = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--threshold",
            metavar="SHARE",
            type=share,
            help="share of dead bytes from which a volume is rewritten (default: the setting's)",
        )

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        threshold = options["threshold"]
        report = engine.compact(
            CompactionOptions(
                threshold=settings.S4.compaction_threshold if threshold is None else threshold,
                bytes_per_second=options["rate"],
                is_dry_run=options["dry_run"],
                progress=progress,
                should_stop=should_stop,
            )
        )
        figures = asdict(report) | {"plans": [plan._asdict() for plan in report.plans]}
        lines = planned(report) if options["dry_run"] else done(report)
        return Answer(figures, lines, [*report.problems, *report.skipped], report.is_complete)


def share(text: str) -> float:
    """Read a share."""
    try:
        return parse_share(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def planned(report: CompactionReport) -> list[str]:
    """Say what would be done."""
    lines = [
        f"volume {plan.id:08d}  {plan.reason:<10}  {plan.moved_bytes:>16,} bytes to move, "
        f"{plan.gained_bytes:,} to gain"
        for plan in report.plans
    ]
    moved = sum(plan.moved_bytes for plan in report.plans)
    gained = sum(plan.gained_bytes for plan in report.plans)
    return [*lines, f"{len(report.plans)} volumes, {moved:,} bytes to move, {gained:,} to gain."]


def done(report: CompactionReport) -> list[str]:
    """Say what was done."""
    lines = [
        f"{report.dropped_volumes} volumes dropped, {report.freed_bytes:,} bytes of room.",
        f"{report.moved_blobs} blobs moved, {report.moved_bytes:,} bytes.",
    ]
    if not report.is_complete:
        lines.append("It was stopped; run it again to go on.")
    return lines
