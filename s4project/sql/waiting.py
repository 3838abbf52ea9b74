"""Waits for PostgreSQL at the start: S4 and its database are often started together."""

from __future__ import annotations

import time
from typing import Final

import structlog
from django.conf import settings
from django.db import OperationalError, connection

from s4project.sql.address import place

PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


def wait_for_database() -> None:
    """Return when the database takes connections; OperationalError when it does not in time.

    Says once what it waits for, and again when the reason is another. SQLite is there or is not.
    """
    if connection.vendor != "postgresql":
        return
    end, told = time.monotonic() + settings.S4.database_wait_seconds, ""
    while why := _why_not():
        if time.monotonic() >= end:
            where = place(settings.S4.database_url)
            raise OperationalError(f"{where} does not answer: {why}")
        if why != told:
            where, seconds = place(settings.S4.database_url), settings.S4.database_wait_seconds
            log.warning("Waiting for the SQL database", database=where, seconds=seconds, error=why)
            told = why
        time.sleep(min(PAUSE_SECONDS, max(0.0, end - time.monotonic())))


def _why_not() -> str:
    """Connect, and say why that was not possible; empty: it was."""
    import psycopg  # noqa: PLC0415  # for PostgreSQL alone

    try:
        psycopg.connect(**connection.get_connection_params()).close()
    except psycopg.Error as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""
