"""Pages of what S4 does by itself, and of tasks: asked for, watched, stopped, their results."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from iam.console import signed_in
from s4project import jobs_door, tasks
from s4project.forms_tasks import FORMS
from s4project.jobs import configured_jobs
from s4project.models import OPEN, JobRecord, Kind, Task
from s4project.operations import for_superusers, show
from s4project.processes import is_locked
from s4project.task_words import duration, figure_words, moment, result_panels, show_task
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest, HttpResponse

    from s4project.forms_tasks import TaskForm

TASKS_SHOWN: Final = 50
JOBS: Final = {  # what each is for
    "align_engine": gettext_lazy("Make index and database say the same, after a restore"),
    "finish_deletions": gettext_lazy("Finish deletions of buckets that were cut off"),
    "reclaim": gettext_lazy("Tidy what the engine no longer needs"),
    "forget": gettext_lazy("Delete sessions and counts of sign-ins whose time is over"),
    "watch_quotas": gettext_lazy("Say in the log when a quota is nearly used up"),
    "lifecycle": gettext_lazy("Carry out lifecycle rules"),
    "abort_uploads": gettext_lazy("Abort uploads that nobody finished in time"),
    "snapshot": gettext_lazy("Copy the index when enough has changed"),
    "compact": gettext_lazy("Give room back from volumes that are mostly dead"),
    "scrub": gettext_lazy("Read everything against its checksums"),
    "prune_audit": gettext_lazy("Delete audit entries that are old enough"),
}
ABOUT: Final = {  # what each kind of task is for
    Kind.COMPACT: gettext_lazy(
        "Moves what is in use out of volumes that are mostly dead, and gives their room back."
    ),
    Kind.SCRUB: gettext_lazy("Reads every payload in use against its checksums, and heals it."),
    Kind.VERIFY: gettext_lazy(
        "Counts the whole index again and reads every payload: proof that the store is sound."
    ),
    Kind.SNAPSHOT: gettext_lazy("Copies the index, so that it can be made anew if it is lost."),
    Kind.LIFECYCLE: gettext_lazy("Carries out what lifecycle rules ask for by now, or tells it."),
    Kind.LOCATE: gettext_lazy("Looks through all keys for objects that are damaged."),
    Kind.ABORT_UPLOADS: gettext_lazy("Aborts uploads that were begun long ago, in every bucket."),
}
ELSEWHERE: Final = (Kind.LOCATE, Kind.ABORT_UPLOADS)  # offered where their figures stand
PAGES: Final = {  # where to return to
    "jobs": "operations_jobs",
    "volumes": "operations_volumes",
    "damaged": "operations_damaged",
    "uploads": "operations_uploads",
}


class Offer(NamedTuple):
    """A kind of task with the form that asks for it."""

    kind: Kind
    title: str
    about: str
    form: TaskForm
    is_open: bool


class JobRow(NamedTuple):
    """A job as the page shows it."""

    name: str
    about: str
    every: str
    state: str
    look: str
    last: str
    due: str
    result: str
    failure: str


def offers(kinds: Iterable[Kind], refused: TaskForm | None = None) -> list[Offer]:
    """Offer kinds of tasks; `refused` is a form that was filled in wrongly."""
    open_kinds = {task.kind for task in tasks.open_tasks()}
    return [
        Offer(
            kind,
            str(tasks.TITLES[kind]),
            str(ABOUT[kind]),
            refused if refused is not None and refused.prefix == kind else _form(kind),
            kind in open_kinds,
        )
        for kind in kinds
    ]


def _form(kind: Kind, data: Any = None) -> TaskForm:
    return FORMS[kind](data, prefix=kind.value)


def open_context(kinds: Iterable[Kind], page: str) -> dict[str, Any]:
    """Collect what the live part of a page shows: the open tasks of some kinds."""
    names = [kind.value for kind in kinds]
    found = Task.objects.filter(state__in=OPEN, kind__in=names).order_by("pk")
    query = urlencode([*(("kind", name) for name in names), ("page", page)])
    return {
        "page": page,
        "open_tasks": [show_task(task) for task in found],
        "live_address": f"{reverse('operations_live')}?{query}",
        "is_manned": is_manned(),
        "unmanned_advice": unmanned_advice(),
    }


def unmanned_advice() -> str:
    """Say what to do when nobody runs the jobs."""
    commands = {"jobs": command("jobs"), "serve": command("serve")}
    return _("Run %(jobs)s, or %(serve)s without --no-jobs.") % commands


def is_manned() -> bool:
    """Whether the process of the jobs is there."""
    return is_locked(settings.S4.data_dir / "jobs.lock")


@for_superusers
def jobs_page(request: HttpRequest) -> HttpResponse:
    """Show jobs and tasks."""
    return show_jobs(request)


def show_jobs(request: HttpRequest, refused: TaskForm | None = None) -> HttpResponse:
    """Show the page, with the form that was refused, if one was."""
    kinds = [kind for kind in Kind if kind not in ELSEWHERE]
    ended = tasks.all_tasks().exclude(state__in=OPEN)[:TASKS_SHOWN]
    context = {
        "jobs": job_rows(),
        "offers": offers(kinds, refused),
        "ended": [show_task(task) for task in ended],
        **open_context(Kind, "jobs"),
    }
    return show(request, "jobs", _("Jobs"), context)


def job_rows() -> list[JobRow]:
    """Tell of each job how it stands: by the process that does it, and by what is on record."""
    state = jobs_door.ask_state(settings.S4.data_dir) or {}
    live = {job["name"]: job for job in state.get("jobs", ())}
    records = {record.name: record for record in JobRecord.objects.all()}
    return [
        _job_row(job.name, job.every_seconds, live.get(job.name), records.get(job.name))
        for job in configured_jobs()
    ]


def _job_row(
    name: str, every_seconds: float, live: dict[str, Any] | None, record: JobRecord | None
) -> JobRow:
    now = time.time()
    called, look, last, due = _("not running"), "warning", "", ""
    if live is not None:
        called, look = _("idle"), ""
        if live["is_running"]:
            called, look = _("running"), "primary"
        elif live["failure"]:
            called, look = _("failed"), "danger"
        last = moment(live["looked"])
        late = now - live["due"]
        due = _("now") if late > 0 else _("in %(time)s") % {"time": duration(-late)}
    return JobRow(
        name=name,
        about=str(JOBS.get(name, "")),
        every=duration(every_seconds),
        state=called,
        look=look,
        last=last,
        due=due,
        result=_result(record),
        failure=_failure(record, live),
    )


def _result(record: JobRecord | None) -> str:
    if record is None or record.done_at is None:
        return _("nothing yet")
    said = ", ".join(figure_words(name, value) for name, value in record.result.items())
    return f"{said} ({record.done_at:%Y-%m-%d %H:%M})"


def _failure(record: JobRecord | None, live: dict[str, Any] | None) -> str:
    if live is not None and live["failure"]:
        return str(live["failure"])
    if record is None or record.failed_at is None:
        return ""
    if record.done_at is not None and record.done_at > record.failed_at:
        return ""
    return f"{record.failure} ({record.failed_at:%Y-%m-%d %H:%M})"


@for_superusers
def live_part(request: HttpRequest) -> HttpResponse:
    """Answer the part of a page that is asked for again while a task is open."""
    names = set(request.GET.getlist("kind"))
    page = request.GET.get("page", "")
    page = page if page in PAGES else "jobs"
    context = open_context([kind for kind in Kind if kind in names], page)
    return TemplateResponse(request, "operations/open_tasks.html", context)


@for_superusers
@require_POST
def ask_page(request: HttpRequest) -> HttpResponse:
    """Take a form that asks for a task."""
    user = signed_in(request)
    assert user is not None, "the permission was checked"
    if request.POST.get("kind") not in set(Kind):
        raise BadRequest("The form does not say which task.")
    kind = Kind(request.POST["kind"])
    form = _form(kind, request.POST)
    if not form.is_valid():
        if kind in ELSEWHERE:
            raise BadRequest("The form is of that page alone.")
        return show_jobs(request, form)
    options = form.options()
    try:
        tasks.ask(kind, user, is_dry_run=form.is_dry_run, options=options)
    except tasks.TaskError as error:
        messages.error(request, str(error))
    else:
        said = _("%(task)s: asked for.") if is_manned() else _("%(task)s: asked for, and waits.")
        messages.success(request, said % {"task": tasks.TITLES[kind]})
    return _back(request)


@for_superusers
def task_page(request: HttpRequest, task_id: int) -> HttpResponse:
    """Show a task with its results, or stop it."""
    task = Task.objects.filter(pk=task_id).first()
    if task is None:
        raise Http404
    if request.method == "POST":
        try:
            tasks.stop(task.pk)
        except tasks.TaskError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("It was asked to stop; what is done stays done."))
        return _back(request)
    context = {
        "shown": show_task(task),
        "panels": result_panels(task),
        "options": [(name.replace("_", " "), value) for name, value in task.options.items()],
        **open_context([Kind(task.kind)] if task.is_open else [], "jobs"),
    }
    return show(request, "task", str(show_task(task).title), context)


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page that a form stands on."""
    page = PAGES.get(request.POST.get("page", ""), PAGES["jobs"])
    return HttpResponseRedirect(reverse(page))
