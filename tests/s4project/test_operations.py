"""The pages of Operations and Settings, asked for as a browser does, in front of a real store."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.contrib.messages import get_messages
from django.db import connection

from buckets.services import create_bucket
from iam.keyring import RoleName
from s4project import operations_volumes, settings_pages, tasks
from s4project.changelog import read_changelog, show_text
from s4project.configuration import load
from s4project.models import JobRecord, Kind, State, Task
from s4project.setting_table import SETTINGS
from s4project.task_words import duration, show_task
from storage_engine.volume import volume_path
from tests.people import browser, person
from tests.s4project.probing import ROOT, wait_for
from tests.storage_engine.engine_steps import attributes, noise, put, put_part

if TYPE_CHECKING:
    from pathlib import Path

    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User
    from storage_engine import StorageEngine


@pytest.fixture
def boss(store: StorageEngine) -> User:
    """Make an administrator."""
    return person("boss", RoleName.SUPERUSER)


@pytest.fixture
def console(boss: User) -> Client:
    """Sign in as him."""
    return browser("boss")


def text(response: HttpResponse) -> str:
    """Read a page, its white space as a browser shows it."""
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def said(response: HttpResponse) -> str:
    """Read the messages that an answer leaves for the next page."""
    assert response.status_code == 302
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


# --- tasks --------------------------------------------------------------------------------------


def test_a_task_is_asked_for_and_stopped_by_forms(console: Client) -> None:
    """A form asks for a task with its options, another stops it; the pages say so."""
    form = {"kind": "compact", "compact-threshold": "0", "compact-rate": "1M", "page": "volumes"}
    asked = console.post("/operations/tasks/ask/", form)
    assert (asked["Location"], "waits" in said(asked)) == ("/operations/volumes/", True)
    task = Task.objects.get()
    assert (task.options, task.asked_by) == ({"threshold": 0.0, "rate": 1024**2}, "boss")
    assert f'action="/operations/tasks/{task.pk}/"' in text(console.get("/operations/volumes/"))
    assert "already" in said(console.post("/operations/tasks/ask/", {"kind": "compact"}))
    live = text(console.get("/operations/tasks/live/?kind=compact&kind=%00&kind=none"))
    assert 'data-open="1"' in live
    assert "<html" not in live
    assert "asked to stop" in said(console.post(f"/operations/tasks/{task.pk}/"))
    assert "ended already" in said(console.post(f"/operations/tasks/{task.pk}/"))
    assert "stopped" in text(console.get(f"/operations/tasks/{task.pk}/"))


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"kind": "compact", "compact-threshold": "1.5"}, "Must be a share from 0 to 1"),
        ({"kind": "compact", "compact-rate": "fast"}, "Must be a size such as"),
        ({"kind": "scrub", "scrub-rate": "9" * 30}, "at most 20 characters"),
    ],
)
def test_what_a_form_refuses_comes_back(console: Client, form: dict[str, str], reason: str) -> None:
    """What cannot be is told at its field, and nothing is asked for."""
    assert reason in text(console.post("/operations/tasks/ask/", form))
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    "form",
    [{}, {"kind": "format"}, {"kind": "abort_uploads"}, {"kind": "abort_uploads", "days": "0"}],
)
def test_a_form_that_no_page_has_is_refused(console: Client, form: dict[str, str]) -> None:
    """A request that no form of the console makes is a bad one, and asks for nothing."""
    assert console.post("/operations/tasks/ask/", form).status_code == 400
    assert not Task.objects.exists()


@pytest.mark.parametrize("number", ["0", "9" * 30])
def test_a_task_that_is_not_there_is_not_found(console: Client, number: str) -> None:
    """Its page is none, and there is nothing to stop."""
    assert console.get(f"/operations/tasks/{number}/").status_code == 404
    assert console.post(f"/operations/tasks/{number}/").status_code == 404


def test_jobs_are_told_by_what_is_on_record(console: Client) -> None:
    """Without the process of the jobs the page says so, and what each job did last."""
    JobRecord.objects.create(name="compact", done_at="2026-01-02T03:04Z", result={"moved_bytes": 9})
    JobRecord.objects.create(name="scrub", failed_at="2026-01-02T03:04Z", failure="<no> room")
    page = text(console.get("/operations/jobs/"))
    for words in ("not running", "Moved: 9 bytes (2026-01-02 03:04)", "&lt;no&gt; room"):
        assert words in page


def test_a_task_is_put_into_words(boss: User) -> None:
    """How far it is, for how long still, and what came of it read as sentences."""
    task = Task(kind="verify", state="running", progress_done=1000, progress_total=4000)
    shown = show_task(task)
    assert (shown.percent, shown.progress) == (25, "1,000 of 4,000 payloads")
    task = Task(kind="verify", state="done", problems=2)
    assert show_task(task).summary == "2 problems"
    assert show_task(Task(kind="snapshot", state="waiting")).percent == -1
    assert [duration(each) for each in (0, 61, 3600, 3660, 90_000)] == [
        "0 s",
        "1 min",
        "1 h",
        "1 h 1 min",
        "1 day",
    ]


# --- volumes, damage, uploads --------------------------------------------------------------------


def test_volumes_are_drawn_with_what_is_live_and_dead(
    console: Client, store: StorageEngine, settings: SettingsWrapper, tmp_path: Path
) -> None:
    """The page has a row for each volume, and what compaction would do."""
    assert "No volumes yet" in text(console.get("/operations/volumes/"))
    for number in range(3):
        put(store, f"k{number}", noise(100_000, number))
    page = text(console.get("/operations/volumes/"))
    assert "00000001" in page
    assert "being written" in page
    for query in ("sort=nothing", "page=99", "page=x", "compact-threshold=7", "sort=share"):
        text(console.get(f"/operations/volumes/?{query}"))


def test_the_map_stands_for_any_number_of_volumes() -> None:
    """Thousands of volumes come together in cells, of which none is lost."""
    row = operations_volumes.VolumeRow
    rows = [row(number, 100, 40, False, False, 0, False) for number in range(2000)]
    cells = operations_volumes.cells(rows)
    assert len(cells) == 500
    assert {cell.live for cell in cells} == {40}
    assert cells[0].title.startswith("00000000-00000003: 160 bytes of 400 bytes in use")
    assert rows[0].dead_percent == 60
    assert rows[0]._replace(is_active=True).dead == 0


def test_damage_is_listed_with_where_it_is(
    console: Client, boss: User, store: StorageEngine, tmp_path: Path
) -> None:
    """A damaged payload stands on its page, on that of volumes and on that of health."""
    put(store, "a", noise(9000, 1), bucket_id=create_bucket("box", boss.canonical_id).id)
    assert "None is known" in text(console.get("/operations/damaged/"))
    with volume_path(tmp_path / "volumes", 1).open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    assert list(store.verify())
    (blob,) = wait_for(store.quarantined)
    page = text(console.get("/operations/damaged/"))
    assert blob.sha256.hex() in page
    assert "Looks through all keys" in page
    assert "1 damaged" in text(console.get("/operations/volumes/"))
    assert "somebody now" in text(console.get("/operations/health/"))


def test_uploads_of_all_buckets_are_listed_and_counted(
    console: Client, boss: User, store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest stand first, whatever their keys; what is old is counted before it is aborted."""
    bucket_id = create_bucket("box", boss.canonical_id).id
    upload = store.create_upload(bucket_id, "<b>\r\n</script>", attributes()).result()
    page = text(console.get("/operations/uploads/?days=1"))
    assert "&lt;b&gt;" in page
    assert "</script>\\r" not in page
    assert "\\u003C/script\\u003E" in page
    assert "None is that old." in page
    late = time.time_ns() + 2 * 86_400 * 10**9
    monkeypatch.setattr("s4project.operations_uploads.time.time_ns", lambda: late)
    page = text(console.get("/operations/uploads/?days=1"))
    assert "Uploads: 1; parts: 0, 0 bytes." in page
    assert 'name="abort_uploads-days" value="1"' in page
    assert "No more." in text(console.get(f"/operations/uploads/?after={upload.upload_id}"))
    for query in ("days=0", "days=x", "after=zz", "after=%00"):
        text(console.get(f"/operations/uploads/?{query}"))


