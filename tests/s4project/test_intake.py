"""Large bodies: received past the parser, which must not be noticed by anybody."""

from __future__ import annotations

import contextlib
import hashlib
import random
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from storage_engine.limits import BUFFER_BYTES
from tests.s4project.probing import Probe, memory_bytes, probe, request, wait_for
from tests.s4project.tls.test_connection import write_pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
LIMITS = {"unread_bytes": MIB, "pace_bytes": 10_000, "body_seconds": 6}
SIZES = [
    128 * KIB,
    256 * KIB + 1,
    BUFFER_BYTES - 1,
    BUFFER_BYTES,
    BUFFER_BYTES + 1,
    5 * MIB + 7,
]


@pytest.fixture(scope="module", params=["plain", "tls"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Probe]:
    """One probe server for this module, and one under TLS."""
    directory = tmp_path_factory.mktemp("intake")
    plan = {"tls": write_pair(directory)} if request.param == "tls" else {}
    with probe(directory / "log", limits=LIMITS, **plan) as running:
        if plan:
            running.tls = ssl.create_default_context(cafile=directory / "authority.crt")
        yield running


def noise(size: int) -> bytes:
    """Make a body that is nowhere like itself."""
    return random.Random(size).randbytes(size)  # noqa: S311


@pytest.mark.parametrize("size", SIZES)
def test_a_body_arrives_as_it_was_sent(server: Probe, size: int) -> None:
    """Of whatever length: twice on one connection, and a small request behind each."""
    body = noise(size)
    with server.wire() as wire:
        for _ in range(2):
            wire.send(request("/echo", body, "PUT"))
            assert wire.reply().body == body
            wire.send(request("/echo", b"small", "PUT"))
            assert wire.reply().body == b"small"


def test_what_is_sent_behind_a_body_is_the_next_request(server: Probe) -> None:
    """Requests sent ahead behind large bodies, in one go, are answered each in its turn."""
    bodies = [noise(300 * KIB), b"small", noise(2 * MIB), noise(129 * KIB)]
    with server.wire() as wire:
        wire.send(b"".join(request("/digest", body, "PUT") for body in bodies))
        for body in bodies:
            assert wire.reply().body.decode() == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("seed", range(3))
def test_pieces_of_any_size_make_the_same_body(server: Probe, seed: int) -> None:
    """However a client cuts its requests, they are the same requests."""
    chance = random.Random(seed)  # noqa: S311
    bodies = [chance.randbytes(chance.choice([0, 10, 200 * KIB, 1500 * KIB])) for _ in range(5)]
    data = b"".join(
        request("/digest", body, "PUT", *([] if body else ["Content-Length: 0"])) for body in bodies
    )
    with server.wire() as wire:
        while data:
            cut = chance.choice([1, 100, 9000, 70 * KIB, 400 * KIB])
            wire.send(data[:cut])
            data = data[cut:]
            if chance.random() < 0.1:
                time.sleep(0.01)
        for body in bodies:
            assert wire.reply().body.decode() == hashlib.sha256(body).hexdigest()


def test_a_slow_client_is_heard_while_he_sends(server: Probe) -> None:
    """What came is handed on within seconds, so that a steady body outlasts every patience."""
    with server.wire(seconds=30) as wire:
        wire.send(request("/count", b"", "PUT", "Content-Length: 200000"))
        for _ in range(50):
            wire.send(b"b" * 4000)
            time.sleep(0.14)
        assert wire.reply().body == b"200000"


def test_a_client_that_stops_is_cut_off(server: Probe) -> None:
    """Of a body that was begun and not gone on with, nobody waits for the rest."""
    with server.wire(seconds=30) as wire:
        begin = time.monotonic()
        wire.send(request("/count", b"", "PUT", f"Content-Length: {MIB}") + bytes(200 * KIB))
        with contextlib.suppress(ConnectionResetError):
            assert wire.rest() == b""
        assert time.monotonic() - begin > 5


def test_a_body_broken_off_reaches_the_application_as_such(server: Probe, tmp_path: Path) -> None:
    """A client that goes in the midst of his body is told of to the application."""
    mark = tmp_path / "mark"
    with server.wire() as wire:
        wire.send(request(f"/linger?mark={mark}", b"", "PUT", f"Content-Length: {3 * MIB}"))
        wire.send(bytes(MIB))
        time.sleep(0.2)
    wait_for(mark.exists)
    assert mark.read_text() == "http.disconnect"


@pytest.mark.parametrize("rest", [200 * KIB, 900 * KIB])
def test_a_rest_that_nobody_wants_is_dropped(server: Probe, rest: int) -> None:
    """An answer in the midst of a body leaves the connection to the next request."""
    body = noise(BUFFER_BYTES + rest)
    with server.wire() as wire:
        for _ in range(2):
            wire.send(request("/half", body, "PUT"))
            assert wire.reply().body == b"enough"
            wire.send(request("/echo", b"next", "PUT"))
            assert wire.reply().body == b"next"


def test_a_long_rest_that_nobody_wants_closes_the_connection(server: Probe) -> None:
    """More than a client may send in vain ends in the close that the answer announced."""
    with server.wire() as wire:
        wire.send(
            request("/half", b"", "PUT", f"Content-Length: {30 * MIB}")
            + bytes(BUFFER_BYTES + 200 * KIB)
        )
        reply = wire.reply()
        assert (reply.body, reply.headers["connection"]) == (b"enough", "close")
        assert wire.rest() == b""


def test_a_client_that_waits_to_be_asked_is_asked(server: Probe) -> None:
    """`Expect: 100-continue` goes before a large body as before any."""
    body = noise(2 * MIB)
    with server.wire() as wire:
        wire.send(
            request("/echo", b"", "PUT", f"Content-Length: {len(body)}", "Expect: 100-continue")
        )
        assert wire.reply(has_body=False).status == 100
        wire.send(body)
        assert wire.reply().body == body


def test_a_large_chunked_body_goes_through_the_parser(server: Probe) -> None:
    """Transfer-Encoding frames a body of any length."""
    body = noise(2 * MIB)
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece)
        for piece in (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    )
    with server.wire() as wire:
        wire.send(
            request("/echo", b"", "PUT", "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"
        )
        assert wire.reply().body == body


def test_a_large_body_with_an_offer_of_another_protocol(server: Probe) -> None:
    """The body of a request that offers to upgrade comes whole, and the connection closes."""
    body = noise(2 * MIB)
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with server.wire() as wire:
        wire.send(request("/echo", body, "PUT", *offer))
        assert wire.reply().body == body
        assert wire.rest() == b""


def test_slow_bodies_hold_what_they_have_sent(tmp_path: Path) -> None:
    """A hundred clients that have begun large bodies cost no buffer of a MiB each."""
    with probe(tmp_path / "log", limits=LIMITS | {"body_seconds": 60}) as server:
        worker = server.ask("/info").json()["pid"]
        before = memory_bytes(worker)
        with contextlib.ExitStack() as stack:
            for _ in range(150):
                wire = stack.enter_context(server.wire())
                wire.send(request("/count", b"", "PUT", f"Content-Length: {50 * MIB}") + b"x" * 500)
            time.sleep(2.5)
            assert memory_bytes(worker) - before < 40 * MIB


def test_a_slow_body_ends_where_it_ends(server: Probe) -> None:
    """Of what a slow client has begun, and ends together with his next request, each is whole."""
    body = noise(200 * KIB)
    with server.wire(seconds=30) as wire:
        wire.send(request("/digest", body, "PUT")[: -len(body)])
        time.sleep(0.2)
        wire.send(body[: 50 * KIB])
        time.sleep(2.5)
        wire.send(body[50 * KIB :] + request("/echo", b"next", "PUT"))
        assert wire.reply().body.decode() == hashlib.sha256(body).hexdigest()
        assert wire.reply().body == b"next"
