"""PostgreSQL goes away under a running server, stands still, comes back, or is another machine.

Objects are served on by what every worker knows; what needs SQL is refused with 503, and works
again by itself. Runs where a PostgreSQL is installed, with a cluster of its own; every day it goes
away once, by make test-long in all ways.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
from typing import TYPE_CHECKING

import pytest

from s3api.context import LOOK_SECONDS
from tests import postgresql
from tests.e2e.browsing import Browser
from tests.e2e.every_worker import many
from tests.e2e.processes import kill, wait_until
from tests.e2e.server import Server, answers
from tests.e2e.signing import Signer
from tests.e2e.test_rest import call, call_over_many, log_in
from tests.e2e.wire import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed"),
]
LONG = bool(os.environ.get("S4_TEST_LONG"))
in_full = pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-long lets it go in all ways")
BUCKET = "known"
ASKED = 12  # connections, of which every worker takes some
AWAY = "The SQL database does not answer"


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgresql.Cluster]:
    """Run a PostgreSQL for the module."""
    with postgresql.cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(
    cluster: postgresql.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run a server that is told of everything that is denied, with a bucket in it."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        database_url=f"{cluster.database()}?connect_timeout=2",
        audit_data_access="denied",
    )
    try:
        server.start()
        assert server.caller.ask("PUT", f"/{BUCKET}").status == 200
        yield server
        server.stop()
    finally:
        server.kill_tree()
    assert "Traceback" not in server.log_text()
    assert "internal_error" not in server.log_text()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Sign in to the REST API."""
    return log_in(server)


@pytest.fixture(scope="module")
def browser(server: Server) -> Browser:
    """Sign in to the console."""
    browser = Browser(server)
    browser.log_in("root", server.settings["root_password"])
    return browser


def serves_objects(server: Server) -> bool:
    """Put, read, list and delete by new connections, of which every worker takes some."""
    asked = [
        *(("PUT", f"/{BUCKET}/k", b"x", 200), ("GET", f"/{BUCKET}/k", b"", 200)),
        *(("GET", f"/{BUCKET}?list-type=2", b"", 200), ("DELETE", f"/{BUCKET}/k", b"", 204)),
    ]
    with many(server.caller, ASKED) as connections:
        return all(
            server.caller.ask(method, target, body, over=connection).status == status
            for connection in connections
            for method, target, body, status in asked
        )


