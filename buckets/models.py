"""Buckets as rows. Written only by `buckets.services`.

A bucket's primary key is its namespace id in the engine and is never used twice: there a closed
namespace stays closed. Django gives SQLite's keys AUTOINCREMENT; PostgreSQL's are identities.
"""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from buckets.naming import BUCKET_NAME_CHARACTERS_MAX, InvalidBucketName, check_bucket_name

if TYPE_CHECKING:
    from iam.models import User


def validate_bucket_name(name: str) -> None:
    """Check a name for a form field."""
    try:
        check_bucket_name(name)
    except InvalidBucketName as error:
        raise ValidationError(str(error)) from error


class Bucket(models.Model):
    """A bucket: whose it is, where, since when."""

    name = models.CharField(
        max_length=BUCKET_NAME_CHARACTERS_MAX,
        unique=True,
        validators=[validate_bucket_name],
        help_text="3 to 63 lower-case letters, digits, dots and hyphens.",
    )
    owner: models.ForeignKey[User, User] = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="buckets"
    )
    region = models.CharField(max_length=63, editable=False)
    is_closing = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name
