"""Tasks from the console to the process that carries them out, through kills and restarts."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.browsing import Browser
from tests.e2e.processes import kill, standing, wait_until
from tests.e2e.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server of these tests' own, with payloads that take a slow scrub two minutes."""
    with running(tmp_path_factory.mktemp("tasks")) as server:
        assert server.caller.ask("PUT", "/box").status == 200
        for number in range(30):
            body = os.urandom(100_000)
            assert server.caller.ask("PUT", f"/box/{number}", body=body).status == 200
        yield server


class Console:
    """An administrator at the pages of Operations."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.browser = Browser(server)
        self.browser.log_in("root", "e2e-root-password")

    def send(self, path: str, **fields: str) -> str:
        """Send a form that stands on the page of the jobs."""
        return self.browser.send("/operations/jobs/", path, **fields)

    def ask(self, kind: str, **options: str) -> str:
        """Ask for a task."""
        named = {f"{kind}-{name}": value for name, value in options.items()}
        return self.send("/operations/tasks/ask/", kind=kind, **named)

    def task(self) -> dict[str, Any]:
        """Read the newest task as it is on record."""
        with closing(sqlite3.connect(self.server.data / "s4.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            row = database.execute("SELECT * FROM s4project_task ORDER BY id DESC").fetchone()
            return dict(row)

    def wait(self, **columns: Any) -> None:
        """Wait until the newest task is so."""
        wait_until(lambda: self.task() | columns == self.task(), f"the task is {columns}", 30)


def test_a_task_is_carried_out_and_outlives_processes(fresh: Server) -> None:
    """A task runs at once, goes on after a kill and after a restart, and stops when told to."""
    console = Console(fresh)
    console.ask("verify")
    console.wait(kind="verify", state="done")
    assert "no problems" in console.browser.get("/operations/jobs/")[0]

    console.ask("scrub", rate="25000")
    console.wait(kind="scrub", state="running", starts=1)
    (jobs,) = fresh.jobs()
    kill(jobs)
    console.wait(state="running", starts=2)
    assert "is asked for or running already" in console.ask("scrub")

    fresh.stop()
    console.wait(state="waiting", starts=1)
    fresh.start()
    console.wait(state="running", starts=2)
    wait_until(lambda: console.task()["progress_done"] > 0, "there is progress", 20)

    task_id = console.task()["id"]
    page = console.browser.get("/operations/jobs/")[0]
    assert f'id="stop-{task_id}"' in page
    console.send(f"/operations/tasks/{task_id}/")
    console.wait(state="stopped")


def test_jobs_tell_how_they_stand(fresh: Server) -> None:
    """The page says when each job looked last, and when the process of the jobs is not there."""
    console = Console(fresh)

    def hourly() -> int:
        page = console.browser.get("/operations/jobs/")[0]
        return len(re.findall("in (?:1 h 0|[45][0-9]) min", page))

    wait_until(lambda: hourly() > 3, "the jobs say when they look again", 30)
    (jobs,) = fresh.jobs()
    with standing(jobs):
        assert "not running" in console.browser.get("/operations/jobs/")[0]