def test_parts_of_open_uploads_are_added_up(store: StorageEngine) -> None:
    """What an upload holds is the sum of its parts."""
    upload = store.create_upload(1, "k", attributes()).result()
    for number in (1, 2):
        put_part(store, "k", upload.upload_id, number, noise(5000, number))
    (found,) = store.open_uploads().uploads
    assert (found.parts, found.bytes) == (2, 10_000)


# --- health, settings, version --------------------------------------------------------------------


def test_health_says_what_to_do(console: Client, boss: User, settings: SettingsWrapper) -> None:
    """What is set so that nobody looks after the store is told, with what to change."""
    settings.S4 = replace(
        settings.S4, scrub_interval_days=0, snapshot_interval_hours=0, lifecycle_day_seconds=1
    )
    task = tasks.ask(Kind.VERIFY, boss)
    tasks.begin(task)
    tasks.end(task, State.FAILED, note="no room")
    page = text(console.get("/operations/health/"))
    for words in (
        *("S4_SCRUB_INTERVAL_DAYS", "S4_SNAPSHOT_INTERVAL_HOURS", "S4_LIFECYCLE_DAY_SECONDS"),
        *("manage.py jobs", "1 failed in the last 7 days"),
        f"{connection.display_name} answers",
    ):
        assert words in page


