"""Tasks: asked for, one of a kind at a time, carried out, stopped, gone on with, on record."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from buckets.configuration import Lifecycle
from buckets.services import configure_bucket, create_bucket
from iam.audit.acting import acting
from iam.keyring import RoleName
from iam.models import AuditEntry
from s4project import task_runner, tasks
from s4project.job_board import Board, write_record
from s4project.models import JobRecord, Kind, State, Task
from s4project.task_runner import Run, TaskRunner
from s4project.task_work import WORK, Outcome, Work
from storage_engine import DAY_MS, Busy, LifecycleRule, old_uploads
from storage_engine.volume import volume_path
from tests.people import person
from tests.s4project.probing import wait_for
from tests.storage_engine.engine_steps import BUCKET, attributes, noise, put, put_part
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User
    from storage_engine import StorageEngine

KINDS = tuple(Kind)


@pytest.fixture
def store(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> Iterator[StorageEngine]:
    """Open a store of the test's own, in which a day of lifecycle rules is a second."""
    settings.S4 = replace(settings.S4, lifecycle_day_seconds=1)
    with opened(settings, tmp_path) as engine:
        yield engine


@pytest.fixture
def boss(store: StorageEngine) -> User:
    """Make an administrator."""
    return person("boss", RoleName.SUPERUSER)


def carry_out(task: Task, ending: threading.Event | None = None) -> Task:
    """Carry a task out here and now, and read how it stands."""
    run = Run(task, ending or threading.Event())
    with acting(run._actor):
        run._work()
    return Task.objects.get(pk=task.pk)


def test_one_task_of_a_kind_is_open(boss: User) -> None:
    """A second task of a kind is refused until the first has ended, one of another kind is not."""
    first = tasks.ask(Kind.VERIFY, boss)
    tasks.ask(Kind.SCRUB, boss)
    with pytest.raises(tasks.TaskError, match="Verify"):
        tasks.ask(Kind.VERIFY, boss)
    tasks.stop(first.pk)
    tasks.ask(Kind.VERIFY, boss)
    with pytest.raises(tasks.TaskError, match="ended already"):
        tasks.stop(first.pk)


def test_who_asks_and_stops_is_on_record(boss: User) -> None:
    """Asking and stopping have an entry each, and what is refused has none."""
    task = tasks.ask(Kind.COMPACT, boss, options={"rate": 5})
    with pytest.raises(tasks.TaskError):
        tasks.ask(Kind.COMPACT, boss)
    tasks.stop(task.pk)
    entries = AuditEntry.objects.filter(action__startswith="s4:").order_by("pk")
    found = [(entry.action, entry.detail) for entry in entries if "task" in entry.detail]
    assert found == [
        ("s4:RunCompaction", {"task": task.pk, "is_dry_run": False, "rate": 5}),
        ("s4:StopTask", {"task": task.pk, "kind": "compact"}),
    ]


def test_every_kind_is_carried_out(boss: User, store: StorageEngine) -> None:
    """Each kind comes to its end in a sound store, and says what it did."""
    put(store, "a", noise(9000, 1), bucket_id=create_bucket("box", boss.canonical_id).id)
    found = {kind: carry_out(tasks.ask(kind, boss, options={"hours": 1})) for kind in KINDS}
    assert {kind: (task.state, task.problems) for kind, task in found.items()} == dict.fromkeys(
        KINDS, (State.DONE, 0)
    )
    assert found[Kind.SCRUB].result["figures"]["blobs"] == 1
    assert store.newest_snapshot() is not None
    assert all(task.ended_at and task.begun_at for task in found.values())


def test_a_dry_run_of_lifecycle_changes_nothing(boss: User, store: StorageEngine) -> None:
    """It lists what would go, and it is still there."""
    bucket = create_bucket("box", boss.canonical_id)
    rule = LifecycleRule(id="old", expire_at_ms=18_000 * DAY_MS)
    configure_bucket(bucket.id, lifecycle=Lifecycle(rules=(rule,)))
    put(store, "a", b"bytes", bucket_id=bucket.id)
    time.sleep(1.1)  # until a day is over
    told = carry_out(tasks.ask(Kind.LIFECYCLE, boss, is_dry_run=True))
    assert told.result["figures"]["would_go"] == 1
    assert told.result["rows"]["deeds"][0]["key"] == "a"
    assert store.namespace_counts(bucket.id).objects == 1
    done = carry_out(tasks.ask(Kind.LIFECYCLE, boss))
    assert done.result["figures"]["gone"] == 1
    assert store.namespace_counts(bucket.id).objects == 0
    assert AuditEntry.objects.filter(action="s4:RunLifecycle", actor="boss", via="jobs").exists()


