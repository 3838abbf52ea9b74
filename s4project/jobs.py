"""The jobs process: what S4 does by itself, in turn, each job when it is due.

Sleeps in the kernel until the next job or a signal; touches nothing in between. A job that meets
trouble it may meet (the engine's, the database's, the disk's) is logged and tried again; anything
else ends the process, which `serve` starts anew.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import Error, close_old_connections
from django.utils import timezone

from buckets.alignment import align_engine
from buckets.services import finish_deletions
from iam.services import forget_changes, forget_sign_ins
from iam.services.audit import PRUNED_AT_ONCE, prune_entries
from s4project.clock import FAR_SECONDS, HOLD_SECONDS, ClockWatch
from s4project.courier import SINK
from s4project.job_board import Board
from s4project.lifecycle import Diary, abort_old_uploads
from s4project.machine import Doubt
from s4project.meters.gauges import note
from s4project.quota_watch import QuotaWatch
from s4project.sql.gate import gate
from s4project.sql.trouble import is_away
from storage_engine import Busy, CompactionOptions, ScrubOptions
from storage_engine.apps import get_engine
from storage_engine.errors import EngineError
from storage_engine.pace import Stopped
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
HOUR: Final = 3600.0
MINUTE: Final = 60.0
RETRY_SECONDS: Final = 60.0
AWAY_SECONDS: Final = 5.0  # before a job is tried again that needs SQL, while that is away
SLICE_SECONDS: Final = 20.0  # how long a job of hours keeps the others waiting
PAUSE_SECONDS: Final = 1.0  # before its next slice
LOOKS_A_DAY: Final = 20  # for what is due by lifecycle, where a day is short
LOOK_SECONDS_MIN: Final = 0.25
SCRUB_BYTES_PER_SECOND_MIN: Final = 16 * 1024 * 1024  # or what reads all in half the interval

# What these did changes how much there is, though no request came.
CHANGING: Final = frozenset(
    {"lifecycle", "compact", "reclaim", "abort_uploads", "finish_deletions", "scrub"}
)
# What deletes because time has passed.
BY_AGE: Final = frozenset({"lifecycle", "abort_uploads", "prune_audit"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again.

    `run` returns what it did (empty: nothing), or Unfinished to go on soon; when it takes long it
    asks `is_stopping` between its steps.
    """

    name: str
    run: Callable[[], object]
    every_seconds: float


class Unfinished(NamedTuple):
    """What a job did that ended only to let the others have their turn."""

    result: object


class Resting:
    """A look that is left out while nothing was committed since it last found nothing to do.

    For what time alone makes due it looks again when it has rested so long. A look begins a
    transaction, which marks a page of the index's locks, and the system writes that to the disk: a
    store at rest is to let its disk sleep.
    """

    def __init__(self, run: Callable[[], object], rest_seconds: float) -> None:
        self._run = run
        self._rest_seconds = rest_seconds
        self._commit = -1
        self._until = 0.0

    def __call__(self) -> object:
        """Look, or rest."""
        commit, now = get_engine().last_commit(), time.monotonic()
        if commit == self._commit and now < self._until:
            return None
        result = self._run()
        self._commit = -1 if result else commit
        self._until = now + self._rest_seconds
        return result


def is_stopping() -> bool:
    """Tell whether the process has been asked to end."""
    return bool(STOP_SIGNALS & signal.sigpending())


def reclaim() -> dict[str, int]:
    """Give back what the engine no longer needs; return the counts that are not zero."""
    return {name: count for name, count in get_engine().reclaim().items() if count}


