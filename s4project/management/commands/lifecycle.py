"""`manage.py lifecycle`: what rules do by now, would do, and did."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from buckets.alignment import align_engine
from buckets.services import bucket_names
from s4project.care_command import Answer, CareCommand, RefusedError
from s4project.commands import table
from s4project.lifecycle import Diary, shown, try_lifecycle
from s4project.setting_values import whole_number
from storage_engine import LifecycleCounts
from storage_engine.apps import get_engine
from storage_engine.program import command

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from s4project.progress import Progress
    from storage_engine import LifecycleDeed, StorageEngine

SHOWN_MAX: Final = 1000
DEEDS: Final = [["BUCKET", "RULE", "ACTION", "KEY", "VERSION OR UPLOAD", "BYTES", "DUE"]]
RULES: Final = [["BUCKET", "RULE", "DID", "BYTES", "KEPT BY LOCKS", "LAST"]]


class Command(CareCommand):
    help = (
        "Carries out what lifecycle rules ask for by now, in all buckets; the server may be "
        "running, and does so by itself. With --dry-run it says what would be done, to the last "
        "version, and does nothing; with --status it says what the rules did. Can be stopped at "
        "any time, and goes on when it is run again."
    )
    counts = "keys looked at"
    ends_in_order = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="only say what would be done")
        what.add_argument("--status", action="store_true", help="only say what the rules did")
        parser.add_argument("--bucket", metavar="NAME", help="one bucket (--dry-run, --status)")
        parser.add_argument(
            "--at",
            metavar="DATE",
            type=moment,
            help="as if it were then, such as 2030-12-31 or 2030-12-31T12:00:00Z (--dry-run)",
        )
        parser.add_argument(
            "--limit",
            metavar="N",
            type=limit,
            default=SHOWN_MAX,
            help=f"how many deeds a dry run lists, all are counted (default: {SHOWN_MAX})",
        )

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        del engine
        names = bucket_names()
        buckets = {
            bucket_id: name
            for bucket_id, name in sorted((names or {}).items(), key=lambda each: each[1])
            if options["bucket"] in {None, name}
        }
        if options["bucket"] is not None and not buckets:
            raise RefusedError(f"There is no bucket {options['bucket']}.")
        if names is not None and not options["status"]:
            align_engine()  # the server may not have run since one of the two was restored
        if options["dry_run"]:
            return tried(buckets, options, progress, should_stop)
        if options["at"] is not None:
            raise RefusedError("--at goes with --dry-run: what is not due yet is not done.")
        if options["status"]:
            return status(buckets)
        if options["bucket"] is not None:
            raise RefusedError("--bucket goes with --dry-run or --status: a run is of all buckets.")
        return run(buckets, should_stop)


def moment(text: str) -> datetime:
    """Read a time: a date, or a time in ISO 8601 (UTC unless it says another)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be such as 2030-12-31") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def limit(text: str) -> int:
    """Read how many rows are wanted."""
    try:
        return whole_number(0, 1_000_000)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def written(moment_ms: int) -> str:
    """Write a time for people."""
    return f"{datetime.fromtimestamp(moment_ms // 1000, UTC):%Y-%m-%d %H:%M}"


# --- a dry run ----------------------------------------------------------------------------------