def test_damage_is_told_and_found(boss: User, store: StorageEngine, tmp_path: Path) -> None:
    """Verify tells what is wrong; the search names the objects that it is in."""
    bucket = create_bucket("box", boss.canonical_id)
    put(store, "a\0b", noise(9000, 1), bucket_id=bucket.id)
    with volume_path(tmp_path / "volumes", 1).open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    told = carry_out(tasks.ask(Kind.VERIFY, boss))
    assert (told.state, told.problems) == (State.DONE, 1)
    assert "volume 1" in told.result["rows"]["problems"][0]
    wait_for(store.quarantined)
    (user,) = carry_out(tasks.ask(Kind.LOCATE, boss)).result["rows"]["users"]
    assert (user["bucket"], user["key"]) == ("box", "a\\0b")


def test_a_wish_to_stop_ends_a_task(boss: User) -> None:
    """A task that is told to stop ends as stopped, whatever its kind."""
    for kind in (Kind.SCRUB, Kind.VERIFY, Kind.LOCATE, Kind.LIFECYCLE):
        task = tasks.ask(kind, boss)
        run = Run(task, threading.Event())
        run.wish.set()
        run._work()
        assert Task.objects.get(pk=task.pk).state == State.STOPPED


def test_what_a_process_leaves_the_next_goes_on_with(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the process ends in order a task waits again, and figures of all its starts add up."""
    ending = threading.Event()

    def work(task: Task, work: Work) -> Outcome:
        del task
        ending.set()
        return Outcome({"blobs": 2}, problems=1, is_complete=not work.should_stop())

    monkeypatch.setitem(WORK, Kind.SCRUB, work)
    left = carry_out(tasks.ask(Kind.SCRUB, boss), ending)
    assert (left.state, left.starts) == (State.WAITING, 0)
    monkeypatch.setitem(WORK, Kind.SCRUB, lambda _task, _work: Outcome({"blobs": 3}, problems=1))
    done = carry_out(left)
    assert (done.state, done.result["figures"]) == (State.DONE, {"blobs": 5})
    assert done.problems == 2


def test_who_asks_to_stop_while_the_process_ends_is_heard(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wish to stop that comes as a task is being put back ends the task, which never begins."""
    ending = threading.Event()

    def work(task: Task, work: Work) -> Outcome:
        ending.set()
        tasks.stop(task.pk)  # nobody passes the wish on any more
        return Outcome(is_complete=not work.should_stop())

    monkeypatch.setitem(WORK, Kind.SCRUB, work)
    assert carry_out(tasks.ask(Kind.SCRUB, boss), ending).state == State.STOPPED


def test_a_task_that_ends_the_process_is_not_begun_for_ever(boss: User) -> None:
    """What a dead process was at is begun again, and has failed after three times."""
    task = tasks.ask(Kind.VERIFY, boss)
    states = []
    for _ in range(tasks.STARTS_MAX):
        assert tasks.begin(Task.objects.get(pk=task.pk))
        tasks.recover()  # as the next process does
        states.append(Task.objects.get(pk=task.pk).state)
    assert states == [State.WAITING, State.WAITING, State.FAILED]


def test_a_dead_process_was_asked_to_stop(boss: User) -> None:
    """A task that was to stop when its process died is not begun again."""
    task = tasks.ask(Kind.VERIFY, boss)
    tasks.begin(task)
    tasks.stop(task.pk)
    tasks.recover()
    assert Task.objects.get(pk=task.pk).state == State.STOPPED


def test_trouble_is_told(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that meets the disk's trouble has failed, and says what it was."""

    def work(task: Task, work: Work) -> Outcome:
        raise OSError(28, "no room")

    monkeypatch.setitem(WORK, Kind.SNAPSHOT, work)
    failed = carry_out(tasks.ask(Kind.SNAPSHOT, boss))
    assert failed.state == State.FAILED
    assert "no room" in failed.note


def test_a_task_waits_for_who_is_at_the_same(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a job or a command compacts, the task waits, and then does so itself."""
    notes: list[str] = []
    monkeypatch.setattr(task_runner, "BUSY_SECONDS", 0.01)

    def work(task: Task, work: Work) -> Outcome:
        if len(notes) < 3:
            notes.append(Task.objects.get(pk=task.pk).note)
            raise Busy("a compaction of this store is running already")
        return Outcome()

    monkeypatch.setitem(WORK, Kind.COMPACT, work)
    assert carry_out(tasks.ask(Kind.COMPACT, boss)).state == State.DONE
    assert "is running already" in notes[1]


def test_only_so_many_ended_tasks_are_kept(boss: User) -> None:
    """Old ones go when another is asked for, and open ones never do."""
    open_task = tasks.ask(Kind.VERIFY, boss)
    now = timezone.now()
    Task.objects.bulk_create(
        Task(kind="scrub", state="done", ended_at=now) for _ in range(tasks.KEPT + 5)
    )
    newest = tasks.ask(Kind.SCRUB, boss)
    assert Task.objects.count() == tasks.KEPT + 2
    assert Task.objects.filter(pk__in=[open_task.pk, newest.pk]).count() == 2


def test_progress_is_noted_now_and_then(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far a task is stands in its row, but not each step."""
    seen: list[int] = []

    def work(task: Task, work: Work) -> Outcome:
        for done in range(100):
            work.progress(done, 100)
            seen.append(Task.objects.get(pk=task.pk).progress_done)
        return Outcome()

    monkeypatch.setitem(WORK, Kind.VERIFY, work)
    monkeypatch.setattr(task_runner, "PROGRESS_SECONDS", 600.0)
    carry_out(tasks.ask(Kind.VERIFY, boss))
    assert set(seen) == {0}
    monkeypatch.setattr(task_runner, "PROGRESS_SECONDS", 0.0)
    carry_out(tasks.ask(Kind.VERIFY, boss))
    assert seen[100:] == list(range(100))


def test_the_runner_begins_and_stops_in_threads(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks begins what waits, once, and passes on the wish to stop; the end puts back."""
    begun: list[int] = []

    def work(task: Task, work: Work) -> Outcome:
        begun.append(task.pk)
        while not work.should_stop():
            time.sleep(0.01)
        return Outcome(is_complete=False)

    def state(task: Task) -> str:
        return Task.objects.get(pk=task.pk).state

    monkeypatch.setitem(WORK, Kind.VERIFY, work)
    runner = TaskRunner()
    first = tasks.ask(Kind.VERIFY, boss)
    runner.look()
    wait_for(lambda: begun == [first.pk])
    runner.look()
    tasks.stop(first.pk)
    runner.look()
    wait_for(lambda: state(first) == State.STOPPED)
    second = tasks.ask(Kind.VERIFY, boss)
    runner.look()
    wait_for(lambda: begun == [first.pk, second.pk])
    assert runner.stop()
    assert state(second) == State.WAITING


def test_jobs_are_on_record_when_they_did_something(store: StorageEngine) -> None:
    """A look that found nothing writes no row; a deed, and a failure that is news, do."""
    board = Board(write_record)
    board.expect([("compact", 60.0)])

    def look(result: Any = None, failure: str = "") -> dict[str, Any]:
        board.begins("compact")
        if failure:
            board.fails("compact", 60, failure)
        else:
            board.ends("compact", 60, result, is_unfinished=False)
        (state,) = board.as_dict()["jobs"]
        return state

    assert look()["looked"] > 0
    assert not JobRecord.objects.exists()
    look({"moved_blobs": 3})
    assert JobRecord.objects.get().result == {"moved_blobs": 3}
    assert look(failure="no room")["failure"] == "no room"
    failed_at = JobRecord.objects.get().failed_at
    look(failure="no room")
    assert JobRecord.objects.get().failed_at == failed_at
    assert look()["failure"] == ""


def test_open_uploads_are_listed_by_age(boss: User, store: StorageEngine) -> None:
    """The oldest comes first, whatever its bucket, page by page, with what its parts come to."""
    buckets = [create_bucket(name, boss.canonical_id).id for name in ("zoo", "ark")]
    made = []
    for number in range(5):
        upload = store.create_upload(buckets[number % 2], f"key-{number}", attributes()).result()
        made.append(upload.upload_id)
        time.sleep(0.002)  # ids begin with the millisecond
    first = store.open_uploads(limit=2)
    rest = store.open_uploads(after_id=first.next_id, limit=10)
    assert [each.upload.upload_id for each in first.uploads + rest.uploads] == made
    assert rest.next_id == ""


def test_a_page_of_uploads_with_many_parts_is_short(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many parts are counted for a page, and the next page goes on behind it."""
    monkeypatch.setattr(old_uploads, "SCAN_STEPS_MAX", 3)
    for key in ("a", "b"):
        upload_id = store.create_upload(BUCKET, key, attributes()).result().upload_id
        for number in range(1, 5):
            put_part(store, key, upload_id, number, b"part")
        time.sleep(0.002)
    first = store.open_uploads()
    rest = store.open_uploads(after_id=first.next_id)
    found = [(each.upload.key, each.parts) for each in first.uploads + rest.uploads]
    assert (len(first.uploads), found) == (1, [("a", 4), ("b", 4)])
