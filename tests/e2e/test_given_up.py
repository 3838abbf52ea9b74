"""Uploads that are given up on a real server: the room they took is taken by the next.

By their clients, or by a worker that ends at once.
"""

from __future__ import annotations

import os
import signal
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.e2e.load import Load
from tests.e2e.processes import wait_until
from tests.e2e.server import Server, running
from tests.e2e.test_torture_tls import Http2, Http11
from tests.e2e.tls import write_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
SIZE = 6 * MIB
COUNT = 16


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server of one worker, with TLS."""
    directory = tmp_path_factory.mktemp("given-up")
    certificate, key = write_certificate(directory, days=90)
    files = {"tls_cert": str(certificate), "tls_key": str(key)}
    with running(directory / "server", workers="1", **files) as server:
        yield server


def vanish(connection: Http11 | Http2) -> None:
    """Close the connection."""
    connection.close()


def abort(connection: Http11 | Http2) -> None:
    """Close it by a TCP reset."""
    assert isinstance(connection, Http11)
    connection.reset()


def take_back(connection: Http11 | Http2) -> None:
    """Reset the stream alone; a later request is answered."""
    assert isinstance(connection, Http2)
    client = connection.client
    client.h2.reset_stream(client.h2.highest_outbound_stream_id)
    client.flush()
    assert connection.ask("HEAD", "/room")[0] == 200
    connection.close()


@pytest.mark.parametrize(
    ("kind", "give_up"), [(Http11, vanish), (Http11, abort), (Http2, vanish), (Http2, take_back)]
)
def test_what_is_given_up_takes_no_room(
    server: Server,
    kind: type[Http11 | Http2],
    give_up: Callable[[Http11 | Http2], None],
) -> None:
    """After many bodies that were broken off, others take as much room as without them."""

    def connect() -> Http11 | Http2:
        return kind(server.caller, ssl.create_default_context(cafile=server.settings["tls_cert"]))

    with connect() as connection:
        connection.ask("PUT", "/room")
        assert connection.ask("PUT", "/room/first", os.urandom(SIZE))[0] == 200
    before = server.disk_bytes("volumes")
    for number in range(COUNT):
        connection = connect()
        connection.begin("/room/torn", SIZE, os.urandom(SIZE - 1 - MIB * (number % 5)))
        give_up(connection)
    with connect() as connection:
        for number in range(COUNT):
            assert connection.ask("PUT", f"/room/{number}", os.urandom(SIZE))[0] == 200
        assert connection.ask("HEAD", "/room/torn")[0] == 404
    assert server.disk_bytes("volumes") - before < (COUNT + 2) * SIZE
    server.verify()


def test_a_worker_that_ends_at_once_keeps_its_word(tmp_path: Path) -> None:
    """SIGQUIT cancels all that a worker is at: what it has answered is there, whole."""
    server = Server(tmp_path / "quitting")
    try:
        server.start()
        assert server.caller.ask("PUT", "/load").status == 200
        load = Load(server, "load")
        with load:
            for _ in range(4):
                promised = load.promises
                wait_until(lambda promised=promised: load.promises > promised + 20, "more is there")
                ending, others = server.workers()[0], set(server.workers()[1:])
                os.kill(ending, signal.SIGQUIT)
                wait_until(
                    lambda ending=ending, others=others: (
                        ending not in server.workers() and len({*server.workers()} - others) == 1
                    ),
                    "another worker is there",
                )
        load.judge()
        server.stop()
        server.verify()
    finally:
        server.kill_tree()
    refusals = [refusal for client in load.clients for refusal in client.refusals]
    assert all(": 500" in refusal for refusal in refusals), refusals  # of those that were cancelled
