"""What each kind of task does, by the same ways as the commands; and what it tells of it.

A task is told how to say how far it is, and when to end. What it answers goes into a row and onto
a page: of each list only the beginning, of everything the count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from buckets.alignment import align_engine
from s4project.bucket_list import BucketsUnknownError, read_buckets
from s4project.lifecycle import Diary, abort_old_uploads, shown, try_lifecycle
from s4project.models import Kind
from storage_engine import CompactionOptions, ScrubOptions
from storage_engine.apps import get_engine
from storage_engine.pace import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from s4project.models import Task

ROWS_MAX: Final = 500
TEXT_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Work:
    """A task's tools: to tell (done, total), and to ask whether it is to end."""

    progress: Callable[[int, int], None]
    should_stop: Callable[[], bool]


@dataclass(slots=True)
class Outcome:
    """What a task came to; `rows` are lists by name, `figures` are added up over its starts."""

    figures: dict[str, int] = field(default_factory=dict)
    rows: dict[str, list[Any]] = field(default_factory=dict)
    problems: int = 0
    is_complete: bool = True
    is_begun_anew: bool = False  # and not a part of what earlier starts of the task did

    def tell(self, name: str, rows: list[Any]) -> None:
        """Keep the beginning of a list."""
        self.rows[name] = [_short(row) for row in rows[:ROWS_MAX]]

    def as_result(self) -> dict[str, Any]:
        """Show it as a row keeps it."""
        return {"figures": self.figures, "rows": self.rows}

    def after(self, task: Task) -> Outcome:
        """Add what earlier starts of the task did."""
        if self.is_begun_anew:
            return self
        self.problems += task.problems
        for name, count in task.result.get("figures", {}).items():
            self.figures[name] = self.figures.get(name, 0) + count
        for name, rows in task.result.get("rows", {}).items():
            self.rows[name] = [*rows, *self.rows.get(name, [])][:ROWS_MAX]
        return self


def _short(row: Any) -> Any:
    if isinstance(row, str):  # PostgreSQL takes no NUL
        return row[:TEXT_CHARACTERS_MAX].replace("\0", "\\0")
    if isinstance(row, dict):
        return {name: _short(value) for name, value in row.items()}
    return row


def compact(task: Task, work: Work) -> Outcome:
    """Give room back from volumes that are mostly dead."""
    threshold = task.options.get("threshold")
    report = get_engine().compact(
        CompactionOptions(
            threshold=settings.S4.compaction_threshold if threshold is None else threshold,
            bytes_per_second=task.options.get("rate", 0),
            progress=work.progress,
            should_stop=work.should_stop,
        )
    )
    names = ("dropped_volumes", "freed_bytes", "moved_blobs", "moved_bytes")
    outcome = Outcome({name: getattr(report, name) for name in names})
    return _told(outcome, [*report.problems, *report.skipped], is_complete=report.is_complete)


def scrub(task: Task, work: Work) -> Outcome:
    """Read everything in use against its checksums, going on with a pass that was begun."""
    report = get_engine().scrub(
        ScrubOptions(
            bytes_per_second=task.options.get("rate", 0),
            is_hashed=task.options.get("is_hashed", False),
            is_restarted=task.options.get("is_restarted", False) and task.begun_at is None,
            progress=work.progress,
            should_stop=work.should_stop,
        )
    )
    names = ("blobs", "bytes", "inline_payloads", "lifted", "healed")
    outcome = Outcome({name: getattr(report, name) for name in names})
    return _told(outcome, report.problems, is_complete=report.is_complete)


def verify(task: Task, work: Work) -> Outcome:
    """Count everything again and read every blob; a new start begins at the beginning."""
    del task
    problems: list[str] = []
    outcome = Outcome(is_begun_anew=True)
    try:
        for problem in get_engine().verify(work.progress, work.should_stop):
            outcome.problems += 1
            if len(problems) < ROWS_MAX:
                problems.append(problem)
    except Stopped:
        outcome.is_complete = False
    outcome.tell("problems", problems)
    return outcome


