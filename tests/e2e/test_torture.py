"""Connections under torture: kept, pipelined, refused early, cut; no reply lost or mixed up.

Every body is unique, so a reply that belongs to another request cannot pass. A connection that the
server ends without having said so is an error wherever it happens (tests/e2e/wire.py).
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.content import content
from tests.e2e.processes import wait_until
from tests.e2e.wire import Connection, ConnectionEnded, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.server import Server
    from tests.e2e.wire import Caller

LONG = bool(os.environ.get("S4_TEST_LONG"))
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900 if LONG else 300),
]

KIB, MIB = 1024, 1024 * 1024
SIZES = [KIB, 0, 4 * KIB, 65 * KIB, 1, MIB, 300 * KIB, 32 * KIB + 1, 2 * MIB, 9 * KIB, MIB - 1]
ROUNDS = 4000 if LONG else 400
DRIP_SECONDS = 45


@pytest.fixture(scope="module")
def caller(server: Server) -> Caller:
    """Answer a caller, and make the bucket everything goes into."""
    assert server.caller.ask("PUT", "/torture").status == 200
    return server.caller


@pytest.fixture(scope="module", autouse=True)
def dripping(caller: Caller) -> Iterator[list[float]]:
    """Drip a head at a byte a second while the other tests run; note when that was ended."""
    ended: list[float] = []

    def drip() -> None:
        start = time.monotonic()
        with caller.connect() as connection, suppress(ConnectionEnded):
            connection.send(b"GET / HTTP/1.1\r\nHost: drip\r\nX-Drip: ")
            while time.monotonic() - start < DRIP_SECONDS:
                connection.send(b"x")
                if connection.is_ended(1):
                    break
        ended.append(time.monotonic() - start)

    thread = threading.Thread(target=drip)
    thread.start()
    yield ended
    thread.join()


def exchange(caller: Caller, connection: Connection, name: str, size: int) -> None:
    """Put an object and get it back over a kept connection; everything must be its own."""
    body = content(name, size)
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    path = path_of("torture", name)
    put = caller.ask("PUT", path, body, over=connection)
    assert (put.status, put.etag) == (200, etag), name
    assert not put.ends_connection
    got = caller.ask("GET", path, over=connection)
    assert (got.status, got.etag) == (200, etag), name
    assert got.body == body, f"{name}: another body"
    assert not got.ends_connection


def test_one_connection_lasts(caller: Caller) -> None:
    """Hundreds of PUTs and GETs of all sizes in sequence go over one connection."""
    with caller.connect() as connection:
        for number in range(ROUNDS):
            exchange(caller, connection, f"one/{number}", SIZES[number % len(SIZES)])


def test_many_connections_last(caller: Caller) -> None:
    """Connections in parallel keep their replies apart, and each lasts to its end."""

    def run(worker: int) -> None:
        with caller.connect() as connection:
            for number in range(ROUNDS // 8):
                size = SIZES[(number * 3 + worker) % len(SIZES)]
                exchange(caller, connection, f"many/{worker}/{number}", size)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(run, range(16)))


def test_a_thousand_small_puts_in_a_row(caller: Caller) -> None:
    """A thousand 1 KiB PUTs over one connection are each answered with their own ETag."""
    with caller.connect() as connection:
        for number in range(1000):
            body = content(f"small {number}", KIB)
            reply = caller.ask("PUT", f"/torture/small{number}", body, over=connection)
            assert reply.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()


def test_requests_can_be_pipelined(caller: Caller) -> None:
    """Requests sent ahead are answered in order, each with its own reply."""
    sizes = [KIB, 4 * KIB, 40 * KIB, 0, 200 * KIB]
    bodies = [content(f"pipe {n}", sizes[n % len(sizes)]) for n in range(60)]
    requests: list[bytes] = []
    wanted: list[tuple[str, int, bytes | None]] = []
    for number, body in enumerate(bodies):
        path = f"/torture/pipe{number}"
        requests.append(caller.request("PUT", path, body))
        wanted.append(("PUT", 200, None))
        requests.append(caller.request("GET", path))
        wanted.append(("GET", 200, body))
        requests.append(caller.request("HEAD", path))
        wanted.append(("HEAD", 200, None))
        requests.append(caller.request("GET", f"{path}-none"))
        wanted.append(("GET", 404, None))
    for _ in range(3):
        with caller.connect() as connection:
            sender = threading.Thread(target=connection.send, args=(b"".join(requests),))
            sender.start()
            for method, status, body in wanted:
                reply = connection.reply(method)
                assert reply.status == status
                assert body is None or reply.body == body
            sender.join()
            assert caller.ask("HEAD", "/torture", over=connection).status == 200


def refusals(caller: Caller) -> dict[str, tuple[Caller, str, int]]:
    """List early refusals: who asks, for which path, and the status it earns."""
    stranger = replace(caller, signer=replace(caller.signer, secret_key="another"))
    return {
        "a wrong signature": (stranger, "/torture/refused", 403),
        "no such bucket": (caller, "/there-is-none/refused", 404),
        "an illegal key": (caller, "/torture/" + "x" * 1025, 400),
        "an unknown sub-resource": (caller, "/torture/refused?nonsense", 400),
    }


@pytest.mark.parametrize("size", [0, 100, KIB, 100 * KIB, MIB, 3 * MIB, 40 * MIB])
@pytest.mark.parametrize(
    "kind", ["a wrong signature", "no such bucket", "an illegal key", "an unknown sub-resource"]
)
def test_an_early_refusal_is_heard(caller: Caller, kind: str, size: int) -> None:
    """A refusal before the body was read is heard, and ends the connection only if it says so."""
    asker, target, status = refusals(caller)[kind]
    body = content(kind, size)
    for _ in range(3):
        with caller.connect() as connection:
            with suppress(ConnectionEnded):
                connection.send(asker.request("PUT", target, body))
            reply = connection.reply("PUT")
            assert reply.status == status
            if reply.ends_connection:
                assert size > 100 * KIB, "a small body is no reason to close"
                assert connection.is_ended(30)
            else:
                exchange(caller, connection, "after a refusal", KIB)


@pytest.mark.parametrize("size", [KIB, 100 * KIB, 40 * MIB])
@pytest.mark.parametrize(
    "kind", ["a wrong signature", "no such bucket", "an illegal key", "an unknown sub-resource"]
)
def test_a_refused_body_is_not_asked_for(caller: Caller, kind: str, size: int) -> None:
    """With Expect: 100-continue a refusal comes at once, in place of the invitation."""
    asker, target, status = refusals(caller)[kind]
    body = content(kind, size)
    digest = hashlib.sha256(body).hexdigest()
    with caller.connect() as connection:
        connection.send(asker.head("PUT", target, size, {"expect": "100-continue"}, digest))
        reply = connection.reply("PUT")
        assert reply.status == status
        if reply.ends_connection:
            assert connection.is_ended(30)
        else:  # then the server still awaits the body it did not ask for
            connection.send(body)
            exchange(caller, connection, "after a refusal", KIB)


@pytest.mark.parametrize("size", [0, KIB, MIB, 5 * MIB])
def test_a_wanted_body_is_asked_for(caller: Caller, size: int) -> None:
    """With Expect: 100-continue the invitation comes before a body that is wanted."""
    body = content("continue", size)
    digest = hashlib.sha256(body).hexdigest()
    head = caller.head("PUT", "/torture/continue", size, {"expect": "100-continue"}, digest)
    with caller.connect() as connection:
        for _ in range(5):
            connection.send(head)
            assert connection.interim() == 100  # before an empty body, too: botocore relies on it
            connection.send(body)
            assert connection.reply("PUT").status == 200
            assert caller.ask("GET", "/torture/continue", over=connection).body == body


def test_an_impatient_client_is_served(caller: Caller) -> None:
    """A client that announces Expect and sends its body without waiting is served all the same."""
    body = content("impatient", 100 * KIB)
    digest = hashlib.sha256(body).hexdigest()
    head = caller.head("PUT", "/torture/now", len(body), {"expect": "100-continue"}, digest)
    with caller.connect() as connection:
        for _ in range(20):
            connection.send(head + body)
            assert connection.reply("PUT").status == 200
        assert caller.ask("GET", "/torture/now", over=connection).body == body


def open_files(server: Server) -> int:
    """Count the files and sockets the workers hold."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.workers())


