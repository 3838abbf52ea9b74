"""Expect: 100-continue at the edge, as clients really use it (RFC 9110, 10.1.1)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.s4project.probing import Probe, probe, request

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One probe server for this module."""
    with probe(tmp_path_factory.mktemp("expect") / "log") as running:
        yield running


EXPECT = "Expect: 100-continue"


def test_100_is_sent_when_the_application_reads(server: Probe) -> None:
    """A client that waits for a 100 gets it once the application wants the body."""
    with server.wire() as wire:
        for _ in range(2):
            wire.send(request("/echo", b"", "PUT", EXPECT, "Content-Length: 5"))
            assert wire.reply().status == 100
            wire.send(b"hello")
            assert wire.reply().body == b"hello"


def test_100_is_sent_for_an_empty_body_too(server: Probe) -> None:
    """An empty body is asked for: botocore cannot take a final status in place of its 100."""
    with server.wire() as wire:
        for _ in range(2):
            wire.send(request("/echo", b"", "PUT", EXPECT, "Content-Length: 0"))
            assert wire.reply().status == 100
            assert wire.reply().status == 200


def test_100_is_left_out_when_the_body_is_there(server: Probe) -> None:
    """A client that does not wait is not kept up by a 100."""
    with server.wire() as wire:
        wire.send(request("/echo", b"hello", "PUT", EXPECT))
        assert wire.reply().body == b"hello"
        wire.send(b"PUT /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.1)
        wire.send(b"hello")
        assert wire.reply().body == b"hello"


@pytest.mark.parametrize("sends_body", [False, True])
def test_a_refusal_in_place_of_100_never_lets_a_body_pass_for_a_request(
    server: Probe, sends_body: bool
) -> None:
    """After a refusal instead of a 100 the connection closes, whether or not the body comes."""
    smuggled = request("/echo", b"", "GET")
    with server.wire() as wire:
        head = request("/refuse", b"", "PUT", EXPECT, f"Content-Length: {len(smuggled)}")
        wire.send(head)
        reply = wire.reply()
        assert (reply.status, reply.headers["connection"]) == (403, "close")
        if sends_body:
            wire.send(smuggled)
        assert wire.is_closed()