def tried(
    buckets: dict[int, str],
    options: dict[str, Any],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> Answer:
    """Walk the buckets that have rules, and say what would be done."""
    at = options["at"]
    found = try_lifecycle(
        progress,
        should_stop,
        rows_max=options["limit"],
        buckets=buckets,
        at_ms=None if at is None else int(at.timestamp() * 1000),
    )
    progress.end()
    rows = [*DEEDS, *(_deed_row(bucket, deed) for bucket, deed in found.deeds)]
    lines = [table(rows)] * bool(found.deeds)
    going = sum(found.counts.values())
    if going + found.kept > len(found.deeds):
        lines.append(f"... and {going + found.kept - len(found.deeds):,} more (--limit)")
    lines += [f"{name}: rule {rule}: {do}: {n:,}" for (name, rule, do), n in found.counts.items()]
    lines.append(
        f"{going:,} things would be done to {found.keys:,} keys that were looked at, and "
        f"{found.bytes:,} bytes would go; locks keep {found.kept:,} versions. Nothing was done."
    )
    figures = {
        "keys": found.keys,
        "deeds": [{"bucket": bucket, **deed._asdict()} for bucket, deed in found.deeds],
        "counts": [
            {"bucket": name, "rule_id": rule, "action": action, "count": n}
            for (name, rule, action), n in found.counts.items()
        ],
        "bytes": found.bytes,
        "kept": found.kept,
        "is_complete": found.is_complete,
    }
    return Answer(figures, lines, [], found.is_complete)


def _deed_row(bucket: str, deed: LifecycleDeed) -> list[str]:
    due = "kept by a lock" if deed.is_kept else written(deed.due_ms)
    return [bucket, deed.rule_id, deed.action.value, deed.key, deed.id, f"{deed.size:,}", due]


# --- what was done ------------------------------------------------------------------------------


def status(buckets: dict[int, str]) -> Answer:
    """Say what the rules of each bucket did, and when it is looked at next."""
    engine = get_engine()
    rows, lines, figures = list(RULES), [], []
    for bucket_id, name in buckets.items():
        found = engine.lifecycle(bucket_id)
        if not found.rules:
            continue
        for rule in found.rules:
            counts = found.counts.get(rule.id) or LifecycleCounts()
            rows.append(_rule_row(name, rule.id if rule.is_enabled else f"{rule.id} (off)", counts))
        when = "nothing waits" if found.next_ms is None else f"next {written(found.next_ms)} UTC"
        late = "; its keys are being looked through for new rules" * found.is_catching_up
        lines.append(f"{name}: {when}{late}.")
        figures.append(
            {
                "bucket": name,
                "rules": [
                    {"id": rule.id, "is_enabled": rule.is_enabled}
                    | msgspec.structs.asdict(found.counts.get(rule.id) or LifecycleCounts())
                    for rule in found.rules
                ],
                "next_ms": found.next_ms,
                "is_catching_up": found.is_catching_up,
            }
        )
    shown_lines = [table(rows), *lines] if figures else ["No bucket has lifecycle rules."]
    return Answer({"buckets": figures}, shown_lines, [])


def _rule_row(bucket: str, rule_id: str, counts: LifecycleCounts) -> list[str]:
    deeds = {name: n for name, n in shown(counts).items() if name not in {"bytes", "kept"}}
    did = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in deeds.items())
    last = written(counts.last_ms) if counts.last_ms else "never"
    return [bucket, rule_id, did or "nothing", f"{counts.bytes:,}", f"{counts.kept:,}", last]


# --- a run --------------------------------------------------------------------------------------


def run(buckets: dict[int, str], should_stop: Callable[[], bool]) -> Answer:
    """Carry out what is due."""
    report = Diary().run(should_stop=should_stop)
    lines = [
        f"{buckets.get(bucket_id, bucket_id)}: rule {rule_id}: "
        + ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in shown(counts).items())
        for bucket_id, rules in report.done.items()
        for rule_id, counts in rules.items()
    ]
    gone = sum(report.deeds.values())
    lines.append(
        f"{gone:,} gone, {report.bytes:,} bytes; locks kept {report.kept:,}. "
        f"{report.looks:,} keys were looked at."
    )
    if not report.is_complete:
        lines.append("It was stopped; run it again to go on.")
    figures = {
        "keys": report.looks,
        "deeds": {action.value: count for action, count in report.deeds.items()},
        "bytes": report.bytes,
        "kept": report.kept,
        "is_complete": report.is_complete,
    }
    problems = [f"{report.failed:,} keys are damaged: {command('verify')} says how."]
    return Answer(figures, lines, problems * bool(report.failed), report.is_complete)
