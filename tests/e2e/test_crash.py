"""Killed at any moment, S4 keeps what it acknowledged and shows nothing half done.

Each test drives clients that remember their promises, kills processes without warning, and
compares what is there afterwards byte for byte (tests/e2e/load.py).
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.load import Load
from tests.e2e.processes import kill, wait_until
from tests.e2e.server import SYMPTOMS, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900 if os.environ.get("S4_TEST_LONG") else 300),
]

ROUNDS = 25 if os.environ.get("S4_TEST_LONG") else 4
KILLED = re.compile(r"was sent SIGKILL")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server that will not live long."""
    server = Server(tmp_path_factory.mktemp("crash"))
    server.start()
    try:
        assert server.caller.ask("PUT", "/crash").status == 200
        yield server
        if server.process is not None:
            server.stop()
    finally:
        server.kill_tree()
    lines = [line for line in server.log_text().splitlines() if SYMPTOMS.search(line)]
    assert [line for line in lines if not KILLED.search(line)] == []


def load_for(load: Load, seconds: float) -> None:
    """Let the clients write for a while, and at least so long that something was promised."""
    before = load.promises
    time.sleep(seconds)
    wait_until(lambda: load.promises > before, "anything is acknowledged")


def moments(rounds: int) -> list[float]:
    """Choose moments spread over a second and a half, in no regular distance."""
    return [0.15 + (number * 0.618) % 1.5 for number in range(rounds)]


def test_a_killed_server_keeps_its_word(server: Server) -> None:
    """After kill -9 of every process in mid-load, all that was acknowledged is there, whole."""
    load = Load(server, "crash")
    for moment in moments(ROUNDS):
        with load:
            load_for(load, moment)
            server.kill_tree()
        server.start()
        load.judge()
        server.verify()
    assert [refusal for client in load.clients for refusal in client.refusals] == []


def test_a_killed_worker_is_replaced(server: Server) -> None:
    """Workers killed one by one under load lose no promise, and others take their place."""
    load = Load(server, "crash")
    with load:
        for moment in moments(ROUNDS):
            load_for(load, moment / 2)
            victim = server.workers()[0]
            kill(victim)
            wait_until(
                lambda victim=victim: len(set(server.workers()) - {victim}) == 2,
                "a new worker is there",
            )
        load_for(load, 0.5)
    load.judge()
    server.verify()
    assert [refusal for client in load.clients for refusal in client.refusals] == []
    assert sum(client.lost_connections for client in load.clients) <= ROUNDS * len(load.clients)


def test_a_killed_jobs_process_is_replaced(server: Server) -> None:
    """The jobs process killed under load disturbs no client, and comes back."""
    wait_until(server.jobs, "the jobs process is there")
    load = Load(server, "crash", clients=2)
    with load:
        for _ in range(2):
            victims = server.jobs()
            for victim in victims:
                kill(victim)
            wait_until(
                lambda victims=victims: set(server.jobs()) - set(victims),
                "a new jobs process is there",
            )
            load_for(load, 0.2)
    load.judge()
    assert [client.lost_connections for client in load.clients] == [0, 0]
    server.verify()


def test_nobody_survives_the_main_process(server: Server) -> None:
    """When the main process is killed the others end too, and the ports and locks are free."""
    wait_until(server.jobs, "the jobs process is there")
    load = Load(server, "crash")
    with load:
        load_for(load, 0.4)
        kill(server.main_pid())
        wait_until(lambda: not server.processes(), "the other processes have ended")
        server.kill_tree()
    server.start()
    load.judge()
    server.verify()


def test_a_stopped_server_keeps_its_word(server: Server) -> None:
    """SIGTERM under load ends the server in order: what it answered last is there as well."""
    load = Load(server, "crash")
    for _ in range(2):
        with load:
            load_for(load, 0.5)
            server.stop()
        server.start()
        load.judge()
    server.verify()
