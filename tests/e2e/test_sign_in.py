"""Signing in to a real server: one count for all workers, through restarts, and under floods."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from iam.throttle import BY_NAME
from tests.e2e.server import running
from tests.e2e.wire import Connection, Reply, write_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

LOGIN = "/api/admin/login"
FLOOD = 60


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """Run a server of the test's own, behind a proxy that the tests play."""
    with running(tmp_path / "server", trusted_proxies="127.0.0.1") as server:
        yield server


def sign_in(server: Server, client: str, password: str = "wrong") -> Reply:
    """Ask for a token as a client behind the proxy."""
    body = json.dumps({"username": "root", "password": password}).encode()
    address = ("127.0.0.1", server.console_port)
    headers = {
        "host": "console",
        "content-type": "application/json",
        "x-forwarded-for": client,
    }
    with Connection(address) as connection:
        connection.send(write_head("POST", LOGIN, headers, len(body)) + body)
        return connection.reply("POST")


def test_guesses_are_counted_by_all_workers_and_kept(fresh: Server) -> None:
    """However guesses are spread over workers and restarts, they are counted, for one client."""
    ends = [sign_in(fresh, "203.0.113.7").status for _ in range(BY_NAME.free)]
    assert ends == [401] * BY_NAME.free
    fresh.restart()
    while sign_in(fresh, "203.0.113.7").status == 429:
        time.sleep(0.2)
    refused = sign_in(fresh, "203.0.113.7", fresh.settings["root_password"])
    assert refused.status == 429
    assert 5 < int(refused.headers["retry-after"]) <= 10  # the second wait, not the first
    assert b"Too many attempts to sign in." in refused.body
    assert sign_in(fresh, "203.0.113.8", fresh.settings["root_password"]).status == 200


def test_a_flood_of_sign_ins_holds_nobody_up(fresh: Server) -> None:
    """While many clients guess at once, health and S3 answer, and memory stays what it was."""
    password = fresh.settings["root_password"]
    clients = [f"203.0.113.{number}" for number in range(FLOOD)]
    with ThreadPoolExecutor(FLOOD) as pool:
        replies = [pool.submit(sign_in, fresh, client) for client in clients]
        waits, started = [], time.monotonic()
        while not all(reply.done() for reply in replies):
            begin = time.monotonic()
            assert fresh.caller.ask("GET", "/").status == 200
            waits.append(time.monotonic() - begin)
            time.sleep(0.05)
        seconds = time.monotonic() - started
        statuses = {reply.result().status for reply in replies}
    assert statuses <= {401, 429}
    assert 401 in statuses
    assert sorted(waits)[len(waits) // 2] < seconds / 10  # and not behind all of them
    assert sign_in(fresh, "203.0.113.200", password).status == 200
