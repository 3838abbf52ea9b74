"""How threads that live as long as the process come to SQL: each time anew, and never in vain.

A page or call of the console has its connection until it ends, by Django's own doing, and only so
many have one at once. The threads that such a call may wait for are not counted among them.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from django.db import close_old_connections, connection

from s4project.sql.gate import gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def residence() -> Iterator[None]:
    """Let a thread of the process's own use SQL for a block."""
    with gate.residence(), visit():
        yield


@contextmanager
def unhurried(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let what is done in the block take as long as it takes: it is asked for, and watched."""
    with getattr(connection, "unhurried", nullcontext)():
        yield


@contextmanager
def visit() -> Iterator[None]:
    """Use SQL for a block, and leave PostgreSQL no connection; SQLite's costs nobody anything."""
    close_old_connections()
    try:
        yield
    finally:
        if connection.vendor == "postgresql":
            close_old_connections()
