"""Tasks in words for people: how each stands, how far it is, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from iam.console_panels import Panel
from iam.sizes import size_text
from s4project.models import Kind, State
from s4project.tasks import TITLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from s4project.models import Task

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 24 * HOUR
GUESS_SECONDS_MIN: Final = 5  # of work, before it is said how long the rest takes
STATES: Final = {  # what each is called, and the colour of its label
    State.WAITING: (gettext_lazy("waiting"), "info"),
    State.RUNNING: (gettext_lazy("running"), "primary"),
    State.DONE: (gettext_lazy("done"), "success"),
    State.STOPPED: (gettext_lazy("stopped"), "warning"),
    State.FAILED: (gettext_lazy("failed"), "danger"),
}
STOPPING: Final = (gettext_lazy("stopping"), "warning")
COUNTED: Final = {  # in which unit a kind counts how far it is
    Kind.VERIFY: gettext_lazy("payloads"),
    Kind.LIFECYCLE: gettext_lazy("keys"),
}
FIGURES: Final = {
    "bytes": gettext_lazy("Size"),
    "blobs": gettext_lazy("Payloads in volumes read"),
    "inline_payloads": gettext_lazy("Payloads in the index read"),
    "lifted": gettext_lazy("Found right again"),
    "healed": gettext_lazy("Healed from another copy"),
    "dropped_volumes": gettext_lazy("Volumes dropped"),
    "freed_bytes": gettext_lazy("Room given back"),
    "moved_blobs": gettext_lazy("Payloads moved"),
    "moved_bytes": gettext_lazy("Moved"),
    "keys": gettext_lazy("Keys looked at"),
    "gone": gettext_lazy("Gone"),
    "would_go": gettext_lazy("Would go"),
    "kept_by_locks": gettext_lazy("Kept by locks"),
    "uploads": gettext_lazy("Uploads aborted"),
    "damaged": gettext_lazy("Damaged payloads"),
    "users": gettext_lazy("Objects and uploads they are in"),
}


def moment(seconds: float) -> str:
    """Write a moment given in seconds since 1970, in UTC to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else ""


