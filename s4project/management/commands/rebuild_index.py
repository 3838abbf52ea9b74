"""`manage.py rebuild_index`: make the index anew when it is lost.

Of the newest snapshot and the journal since, which loses nothing; or, asked to, of the volumes
alone. Exit codes: 0 done, 1 done and something is missing, 2 refused.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from buckets.services import bucket_ids
from s4project.care_command import EXIT_PROBLEMS, EXIT_REFUSED, Answer
from storage_engine import EngineError, rebuild_index, renew_engine, survey_volumes
from storage_engine.apps import close_engine, get_engine
from storage_engine.management.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from storage_engine import SalvageReport

SAMPLE: Final = 3  # names shown of each bucket


class Command(BaseCommand):
    help = (
        "Makes the index anew: from the newest snapshot and the journal since, which loses "
        "nothing. The server must be stopped. What the new index replaces is moved aside and kept."
    )
    requires_system_checks = ()  # the settings are checked below, in plain lines

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="write one JSON object at the end")
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument(
            "--accept-loss",
            action="store_true",
            help="where the journal is lost or damaged, give up what came after",
        )
        ways.add_argument(
            "--salvage",
            action="store_true",
            help="make it of the volumes alone, when snapshots are lost too",
        )
        ways.add_argument(
            "--release",
            action="store_true",
            help="after a salvage: let the room of what it left out come back",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --salvage: only say what would be found"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        if settings.S4.problems:
            self._refuse(*settings.S4.problems)
        if options["dry_run"] and not options["salvage"]:
            raise CommandError("--dry-run goes with --salvage", returncode=EXIT_REFUSED)
        progress = None
        if self.stderr.isatty() and not options["json"]:
            progress = Progress(self.stderr, "bytes read")
        try:
            answer = way(options)(options, progress)
        except (EngineError, OSError) as error:
            self._refuse(str(error))
        finally:
            if progress is not None:
                progress.end()
        self._answer(answer, is_json=options["json"])

    def _answer(self, answer: Answer, *, is_json: bool) -> None:
        if is_json:
            self.stdout.write(json.dumps({"ok": not answer.problems, **answer.figures}))
        else:
            for problem in answer.problems:
                self.stdout.write(self.style.ERROR(problem))
            for line in answer.lines:
                self.stdout.write(line)
        if answer.problems:
            sys.exit(EXIT_PROBLEMS)

    def _refuse(self, *reasons: str) -> NoReturn:
        for reason in reasons:
            self.stderr.write(" ".join(reason.split()))
        sys.exit(EXIT_REFUSED)


def way(options: dict[str, Any]) -> Callable[[dict[str, Any], Progress | None], Answer]:
    """Return the way that was asked for."""
    if options["salvage"]:
        return salvage
    return release if options["release"] else rebuild


def rebuild(options: dict[str, Any], progress: Progress | None) -> Answer:
    """Make the index of snapshot and journal."""
    report = rebuild_index(
        settings.S4.data_dir, accept_loss=options["accept_loss"], progress=progress
    )
    made_of = report.snapshot or "the journal from its beginning"
    lines = [f"Made anew of {made_of}, and {report.frames:,} commits of the journal."]
    lines += [f"Kept aside: {name}" for name in report.aside]
    problems = [f"snapshot {name} is damaged" for name in report.damaged_snapshots]
    if report.damage is not None:
        problems.append(f"given up: {report.damage}")
    return Answer(asdict(report), lines, problems)


def release(_options: dict[str, Any], _progress: Progress | None) -> Answer:
    """Let go of what a salvage left out."""
    try:
        held = get_engine().release_volumes()
    finally:
        close_engine()
    line = f"Volumes up to {held:08d} are held no longer." if held else "Nothing was held."
    return Answer({"released": held}, [line], [])


def salvage(options: dict[str, Any], progress: Progress | None) -> Answer:
    """Make the index of what the volumes tell."""
    if options["dry_run"]:
        return salvaged(survey_volumes(settings.S4.data_dir, progress))
    buckets = None
    with suppress(DatabaseError):  # lost too: everything comes back
        buckets = bucket_ids()
    with renew_engine(settings.S4.data_dir) as engine:
        report = engine.salvage(progress, buckets=buckets)
    return salvaged(report)


def salvaged(report: SalvageReport) -> Answer:
    """Say what was found and what was made of it."""
    read = f"{report.volumes} volumes, {report.records:,} whole records"
    made = f"{report.objects:,} objects, {report.assembled:,} of them uploads put together"
    rest = f"{report.open_uploads:,} uploads are open again, {report.older:,} older records unused"
    lines = [f"{read}, {report.record_bytes:,} bytes.", f"{made}; {rest}."]
    for bucket_id, found in sorted(report.buckets.items()):
        names = ", ".join(found.sample[:SAMPLE])
        lines.append(f"bucket {bucket_id}: {found.keys:,} keys, such as {names}")
    for bucket_id, found in sorted(report.left_out.items()):
        lines.append(f"bucket {bucket_id} is deleted: {found.keys:,} records left out")
    problems = list(report.damaged)
    if report.damages > len(problems):
        problems.append(f"and {report.damages - len(problems):,} more damages")
    if report.nameless:
        problems.append(f"{report.nameless:,} records do not tell what they were stored for")
    return Answer(asdict(report), lines, problems)
