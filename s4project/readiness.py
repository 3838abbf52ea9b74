"""Whether this worker can do what it is there for: what a load balancer, or a container, is told.

A few looks at the thing itself, each in microseconds, made when somebody asks: no SQL, no thread
and nothing remembered. The SQL database is asked beside them and told of, but nothing hangs on it:
reads and writes of objects go on without it. What people are told is `s4project.health`.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import lmdb
from django.db import Error, connection

from storage_engine import EngineError

if TYPE_CHECKING:
    from s3api.app import S3App
    from s3api.context import Store
    from storage_engine import StorageEngine

LAG_SECONDS_MAX: Final = 120.0  # of the checkpoint; with a slow disk it takes seconds
PATIENCE_SECONDS: Final = 1.0  # with users and buckets to be read first, and with SQL
TROUBLE: Final = (EngineError, Error, OSError, lmdb.Error)  # that reading may meet
WAITS: Final = "no answer yet"


class Look(NamedTuple):
    """One thing looked at; `trouble` is empty when it is well."""

    name: str
    trouble: str = ""


class Readiness(NamedTuple):
    """What was found: reading needs the first, writing both, and nothing needs the last."""

    for_reads: tuple[Look, ...]
    for_writes: tuple[Look, ...]
    sql: Look

    @property
    def reads(self) -> bool:
        """Whether requests that change nothing are answered."""
        return not any(look.trouble for look in self.for_reads)

    @property
    def writes(self) -> bool:
        """Whether all requests are answered."""
        return self.reads and not any(look.trouble for look in self.for_writes)


_ending = threading.Event()  # this worker accepts no more


def end_accepting() -> None:
    """Be told that this worker is about to end."""
    _ending.set()


async def look(app: S3App) -> Readiness:
    """Look at everything."""
    store, engine = app.store, app.store.engine
    await read_snapshots(store)
    return Readiness(
        (_look_at_worker(app), _look_at_index(engine), _look_at_snapshots(store)),
        (_look_at_journal(engine), _look_at_room(engine), _look_at_checkpoint(engine)),
        await _sql.look(),
    )


async def read_snapshots(store: Store) -> None:
    """Have users and buckets known as they are, if SQL says so in time."""
    await _reading.wait(store)


class _Reading:
    """Has users and buckets read where they have changed, or never were; one reading at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def wait(self, store: Store) -> None:
        """Begin it, or wait for the one that is under way, but not for long.

        Without SQL they stay as they were last known.
        """
        with suppress(*TROUBLE):
            if store.snapshots.are_read and store.snapshots.is_current:
                return
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(store.refresh())
            self._task.add_done_callback(lambda done: done.cancelled() or done.exception())
        with suppress(TimeoutError, *TROUBLE):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(self._task)


def _look_at_worker(app: S3App) -> Look:
    if _ending.is_set():
        return Look("worker", "it is about to end")
    is_full = app.store.in_flight - app.store.turns.held >= app.store.config.requests_max
    return Look("worker", "it serves as many requests as it may" if is_full else "")


def _look_at_index(engine: StorageEngine) -> Look:
    try:
        engine.retained_from_ms()  # any read of the index
    except TROUBLE:
        return Look("index", "it cannot be read")
    return Look("index")


def _look_at_snapshots(store: Store) -> Look:
    """Without them nobody is known: no request can be decided."""
    trouble = "" if store.snapshots.are_read else "users and buckets could not be read from SQL"
    return Look("identities", trouble)


def _look_at_journal(engine: StorageEngine) -> Look:
    """After one failed sync nothing more is written; the log says what failed."""
    trouble = "" if engine.failure is None else "writes are refused since the disk failed: see log"
    return Look("journal", trouble)


def _look_at_room(engine: StorageEngine) -> Look:
    try:
        trouble = "" if engine.has_room() else "the disk is full, up to what is kept for deletes"
    except OSError:
        trouble = "the disk does not say how much is free"
    return Look("space", trouble)


def _look_at_checkpoint(engine: StorageEngine) -> Look:
    lag = engine.checkpoint_lag_seconds()
    trouble = "" if lag < LAG_SECONDS_MAX else f"{lag:.0f} seconds behind what was written"
    return Look("checkpoint", trouble)


class _Sql:
    """Asks the database for nothing; one question at a time, however long it takes."""

    def __init__(self) -> None:
        self._asked: asyncio.Future[str] | None = None

    async def look(self) -> Look:
        """Ask, or wait for who asked before, but not for long."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.get_running_loop().create_future()
            # A daemon: a database that does not answer must not keep the worker from ending.
            arguments = (asyncio.get_running_loop(), self._asked)
            threading.Thread(target=_ask_sql, args=arguments, name="sql?", daemon=True).start()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return Look("sql", await asyncio.shield(self._asked))
        except TimeoutError:
            return Look("sql", WAITS)


def _ask_sql(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[str]) -> None:
    """Find out whether the database answers; what it says else stays here."""
    trouble = "no answer"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        trouble = ""
    except Error:
        pass
    finally:
        with suppress(Error):
            connection.close()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(answer.set_result, trouble)


_reading: Final = _Reading()
_sql: Final = _Sql()
