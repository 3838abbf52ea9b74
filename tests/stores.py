"""A store of one test's own: data directory, server key, real engine; SQL is pytest-django's."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from iam import sealing
from s4project.signing_key import secret_key
from storage_engine.apps import close_engine, get_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine


@contextmanager
def opened(settings: SettingsWrapper, data_dir: Path) -> Iterator[StorageEngine]:
    """Point S4 at `data_dir` and open the process's engine there until the block ends."""
    close_engine()
    settings.S4 = replace(settings.S4, data_dir=data_dir)
    sealing.load_or_create_server_key(data_dir)
    settings.SECRET_KEY = secret_key(data_dir)
    try:
        yield get_engine()
    finally:
        close_engine()
