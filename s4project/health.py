"""What of the store is well, what is not, and what to do about it.

Each check is a look at the thing itself, made when it is asked for: the engine, the disk, the
database, the process of the jobs. Nothing is remembered from before.
"""

from __future__ import annotations

import os
import shutil
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from buckets.usage import alerts
from iam.models import AuditEntry
from iam.services.audit import read_cursor
from iam.sizes import size_text
from s4project import jobs_door
from s4project.courier import SINK
from s4project.models import State, Task
from s4project.operations_jobs import is_manned, unmanned_advice
from s4project.operations_volumes import held_words
from s4project.setting_table import DAY_SECONDS
from s4project.task_words import duration, moment
from storage_engine import EngineOptions
from storage_engine.apps import get_engine
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Callable


GOOD: Final = "success"
WARNING: Final = "warning"
BAD: Final = "danger"
STATES: Final = (BAD, WARNING, GOOD)  # the worst first
DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LOW_PERCENT: Final = 10  # of the disk, or of its inodes
FAILED_DAYS: Final = 7
WAITING_MAX: Final = 1000  # audit entries for the webhook
LATE_FACTOR: Final = 2  # intervals after which a job that should have been done is late
AHEAD_MS: Final = 60_000
RESERVE_BYTES: Final = EngineOptions().disk_reserve_bytes


class Check(NamedTuple):
    """One thing: how it is, what was found, what to do, and where."""

    name: str
    state: str
    found: str
    advice: str = ""
    page: str = ""

    @property
    def label(self) -> str:
        """Say how it is in a word."""
        return {GOOD: _("good"), WARNING: _("look at it"), BAD: _("act")}[self.state]

    @property
    def address(self) -> str:
        """Tell where more stands."""
        return reverse(self.page) if self.page else ""


def check_writes() -> Check:
    """Look whether this worker's engine takes writes; after a failed sync it takes no more."""
    failure = get_engine().failure
    if failure is None:
        return Check(_("Writes"), GOOD, _("The engine takes writes."))
    advice = _("Mend the disk, then restart S4: nothing that was acknowledged is lost.")
    return Check(_("Writes"), BAD, _("Read-only: %(why)s") % {"why": failure}, advice)


def check_disk() -> Check:
    """Look how much room the store's disk has left (statvfs)."""
    usage = shutil.disk_usage(settings.S4.data_dir)
    percent = 100 * usage.free // usage.total
    found = _("%(free)s of %(total)s free (%(percent)s %%).") % {
        "free": size_text(usage.free),
        "total": size_text(usage.total),
        "percent": percent,
    }
    advice = _("Delete what is not needed and compact, or give the disk more room.")
    name = _("Room on the disk")
    if usage.free < RESERVE_BYTES:
        found += " " + _("Writes are refused: the last %(size)s are kept for deletes.") % {
            "size": size_text(RESERVE_BYTES)
        }
        return Check(name, BAD, found, advice, "operations_volumes")
    if percent < LOW_PERCENT:
        return Check(name, WARNING, found, advice, "operations_volumes")
    return Check(name, GOOD, found, page="operations_volumes")


def check_inodes() -> Check | None:
    """Look whether the disk can hold more files; some file systems do not count them."""
    status = os.statvfs(settings.S4.data_dir)
    if not status.f_files or 100 * status.f_favail // status.f_files >= LOW_PERCENT:
        return None
    found = _("%(count)s left.") % {"count": f"{status.f_favail:,}"}
    return Check(_("Inodes on the disk"), WARNING, found, _("Other programs may have taken them."))


def check_jobs() -> Check:
    """Look whether the process of the jobs is there and answers, and what it failed at."""
    name, page = _("Background jobs"), "operations_jobs"
    state = jobs_door.ask_state(settings.S4.data_dir)
    if state is None:
        if is_manned():
            return Check(name, WARNING, _("The process is there and does not answer."), page=page)
        advice = unmanned_advice()
        return Check(name, BAD, _("The process is not running."), advice, page)
    failed = [f"{job['name']}: {job['failure']}" for job in state["jobs"] if job["failure"]]
    if failed:
        return Check(name, BAD, "; ".join(failed), _("They are tried again by themselves."), page)
    found = _("%(count)s jobs, for %(time)s.") % {
        "count": len(state["jobs"]),
        "time": duration(time.time() - state["began"]),
    }
    return Check(name, GOOD, found, page=page)


def check_tasks() -> Check | None:
    """Look for tasks that failed, or met problems, lately."""
    since = timezone.now() - timedelta(days=FAILED_DAYS)
    recent = Task.objects.filter(ended_at__gte=since)
    failed = recent.filter(state=State.FAILED.value).count()
    if failed:
        found = _("%(count)s failed in the last %(days)s days.")
        said = found % {"count": failed, "days": FAILED_DAYS}
        return Check(_("Tasks"), WARNING, said, page="operations_jobs")
    newest = recent.filter(problems__gt=0, kind="verify").first()
    if newest is not None:
        said = _("Verify met %(count)s problems.") % {"count": f"{newest.problems:,}"}
        advice = _("Read what they are, and docs/recovery.md.")
        return Check(_("Tasks"), WARNING, said, advice, "operations_jobs")
    return None


