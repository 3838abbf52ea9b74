"""Makes a data directory ready: format marker, server key, SQL schema, root user.

Every command that needs the store calls `prepare_store` first, so each of them works on a fresh
machine and beside a running server. Knows nothing of HTTP.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from iam import sealing, services
from s4project.signing_key import secret_key
from s4project.sql.visits import unhurried
from s4project.vintage import refuse_newer
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` until the block ends; wait for whoever holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def prepare_store() -> services.FirstStart:
    """Create or upgrade what the data directory needs; return what a newcomer must be told.

    NewerStore, and nothing is touched, where a newer S4 was at it. Safe to call from several
    processes at once: an OS lock lets one of them work.
    """
    configuration = settings.S4
    refuse_newer()
    configuration.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(configuration.data_dir / "prepare.lock"):
        get_engine()  # refuses a foreign or newer directory before anything is written to it
        sealing.load_or_create_server_key(configuration.data_dir)
        _migrate()
        services.settle_server_key()
        services.ensure_builtins()
        settings.SECRET_KEY = secret_key(configuration.data_dir)
        return services.ensure_root(
            username=configuration.root_username,
            password=configuration.root_password,
            access_key=configuration.access_key_id,
            secret_key=configuration.secret_access_key,
        )


@contextmanager
def settled_store() -> Iterator[None]:
    """Hold a store that is ready and has one server key, to replace it."""
    with exclusive(settings.S4.data_dir / "prepare.lock"):
        services.settle_server_key()
        yield


def _migrate() -> None:
    """Bring the SQL schema up to date, where it is not (the check costs a few queries)."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        with unhurried(connection):
            call_command("migrate", verbosity=0, interactive=False)
