"""Lifecycle outside the engine: the job, what is told of it, and the command."""

from __future__ import annotations

import contextlib
import io
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from django.core.management import CommandError, call_command

from buckets.configuration import Lifecycle
from buckets.lifecycle_rows import write_lifecycle
from buckets.services import configure_bucket, create_bucket
from iam.keyring import RoleName
from iam.models import AuditEntry
from s4project import jobs
from s4project.lifecycle import TOLD_SECONDS, Asked, Diary, abort_old_uploads
from storage_engine import DAY_MS, LifecycleCounts, LifecycleRule, ObjectAttributes, Versioning
from storage_engine.apps import get_engine
from tests.people import person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User
    from storage_engine import StorageEngine

PAST_MS = 18_000 * DAY_MS
GONE = LifecycleRule(id="gone", prefix="old/", expire_at_ms=PAST_MS)
FAR = LifecycleRule(id="far", expire_days=1000)


@pytest.fixture
def store(
    settings: SettingsWrapper,
    tmp_path: Path,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[StorageEngine]:
    """Open a store of the test's own, in which a day is a second; nothing was told before."""
    settings.S4 = replace(settings.S4, lifecycle_day_seconds=1, problems=())
    monkeypatch.setattr(jobs, "_diary", Diary())
    with opened(settings, tmp_path) as engine:
        yield engine


@pytest.fixture
def ada(store: StorageEngine) -> User:
    """Make the owner of the buckets."""
    return person("ada", RoleName.WRITER)


@pytest.fixture
def bucket(ada: User) -> int:
    """Make a bucket with rules, and objects in it of which two are to go when a day is over."""
    made = create_bucket("photos", ada.canonical_id)
    configure_bucket(made.id, lifecycle=Lifecycle(rules=(GONE, FAR)))
    put(made.id, "old/a", "old/b", "new")
    return made.id


def put(bucket_id: int, *keys: str) -> None:
    """Put objects of five bytes."""
    engine = get_engine()
    attributes = ObjectAttributes(etag="0" * 32, headers={})
    for key in keys:
        engine.put_object(bucket_id, key, engine.stage_bytes(b"bytes"), attributes).result()


def day_is_over() -> None:
    """Wait until what is written by now is a day old: a second."""
    time.sleep(1.05)


def keys(bucket_id: int) -> list[str]:
    """List what is there."""
    return [info.key for info in get_engine().list_objects(bucket_id).objects]


def run(*arguments: str) -> tuple[int, str, str]:
    """Call the command; return its exit code and what it said."""
    out, errors = io.StringIO(), io.StringIO()
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            call_command("lifecycle", *arguments, stdout=out, stderr=errors)
    except SystemExit as ended:
        code = ended.code
    except CommandError as error:
        return 2, "", str(error)
    return code, out.getvalue(), errors.getvalue()


def test_rules_that_sql_does_not_have_do_nothing(bucket: int) -> None:
    """After either of the two was restored, nobody acts by the engine's rules until they agree."""
    every = LifecycleRule(id="every", expire_at_ms=PAST_MS)
    get_engine().set_lifecycle(bucket, (every,)).result()
    day_is_over()
    assert jobs.lifecycle() == {}
    assert len(keys(bucket)) == 3
    assert run()[0] == 0, "the command has the engine know better first"
    assert keys(bucket) == ["new"]
    write_lifecycle(bucket, None)  # as an older backup has it
    get_engine().set_lifecycle(bucket, (every,)).result()
    day_is_over()
    assert jobs.lifecycle() == {}
    assert run()[0] == 0
    assert keys(bucket) == ["new"]
    assert get_engine().lifecycle(bucket).rules == ()


def test_the_job_does_what_is_due_and_says_so(bucket: int) -> None:
    """What rules ask for is done, logged by bucket and rule, and told once in the audit log."""
    day_is_over()
    with structlog.testing.capture_logs() as logs:
        assert jobs.lifecycle() == {"expire": 2}
    assert keys(bucket) == ["new"]
    (told,) = [line for line in logs if line["event"] == "Lifecycle acted"]
    assert (told["bucket"], told["rule"], told["expired"], told["bytes"]) == (
        *("photos", "gone"),
        *(2, 10),
    )
    (entry,) = AuditEntry.objects.filter(action="s4:RunLifecycle")
    assert entry.resource == "arn:aws:s3:::photos"
    assert entry.detail == {"rules": {"gone": {"expired": 2, "bytes": 10}}}
    assert jobs.lifecycle() == {}
    assert AuditEntry.objects.filter(action="s4:RunLifecycle").count() == 1


def test_entries_are_seldom_and_lose_nothing(bucket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket has an entry an hour at most; what was done meanwhile is summed up in the next."""
    now = [1000.0]
    monkeypatch.setattr("s4project.lifecycle.time.monotonic", lambda: now[0])
    diary = Diary()
    for _ in range(5):
        diary.note({bucket: {"gone": LifecycleCounts(expired=1, bytes=2, last_ms=7)}})
        diary.tell()
        now[0] += TOLD_SECONDS / 5
    details = [entry.detail["rules"]["gone"] for entry in entries()]
    assert details == [{"expired": 1, "bytes": 2}]
    diary.tell()
    details = [entry.detail["rules"]["gone"] for entry in entries()]
    assert details == [{"expired": 1, "bytes": 2}, {"expired": 4, "bytes": 8}]
    now[0] += TOLD_SECONDS
    diary.tell()
    assert len(entries()) == 2


def test_what_was_done_before_a_failure_is_told(
    bucket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails half-way has logged what it did; the end of the process tells it."""
    day_is_over()
    diary = Diary()
    diary._told[bucket] = time.monotonic()  # so that it waits for its hour
    monkeypatch.setattr(jobs, "_diary", diary)

    def fail_then() -> bool:
        if keys(bucket) == ["new"]:
            raise OSError
        return False

    with pytest.raises(OSError), structlog.testing.capture_logs() as logs:  # noqa: PT011  # its own
        diary.run(is_slice_over=fail_then)
    assert [line["expired"] for line in logs] == [2]
    assert entries() == []
    jobs.tell_the_rest()
    assert [entry.detail["rules"]["gone"]["expired"] for entry in entries()] == [2]
    jobs.tell_the_rest()
    assert len(entries()) == 1


def entries() -> list[AuditEntry]:
    """List the entries of lifecycle in their order."""
    return list(AuditEntry.objects.filter(action="s4:RunLifecycle").order_by("pk"))


def test_what_sql_has_is_asked_at_each_commit(bucket: int) -> None:
    """Where versions begin to be kept, lifecycle keeps them too; its marker is the owner's."""
    asked = Asked()
    first = asked(bucket)
    assert first is not None
    assert first.versioning is Versioning.UNVERSIONED
    configure_bucket(bucket, versioning=Versioning.ENABLED)
    second = asked(bucket)
    assert second is not None
    assert second.versioning is Versioning.ENABLED
    assert second.marker.owner == first.marker.owner != ""
    assert asked(bucket) is second
    assert asked(bucket + 1) is None
    day_is_over()
    jobs.lifecycle()
    found = get_engine().list_versions(bucket).versions
    assert [(info.key, info.is_marker) for info in found] == [
        ("new", False),
        ("old/a", True),
        ("old/a", False),
        ("old/b", True),
        ("old/b", False),
    ]


def test_uploads_are_aborted_by_age_in_every_bucket(bucket: int, ada: User) -> None:
    """The setting aborts what is old enough, whatever rules there are, and nothing else."""
    engine = get_engine()
    other = create_bucket("other", ada.canonical_id).id
    attributes = ObjectAttributes(etag="", headers={})
    for bucket_id in (bucket, other):
        for number in range(2):
            engine.create_upload(bucket_id, f"{number}", attributes).result()
    never = bool
    assert abort_old_uploads(1, never) == (0, True)
    assert abort_old_uploads(0, lambda: True) == (0, False)
    assert abort_old_uploads(0, never) == (4, True)
    assert [engine.namespace_counts(each).uploads for each in (bucket, other)] == [0, 0]
    assert abort_old_uploads(0, never) == (0, True)


def test_the_job_is_there_when_it_is_asked_for(settings: SettingsWrapper) -> None:
    """Lifecycle is looked at every minute, or more in a short day; uploads by the setting."""
    chosen = settings.S4
    for seconds, every in ((86_400, 60.0), (10, 0.5), (1, 0.25)):
        settings.S4 = replace(chosen, lifecycle_day_seconds=seconds, multipart_upload_ttl_hours=0)
        found = {job.name: job.every_seconds for job in jobs.configured_jobs()}
        assert found["lifecycle"] == every
        assert "abort_uploads" not in found
    settings.S4 = replace(chosen, multipart_upload_ttl_hours=24)
    assert "abort_uploads" in {job.name for job in jobs.configured_jobs()}


def test_the_command_tries_does_and_tells(bucket: int) -> None:
    """A dry run lists what the run then does, to the version; status says what was done."""
    day_is_over()
    code, said, _ = run("--dry-run", "--bucket", "photos", "--json")
    tried = json.loads(said)
    assert code == 0
    assert [(deed["key"], deed["action"], deed["rule_id"]) for deed in tried["deeds"]] == [
        ("old/a", "expire", "gone"),
        ("old/b", "expire", "gone"),
    ]
    assert (tried["bytes"], tried["kept"], tried["keys"]) == (10, 0, 3)
    assert tried["counts"] == [
        {"bucket": "photos", "rule_id": "gone", "action": "expire", "count": 2}
    ]
    assert len(keys(bucket)) == 3
    shown = run("--dry-run", "--limit", "1")[1]
    assert "old/a" in shown
    assert "old/b" not in shown
    assert "... and 1 more (--limit)" in shown
    assert "Nothing was done." in shown
    later = run("--dry-run", "--at", "2100-01-01")[1]
    assert "new" in later
    code, said, _ = run()
    assert code == 0
    assert "photos: rule gone: expired 2, bytes 10" in said
    assert keys(bucket) == ["new"]
    assert "Nothing was done." in run("--dry-run")[1]
    status = run("--status")[1]
    assert "expired 2" in status
    assert "photos: next " in status
    (found,) = json.loads(run("--status", "--json")[1])["buckets"]
    assert [(rule["id"], rule["expired"], rule["bytes"]) for rule in found["rules"]] == [
        ("gone", 2, 10),
        ("far", 0, 0),
    ]
    assert entries()[0].via == "command"


def test_without_rules_the_command_says_so(ada: User) -> None:
    """A store without rules is answered in a sentence."""
    create_bucket("photos", ada.canonical_id)
    assert run("--status")[1].strip() == "No bucket has lifecycle rules."
    assert "Nothing was done." in run("--dry-run")[1]


@pytest.mark.parametrize(
    "options",
    [
        ["--bucket", "none"],
        ["--bucket", "photos"],
        ["--dry-run", "--bucket", "none"],
        ["--at", "2030-01-01"],
        ["--at", "someday", "--dry-run"],
        ["--dry-run", "--status"],
        ["--limit", "-1", "--dry-run"],
    ],
)
def test_the_command_refuses_what_it_cannot_do(bucket: int, options: list[str]) -> None:
    """Options that do not go together, and a bucket that is not there, are refused with code 2."""
    code, said, why = run(*options)
    assert (code, said) == (2, "")
    assert why
    assert len(keys(bucket)) == 3
