"""Registers identity as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class IamConfig(AppConfig):
    """Users, their access keys, and what they may do."""

    name = "iam"
    verbose_name = _("Identity")

    def ready(self) -> None:
        """Register the system checks, hear who signs in, and what follows each migration."""
        # Registering is their effect.
        from iam import audit_signals, checks, sessions  # noqa: F401, PLC0415
        from iam.services.roles import keep_builtins  # noqa: PLC0415  # models exist only now

        post_migrate.connect(keep_builtins, sender=self)
        # `services.sign_in` writes it, for REST as well, together with what else it writes.
        user_logged_in.disconnect(dispatch_uid="update_last_login")
