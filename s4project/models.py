"""What S4 does by itself and is asked to do, as rows: written by `tasks` and `job_board` alone."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final

from django.db import models
from django.utils import timezone


class Kind(StrEnum):
    """What a task does."""

    COMPACT = "compact"
    SCRUB = "scrub"
    VERIFY = "verify"
    SNAPSHOT = "snapshot"
    LIFECYCLE = "lifecycle"
    LOCATE = "locate"
    ABORT_UPLOADS = "abort_uploads"


class State(StrEnum):
    """How a task stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


OPEN: Final = (State.WAITING, State.RUNNING)  # to be carried out


class Task(models.Model):
    """Something that an administrator asked for, how far it is, and what came of it.

    `result` has "figures" (name: number) and, for each list of the kind, its first rows.
    """

    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in Kind])
    is_dry_run = models.BooleanField(default=False)
    options = models.JSONField(default=dict)
    state = models.CharField(
        max_length=8,
        default=State.WAITING.value,
        choices=[(state.value, state.value) for state in State],
    )
    asked_by = models.CharField(max_length=150, blank=True)
    asked_by_id = models.CharField(max_length=64, blank=True, help_text="A canonical id.")
    asked_at = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    starts = models.PositiveIntegerField(default=0, help_text="How often it was begun.")
    is_stop_asked = models.BooleanField(default=False)
    progress_done = models.BigIntegerField(default=0)
    progress_total = models.BigIntegerField(default=0)
    note = models.TextField(blank=True, help_text="What it waits for, or why it failed.")
    problems = models.PositiveBigIntegerField(default=0, help_text="How many it met.")
    result = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(state__in=[state.value for state in OPEN]),
                name="s4_one_open_task_of_a_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether it is still to be carried out, or being so."""
        return self.state in OPEN


class JobRecord(models.Model):
    """What a job last did, and when and why it last failed; looks that found nothing are none."""

    name = models.CharField(max_length=32, primary_key=True)
    done_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)
    failed_at = models.DateTimeField(null=True)
    failure = models.TextField(blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