def check_damage() -> Check:
    """Look into the quarantine."""
    count = len(get_engine().quarantined())  # of which `stats` asks every volume, too
    name, page = _("Damaged payloads"), "operations_damaged"
    if not count:
        return Check(name, GOOD, _("None is known."), page=page)
    advice = _("Find the objects they are in, and put those again.")
    found = ngettext("%(count)s payload is wrong.", "%(count)s payloads are wrong.", count)
    return Check(name, BAD, found % {"count": f"{count:,}"}, advice, page)


def check_scrub() -> Check:
    """Look when everything was last read against its checksums, as the engine notes it."""
    name, days = _("Scrub"), settings.S4.scrub_interval_days
    state, page = get_engine().scrub_state(), "operations_damaged"
    if not days:
        advice = _("Set S4_SCRUB_INTERVAL_DAYS, or start one now and then.")
        return Check(name, WARNING, _("None is made by itself."), advice, page)
    if not state.finished_ms:
        return Check(name, GOOD, _("The first pass is not over yet."), page=page)
    age = time.time() - state.finished_ms / 1000
    found = _("The last whole pass ended %(time)s ago.") % {"time": duration(age)}
    is_late = age > LATE_FACTOR * days * DAY_SECONDS
    advice = _("Look whether the jobs run, and whether the disk is fast enough.") if is_late else ""
    return Check(name, WARNING if is_late else GOOD, found, advice, page)


def check_snapshot() -> Check:
    """Look how old the newest copy of the index is, and whether one is due since long."""
    name, hours = _("Snapshot of the index"), settings.S4.snapshot_interval_hours
    if not hours:
        advice = _("Set S4_SNAPSHOT_INTERVAL_HOURS: the journal is kept for ever without one.")
        return Check(name, WARNING, _("None is made by itself."), advice, "operations_jobs")
    engine = get_engine()
    newest = engine.newest_snapshot()
    if newest is None:
        found = _("None yet: one is made when enough has changed.")
        return Check(name, GOOD, found, page="operations_jobs")
    found = _("%(size)s, %(when)s.") % {
        "size": size_text(newest.size),
        "when": moment(newest.made_ms / 1000),
    }
    if engine.snapshot_is_due(LATE_FACTOR * hours * 3_600_000):
        advice = _("Look whether the jobs run, and whether the disk has room for a copy.")
        return Check(name, WARNING, found + " " + _("Another is late."), advice, "operations_jobs")
    return Check(name, GOOD, found, page="operations_jobs")


def check_hold() -> Check | None:
    """Look whether volumes are held since a recovery."""
    hold = get_engine().hold()
    if hold is None:
        return None
    return Check(_("Held volumes"), WARNING, held_words(hold), page="operations_volumes")


def check_clock() -> Check:
    """Look whether the engine has seen a later time than now: the clock was ahead, or is behind."""
    ahead_ms = get_engine().retained_from_ms() - time.time() * 1000
    if ahead_ms < AHEAD_MS:
        return Check(_("Clock"), GOOD, _("%(now)s UTC.") % {"now": moment(time.time())})
    found = _("Default retentions count from %(time)s ahead of now.")
    said = found % {"time": duration(ahead_ms / 1000)}
    advice = _("Set the machine's clock right; then see %(command)s.") % {
        "command": command("retention_clock")
    }
    return Check(_("Clock"), BAD, said, advice)


def check_database() -> Check:
    """Ask the database for nothing, and take the time."""
    begin = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    spent = (time.perf_counter() - begin) * 1000
    found = _("%(kind)s answers in %(time)s ms.") % {
        "kind": DATABASES.get(connection.vendor, connection.vendor),
        "time": f"{spent:.1f}",
    }
    return Check(_("SQL database"), GOOD, found)


def check_webhook() -> Check | None:
    """Count the audit entries that the webhook has not taken."""
    if not settings.S4.audit_webhook_url:
        return None
    waiting = AuditEntry.objects.filter(pk__gt=read_cursor(SINK)).count()
    found = _("%(count)s entries wait.") % {"count": f"{waiting:,}"}
    if waiting <= WAITING_MAX:
        return Check(_("Audit webhook"), GOOD, found)
    advice = _("Look whether it answers; the log of S4 says what it said.")
    return Check(_("Audit webhook"), WARNING, found, advice)


def check_quotas() -> Check | None:
    """Count the buckets and users that are near their quotas."""
    near = alerts()
    if not near:
        return None
    names = ", ".join(f"{each.name} {each.percent} %" for each in near[:5])
    return Check(_("Quotas"), WARNING, _("Nearly used up: %(names)s.") % {"names": names})


def check_days() -> Check | None:
    """Look whether lifecycle rules count shorter days than the world does."""
    seconds = settings.S4.lifecycle_day_seconds
    if seconds >= DAY_SECONDS:
        return None
    found = _("A day of lifecycle rules is %(seconds)s seconds: objects go early.")
    advice = _("S4_LIFECYCLE_DAY_SECONDS is for tests.")
    return Check(_("Lifecycle"), BAD, found % {"seconds": seconds}, advice)


STORE_CHECKS: Final[tuple[Callable[[], Check | None], ...]] = (
    *(check_writes, check_disk, check_inodes, check_jobs, check_tasks, check_damage, check_scrub),
    *(check_snapshot, check_hold, check_clock, check_database, check_webhook, check_days),
)


def checks() -> list[Check]:
    """Look at everything, and tell the worst first."""
    found = [check for look in STORE_CHECKS if (check := look()) is not None]
    return worst_first(found)


def worst_first(found: list[Check]) -> list[Check]:
    """Put checks in order."""
    return sorted(found, key=lambda check: STATES.index(check.state))
