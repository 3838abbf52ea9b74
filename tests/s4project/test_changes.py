"""Changes reach workers whenever their writer dies: what SQL has is what is obeyed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from s3api.context import LOOK_SECONDS
from tests import postgresql
from tests.s4project.changing import KEY, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MADE = f"services.create_key(1, access_key={KEY!r})"
DISABLED = f"services.set_key_enabled({KEY!r}, enabled=False)"
DELETED = f"services.delete_key({KEY!r})"
BEGUN = f"block = transaction.atomic(); block.__enter__(); {DISABLED}"
ENDED = "block.__exit__(None, None, None)"
WORKS, OBEYED = (True, True), (False, True)
MANY = 60
TOGETHER = f"""
control = snapshots._control
read, readings = control.read, []
def counted():
    readings.append(1)
    return read()
control.read = counted
async def come():
    await asyncio.gather(*(snapshots.refresh(door) for _ in range({MANY})))
asyncio.run(come())
del control.read
answer = len(readings)
"""
MEANWHILE = (True, False)  # it works, and the worker will look again


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgresql.Cluster]:
    """Run a PostgreSQL for the module."""
    if not postgresql.IS_INSTALLED:
        pytest.skip("PostgreSQL is not installed")
    with postgresql.cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def set_scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Set the scene over either database."""
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").database()
    with scene(tmp_path_factory.mktemp("store"), database) as made:
        yield made


@pytest.fixture
def store(set_scene: Scene) -> Iterator[Scene]:
    """Make the key, which works."""
    set_scene.writer.do(MADE)
    assert set_scene.worker.obeys() == WORKS
    yield set_scene
    set_scene.writer.do(DELETED)


def test_a_change_is_obeyed_once_its_service_has_returned(store: Scene) -> None:
    """Another process obeys at its next look, and then needs no further one."""
    store.writer.do(DISABLED)
    assert store.worker.obeys() == OBEYED


def test_a_writer_that_dies_after_its_commit_is_obeyed(store: Scene) -> None:
    """A change whose writer was killed as soon as it was committed acts at the next look."""
    store.another().dies(f"with transaction.atomic(): {DISABLED}; transaction.on_commit(die)")
    assert store.worker.obeys() == OBEYED


def test_a_writer_that_dies_before_its_commit_changes_nothing(store: Scene) -> None:
    """An announcement whose change was never committed leaves everything as it was."""
    store.another().dies(f"with transaction.atomic(): {DISABLED}; die()")
    assert store.worker.obeys() == WORKS


def test_a_worker_that_looks_while_a_change_is_made_looks_again(store: Scene) -> None:
    """What is read between announcement and commit serves one request; the next sees the change."""
    store.writer.do(BEGUN)
    assert store.worker.obeys() == MEANWHILE
    assert store.worker.obeys() == MEANWHILE
    store.writer.do(ENDED)
    assert store.worker.obeys() == OBEYED


def test_requests_share_a_reading_while_a_writer_takes_long(store: Scene) -> None:
    """Those that come together wait for one reading, not each for those of all before it."""
    store.writer.do(BEGUN)
    readings = store.worker.do(TOGETHER)
    store.writer.do(ENDED)
    assert readings in {1, 2}, "the second is of those who came while the first went on"
    assert store.worker.obeys() == OBEYED


def test_a_worker_that_looked_while_a_writer_died_obeys_what_he_left(store: Scene) -> None:
    """A worker that has seen the announcement finds out how it ended, though nobody tells it."""
    first, second = store.another(), store.another()
    first.do(BEGUN)
    assert store.worker.obeys() == MEANWHILE
    first.dies("die()")
    assert store.worker.obeys() == WORKS
    second.do(BEGUN)
    assert store.worker.obeys() == MEANWHILE
    second.dies(f"transaction.on_commit(die); {ENDED}")
    assert store.worker.obeys() == OBEYED


def test_a_change_that_is_taken_back_reaches_nobody(store: Scene) -> None:
    """After a rollback the worker goes on as before, and does not look for ever."""
    store.writer.do(BEGUN)
    store.writer.do(f"transaction.set_rollback(True); {ENDED}")
    assert store.worker.obeys() == WORKS


TORN = f"""
import threading
control = snapshots._control
registries = control._registries
read = registries.read
def change():
    {DISABLED}
    buckets.configure_bucket(given.id, tags={{"made": "last"}})
def read_late(changes):
    del registries.read
    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    return read(changes)
owner = services.find_user("root").canonical_id
given = buckets.create_bucket("of-two-moments", owner)
registries.read = read_late
reading = control.read()
answer = [reading.keyring.find(KEY) is not None,
          reading.registry.find(given.name).configuration.tags]
"""


def test_what_is_read_is_of_one_moment(store: Scene) -> None:
    """Who opens one thing after he has closed another never has both open for a request."""
    works, tags = store.worker.do(TORN)
    assert (works, tags) == (True, {})
    assert store.worker.obeys() == OBEYED


def test_a_change_is_not_lost_behind_a_later_one(
    cluster: postgresql.Cluster, tmp_path: Path
) -> None:
    """PostgreSQL lets writers in together: who was announced first may be committed last."""
    with scene(tmp_path, cluster.database()) as store:
        store.writer.do(MADE)
        assert store.worker.obeys() == WORKS
        first = store.another()
        first.do(BEGUN)
        for number in range(3):
            store.writer.do(f"services.create_user('user-{number}', None)")
            assert store.worker.obeys() == MEANWHILE
        first.do(ENDED)
        assert store.worker.obeys() == OBEYED


OUTAGE = """
from s3api.errors import S3Error
try:
    answer = obeys()
except S3Error as error:
    answer = error.code
"""


def test_what_somebody_was_told_is_done_is_never_missed(
    cluster: postgresql.Cluster, tmp_path: Path
) -> None:
    """Without SQL a worker passes over an announcement, but not over a change that was made."""
    with scene(tmp_path, cluster.database()) as store:
        store.writer.do(MADE)
        assert store.worker.obeys() == WORKS
        store.another().dies(f"with transaction.atomic(): {DISABLED}; die()")
        cluster.stop()
        assert store.worker.do(OUTAGE) == list(MEANWHILE)
        cluster.start()
        store.another().do(DISABLED)
        cluster.stop()
        assert store.worker.do(OUTAGE) == "ServiceUnavailable"
        cluster.start()
        answers: list[object] = []
        while not answers or answers[-1] == "ServiceUnavailable":  # until it looks again
            time.sleep(LOOK_SECONDS / 4)
            answers.append(store.worker.do(OUTAGE))
        assert answers[-1] == list(OBEYED)


FOLLOWED = """
from django.conf import settings
from s3api import context
looked, context.LOOK_SECONDS = context.LOOK_SECONDS, 0.05
store = context.Store(get_engine(), Services(), None, context.S3Config(), None)
key = settings.S4.data_dir / "server.key"
async def follow():
    following = asyncio.create_task(store.follow())
    key.chmod(0o644)
    await asyncio.sleep(0.5)
    was_read = store.snapshots.are_read
    key.chmod(0o600)
    for _ in range(200):
        if store.snapshots.is_current:
            break
        await asyncio.sleep(0.05)
    following.cancel()
    return was_read, store.snapshots.is_current
answer = asyncio.run(follow())
store.close()
context.LOOK_SECONDS = looked
"""


def test_a_worker_that_could_not_read_once_follows_on(store: Scene) -> None:
    """A server key that others may read ends no look for good; with that set right all goes on."""
    assert store.worker.do(FOLLOWED) == [False, True]