def snapshot(task: Task, work: Work) -> Outcome:
    """Copy the index."""
    del task
    made = get_engine().snapshot(work.progress, work.should_stop)
    return Outcome({"bytes": made.size}, {"names": [made.path.name]})


def run_lifecycle(task: Task, work: Work) -> Outcome:
    """Carry out what rules ask for by now, or tell what that would be."""
    align_engine()  # SQL and the index may each be a restored backup
    if task.is_dry_run:
        found = try_lifecycle(work.progress, work.should_stop, rows_max=ROWS_MAX)
        figures = {"keys": found.keys, "would_go": sum(found.counts.values())}
        more = {"bytes": found.bytes, "kept_by_locks": found.kept}
        outcome = Outcome(figures | more, is_begun_anew=True)
        counts = [
            {"bucket": bucket, "rule": rule, "action": action, "count": count}
            for (bucket, rule, action), count in found.counts.items()
        ]
        outcome.tell("counts", counts)
        outcome.tell("deeds", [{"bucket": name, **deed._asdict()} for name, deed in found.deeds])
        outcome.is_complete = found.is_complete
        return outcome
    report = Diary().run(should_stop=work.should_stop)
    figures = {"keys": report.looks, "gone": sum(report.deeds.values())}
    outcome = Outcome(figures | {"bytes": report.bytes, "kept_by_locks": report.kept})
    names = _bucket_names()
    done = [
        {"bucket": names.get(bucket_id, str(bucket_id)), "rule": rule, "did": shown(counts)}
        for bucket_id, rules in report.done.items()
        for rule, counts in rules.items()
    ]
    outcome.tell("done", done)
    outcome.problems, outcome.is_complete = report.failed, report.is_complete
    return outcome


def locate(task: Task, work: Work) -> Outcome:
    """Find the objects and uploads that damaged payloads are in."""
    del task
    engine, names = get_engine(), _bucket_names()
    damaged = {blob.sha256 for blob in engine.quarantined()}
    outcome = Outcome({"damaged": len(damaged), "users": 0}, is_begun_anew=True)
    users: list[dict[str, str]] = []
    for user in engine.users(damaged, work.should_stop):
        outcome.figures["users"] += 1
        if len(users) < ROWS_MAX:
            users.append(
                {
                    "sha256": user.sha256.hex(),
                    "bucket": names.get(user.bucket_id, str(user.bucket_id)),
                    "key": user.key,
                    "version_id": user.version_id,
                    "upload_id": user.upload_id,
                }
            )
    outcome.tell("users", users)
    return outcome


def abort_uploads(task: Task, work: Work) -> Outcome:
    """Abort the uploads that were begun long ago, in every bucket."""
    count, is_complete = abort_old_uploads(task.options["hours"], work.should_stop)
    return Outcome({"uploads": count}, is_complete=is_complete)


def _told(outcome: Outcome, problems: list[str], *, is_complete: bool) -> Outcome:
    outcome.tell("problems", problems)
    outcome.problems, outcome.is_complete = len(problems), is_complete
    return outcome


def _bucket_names() -> dict[int, str]:
    try:
        return read_buckets()
    except BucketsUnknownError:
        return {}  # the numbers say as much as there is to say


WORK: Final[dict[Kind, Callable[[Task, Work], Outcome]]] = {
    Kind.COMPACT: compact,
    Kind.SCRUB: scrub,
    Kind.VERIFY: verify,
    Kind.SNAPSHOT: snapshot,
    Kind.LIFECYCLE: run_lifecycle,
    Kind.LOCATE: locate,
    Kind.ABORT_UPLOADS: abort_uploads,
}


def carry_out(task: Task, work: Work) -> Outcome:
    """Do what a task is; not complete when it was asked to end."""
    try:
        return WORK[Kind(task.kind)](task, work)
    except Stopped:
        return Outcome(is_complete=False)
