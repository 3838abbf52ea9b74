"""The only writers of tasks: what an administrator asks for, and how far the jobs process is.

At most one task of a kind is open: the database sees to it. Asking and stopping are on record in
the audit log, in the transaction that does it; the jobs process is woken once it is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from iam.services.audit import record_change
from s4project import jobs_door
from s4project.models import OPEN, Kind, State, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

    from iam.models import User

ACTIONS: Final = {  # as the audit log has them
    Kind.COMPACT: "s4:RunCompaction",
    Kind.SCRUB: "s4:RunScrub",
    Kind.VERIFY: "s4:RunVerify",
    Kind.SNAPSHOT: "s4:MakeSnapshot",
    Kind.LIFECYCLE: "s4:RunLifecycle",
    Kind.LOCATE: "s4:LocateDamage",
    Kind.ABORT_UPLOADS: "s4:AbortOldUploads",
}
TITLES: Final = {
    Kind.COMPACT: gettext_lazy("Compaction"),
    Kind.SCRUB: gettext_lazy("Scrub"),
    Kind.VERIFY: gettext_lazy("Verify"),
    Kind.SNAPSHOT: gettext_lazy("Snapshot"),
    Kind.LIFECYCLE: gettext_lazy("Lifecycle run"),
    Kind.LOCATE: gettext_lazy("Search for damaged objects"),
    Kind.ABORT_UPLOADS: gettext_lazy("Abortion of old uploads"),
}
STOP: Final = "s4:StopTask"
KEPT: Final = 200  # ended tasks; older ones go when another is asked for
STARTS_MAX: Final = 3  # a task that the process ended with so often is not begun again
WAITING: Final = State.WAITING.value
RUNNING: Final = State.RUNNING.value


class TaskError(Exception):
    """What was asked for cannot be done now; the text says why."""


def ask(
    kind: Kind,
    user: User,
    *,
    is_dry_run: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Task:
    """Ask for a task; durable on return. TaskError while another of its kind is open."""
    task = Task(
        kind=kind.value,
        is_dry_run=is_dry_run,
        options=dict(options or {}),
        asked_by=user.username,
        asked_by_id=user.canonical_id,
    )
    try:
        with transaction.atomic():
            task.save(force_insert=True)
            detail = {"task": task.pk, "is_dry_run": is_dry_run, **task.options}
            record_change(ACTIONS[kind], "", **detail)
            _forget_old()
            _wake_afterwards()
    except IntegrityError as error:
        raise TaskError(
            _("%(task)s: one is asked for or running already. Stop it, or wait for its end.")
            % {"task": TITLES[kind]}
        ) from error
    return task


def stop(task_id: int) -> None:
    """Ask a task to end; one that was not begun never is. TaskError when it has ended."""
    with transaction.atomic():
        task = Task.objects.select_for_update().filter(pk=task_id).first()
        if task is None or not task.is_open:
            raise TaskError(_("This task has ended already."))
        if task.state == WAITING:
            task.state, task.ended_at = State.STOPPED.value, timezone.now()
        task.is_stop_asked = True
        task.save(update_fields=["state", "ended_at", "is_stop_asked"])
        record_change(STOP, "", task=task.pk, kind=task.kind)
        _wake_afterwards()


def _wake_afterwards() -> None:
    """Wake the jobs process once this is durable; nobody waits for it."""
    directory = settings.S4.data_dir
    transaction.on_commit(lambda: jobs_door.wake(directory), robust=True)


def _forget_old() -> None:
    """Delete what ended long ago, as far as there is too much of it."""
    ended = Task.objects.exclude(state__in=OPEN).order_by("-pk")
    oldest = list(ended.values_list("pk", flat=True)[KEPT : KEPT + 1])
    if oldest:
        ended.order_by().filter(pk__lte=oldest[0]).delete()


# --- for the jobs process, which is the only one that carries tasks out ---------------------------


def recover() -> None:
    """Have tasks begun again that a process which is no more was at; but not for ever."""
    broken = _("The process ended %(starts)s times while it was at this.") % {"starts": STARTS_MAX}
    running = Task.objects.filter(state=RUNNING)
    running.filter(starts__gte=STARTS_MAX).update(
        state=State.FAILED.value, ended_at=timezone.now(), note=broken
    )
    running.filter(is_stop_asked=True).update(state=State.STOPPED.value, ended_at=timezone.now())
    running.update(state=WAITING)


def open_tasks() -> list[Task]:
    """Read what is to be carried out, in the order it was asked for."""
    return list(Task.objects.filter(state__in=OPEN).order_by("pk"))


def begin(task: Task) -> bool:
    """Note that a task is begun; False when it was stopped before."""
    now = timezone.now()
    begun = Task.objects.filter(pk=task.pk, state=WAITING).update(
        state=RUNNING, begun_at=task.begun_at or now, starts=task.starts + 1, note=""
    )
    return bool(begun)


def note(task: Task, **columns: Any) -> None:
    """Note how far a task is."""
    Task.objects.filter(pk=task.pk, state=RUNNING).update(**columns)


def put_back(task: Task, **columns: Any) -> None:
    """Leave a task to the next process: this one ends in order, which counts as no start.

    What somebody wished to stop meanwhile has ended: the next process would not know of the wish.
    """
    note(task, **columns)
    own = Task.objects.filter(pk=task.pk, state=RUNNING)
    own.filter(is_stop_asked=False).update(state=WAITING, starts=task.starts)
    own.filter(is_stop_asked=True).update(state=State.STOPPED.value, ended_at=timezone.now())


def end(task: Task, state: State, **columns: Any) -> None:
    """Note how a task ended."""
    note(task, state=state.value, ended_at=timezone.now(), **columns)


# --- for the pages --------------------------------------------------------------------------------


def newest(kind: Kind) -> Task | None:
    """Find the newest task of a kind."""
    return Task.objects.filter(kind=kind.value).first()


def all_tasks() -> QuerySet[Task]:
    """Query tasks, newest first."""
    return Task.objects.all()
