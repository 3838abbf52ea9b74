"""How a change in SQL reaches every worker, whoever dies on the way.

A change is announced before it is committed: its generation moves while the writer's transaction
is open. A worker that sees it move reads anew, and asks whether a writer was still at it: then
what it has read is good for the moment only, and the next request reads again. The kernel or
PostgreSQL end a dead writer's transaction, so that neither a commit that nobody lived to announce
nor an announcement that nobody lived to commit leaves a worker with something else than SQL has.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from django.conf import settings
from django.db import OperationalError, connection, transaction

from storage_engine.apps import get_engine

PATIENCE_MS: Final = 50  # most writers have committed by then, and one reading is enough
RETRY_SECONDS: Final = 0.005
ADVISORY_LOCK: Final = 0x5334_0001  # any number will do; the database is S4's own


def announce(topic: str) -> None:
    """Have every worker read a topic anew, as soon as the transaction this is called in is over."""
    assert connection.in_atomic_block, "a change is announced before it is committed"
    share_lock(ADVISORY_LOCK)
    engine = get_engine()
    # On SQLite the transaction holds the only write lock.
    generation = engine.bump_generation(topic)
    # Who cannot read SQL may obey what he knows, unless he lacks what somebody was told is done.
    transaction.on_commit(partial(engine.confirm_generation, generation))


def share_lock(number: int) -> None:
    """Share a lock of PostgreSQL's to the end of the transaction; SQLite lets one writer in."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [number])


def is_settled() -> bool:
    """Whether nobody is between an announcement and the end of his transaction; not in one.

    What is read after a true answer holds all that was announced before the question. False may
    also mean that somebody wrote something else.
    """
    if connection.vendor == "postgresql":
        return takes_lock(ADVISORY_LOCK, PATIENCE_MS / 1000)
    return _is_unlocked()


def takes_lock(number: int, seconds: float) -> bool:
    """Try PostgreSQL's lock that writers share, for so long; True: none of them is at it.

    Tries and does not wait in line: nobody who wants to share it has to wait behind.
    """
    end = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            row = cursor.fetchone()
            if row is not None and row[0]:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(RETRY_SECONDS)


def _is_unlocked() -> bool:
    """Try SQLite's one write lock, waiting for as long as most writers take."""
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except OperationalError:
            return False
        else:
            cursor.execute("ROLLBACK")
            return True
        finally:
            usual_seconds = settings.DATABASES["default"]["OPTIONS"]["timeout"]
            cursor.execute(f"PRAGMA busy_timeout = {usual_seconds * 1000}")
