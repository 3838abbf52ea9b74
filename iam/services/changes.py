"""How a change in SQL reaches every worker, whoever dies on the way.

A change is announced before it is committed: its generation moves while the writer's transaction
is open, which also writes down what it is a change of. A worker that sees the generation move reads
anew what was written down since, and asks whether a writer was still at it: then what it has read
is good for the moment only, and the next request reads again. The kernel or PostgreSQL end a dead
writer's transaction, so that neither a commit that nobody lived to announce nor an announcement
that nobody lived to commit leaves a worker with something else than SQL has.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import OperationalError, connection, transaction

from iam.models.changes import Change, Kind
from iam.services.prepared import fetch
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PATIENCE_MS: Final = 50  # most writers have committed by then, and one reading is enough
RETRY_SECONDS: Final = 0.005
ADVISORY_LOCK: Final = 0x5334_0001  # any number will do; the database is S4's own
CHANGES_MAX: Final = 500  # that a worker reads one by one
CHANGES_KEPT: Final = 2 * CHANGES_MAX
OVERLAP: Final = 64  # rows that a first reading looks back

TABLE: Final = Change._meta.db_table  # noqa: SLF001  # public in all but its name
NEWEST: Final = f"SELECT max(id) FROM {TABLE}"  # noqa: S608  # its name is ours
LATER: Final = (
    f"SELECT id, generation, kind, number FROM {TABLE} WHERE id > %s ORDER BY id LIMIT %s"  # noqa: S608
)


# --- writing -------------------------------------------------------------------------------------


def announce(kind: Kind, number: int = 0) -> None:
    """Have every worker read something anew, as soon as the transaction this is called in is over.

    `number` is the key of its row. Call it once the row has one, and before it has none any more.
    """
    assert connection.in_atomic_block, "a change is announced before it is committed"
    share_lock(ADVISORY_LOCK)
    engine = get_engine()
    # On SQLite the transaction holds the only write lock.
    generation = engine.bump_generation("buckets" if kind is Kind.BUCKET else "iam")
    Change.objects.create(generation=generation, kind=kind, number=number)
    # Who cannot read SQL may obey what he knows, unless he lacks what somebody was told is done.
    transaction.on_commit(partial(engine.confirm_generation, generation))


def forget_changes() -> int:
    """Delete the rows of changes that nobody needs any more; return how many."""
    return Change.objects.filter(pk__lte=_newest() - CHANGES_KEPT).delete()[0]


def share_lock(number: int) -> None:
    """Share a lock of PostgreSQL's to the end of the transaction; SQLite lets one writer in."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [number])


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be read anew, by the keys of rows.

    `is_settled`: what is read from now on holds every change that was announced before.
    """

    numbers: dict[Kind, set[int]]
    is_everything: bool = False
    is_settled: bool = True

    def of(self, kind: Kind) -> set[int]:
        """List the keys of the rows of a kind that changed."""
        return self.numbers.get(kind, set())


EVERYTHING: Final = Changes({}, is_everything=True)


class ChangeReader:
    """Looks for what changed, one look after the other. Belongs to one thread at a time.

    A row may be committed after another that has a greater key. So the mark, up to which rows are
    known, moves to the last row that was there before it was asked whether a writer was at it, if
    none was: whoever has written a smaller key was through by then.

    Each look sees rows from before the mark too. Where one is not there any more, the database was
    put back to an earlier state under a running S4, or rows were deleted that nobody waits for:
    then everything is read.
    """

    def __init__(self) -> None:
        self._mark: int | None = None  # None: nothing is known
        self._floor = 0
        self._seen: set[tuple[int, int]] = set()  # of rows above the floor: key and generation

    @contextmanager
    def look(self) -> Iterator[Changes]:
        """Say what changed since the last look, of which all that the block reads is the state.

        If the block fails, nothing is known any more.
        """
        newest, settled = _newest(), is_settled()
        with _one_moment():
            yield from self._look(newest, settled=settled)

    def _look(self, newest: int, *, settled: bool) -> Iterator[Changes]:
        mark, self._mark = self._mark, None
        rows = [] if mark is None else fetch(LATER, self._floor, CHANGES_MAX + 1)
        is_there = self._seen <= {row[:2] for row in rows}
        if mark is not None and self._seen and is_there and len(rows) <= CHANGES_MAX:
            changes = _named((row[2:] for row in rows if row[0] > mark), is_settled=settled)
        else:
            mark, self._floor = None, max(0, newest - OVERLAP)
            rows = fetch(LATER, self._floor, CHANGES_MAX + 1)
            changes = Changes({}, is_everything=True, is_settled=settled)
        yield changes
        if settled and newest != mark:
            self._floor, mark = self._floor if mark is None else mark, newest
        self._mark = mark
        self._seen = {row[:2] for row in rows if row[0] > self._floor}


@contextmanager
def _one_moment() -> Iterator[None]:
    """Have the block read what there is at one moment, whatever is committed meanwhile.

    Who takes a right away before he grants another would have granted both to requests that wait
    for what is read just then.
    """
    if connection.in_atomic_block:  # its moment is not ours to choose
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")  # Django's own would take the one write lock
            try:
                yield
            finally:
                with suppress(OperationalError):  # SQLite has ended it
                    cursor.execute("ROLLBACK")


def _named(rows: Iterable[tuple[str, int]], *, is_settled: bool) -> Changes:
    """Gather the keys of each kind."""
    numbers: dict[Kind, set[int]] = {}
    for kind, number in rows:
        numbers.setdefault(Kind(kind), set()).add(number)
    is_everything = Kind.EVERYTHING in numbers
    return Changes(numbers, is_everything=is_everything, is_settled=is_settled)


def _newest() -> int:
    """Return the key of the newest row; 0 where there is none."""
    ((newest,),) = fetch(NEWEST)
    return int(newest or 0)


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