def configured_jobs() -> list[Job]:
    """Return the jobs that the settings ask for."""
    chosen = settings.S4
    rested = Resting(lifecycle, day_part_seconds())

    def lifecycle_or_rest() -> object:
        _diary.tell()  # of what was done before the rest, which would keep it waiting
        return rested()

    jobs = [
        Job("align_engine", align_engine, HOUR),
        Job("finish_deletions", finish_deletions, HOUR),
        Job("reclaim", reclaim, HOUR),
        Job("forget", forget, HOUR),
        Job("watch_quotas", QuotaWatch().look, MINUTE),
        Job("lifecycle", lifecycle_or_rest, look_seconds()),
    ]
    if chosen.multipart_upload_ttl_hours:
        jobs.append(Job("abort_uploads", abort_uploads, HOUR))
    if chosen.snapshot_interval_hours:
        jobs.append(Job("snapshot", Resting(snapshot, HOUR), MINUTE))
    if chosen.compaction_enabled:
        jobs.append(Job("compact", compact, HOUR * chosen.compaction_interval_hours))
    if chosen.scrub_interval_days:
        jobs.append(Job("scrub", scrub, HOUR))
    if chosen.audit_retention_days:
        jobs.append(Job("prune_audit", prune_audit, HOUR))
    return jobs


def forget() -> dict[str, int]:
    """Delete what is over: sessions, counts of sign-ins, changes; return how many."""
    sessions = Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
    gone = {
        "sessions": sessions,
        "sign_in_counts": forget_sign_ins(),
        "changes": forget_changes(),
    }
    return {name: count for name, count in gone.items() if count}


def snapshot() -> object:
    """Copy the index when much has changed since the last copy, or anything long ago."""
    engine = get_engine()
    if not engine.snapshot_is_due(settings.S4.snapshot_interval_hours * 3_600_000):
        return None
    try:
        made = engine.snapshot(should_stop=is_stopping)
    except (Busy, Stopped):
        return None  # the command is at it, or the process is to end
    return {"name": made.path.name, "bytes": made.size}


def slice_over() -> Callable[[], bool]:
    """Begin a slice of a long job; what is returned tells when it is over."""
    end = time.monotonic() + SLICE_SECONDS
    return lambda: time.monotonic() > end


_diary = Diary()  # of this process


def day_part_seconds() -> float:
    """Tell how late lifecycle may see what time alone makes due; AWS acts within a day or two."""
    return settings.S4.lifecycle_day_seconds / LOOKS_A_DAY


def look_seconds() -> float:
    """Tell how often to look for what is due by lifecycle where objects are written."""
    return max(LOOK_SECONDS_MIN, min(MINUTE, day_part_seconds()))


def lifecycle() -> object:
    """Carry out what lifecycle rules ask for by now, for a while; nothing is a look at the index.

    What is done is logged at once, and told in the audit log now and then, and at the end.
    """
    report = _diary.run(should_stop=is_stopping, is_slice_over=slice_over())
    if report.failed:
        log.error("Lifecycle met damage", looks=report.failed, finds_it=command("verify"))
    done = {action.value: count for action, count in report.deeds.items() if count}
    return done if report.is_complete else Unfinished(done)


def tell_the_rest() -> None:
    """Tell what lifecycle did of which there is no entry yet: nobody else knows it."""
    _diary.tell(all_of_it=True)


def abort_uploads() -> object:
    """Abort the uploads that nobody has finished in time, for a while."""
    hours = settings.S4.multipart_upload_ttl_hours
    is_over = slice_over()
    count, is_complete = abort_old_uploads(hours, lambda: is_over() or is_stopping())
    done = count and {"uploads": count}
    return done if is_complete else Unfinished(done)


def compact() -> object:
    """Give room back from volumes that are mostly dead, for a while."""
    chosen = settings.S4
    try:
        report = get_engine().compact(
            CompactionOptions(
                threshold=chosen.compaction_threshold,
                bytes_per_second=chosen.compaction_bytes_per_second,
                is_dry_run=chosen.compaction_dry_run,
                should_stop=is_stopping,
                is_slice_over=slice_over(),
            )
        )
    except Busy:
        return None  # the command is at it
    for problem in (*report.problems, *report.skipped):
        log.error("Compaction met a problem", problem=problem)
    if chosen.compaction_dry_run:
        gained = sum(plan.gained_bytes for plan in report.plans)
        return gained and {"would_rewrite": len(report.plans), "would_gain": gained}
    figures = ("moved_blobs", "moved_bytes", "freed_bytes", "dropped_volumes")
    done = {name: getattr(report, name) for name in figures if getattr(report, name)}
    return done if report.is_complete else Unfinished(done)