def duration(seconds: float) -> str:
    """Write how long something takes, in the largest unit or two."""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return _("%(count)s s") % {"count": whole}
    if whole < HOUR:
        return _("%(count)s min") % {"count": whole // MINUTE}
    if whole < DAY and whole % HOUR < MINUTE:
        return _("%(count)s h") % {"count": whole // HOUR}
    if whole < DAY:
        return _("%(hours)s h %(minutes)s min") % {
            "hours": whole // HOUR,
            "minutes": whole % HOUR // MINUTE,
        }
    days = whole // DAY
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}


@dataclass(frozen=True, slots=True)
class Shown:
    """A task as a page shows it; `percent` is -1 while nobody knows how far it is."""

    task: Task
    title: str
    state: str
    look: str
    percent: int
    progress: str
    took: str
    figures: Sequence[tuple[str, str]]

    @property
    def is_open(self) -> bool:
        """Whether there is something to stop."""
        return self.task.is_open

    @property
    def summary(self) -> str:
        """Say in one line what came of it, or what it waits for."""
        if self.task.note:
            return self.task.note
        said = ", ".join(f"{name}: {value}" for name, value in self.figures if value != "0")
        if self.task.problems:
            found = ngettext("%(count)s problem", "%(count)s problems", self.task.problems)
            said = ", ".join(filter(None, [found % {"count": f"{self.task.problems:,}"}, said]))
        if said or self.task.is_open:
            return said
        return _("no problems") if self.task.kind == Kind.VERIFY else _("nothing to do")


def show_task(task: Task) -> Shown:
    """Put a task into words."""
    kind, state = Kind(task.kind), State(task.state)
    called, look = STOPPING if task.is_stop_asked and task.is_open else STATES[state]
    title = str(TITLES[kind])
    figures = task.result.get("figures", {})
    return Shown(
        task=task,
        title=_("%(task)s, dry run") % {"task": title} if task.is_dry_run else title,
        state=str(called),
        look=look,
        percent=_percent(task),
        progress=_progress(task, kind),
        took=_took(task),
        figures=[
            (str(FIGURES.get(name, name)), _figure(name, count)) for name, count in figures.items()
        ],
    )


def _figure(name: str, count: int) -> str:
    return size_text(count) if name.endswith("bytes") else f"{count:,}"


def figure_words(name: str, value: Any) -> str:
    """Say one figure of what a job or a task did."""
    called = FIGURES.get(name, name.replace("_", " "))
    return f"{called}: {_figure(name, value) if isinstance(value, int) else value}"


def _percent(task: Task) -> int:
    if not task.progress_total:
        return -1
    return min(100, 100 * task.progress_done // task.progress_total)


def _progress(task: Task, kind: Kind) -> str:
    """Say how far a task is, and for how long it goes on at its pace."""
    if not task.progress_total or not task.is_open:
        return ""
    write: Callable[[int], str] = "{:,}".format if kind in COUNTED else size_text
    said = _("%(done)s of %(total)s") % {
        "done": write(task.progress_done),
        "total": f"{write(task.progress_total)} {COUNTED.get(kind, '')}".strip(),
    }
    if task.begun_at is None or kind is Kind.SCRUB:  # that goes on with what others began
        return said
    spent = (timezone.now() - task.begun_at).total_seconds()
    rest = task.progress_total - task.progress_done
    if spent < GUESS_SECONDS_MIN or not task.progress_done or rest <= 0:
        return said
    left = duration(spent * rest / task.progress_done)
    return _("%(progress)s, about %(time)s left") % {"progress": said, "time": left}


def _took(task: Task) -> str:
    if task.begun_at is None:
        return ""
    return duration(((task.ended_at or timezone.now()) - task.begun_at).total_seconds())


# --- what came of it, as tables -------------------------------------------------------------------


def result_panels(task: Task) -> list[Panel]:
    """Show the lists that a task has left, those of them that say something."""
    rows = task.result.get("rows", {})
    return [panel for name, make in PANELS.items() if (panel := make(rows.get(name) or []))]


def _problems(rows: list[Any]) -> Panel | None:
    found = [(row,) for row in rows]
    return Panel(_("Problems"), (_("What is wrong"),), found, empty="") if rows else None


def _counts(rows: list[Any]) -> Panel | None:
    headers = (_("Bucket"), _("Rule"), _("Action"), _("How many"))
    found = [(row["bucket"], row["rule"], row["action"], f"{row['count']:,}") for row in rows]
    return Panel(_("What would be done"), headers, found, empty="") if rows else None


def _deeds(rows: list[Any]) -> Panel | None:
    headers = (_("Bucket"), _("Key"), _("Action"), _("Rule"), _("Due since"), _("Size"))
    found = [
        (
            row["bucket"],
            row["key"],
            _("kept by a lock") if row["is_kept"] else row["action"],
            row["rule_id"],
            moment(row["due_ms"] / 1000),
            size_text(row["size"]),
        )
        for row in rows
    ]
    return Panel(_("One by one, the first of them"), headers, found, empty="") if rows else None


def _done(rows: list[Any]) -> Panel | None:
    headers = (_("Bucket"), _("Rule"), _("Did"))
    found = [
        (
            row["bucket"],
            row["rule"],
            ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in row["did"].items()),
        )
        for row in rows
    ]
    return Panel(_("What was done"), headers, found, empty="") if rows else None


def _users(rows: list[Any]) -> Panel | None:
    headers = (_("Bucket"), _("Key"), _("Version or upload"), _("Payload (SHA-256)"))
    found = [
        (
            row["bucket"],
            _browsed(row["bucket"], row["key"]) if row["version_id"] else row["key"],
            row["version_id"] or _("upload %(id)s") % {"id": row["upload_id"]},
            row["sha256"],
        )
        for row in rows
    ]
    return Panel(_("Where the damaged payloads are"), headers, found, empty="") if rows else None


def _browsed(bucket: str, key: str) -> str:
    """Make a link to an object in the browser of objects."""
    address = f"{reverse('browse')}{bucket}?{urlencode({'object': key})}"
    return format_html('<a href="{}">{}</a>', address, key)


PANELS: Final[dict[str, Callable[[list[Any]], Panel | None]]] = {
    "problems": _problems,
    "counts": _counts,
    "deeds": _deeds,
    "done": _done,
    "users": _users,
}
