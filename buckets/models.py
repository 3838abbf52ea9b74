"""Buckets as rows. Written only by `buckets.services`.

A bucket's primary key is its namespace id in the engine and is never used twice: there a closed
namespace stays closed. Django gives SQLite's keys AUTOINCREMENT; PostgreSQL's are identities.
"""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from buckets.configuration import ALL_SIZES, NOTHING_PUBLIC, Ownership
from buckets.naming import BUCKET_NAME_CHARACTERS_MAX, InvalidBucketName, check_bucket_name
from storage_engine import Versioning

if TYPE_CHECKING:
    from iam.models import User

VERSIONING: Final = {
    Versioning.UNVERSIONED: _("unversioned"),
    Versioning.ENABLED: _("enabled"),
    Versioning.SUSPENDED: _("suspended"),
}


def validate_bucket_name(name: str) -> None:
    """Check a name for a form field."""
    try:
        check_bucket_name(name)
    except InvalidBucketName as error:
        raise ValidationError(str(error)) from error


def nothing_public() -> dict[str, Any]:
    """Give a new bucket's public access block, as it is kept."""
    block: dict[str, Any] = msgspec.to_builtins(NOTHING_PUBLIC)
    return block


class Bucket(models.Model):
    """A bucket: whose it is, where, since when; below that `buckets.configuration`, by field."""

    name = models.CharField(
        _("name"),
        max_length=BUCKET_NAME_CHARACTERS_MAX,
        unique=True,
        validators=[validate_bucket_name],
        help_text=_("3 to 63 lower-case letters, digits, dots and hyphens."),
    )
    owner: models.ForeignKey[User, User] = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="buckets",
        verbose_name=_("owner"),
    )
    region = models.CharField(_("region"), max_length=63, editable=False)
    is_closing = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    versioning = models.CharField(
        max_length=11,
        choices=[(state.value, VERSIONING[state]) for state in Versioning],
        default=Versioning.UNVERSIONED,
    )
    ownership = models.CharField(  # noqa: DJ001  # no controls are something else than empty ones
        max_length=20,
        choices=[(ownership.value, ownership.value) for ownership in Ownership],
        default=Ownership.BUCKET_OWNER_ENFORCED,
        null=True,
    )
    public_access_block = models.JSONField(default=nothing_public, null=True)
    grants = models.JSONField(default=None, null=True)
    cors = models.JSONField(default=list)
    tags = models.JSONField(default=dict)
    policy = models.TextField(default=None, null=True)  # noqa: DJ001  # none is no empty policy
    object_lock = models.JSONField(default=None, null=True)
    quota = models.JSONField(default=None, null=True)
    requests_per_second = models.PositiveIntegerField(default=None, null=True)
    lifecycle_minimum_size = models.CharField(max_length=32, default=ALL_SIZES, editable=False)
    # The key of the first of its rules: other rules have another one, for keys are used once.
    lifecycle_mark = models.BigIntegerField(default=None, null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = _("bucket")
        verbose_name_plural = _("buckets")

    def __str__(self) -> str:
        return self.name


class LifecycleRule(models.Model):
    """A lifecycle rule of a bucket; `storage_engine.LifecycleRule` says what each field means."""

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="lifecycle_rules")
    position = models.PositiveSmallIntegerField(
        default=0, help_text=_("Its place among the rules.")
    )
    rule_id = models.CharField(_("id"), max_length=255)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    has_filter = models.BooleanField(default=True, editable=False)  # else a Prefix under Rule
    has_blank_prefix = models.BooleanField(default=False, editable=False)  # named, and empty
    prefix = models.CharField(max_length=1024, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    size_above = models.BigIntegerField(_("larger than"), null=True, blank=True)
    size_below = models.BigIntegerField(_("smaller than"), null=True, blank=True)
    expire_days = models.PositiveIntegerField(_("expire after days"), null=True, blank=True)
    expire_at = models.DateTimeField(_("expire from"), null=True, blank=True)
    spares_markers = models.BooleanField(default=False, editable=False)  # it says so
    expires_markers = models.BooleanField(_("remove lone delete markers"), default=False)
    noncurrent_days = models.PositiveIntegerField(
        _("remove noncurrent versions after days"), null=True, blank=True
    )
    noncurrent_kept = models.PositiveSmallIntegerField(
        _("noncurrent versions to keep"), null=True, blank=True
    )
    abort_days = models.PositiveIntegerField(
        _("abort unfinished uploads after days"), null=True, blank=True
    )

    class Meta:
        ordering: ClassVar = ["bucket", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bucket", "rule_id"], name="buckets_rule_id"),
            models.UniqueConstraint(fields=["bucket", "position"], name="buckets_rule_position"),
        ]

    def __str__(self) -> str:
        return self.rule_id