def scrub() -> object:
    """Go on reading everything against its checksums, for a while, when that is due."""
    days = settings.S4.scrub_interval_days
    engine = get_engine()
    enough = 2 * engine.live_bytes() // (days * 24 * 3600)
    try:
        report = engine.scrub(
            ScrubOptions(
                bytes_per_second=max(SCRUB_BYTES_PER_SECOND_MIN, enough),
                pass_ms_min=days * 24 * 3600 * 1000,
                should_stop=is_stopping,
                is_slice_over=slice_over(),
            )
        )
    except Busy:
        return None
    for problem in report.problems:
        log.error("The scrub met damage", problem=problem)
    if not report.is_due:
        return None
    figures = ("blobs", "bytes", "inline_payloads", "lifted", "healed")
    done = {name: getattr(report, name) for name in figures if getattr(report, name)}
    return done if report.is_complete else Unfinished(None)


def prune_audit() -> object:
    """Delete audit entries that are old enough, for a while, but none that is to be delivered."""
    chosen = settings.S4
    older_than = timezone.now() - timedelta(days=chosen.audit_retention_days)
    kept_for = (SINK,) if chosen.audit_webhook_url else ()
    is_over, count, last = slice_over(), 0, PRUNED_AT_ONCE
    while last == PRUNED_AT_ONCE and not is_over() and not is_stopping():
        last = prune_entries(older_than, kept_for)
        count += last
    done = count and {"entries": count}
    return Unfinished(done) if last == PRUNED_AT_ONCE else done


def hold_stop_signals() -> None:
    """Keep the signals that end the process waiting, so that they interrupt no job half-way.

    To be called before any thread is started: one that does not block them would be given them,
    and the process would end on the spot.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def run_forever(
    jobs: Sequence[Job] | None = None,
    board: Board | None = None,
    clock: ClockWatch | None = None,
) -> None:
    """Run each job (those configured) now and whenever it is due, until SIGTERM or SIGINT."""
    hold_stop_signals()
    if jobs is None:
        jobs = configured_jobs()
    board = board or Board()
    board.expect((job.name, job.every_seconds) for job in jobs)
    due = dict.fromkeys(jobs, time.monotonic())
    clock = clock or ClockWatch()
    while True:
        job = min(due, key=due.__getitem__)
        if signal.sigtimedwait(STOP_SIGNALS, max(0.0, due[job] - time.monotonic())):
            _run(Job("tell_the_rest", tell_the_rest, HOUR), Board())
            return
        if jump := clock.look():
            _follow(jump, due)
        else:
            due[job] = time.monotonic() + _run(job, board)


def _follow(jump: float, due: dict[Job, float]) -> None:
    """Take in that the clock was set; far ahead, let what deletes by age wait for second thoughts.

    Set back, it holds them up by itself.
    """
    is_far = jump >= FAR_SECONDS
    log.warning(Doubt.JUMPED_FAR if is_far else Doubt.JUMPED, seconds=round(jump))
    if is_far:
        later = time.monotonic() + HOLD_SECONDS
        due |= {job: max(at, later) for job, at in due.items() if job.name in BY_AGE}


def _run(job: Job, board: Board) -> float:
    """Run a job; return in how many seconds it is due again."""
    board.begins(job.name)
    try:
        result = job.run()
    except (EngineError, Error, OSError) as error:
        is_outage = isinstance(error, Error) and is_away(error)
        kind, due = type(error).__name__, min(RETRY_SECONDS, job.every_seconds)
        if is_outage:
            due = min(due, AWAY_SECONDS)
        is_news = board.fails(job.name, due, f"{kind}: {error}")
        if is_news and not (is_outage and gate.is_away):  # which was told, for all jobs together
            log.warning("A job will be tried again", job=job.name, error=str(error), kind=kind)
        return due
    finally:
        close_old_connections()
    is_unfinished = isinstance(result, Unfinished)
    if isinstance(result, Unfinished):
        result = result.result
    if result:
        log.info("A job goes on" if is_unfinished else "A job is done", job=job.name, result=result)
        if job.name in CHANGING:
            note(get_engine(), settings.S4.data_dir)
    due = PAUSE_SECONDS if is_unfinished else job.every_seconds
    board.ends(job.name, due, result, is_unfinished=is_unfinished)
    return due
