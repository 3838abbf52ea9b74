"""The audit log as rows: written once by `iam.services.audit`, never changed."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from iam.audit.acting import Via
from iam.audit.notes import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

# A bucket's ARN with the longest key has 1,100 bytes; PostgreSQL indexes 2,704 bytes at most.
RESOURCE_BYTES_MAX: Final = 1_200
WAYS: Final = {
    Via.CONSOLE: _("console"),
    Via.REST: _("rest"),
    Via.S3: _("s3"),
    Via.COMMAND: _("command"),
    Via.JOBS: _("jobs"),
}
OUTCOMES: Final = {
    Outcome.ALLOWED: _("allowed"),
    Outcome.DENIED: _("denied"),
    Outcome.FAILED: _("failed"),
}


class AppendOnlyError(TypeError):
    """An entry that is written stays as it is."""

    def __init__(self) -> None:
        super().__init__("Audit entries are never changed, and go only by their age.")


class EntryRows(models.QuerySet["AuditEntry"]):
    """Entries as a query finds them: to be read."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse."""
        del kwargs
        raise AppendOnlyError

    def bulk_update(
        self, objs: Iterable[AuditEntry], fields: Iterable[str], batch_size: int | None = None
    ) -> NoReturn:
        """Refuse."""
        del objs, fields, batch_size
        raise AppendOnlyError

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError


class AuditEntry(models.Model):
    """Who did what to what, when, from where, and how it went."""

    time = models.DateTimeField(_("time"), default=timezone.now)
    actor = models.CharField(
        _("actor"), max_length=150, blank=True, help_text=_("A user's name; empty: nobody.")
    )
    actor_id = models.CharField(_("canonical id"), max_length=64, blank=True)
    credential = models.CharField(
        _("credential"),
        max_length=150,
        blank=True,
        help_text=_("An access key, a session's or token's mark, a command."),
    )
    address = models.CharField(_("source address"), max_length=64, blank=True)
    via = models.CharField(_("via"), max_length=8, choices=[(via.value, WAYS[via]) for via in Via])
    # db_index: on PostgreSQL that makes the index by which a beginning is found, too.
    action = models.CharField(_("action"), max_length=128, db_index=True)
    resource = models.CharField(
        _("resource"), max_length=RESOURCE_BYTES_MAX, blank=True, db_index=True
    )
    outcome = models.CharField(
        _("outcome"),
        max_length=8,
        choices=[(outcome.value, OUTCOMES[outcome]) for outcome in Outcome],
    )
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    detail = models.JSONField(_("detail"), default=dict)

    objects = EntryRows.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["time"], name="iam_audit_time"),
            models.Index(fields=["actor", "id"], name="iam_audit_actor"),
            models.Index(fields=["credential", "id"], name="iam_audit_credential"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new entry; AppendOnlyError for one that is written."""
        if not self._state.adding:
            raise AppendOnlyError
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        del args, kwargs
        raise AppendOnlyError

    def as_dict(self) -> dict[str, Any]:
        """Show the entry as REST, file and webhook have it."""
        return {
            "id": self.pk,
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "actor": self.actor,
            "actor_id": self.actor_id,
            "credential": self.credential,
            "address": self.address,
            "via": self.via,
            "action": self.action,
            "resource": self.resource,
            "outcome": self.outcome,
            "request_id": self.request_id,
            "detail": self.detail,
        }


class AuditCursor(models.Model):
    """How far the entries have been passed on to a place outside."""

    sink = models.CharField(max_length=32, primary_key=True)
    last_id = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.sink} up to {self.last_id}"
