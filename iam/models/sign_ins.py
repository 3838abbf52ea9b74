"""Sign-ins in vain as rows: what the throttle counts, for all workers and across restarts."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class SignInCount(models.Model):
    """How often one key failed; the key is a keyed hash, for a name may be a mistyped password."""

    key = models.CharField(max_length=64, primary_key=True, editable=False)
    attempts = models.PositiveIntegerField(default=0)
    waits_until = models.DateTimeField()
    forgotten_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["key"]
        verbose_name = _("sign-ins in vain")
        verbose_name_plural = verbose_name

    def __str__(self) -> str:
        return f"{self.attempts} attempts"
