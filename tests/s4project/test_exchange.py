"""Replies as they stand on the wire: framing, lengths, heads, and replies that go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from s4project.exchange import Exchange
from tests.s4project.probing import Probe, probe, request, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One probe server for this module."""
    with probe(tmp_path_factory.mktemp("exchange") / "log") as running:
        yield running


def test_a_reply_of_unknown_length_comes_in_chunks(server: Probe) -> None:
    """HTTP/1.1 gets chunks, and the connection lives on."""
    with server.wire() as wire:
        for _ in range(2):
            wire.send(request("/stream"))
            reply = wire.reply()
            assert reply.body == b"one two three"
            assert reply.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("target", ["/stream", "/echo", "/big?pieces=3"])
def test_head_gets_no_body(server: Probe, target: str) -> None:
    """HEAD is answered with the head alone, whatever the application sends after it."""
    with server.wire() as wire:
        wire.send(request(target, b"", "HEAD") + request("/echo", b"next", "PUT"))
        assert wire.reply(has_body=False).status == 200
        assert wire.reply().body == b"next"


@pytest.mark.parametrize("status", [204, 304])
def test_bodiless_statuses_are_not_framed(server: Probe, status: int) -> None:
    """204 and 304 carry no transfer coding, so the next reply follows at once."""
    with server.wire() as wire:
        wire.send(request(f"/head?status={status}") + request("/echo", b"next", "PUT"))
        reply = wire.reply()
        assert reply.status == status
        assert "transfer-encoding" not in reply.headers
        assert wire.reply().body == b"next"


@pytest.mark.parametrize(
    "value", ["a%0D%0Ax-evil:%201", "a%0Ax-evil:%201", "a%0Dx", "a%00b", "%7F"]
)
def test_a_header_cannot_be_split(server: Probe, value: str) -> None:
    """A control character in a header of the reply ends in 500 and puts nothing on the wire."""
    with server.wire() as wire:
        wire.send(request(f"/head?value={value}"))
        reply = wire.reply()
        assert reply.status == 500
        assert {"x-evil", "x-probe"} & set(reply.headers) == set()


def test_headers_may_hold_latin_1_and_tabs(server: Probe) -> None:
    """Bytes above ASCII and tabs pass as they are."""
    with server.wire() as wire:
        wire.send(request("/head?value=%C2%A7%09ok&length=0"))
        data = wire.take(17)
        while b"\r\n\r\n" not in data:
            data += wire.take(1)
    assert b"x-probe: \xa7\tok\r\n" in data


@pytest.mark.parametrize("length", [3, 8])
def test_a_reply_of_the_wrong_length_is_broken_off(server: Probe, length: int) -> None:
    """A body that differs from its content-length never looks complete."""
    with server.wire() as wire:
        wire.send(request(f"/head?body=12345&length={length}"))
        with pytest.raises(EOFError):
            wire.reply()


def test_an_application_that_breaks_down_is_answered_for(server: Probe) -> None:
    """An exception that escapes the application becomes a 500, and the server lives on."""
    assert server.ask("/fail").status == 500
    assert "the probe was told to fail" in server.said()
    assert server.ask("/echo").status == 200


def test_date_is_the_only_header_the_server_adds(server: Probe) -> None:
    """A reply has the application's headers and a date; who serves it is not told."""
    with server.wire() as wire:
        wire.send(request("/echo"))
        assert set(wire.reply().headers) == {"date", "content-length"}


def test_a_reply_to_a_client_that_went_is_not_finished(server: Probe, tmp_path: Path) -> None:
    """`send` raises OSError then, so that no worker reads a large object to its end for nobody."""
    mark = tmp_path / "mark"
    with server.wire() as wire:
        wire.send(request(f"/pour?mark={mark}"))
        wire.take(1)  # it is on its way
    wait_for(mark.exists)
    assert mark.read_text() == "told"


# --- a transport that closes while bytes of the reply before are on their way ---


class Closing(asyncio.Transport):
    """A transport whose client has gone; it has not told the connection yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def is_closing(self) -> bool:
        """Say so."""
        return True

    def close(self) -> None:
        """Go on closing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what would still be sent."""
        self.written += data


async def leave_off(exchange: Exchange) -> None:
    """Answer, and stop without a word where `send` says that nobody is there."""
    with contextlib.suppress(OSError):
        await exchange.send({"type": "http.response.start", "status": 200, "headers": []})
        exchange.head = b""  # with a piece of the body, before the client went
        await exchange.send({"type": "http.response.body", "body": b"b", "more_body": True})


async def send_too_much(exchange: Exchange) -> None:
    """Send past a reply's end, which is a mistake whoever is there."""
    exchange.response_started = exchange.response_complete = True
    await exchange.send({"type": "http.response.body", "body": b"more", "more_body": False})


@pytest.mark.parametrize(("application", "word"), [(leave_off, ""), (send_too_much, "Exception")])
def test_what_is_sent_to_a_client_that_went_is_judged_as_ever(
    application: Callable[[Exchange], Coroutine[Any, Any, None]],
    word: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who leaves off then has not failed, and nothing is sent in his place; a mistake is told."""
    transport = Closing()
    edge = SimpleNamespace(
        transport=transport,
        scope={"method": "GET", "http_version": "1.1", "headers": []},
        expect_100_continue=False,
        flow=SimpleNamespace(write_paused=False),
        tasks=set[Any](),
        server_state=SimpleNamespace(default_headers=[]),
        logger=logging.getLogger("test"),
    )

    async def run() -> None:
        exchange = Exchange(cast("Any", edge), keep_alive=True)
        task = asyncio.create_task(application(exchange))
        await asyncio.wait([task])
        exchange.end(task)

    asyncio.run(run())
    assert transport.written == b""
    assert [record.message.split()[0] for record in caplog.records] == ([word] if word else [])
