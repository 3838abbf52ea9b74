"""Registers identity as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class IamConfig(AppConfig):
    """Users and access keys."""

    name = "iam"
    verbose_name = "Identity"

    def ready(self) -> None:
        """Register the system checks."""
        from iam import checks  # noqa: F401, PLC0415  # registration is the import's effect
