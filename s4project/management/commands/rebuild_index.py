"""`manage.py rebuild_index`: make the index anew when it is lost.

Of the newest snapshot and the journal since, which loses nothing; or, asked to, of the volumes
alone. Exit codes: 0 done, 1 done and something is missing, 2 refused.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import DatabaseError

from s4project.bucket_list import BucketsUnknownError, read_buckets
from s4project.care_command import Answer, CareCommand, RefusedError
from storage_engine import rebuild_index, renew_engine, survey_volumes
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import SalvageReport

SAMPLE: Final = 3  # names shown of each bucket


class Command(CareCommand):
    help = (
        "Makes the index anew: from the newest snapshot and the journal since, which loses "
        "nothing. The server must be stopped. What the new index replaces is moved aside and kept."
    )
    counts = "bytes read"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
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
            "--all-buckets",
            action="store_true",
            help="with --salvage: also what is of buckets that the SQL database does not know",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --salvage: only say what would be found"
        )

    def run(self, options: dict[str, Any], progress: Progress) -> Answer:
        for name in ("all_buckets", "dry_run"):
            if options[name] and not options["salvage"]:
                raise RefusedError(f"--{name.replace('_', '-')} goes with --salvage")
        return way(options)(options, progress)


def way(options: dict[str, Any]) -> Callable[[dict[str, Any], Progress], Answer]:
    """Return the way that was asked for."""
    if options["salvage"]:
        return salvage
    return release if options["release"] else rebuild


def rebuild(options: dict[str, Any], progress: Progress) -> Answer:
    """Make the index of snapshot and journal."""
    report = rebuild_index(
        settings.S4.data_dir, accept_loss=options["accept_loss"], progress=progress
    )
    own = "the index's own last checkpoint"
    made_of = own if report.is_own else report.snapshot or "the journal from its beginning"
    lines = [f"Made anew of {made_of}, and {report.frames:,} commits of the journal."]
    lines += [f"Kept aside: {name}" for name in report.aside]
    problems = [f"snapshot {name} is damaged" for name in report.damaged_snapshots]
    if report.damage is not None:
        problems.append(f"given up: {report.damage}")
    return Answer(asdict(report), lines, problems)


def release(_options: dict[str, Any], _progress: Progress) -> Answer:
    """Let go of what a salvage left out."""
    held = get_engine(must_exist=True).release_volumes()
    line = f"Volumes up to {held:08d} are held no longer." if held else "Nothing was held."
    return Answer({"released": held}, [line], [])


def salvage(options: dict[str, Any], progress: Progress) -> Answer:
    """Make the index of what the volumes tell, or only say what that is."""
    buckets, unknown = None, []
    if not options["all_buckets"]:
        try:
            buckets = read_buckets().keys()
        except BucketsUnknownError as error:
            unknown = [f"{error}: which buckets are deleted is unknown, everything comes back"]
        except DatabaseError as error:
            advice = "--all-buckets brings everything back without it"
            raise RefusedError(f"the SQL database cannot be read ({error}): {advice}") from error
    if options["dry_run"]:
        report = survey_volumes(settings.S4.data_dir, progress, buckets)
        made = (
            f"{report.object_records:,} records of objects, {report.part_records:,} of parts of "
            "uploads; nothing was changed."
        )
    else:
        with renew_engine(settings.S4.data_dir) as engine:
            report = engine.salvage(progress, buckets=buckets)
        made = (
            f"{report.objects:,} objects, {report.assembled:,} of them uploads put together; "
            f"{report.open_uploads:,} uploads are open again, {report.older:,} older records "
            f"unused, {report.kept:,} kept by their locks."
        )
    read = f"{report.volumes} volumes, {report.records:,} whole records"
    lines = [f"{read}, {report.record_bytes:,} bytes.", made, *found_buckets(report)]
    return Answer(asdict(report), lines, unknown + problems(report))


def found_buckets(report: SalvageReport) -> list[str]:
    """Say what there is of each bucket."""
    return [
        f"bucket {bucket_id}: {found.keys:,} keys, such as {', '.join(found.sample[:SAMPLE])}"
        for bucket_id, found in sorted(report.buckets.items())
    ]


def problems(report: SalvageReport) -> list[str]:
    """Say what is missing from the index, or may be."""
    lines = list(report.damaged)
    if report.damages > len(lines):
        lines.append(f"and {report.damages - len(lines):,} more damages")
    if report.nameless:
        lines.append(f"{report.nameless:,} records do not tell what they were stored for")
    for bucket_id, found in sorted(report.left_out.items()):
        lines.append(
            f"bucket {bucket_id} is not in the SQL database: deleted, or the database is older "
            f"than they are: {found.keys:,} records left out, such as "
            f"{', '.join(found.sample[:SAMPLE])} (--all-buckets brings them back)"
        )
    return lines
