"""Django's door to the engine: one open engine for each process, at the configured directory.

The only module here that knows Django.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.conf import settings

from storage_engine.engine import open_engine
from storage_engine.options import EngineOptions

if TYPE_CHECKING:
    from storage_engine.engine import StorageEngine

# What else S4 keeps in its data directory, perhaps from before the engine is first opened.
NEIGHBOURS = frozenset(
    {
        "prepare.lock",
        "serve.lock",
        "jobs.lock",
        "jobs.socket",
        "audit.bell",
        "meters",
        "metrics",
        "metrics.token",
        "trace",
        "server.key",
        "server.key.next",
        "tls",
        "s4.sqlite3",
        "s4.sqlite3-journal",
        "s4.sqlite3-wal",
        "s4.sqlite3-shm",
    }
)


class StorageEngineConfig(AppConfig):
    """The engine as a Django app: it has neither models nor commands."""

    name = "storage_engine"
    verbose_name = "Storage engine"


class _Process:
    """The engine of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.engine: StorageEngine | None = None


_process = _Process()
_inherited: list[_Process] = []  # kept, so that nothing of a parent's is finalised in its child


def _current() -> _Process:
    global _process  # noqa: PLW0603  # what belongs to a process is global by nature
    if _process.pid != os.getpid():
        _inherited.append(_process)
        _process = _Process()
    return _process


def get_engine(*, must_exist: bool = False) -> StorageEngine:
    """Return this process's engine, opening it when there is none; FormatError.

    Opening makes a store where there is none, unless it `must_exist`.
    """
    process = _current()
    with process.lock:
        if process.engine is None:
            options = EngineOptions(
                neighbours=NEIGHBOURS,
                lifecycle_day_ms=settings.S4.lifecycle_day_seconds * 1000,
                snapshots_kept=settings.S4.snapshot_count,
            )
            process.engine = open_engine(settings.S4.data_dir, options, must_exist=must_exist)
        return process.engine


def opened_engine() -> StorageEngine | None:
    """Return this process's engine if it is open."""
    return _current().engine


def close_engine() -> None:
    """Close this process's engine if it is open; `get_engine` opens it again."""
    process = _current()
    with process.lock:
        if process.engine is not None:
            process.engine.close()
            process.engine = None
