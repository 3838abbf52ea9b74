"""Changes reach workers whenever their writer dies: what SQL has is what is obeyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import postgresql
from tests.s4project.changing import KEY, Party, parties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Start = Callable[[int], AbstractContextManager[list[Party]]]

MADE = f"services.create_key(1, access_key={KEY!r})"
DISABLED = f"services.set_key_enabled({KEY!r}, enabled=False)"
WORKS, OBEYED = (True, True), (False, True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgresql.Cluster]:
    """Run a PostgreSQL for the module."""
    if not postgresql.IS_INSTALLED:
        pytest.skip("PostgreSQL is not installed")
    with postgresql.cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Give the way to start processes over one store, on either database."""
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").database()
    return lambda count: parties(tmp_path, database, count)


def test_a_change_is_obeyed_once_its_service_has_returned(start: Start) -> None:
    """Another process obeys at its next look, and then needs no further one."""
    with start(2) as (writer, worker):
        assert worker.obeys() == (False, True)
        writer.do(MADE)
        assert worker.obeys() == WORKS
        writer.do(DISABLED)
        assert worker.obeys() == OBEYED


def test_a_writer_that_dies_after_its_commit_is_obeyed(start: Start) -> None:
    """A change whose writer was killed as soon as it was committed acts at the next look."""
    with start(2) as (writer, worker):
        writer.do(MADE)
        assert worker.obeys() == WORKS
        writer.dies(f"with transaction.atomic(): {DISABLED}; transaction.on_commit(die)")
        assert worker.obeys() == OBEYED


def test_a_writer_that_dies_before_its_commit_changes_nothing(start: Start) -> None:
    """An announcement whose change was never committed leaves everything as it was."""
    with start(2) as (writer, worker):
        writer.do(MADE)
        assert worker.obeys() == WORKS
        writer.dies(f"with transaction.atomic(): {DISABLED}; die()")
        assert worker.obeys() == WORKS


def test_a_worker_that_looks_while_a_change_is_made_looks_again(start: Start) -> None:
    """What is read between announcement and commit serves one request; the next sees the change."""
    with start(2) as (writer, worker):
        writer.do(MADE)
        assert worker.obeys() == WORKS
        writer.do(f"block = transaction.atomic(); block.__enter__(); {DISABLED}")
        assert worker.obeys() == (True, False)
        assert worker.obeys() == (True, False)
        writer.do("block.__exit__(None, None, None)")
        assert worker.obeys() == OBEYED


def test_a_worker_that_looked_while_a_writer_died_obeys_what_he_left(start: Start) -> None:
    """A worker that has seen the announcement finds out how it ended, though nobody tells it."""
    with start(3) as (writer, other, worker):
        writer.do(MADE)
        assert worker.obeys() == WORKS
        begin = f"block = transaction.atomic(); block.__enter__(); {DISABLED}"
        writer.do(begin)
        assert worker.obeys() == (True, False)
        writer.dies("die()")
        assert worker.obeys() == WORKS
        other.do(begin)
        assert worker.obeys() == (True, False)
        other.dies("transaction.on_commit(die); block.__exit__(None, None, None)")
        assert worker.obeys() == OBEYED


def test_a_change_that_is_taken_back_reaches_nobody(start: Start) -> None:
    """After a rollback the worker goes on as before, and does not look for ever."""
    with start(2) as (writer, worker):
        writer.do(MADE)
        assert worker.obeys() == WORKS
        writer.do(f"block = transaction.atomic(); block.__enter__(); {DISABLED}")
        writer.do("transaction.set_rollback(True); block.__exit__(None, None, None)")
        assert worker.obeys() == WORKS
