"""Registers the S3 side as a Django app, for its management commands only."""

from __future__ import annotations

from django.apps import AppConfig


class S3ApiConfig(AppConfig):
    """The S3 protocol."""

    name = "s3api"
    verbose_name = "S3 API"