def refuses_what_needs_sql(server: Server, browser: Browser, token: str) -> None:
    """Insist that changes, REST and the console's pages say that they cannot be had now."""
    for method, target in (("PUT", "/other"), ("DELETE", f"/{BUCKET}")):
        reply = server.caller.ask(method, target)
        assert (reply.status, reply.code) == (503, "ServiceUnavailable")
        assert int(reply.headers["retry-after"])
    live, ready = browser.get("/health/live")[0], browser.get("/health/ready")[0]
    assert (live, json.loads(ready)["status"]) == ("ok", "ready")
    assert json.loads(ready)["checks"]["sql"] != "ok"
    told = call(server, "GET", "/admin/users", token=token)
    assert (told.status, set(told.body)) == (503, {"error"})
    for path, said in (("/", "does not answer"), (f"/s3/{BUCKET}/k", "ServiceUnavailable")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            browser.get(path)
        assert refused.value.code == 503
        assert int(refused.value.headers["Retry-After"])
        assert said in refused.value.read().decode()


def is_back(server: Server, browser: Browser, token: str) -> bool:
    """Tell whether everything works again; nothing may be refused in another way meanwhile."""
    with many(server.caller, ASKED) as connections:
        statuses = {server.caller.ask("PUT", "/back", over=each).status for each in connections}
    statuses |= call_over_many(server, "/admin/users", token, ASKED)
    assert statuses <= {200, 503}
    if 503 in statuses:
        return False
    assert "csrfmiddlewaretoken" in browser.get("/")[0]
    return True


def test_objects_are_served_while_the_database_is_away(
    server: Server, cluster: postgresql.Cluster, browser: Browser, token: str
) -> None:
    """A crash costs no object, and all is back, with what was noted, behind the same address."""
    begin = len(server.log_text())
    stranger = Caller(server.caller.address, Signer("NOSUCHACCESSKEY", "secret-of-nobody"))
    time.sleep(2 * LOOK_SECONDS)  # by then every worker knows what there is
    cluster.stop()
    assert serves_objects(server)
    assert stranger.ask("PUT", f"/{BUCKET}/denied").code == "InvalidAccessKeyId"
    for _ in range(3):
        refuses_what_needs_sql(server, browser, token)
    assert serves_objects(server)
    said = [json.loads(line) for line in server.log_text()[begin:].splitlines() if line[:1] == "{"]
    assert sum(line["event"].startswith(AWAY) for line in said) <= 3  # two workers and the jobs
    assert len(said) <= 12
    cluster.replace()
    wait_until(lambda: is_back(server, browser, token), "it works again", 20)
    found: list[object] = []

    def is_told() -> bool:
        found[:] = server.manage_json("audit", "--resource", f"arn:aws:s3:::{BUCKET}/denied")
        return bool(found)

    wait_until(is_told, "what was denied is in the audit log", 20)
    assert len(found) == 1


@in_full
def test_a_database_that_stands_still_holds_nothing_up_for_ever(
    server: Server, cluster: postgresql.Cluster, browser: Browser, token: str
) -> None:
    """A server that takes connections and answers nothing is as one that is away."""
    with cluster.frozen():
        assert serves_objects(server)
        refuses_what_needs_sql(server, browser, token)
        assert serves_objects(server)
    wait_until(lambda: is_back(server, browser, token), "it works again", 20)


@in_full
def test_workers_that_start_meanwhile_wait_and_the_others_serve(
    server: Server, cluster: postgresql.Cluster, browser: Browser, token: str
) -> None:
    """After SIGHUP the old workers serve until the new can; of two one may be killed."""
    before = server.workers()
    cluster.stop()
    kill(server.main_pid(), signal.SIGHUP)
    wait_until(lambda: len(server.workers()) == 4, "the next generation is there")
    assert serves_objects(server)
    kill(before[0])
    assert serves_objects(server)
    cluster.start()
    wait_until(lambda: not {*before} & {*server.workers()}, "the old generation has gone", 60)
    assert serves_objects(server)
    wait_until(lambda: is_back(server, browser, token), "it works again", 20)


def test_an_idle_server_has_no_connection(server: Server, cluster: postgresql.Cluster) -> None:
    """Connections last as long as what needs them, so that a restart of PostgreSQL meets none."""
    name = server.settings["database_url"].partition("?")[0]
    wait_until(lambda: cluster.connections(name) == 0, "all connections are closed")


def test_the_start_waits_for_the_database(cluster: postgresql.Cluster, tmp_path: Path) -> None:
    """It says once what it waits for, goes on when that is there, and gives up in the end."""
    url = cluster.by_socket(cluster.database())
    cluster.stop(signal.SIGINT)
    quick = Server(tmp_path / "quick", database_url=url, database_wait_seconds="1")
    assert quick.spawn().wait(60) == 1
    *_, waits, gives_up = quick.log_text().splitlines()
    assert json.loads(waits)["event"] == "Waiting for the SQL database"
    assert gives_up.startswith("S4 cannot start: PostgreSQL s4_")
    patient = Server(tmp_path / "patient", database_url=url)
    process = patient.process = patient.spawn()
    try:
        wait_until(lambda: "Waiting for the SQL database" in patient.log_text(), "it says so")
        cluster.start()
        wait_until(lambda: answers(patient.port) and bool(patient.workers()), "it is ready", 60)
        assert patient.caller.ask("PUT", "/first").status == 200
        assert patient.log_text().count("Waiting for the SQL") == 1
        assert process.poll() is None
        patient.stop()
    finally:
        patient.kill_tree()
