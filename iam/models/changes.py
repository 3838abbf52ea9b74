"""What changed of late, as rows: each names one thing that workers have to read anew.

Written by `iam.services.changes`, in the transaction of the change: neither is there without the
other. Only the last rows are kept; who has not read for longer reads everything.
"""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.db import models


class Kind(StrEnum):
    """What a change was of."""

    USER = "user"  # with his groups and his policies
    KEY = "key"
    GROUP = "group"
    ROLE = "role"
    POLICY = "policy"
    BUCKET = "bucket"  # with its rules
    EVERYTHING = "everything"


class Change(models.Model):
    """Something is not what it was, or gone, or there.

    `generation` is that of the engine which announced it: no later row of that key has the same,
    though the database was put back to an earlier state meanwhile.
    """

    generation = models.BigIntegerField(editable=False)
    kind = models.CharField(max_length=16, editable=False)
    number = models.BigIntegerField(editable=False)  # the key of its row; 0 of everything

    class Meta:
        default_permissions: ClassVar = ()
        verbose_name = "change"
        verbose_name_plural = "changes"

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"
