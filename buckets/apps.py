"""Registers buckets as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BucketsConfig(AppConfig):
    """Buckets and their configuration."""

    name = "buckets"
    verbose_name = _("Storage")
