"""Policies, and what carries them besides users: roles and groups.

Names and limits are AWS's: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import Any, ClassVar, Final

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

NAME_CHARACTERS_MAX: Final = 128
DESCRIPTION_CHARACTERS_MAX: Final = 1000


def name_field(**options: Any) -> models.CharField[str, str]:
    """Make the column of a name as AWS has them."""
    return models.CharField(
        _("name"),
        max_length=NAME_CHARACTERS_MAX,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9_+=,.@-]+\Z",
                _("A name has only letters, digits and _ + = , . @ -"),
            )
        ],
        **options,
    )


def description_field() -> models.CharField[str, str]:
    """Make the column of a word on what a row is for."""
    return models.CharField(_("description"), max_length=DESCRIPTION_CHARACTERS_MAX, blank=True)


class Policy(models.Model):
    """A policy with a name of its own: what AWS calls a managed one."""

    name = name_field(unique=True)
    description = description_field()
    document = models.TextField(_("document"), help_text=_("AWS's JSON, without principals."))
    is_builtin = models.BooleanField(_("built in"), default=False, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = _("policy")
        verbose_name_plural = _("policies")

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """What a user is: policies under a name, and those of the roles it includes."""

    name = name_field(unique=True)
    description = description_field()
    is_builtin = models.BooleanField(_("built in"), default=False, editable=False)
    policies = models.ManyToManyField(
        Policy, blank=True, related_name="roles", verbose_name=_("policies")
    )
    includes = models.ManyToManyField(
        "self",
        blank=True,
        symmetrical=False,
        related_name="included_by",
        verbose_name=_("includes"),
        help_text=_("Roles of which this one has everything too."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-is_builtin", "name"]
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self) -> str:
        return self.name


class Group(models.Model):
    """Users who have the same policies."""

    name = name_field(unique=True)
    description = description_field()
    policies = models.ManyToManyField(
        Policy, blank=True, related_name="groups", verbose_name=_("policies")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = _("group")
        verbose_name_plural = _("groups")

    def __str__(self) -> str:
        return self.name


OWNERS: Final = ("user", "group", "role")


def _owned_by(owner: str) -> models.Q:
    """Spell out that a policy is one owner's and no other's."""
    return models.Q(**{f"{name}__isnull": name != owner for name in OWNERS})


class InlinePolicy(models.Model):
    """A policy of one user, group or role, that comes and goes with it."""

    name = name_field()
    document = models.TextField(_("document"), help_text=_("AWS's JSON, without principals."))
    user = models.ForeignKey(
        "iam.User", on_delete=models.CASCADE, null=True, blank=True, related_name="inline_policies"
    )
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, null=True, blank=True, related_name="inline_policies"
    )
    role = models.ForeignKey(
        Role, on_delete=models.CASCADE, null=True, blank=True, related_name="inline_policies"
    )

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = _("inline policy")
        verbose_name_plural = _("inline policies")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=_owned_by("user") | _owned_by("group") | _owned_by("role"),
                name="iam_inline_policy_one_owner",
            ),
            *(
                models.UniqueConstraint(
                    fields=[owner, "name"],
                    condition=models.Q(**{f"{owner}__isnull": False}),
                    name=f"iam_inline_policy_of_{owner}",
                )
                for owner in OWNERS
            ),
        ]

    def __str__(self) -> str:
        return self.name
