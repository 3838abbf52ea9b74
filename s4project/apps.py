"""Registers the project package as an app, so that its commands and checks are found."""

from __future__ import annotations

from django.apps import AppConfig


class S4ProjectConfig(AppConfig):
    """The top layer: commands that run S4 and checks of its settings."""

    name = "s4project"
    verbose_name = "S4"

    def ready(self) -> None:
        """Register the system checks of the settings."""
        from s4project import checks  # noqa: F401, PLC0415  # registration is the import's effect