def test_those_who_go_away_leave_nothing(server: Server, caller: Caller) -> None:
    """Clients that vanish in mid-body and mid-reply disturb no neighbour and hold no file open."""
    large = content("large", 20 * MIB)
    assert caller.ask("PUT", "/torture/large", large).status == 200
    before = open_files(server)
    body = content("torn", 2 * MIB)
    with caller.connect() as bystander:
        for number in range(60):
            connection = caller.connect()
            if number % 2:
                sent = [100, 70 * KIB, MIB][number % 3]
                connection.send(caller.head("PUT", "/torture/torn", len(body)) + body[:sent])
            else:
                connection.send(caller.request("GET", "/torture/large"))
                connection.is_ended(0.02)  # let it begin
            connection.reset() if number % 4 < 2 else connection.close()
            exchange(caller, bystander, f"bystander/{number}", SIZES[number % len(SIZES)])
        assert caller.ask("GET", "/torture/torn", over=bystander).code == "NoSuchKey"
        assert caller.ask("GET", "/torture/large", over=bystander).body == large
    wait_until(lambda: open_files(server) <= before + 8, "the files are closed")


def test_a_slow_reader_gets_everything(caller: Caller) -> None:
    """A client that takes its reply in sips gets it whole, while others are served."""
    body = content("sips", 3 * MIB)
    assert caller.ask("PUT", "/torture/sips", body).status == 200
    with caller.connect() as slow, caller.connect() as quick:
        slow.send(caller.request("GET", "/torture/sips"))
        for number in range(20):
            time.sleep(0.05)
            exchange(caller, quick, f"quick/{number}", KIB)
        assert slow.reply().body == body


def test_a_dripping_head_is_cut(dripping: list[float]) -> None:
    """A head that drips a byte a second is not waited for longer than half a minute."""
    wait_until(lambda: dripping, "the dripping connection is ended", DRIP_SECONDS + 5)
    assert dripping[0] < 32
