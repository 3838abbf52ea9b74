"""Registers identity as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IamConfig(AppConfig):
    """Users, their access keys, and what they may do."""

    name = "iam"
    verbose_name = "Identity"

    def ready(self) -> None:
        """Register the system checks, and what follows each migration."""
        from iam import checks  # noqa: F401, PLC0415  # registration is the import's effect
        from iam.services.roles import keep_builtins  # noqa: PLC0415  # models exist only now

        post_migrate.connect(keep_builtins, sender=self)
