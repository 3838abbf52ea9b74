"""Clients of HTTP/2 that mean no good: floods, endless heads, nonsense."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.s4project.http2.client import H2Client, connect
from tests.s4project.probing import memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.s4project.probing import Probe

MIB = 1024 * 1024
CALM = 11


def flood(client: H2Client, frames: Callable[[int], bytes], number: int = 60_000) -> None:
    """Send frames until the server has had enough."""
    client.until(lambda: client.h2.remote_settings.max_concurrent_streams == 250)
    client.socket.settimeout(15)
    for begin in range(0, number, 200):
        if client.is_closed:
            break
        client.send(b"".join(frames(index) for index in range(begin, begin + 200)))
    client.is_closed = False
    client.until_closed()


FLOODS: dict[str, Callable[[int], bytes]] = {
    "pings": lambda _: PingFrame(0, b"12345678").serialize(),
    "settings": lambda _: SettingsFrame(0, {1: 4096}).serialize(),
    "priorities": lambda _: PriorityFrame(9, depends_on=0, stream_weight=1).serialize(),
    "windows": lambda _: WindowUpdateFrame(0, window_increment=1).serialize(),
    "unknown frames": lambda _: b"\x00\x00\x00\xee\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("kind", list(FLOODS))
def test_a_flood_of_trifles_ends_the_connection(client: H2Client, kind: str) -> None:
    """What costs us something and brings nothing is bounded."""
    flood(client, FLOODS[kind])
    assert client.goodbye in {CALM, None}, "None: the reset was faster than the goodbye"


def test_a_flood_of_empty_data_ends_the_connection(client: H2Client) -> None:
    """Frames of a body without a byte of it are bounded."""
    number = client.ask("/count", "PUT", ends=False)
    flood(client, lambda _: DataFrame(number, b"").serialize())


def test_a_flood_of_data_for_a_stream_that_ended_ends_the_connection(client: H2Client) -> None:
    """Each such frame is answered by a reset, and has no other trace."""
    number = client.ask("/refuse", "PUT", ends=False)
    client.until(lambda: number in client.resets)
    flood(client, lambda _: DataFrame(number, b"").serialize())
    assert client.goodbye in {CALM, None}


def test_a_rapid_reset_ends_the_connection(client: H2Client) -> None:
    """Requests taken back at once are bounded, each costs more than another frame."""
    block = client.h2.encoder.encode(client.head("GET", "/sleep?seconds=1"))

    def begin_and_reset(index: int) -> bytes:
        number = 2 * index + 1
        head = HeadersFrame(number, block, flags=["END_HEADERS", "END_STREAM"])
        return head.serialize() + RstStreamFrame(number, error_code=8).serialize()

    flood(client, begin_and_reset, 3000)
    assert client.goodbye in {CALM, None}


def test_an_endless_head_ends_the_connection(client: H2Client) -> None:
    """A head in continuations without end is bounded."""
    client.send(HeadersFrame(1, b"").serialize())
    flood(client, lambda _: ContinuationFrame(1, b"").serialize(), 2000)


def test_a_head_that_unpacks_beyond_the_bound_ends_the_connection(client: H2Client) -> None:
    """64 KiB of headers are the most, however few bytes they came in."""
    more = [("x-large", "v" * 4000)] * 20
    client.ask("/info", "GET", *more)
    client.until_closed()
    assert client.goodbye == CALM


def test_a_client_that_reads_nothing_is_not_answered_without_end(server: Probe) -> None:
    """Answers to pings wait in bounded memory."""
    (pid,) = server.children()
    before = memory_bytes(pid)
    with connect(server) as client:
        client.socket.settimeout(1)
        pings = PingFrame(0, b"12345678").serialize() * 5000
        for _ in range(20):
            client.send(pings)
    assert memory_bytes(pid) - before < 16 * MIB


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64, b"PRI * HTTP/2.0\r\n\r\nXX"]
)
def test_what_is_not_http_2_ends_the_connection(server: Probe, data: bytes) -> None:
    """Whoever agrees on HTTP/2 and speaks something else is told so."""
    with connect(server) as client:
        client.send(data)
        client.until_closed()
        assert client.goodbye is not None


FRAMES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, flags, number, body: (
            len(body).to_bytes(3) + bytes([kind, flags]) + number.to_bytes(4) + body
        ),
        st.integers(0, 12),
        st.integers(0, 255),
        st.integers(0, 9),
        st.binary(max_size=40),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames=st.lists(FRAMES, max_size=8))
def test_no_frames_disturb_the_server(server: Probe, frames: list[bytes]) -> None:
    """Whatever comes in whatever order, the next connection is served."""
    with connect(server) as client:
        client.ask("/echo", "PUT", ends=False)
        client.send(b"".join(frames))
    with connect(server) as other:
        assert other.reply(other.put("/echo", b"well")) == (200, b"well")


def test_nothing_here_was_an_error_of_the_server(server: Probe) -> None:
    """The log of all the above tells of the certificate alone: clients' faults are not news."""
    lines = [json.loads(line)["event"] for line in server.said().splitlines()]
    assert lines == ["Serving TLS"]
