"""Users as rows."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from iam.keyring import RoleName
from iam.models.policies import Group, Policy, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

CANONICAL_ID_BYTES: Final = 32
ACCOUNT_ID_DIGITS: Final = 12


def random_canonical_id() -> str:
    """Make a canonical id as AWS's are: 64 lower-case hex digits."""
    return secrets.token_hex(CANONICAL_ID_BYTES)


def random_account_id() -> str:
    """Make an account id as AWS's are: 12 digits, the first no zero."""
    least = 10 ** (ACCOUNT_ID_DIGITS - 1)
    return str(least + secrets.randbelow(9 * least))


class User(AbstractBaseUser):
    """Someone who owns buckets, holds access keys, and may sign in to the console."""

    username = models.CharField(
        _("username"),
        max_length=150,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9._@+-]+\Z", _("A user name has only letters, digits and . @ + - _")
            )
        ],
    )
    display_name = models.CharField(_("display name"), max_length=150, blank=True)
    email = models.EmailField(_("email"), blank=True)
    canonical_id = models.CharField(
        _("canonical id"),
        max_length=64,
        unique=True,
        default=random_canonical_id,
        editable=False,
        validators=[
            RegexValidator(
                r"\A[0-9a-f]{64}\Z", _("A canonical id has 64 digits, each one of 0-9 and a-f.")
            )
        ],
        help_text=_("How S3 names this user as the owner of buckets and objects."),
    )
    account_id = models.CharField(
        _("account id"),
        max_length=ACCOUNT_ID_DIGITS,
        unique=True,
        default=random_account_id,
        editable=False,
        validators=[RegexValidator(r"\A[0-9]{12}\Z", _("An account id has 12 digits."))],
        help_text=_("How policies name this user: arn:aws:iam::ACCOUNT:user/NAME."),
    )
    role: models.ForeignKey[Role | None, Role | None] = models.ForeignKey(
        Role,
        to_field="name",
        db_column="role",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="users",
        verbose_name=_("role"),
        help_text=_("What the user may do in general; policies add to it."),
    )
    groups = models.ManyToManyField(
        Group, blank=True, related_name="members", verbose_name=_("groups")
    )
    policies = models.ManyToManyField(
        Policy, blank=True, related_name="users", verbose_name=_("policies")
    )
    is_root = models.BooleanField(_("root"), default=False, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    token_version = models.PositiveIntegerField(default=0, editable=False)
    quota = models.JSONField(default=None, null=True, editable=False)  # iam.quotas.Quota
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)

    objects = BaseUserManager["User"]()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering: ClassVar = ["username"]
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_root"], condition=models.Q(is_root=True), name="iam_user_one_root"
            ),
        ]

    @property
    def is_staff(self) -> bool:
        """Whether the console lets the user in: everyone active who has a password."""
        return self.is_active and self.has_usable_password()

    @property
    def is_superuser(self) -> bool:
        """Whether the user administers S4."""
        return self.is_active and self.role_id == RoleName.SUPERUSER

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """Answer Django's permission question; the console's own pages ask `iam.console`."""
        del permission, obj
        return self.is_superuser

    def has_perms(self, permissions: Iterable[str], obj: object = None) -> bool:
        """Answer Django's question for several permissions."""
        del permissions, obj
        return self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        """Answer Django's question whether the user sees anything of an app."""
        del app_label
        return self.is_superuser

    def get_session_auth_hash(self) -> str:
        """Answer what a session of this user must know: it ends when this changes."""
        return self._get_session_auth_hash()

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Mix who it is with his token version, which moves with password, role and activity.

        Not with the password's hash, as Django does: that is made anew with new parameters.
        """
        value = f"{self.canonical_id}:{self.token_version}"
        return salted_hmac("iam.User.session", value, secret=secret, algorithm="sha256").hexdigest()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row; a password that a form of Django set is written alone.

        Django's "change my password" page saves all fields of a user it read some time ago: that
        would give back a role that was taken away meanwhile. Sessions and tokens end by
        the new version.
        """
        is_password_change = getattr(self, "_password", None) is not None and not self._state.adding
        if not is_password_change or kwargs.get("update_fields") is not None:
            super().save(*args, **kwargs)
            return
        from iam.services.users import record_password  # noqa: PLC0415  # services know models

        with transaction.atomic():
            super().save(update_fields=["password"])
            mine = User.objects.filter(pk=self.pk)
            mine.update(token_version=models.F("token_version") + 1, updated_at=timezone.now())
            record_password(self)
        self.refresh_from_db(fields=["token_version"])