def test_settings_tell_where_they_came_from_and_no_secret(
    console: Client, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each setting stands on the page, with its source; of a secret only that it is there."""
    secret = "not-to-be-shown-anywhere-at-all-0123456789"
    (tmp_path / "url").write_text(f"postgresql://s4:{secret}@db/s4")
    given = {
        "S4_REGION": "eu-1",
        "S4_JWT_SECRET": secret,
        "S4_SECRET_ACCESS_KEY": secret,
        "S4_ACCESS_KEY_ID": "AKSHOWN",
        "S4_ROOT_PASSWORD": secret,
        "S4_AUDIT_WEBHOOK_URL": f"https://siem.example.org/{secret}",
        "S4_AUDIT_WEBHOOK_TOKEN": secret,
        "DATABASE_URL_FILE": str(tmp_path / "url"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    data_dir = settings.S4.data_dir
    settings.S4 = replace(load(given), data_dir=data_dir)
    monkeypatch.setenv("S4_DATA_DIR", str(data_dir))
    page = text(console.get("/settings/in-force/"))
    assert secret not in page
    assert [row.variable for row in SETTINGS.values() if row.variable not in page] == []
    rows = {row.variable: row for row in settings_pages.setting_rows()}
    assert (rows["S4_REGION"].value, rows["S4_REGION"].source) == ("eu-1", "environment")
    assert rows["S4_JWT_SECRET"].value == "set, not shown"
    assert rows["DATABASE_URL"].value == "set, not shown"
    assert rows["DATABASE_URL"].source == f"file {tmp_path / 'url'}"
    assert rows["S4_WORKERS"].source == "default"
    settings.S4 = replace(settings.S4, workers=7)
    rows = {row.variable: row for row in settings_pages.setting_rows()}
    assert "option" in rows["S4_WORKERS"].source


def test_the_version_has_its_changes_and_licences(console: Client) -> None:
    """The page names S4's version, what has changed, and what it runs on."""
    page = text(console.get("/settings/version/"))
    assert settings_pages.s4_version() in page
    (unreleased, *_) = read_changelog(ROOT / "CHANGELOG.md")
    assert unreleased.changes[0].title == "Added"
    assert str(unreleased.changes[0].items[-1]) in page
    assert all(package.licence for package in settings_pages.packages())
    assert {"Django", "lmdb"} <= {package.name for package in settings_pages.packages()}
    assert read_changelog(ROOT / "nowhere.md") == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("`a<b` and **c**", "<code>a&lt;b</code> and <strong>c</strong>"),
        ("[x](docs/x.md) <script>", "x &lt;script&gt;"),
        ("[x](https://e.org/?a=1&b)", '<a href="https://e.org/?a=1&amp;b" rel="noreferrer">x</a>'),
        ("[x](javascript:alert)", "x"),
        ("a * b ` c [d]", "a * b ` c [d]"),
    ],
)
def test_the_changelog_is_shown_as_text(line: str, shown: str) -> None:
    """Few marks mean something, everything else is shown as it was written."""
    assert show_text(line) == shown


def test_a_page_that_looks_by_itself_does_not_keep_a_session_alive(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that no person makes are answered and do not count as use."""
    began = int(time.time())
    for minutes in (30, 59):
        monkeypatch.setattr("iam.sessions.time.time", lambda now=began + 60 * minutes: now)
        header = {"S4-Unattended": "1"}
        assert console.get("/operations/tasks/live/", headers=header).status_code == 200
    monkeypatch.setattr("iam.sessions.time.time", lambda: began + 61 * 60)
    assert console.get("/operations/tasks/live/").status_code == 302
