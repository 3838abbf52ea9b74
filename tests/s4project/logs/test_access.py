"""Which requests are told of, with what, and how much of it when there are many."""

from __future__ import annotations

import json
import re
from pathlib import Path
from select import PIPE_BUF
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from s3api.http.target import Target
from s4project.logs import access
from s4project.logs.access import FIELDS, SLOW_A_SECOND_MAX, AccessLog
from s4project.logs.lines import Outlet
from tests.s4project.trace.courses import ended

if TYPE_CHECKING:
    from collections.abc import Callable


class Lines:
    """Takes the place of the stream: makes every line at once."""

    def __init__(self) -> None:
        self.made: list[bytes] = []

    def put_record(self, make: Callable[[], bytes]) -> None:
        """Make a line."""
        self.made.append(make())

    @property
    def told(self) -> list[dict[str, Any]]:
        """Read the lines."""
        return [json.loads(line) for line in self.made]


def access_log(*, is_whole: bool = False, slow_ms: int = 0) -> tuple[AccessLog, Lines]:
    """Make a log, and what it writes to."""
    lines: Any = Lines()
    return AccessLog(Outlet(lines, json.dumps), is_whole=is_whole, slow_ms=slow_ms), lines


def test_a_request_is_told_with_what_became_of_it() -> None:
    """A line says who asked what of which object, how it ended, and how long that took."""
    log, lines = access_log(is_whole=True)
    course = ended("PutObject", 403, key="a b", query=b"versionId=v1&prefix=p")
    course.code, course.answered = "AccessDenied", course.began + 0.25
    log.tell(course)
    (told,) = lines.told
    assert {name: told[name] for name in ("event", "level", "logger")} == {
        "event": "access",
        "level": "info",
        "logger": "s4.access",
    }
    assert (told["request_id"], told["user"], told["access_key"]) == ("R1", "ada", "AKIAKNOWN")
    assert (told["operation"], told["bucket"], told["key"]) == ("PutObject", "b", "a b")
    assert (told["status"], told["error_code"], told["version_id"]) == (403, "AccessDenied", "v1")
    assert (told["first_byte_ms"], told["turnaround_ms"]) == (250, 250)
    assert "prefix" not in json.dumps(told)
    assert [name for name in FIELDS if name in told] == list(told)[4:]


def test_only_slow_requests_are_told_where_nothing_else_is_asked_for() -> None:
    """The time that counts is S4's: from the request's last byte to the reply's first."""
    log, lines = access_log(slow_ms=1000)
    log.tell(ended(seconds=0.5))
    uploaded = ended("PutObject", seconds=60)
    assert uploaded.request is not None
    uploaded.request.body.finished = uploaded.began + 59.9
    log.tell(uploaded)
    gone = ended("PutObject", 0, seconds=60, content_length="5")
    log.tell(gone)  # who sends and goes away was not kept waiting
    assert lines.told == []
    log.tell(ended(seconds=2))
    log.tell(ended(status=0, seconds=2))  # gone before an answer came
    assert [line["event"] for line in lines.told] == ["S4 was slow to answer"] * 2
    assert {line["level"] for line in lines.told} == {"warning"}


def test_slow_requests_do_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many slow requests some are told each second, and how many more there were."""
    now = [1_767_225_600.0]
    monkeypatch.setattr(access, "time", SimpleNamespace(time=lambda: now[0]))
    log, lines = access_log(slow_ms=1)
    for _ in range(100):
        log.tell(ended(seconds=1))
    assert len(lines.made) == SLOW_A_SECOND_MAX
    now[0] += 1
    log.tell(ended(seconds=1))
    assert lines.told[-1]["more_were_slow"] == 100 - SLOW_A_SECOND_MAX


@pytest.mark.parametrize("name", ["b", "b" * 60_000, "\U0001f600" * 20_000])
@pytest.mark.parametrize("key", ["k" * 1024, "\n" * 1024, "é" * 512, "\U0001f600" * 256, "\ud800"])
def test_a_line_is_what_a_pipe_takes_whole(key: str, name: str) -> None:
    """However long what clients send is when spelled out, lines of two workers do not mix."""
    log, lines = access_log(is_whole=True)
    query = b"versionId=" + quote("\U0001f600" * 2_000).encode()
    course = ended(key=key, query=query + query.replace(b"versionId", b"&uploadId"))
    course.target = Target(name, key, False, f"/{name}")
    course.scope = {
        "client": ("192.0.2.1", 1),
        "headers": [(b"user-agent", b"\xff" * 8000)],
        "method": "GET",
        "raw_path": b"/" + key.encode("utf-8", "replace"),
        "scheme": "http",
        "http_version": "1.1",
    }
    log.tell(course)
    assert len(lines.made[0]) <= PIPE_BUF
    assert lines.made[0].count(b"\n") == 1


def test_what_rest_does_inside_is_no_request() -> None:
    """An operation that came by no HTTP request of its own has no line."""
    log, lines = access_log(is_whole=True, slow_ms=1)
    course = ended(seconds=5)
    course.request_id = ""
    log.tell(course)
    assert lines.made == []


def test_the_page_names_what_a_line_may_tell() -> None:
    """docs/logs.md explains every member of the access log, and no others."""
    page = (Path(__file__).parents[3] / "docs" / "logs.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("## The access log")
    table = rest.partition("## Slow requests")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(FIELDS)
