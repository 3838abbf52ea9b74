"""Registers buckets as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class BucketsConfig(AppConfig):
    """Buckets and their configuration."""

    name = "buckets"
    verbose_name = "Storage"
