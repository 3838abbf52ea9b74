"""Access keys as rows."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from iam.models.users import User
from iam.rates import RATE_MAX


class SealingMark(models.Model):
    """The mark of the server key that every secret of this database is sealed under: one row.

    A transaction that seals holds it, so that none seals under a key that another replaces.
    """

    mark = models.CharField(max_length=64, editable=False)

    def __str__(self) -> str:
        return self.mark


class AccessKey(models.Model):
    """What S3 requests are signed with; the secret is sealed under the server key."""

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="access_keys", verbose_name=_("user")
    )
    access_key = models.CharField(
        _("access key"),
        max_length=128,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9._+=@-]{3,128}\Z",
                _("An access key has 3 to 128 letters, digits or . _ + = @ -"),
            )
        ],
    )
    sealed_secret = models.BinaryField(editable=False)
    name = models.CharField(
        _("name"), max_length=100, blank=True, help_text=_("What the key is for.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    from_environment = models.BooleanField(_("from environment"), default=False, editable=False)
    expires_at = models.DateTimeField(
        _("expires"), null=True, blank=True, help_text=_("Empty: the key does not expire.")
    )
    policy = models.TextField(
        _("policy"),
        blank=True,
        help_text=_("What the key may do of all that its user may: AWS's JSON. Empty: all of it."),
    )
    requests_per_second = models.PositiveIntegerField(
        _("requests per second"),
        null=True,
        blank=True,
        default=None,
        validators=[MaxValueValidator(RATE_MAX)],
        help_text=_("More are told to slow down. 0: no limit. Empty: as the settings say."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    # No column: the plain secret, on the one instance that stands for a key made just now.
    secret_shown_once: str = ""

    class Meta:
        ordering: ClassVar = ["user__username", "access_key"]
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")

    def __str__(self) -> str:
        return self.access_key
