"""The first page: what there is, what needs attention, and the past as SuperUsers are told it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from buckets.services import create_bucket
from iam.keyring import RoleName
from s4project import charts, health
from s4project.meters.columns import BOUNDS, FAILED, FINE, RECEIVED, SENT, TIMES, Kind
from s4project.meters.ring import NAME, Ring
from s4project.meters.series import column
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User

READ_WORDS: Final = {
    column(Kind.READ, FINE): 540,
    column(Kind.READ, FAILED): 60,
    column(Kind.READ, SENT): 60 * 2048,
    column(Kind.READ, TIMES + BOUNDS.index(0.005)): 600,
}


@pytest.fixture
def boss(settings: SettingsWrapper, tmp_path: Path, transactional_db: None) -> Iterator[User]:
    """Give a SuperUser with a store of his own."""
    with opened(settings, tmp_path):
        yield person("boss", RoleName.SUPERUSER)


@pytest.fixture
def console(boss: User) -> Client:
    """Give the browser of a SuperUser."""
    return browser(boss.username)


def count(directory: Path, ago: int, words: dict[int, int]) -> None:
    """Count something so many seconds ago."""
    now = int(time.time())
    Ring(directory / NAME).add(now - ago, words, None, now)


def told(console: Client, **asked: Any) -> dict[str, Any]:
    """Ask for the charts."""
    reply = console.get("/figures/", asked)
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


@pytest.mark.parametrize("span", list(charts.SPAN_NAMES))
def test_every_chart_has_a_value_for_each_step(console: Client, tmp_path: Path, span: str) -> None:
    """All lines of all charts are as long as there are steps, with and without a past."""
    for _ in range(2):
        found = told(console, range=span)
        assert found["charts"].keys() == {chart.id for chart in charts.CHARTS}
        for lines in found["charts"].values():
            assert {len(line["values"]) for line in lines} == {len(found["starts"])}
        count(tmp_path, 30, READ_WORDS)


def test_what_was_counted_is_drawn(console: Client, tmp_path: Path) -> None:
    """A span has the requests, errors, bytes and times that were counted in it."""
    count(tmp_path, 600, READ_WORDS)
    found = told(console)
    assert found["step"] == 10
    lines = {
        (chart, line["name"]): [value for value in line["values"] if value]
        for chart, drawn in found["charts"].items()
        for line in drawn
    }
    assert lines["requests", "Reads"] == [60.0]
    assert lines["requests", "Writes"] == []
    assert lines["errors", "S4 failed (5xx)"] == [6.0]
    assert lines["traffic", "Sent"] == [12 * 1024.0]
    (median,) = lines["latency", "p50"]
    assert 0.0025 < median <= 0.005
    writes = told(console, of="write")["charts"]["latency"]
    assert all(set(line["values"]) == {None} for line in writes)


def test_the_last_minute_is_told_in_figures(console: Client, tmp_path: Path) -> None:
    """Cards tell requests and bytes per second, and how many failed, of the last whole minute."""
    for ago in (20, 30):
        count(tmp_path, ago, READ_WORDS | {column(Kind.WRITE, RECEIVED): 60 * 1024})
    figures = {figure["title"]: figure for figure in told(console)["figures"]}
    assert figures["Requests"]["value"] == "20.0/s"
    assert figures["Requests"]["note"].startswith("120 failed; 95 of 100 answered in 4.")
    assert figures["Traffic"]["value"] == "6.0 KiB/s"
    assert figures["Traffic"]["note"] == "4.0 KiB/s sent, 2.0 KiB/s received"


def test_the_page_says_which_past_it_shows(console: Client) -> None:
    """Spans, and earlier and later ones, are links; later than now is none."""
    page = console.get("/", {"range": "24h"}).content.decode()
    assert '<a href="?range=24h" aria-current="page">' in page
    assert "Earlier" in page
    assert "Later" not in page
    until = int(time.time()) - 200_000
    context = console.get("/", {"range": "24h", "until": until}).context
    assert context["earlier"] == f"?range=24h&until={until - 86_400}"
    assert context["later"] == f"?range=24h&until={until + 86_400}"
    now = int(time.time())
    assert context["asked"].moved(2, now) == "?range=24h", "but for a few hours"
    assert context["asked"].moved(1, now - 60_000) != "?range=24h"


@pytest.mark.parametrize(
    "asked",
    [
        {"range": "2h"},
        {"of": "READ"},
        {"until": "-1"},
        {"until": "1e3"},
        {"until": "9" * 40},
        {"until": "0" * 5000},
        {"until": "٣"},
        {"range": ""},
    ],
)
@pytest.mark.parametrize("address", ["/", "/figures/"])
def test_no_past_is_shown_that_there_cannot_be(
    console: Client, address: str, asked: dict[str, str]
) -> None:
    """Spans, kinds and moments that are none are refused."""
    assert console.get(address, asked).status_code == 400


@pytest.mark.parametrize("span", list(charts.SPAN_NAMES))
def test_the_first_moments_of_all_have_a_past_without_figures(
    console: Client, tmp_path: Path, span: str
) -> None:
    """A span that would begin before 1970 is shown, with nothing in it."""
    count(tmp_path, 30, READ_WORDS)
    for until in ("0", "1", "99999"):
        found = told(console, range=span, until=until)
        assert {value for line in found["charts"]["requests"] for value in line["values"]} == {0}


def test_others_see_what_is_theirs_and_no_charts(console: Client) -> None:
    """A Writer has figures of his own buckets; the store's past is told to SuperUsers alone."""
    create_bucket("adas", person("ada", RoleName.WRITER).canonical_id)
    own = browser("ada")
    page = own.get("/")
    assert [figure.title for figure in page.context["figures"]] == ["Buckets", "Objects", "Stored"]
    assert "charts" not in page.context
    assert "adas" in page.content.decode()
    assert own.get("/figures/").status_code == 403


def test_a_full_disk_is_told(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is a warning, and none a danger that says what to do."""
    free = 0

    def disk_usage(_path: object) -> SimpleNamespace:
        return SimpleNamespace(free=free, used=0, total=1000 << 20)

    monkeypatch.setattr(health, "shutil", SimpleNamespace(disk_usage=disk_usage))
    assert "Writes are refused" in console.get("/").content.decode()
    free = 99 << 20
    assert "99.0 MiB of 1,000.0 MiB free" in console.get("/").content.decode()
    free = 100 << 20
    page = console.get("/").content.decode()
    assert "Room on the disk" not in page
    assert "The process is not running" in page
