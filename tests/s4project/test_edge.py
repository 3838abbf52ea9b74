"""The edge, seen from the wire: what a client may send, how much, how slowly, and what it gets."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.s4project.probing import Probe, Wire, memory_bytes, probe, request, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
# As in real life, but in a hurry; the sweep comes once a second.
LIMITS = {
    "first_byte_seconds": 3.5,
    "head_seconds": 1,
    "idle_seconds": 4,
    "body_seconds": 1.5,
    "stall_seconds": 2.5,
    "linger_seconds": 3,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One probe server for this module, with one worker and short patience."""
    with probe(tmp_path_factory.mktemp("edge") / "log", limits=LIMITS) as running:
        yield running


def error_code(body: bytes) -> str:
    """Read the code out of an S3 error document."""
    root = ET.fromstring(body)  # noqa: S314  # our own server wrote it
    assert root.tag == "Error"
    return root.findtext("Code") or ""


def seconds_until_closed(wire: Wire, begin: float) -> float:
    """Measure how long the server lets a client be that is silent since a moment."""
    assert wire.is_closed()
    return time.monotonic() - begin


# --- size of the head ---


def test_a_long_key_with_a_long_token_and_metadata_gets_through(server: Probe) -> None:
    """The longest key percent-encoded, a long security token and 8 KiB of metadata are accepted."""
    target = "/info/" + "%C3%A4" * 512 + "?X-Amz-Security-Token=" + "t" * (32 * KIB)
    metadata = [f"x-amz-meta-{index}: {'m' * 1000}" for index in range(8)]
    with server.wire() as wire:
        wire.send(request(target, b"", "GET", *metadata))
        facts = wire.reply().json()
    assert len(facts["raw_path"]) == 6 + 3072
    assert facts["query_bytes"] > 32 * KIB
    assert len(facts["headers"]) == 9


@pytest.mark.parametrize(
    "head",
    [
        request("/info", b"", "GET", *(f"x-{index}: {'v' * 1000}" for index in range(66))),
        request("/info", b"", "GET", "x: " + "v" * 66_000),
        request("/info?" + "q" * 66_000),
        b"GET /info HTTP/1.1\r\nHost: probe\r\nx: " + b"v" * (2 * MIB),  # without an end
    ],
    ids=["many headers", "long header", "long target", "endless"],
)
@pytest.mark.parametrize("piece_bytes", [1 << 30, 5000], ids=["at once", "in pieces"])
def test_a_head_over_64_kib_is_refused_as_s3_does(
    server: Probe, head: bytes, piece_bytes: int
) -> None:
    """A head that is too large gets RequestHeaderSectionTooLarge, readable, and a closed door."""
    with server.wire() as wire:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for start in range(0, len(head), piece_bytes):
                wire.send(head[start : start + piece_bytes])
        reply = wire.reply()
        assert wire.is_closed()
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/xml"
    assert reply.headers["connection"] == "close"
    assert error_code(reply.body) == "RequestHeaderSectionTooLarge"


def test_a_large_body_before_a_request_does_not_count_as_its_head(server: Probe) -> None:
    """A request that arrives together with the end of a large body is not taken for too large."""
    with server.wire() as wire:
        wire.send(request("/count", b"b" * (300 * KIB), "PUT") + request("/echo", b"after", "PUT"))
        assert wire.reply().body == b"307200"
        assert wire.reply().body == b"after"


def test_empty_lines_without_end_are_refused(server: Probe) -> None:
    """Line ends before a request are skipped, but not without bound."""
    with server.wire() as wire:
        wire.send(b"\r\n" * 20 + request("/echo"))
        assert wire.reply().status == 200
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(30):
                wire.send(b"\r\n" * 4000)
        assert error_code(wire.reply().body) == "RequestHeaderSectionTooLarge"


def test_endless_trailers_are_refused_and_short_ones_dropped(server: Probe) -> None:
    """Trailers never appear among the headers, which are what was signed."""
    head = request("/info", b"", "PUT", "Transfer-Encoding: chunked")
    with server.wire() as wire:
        wire.send(head + b"5\r\nhello\r\n0\r\nx-amz-meta-late: 1\r\n\r\n")
        facts = wire.reply().json()
        assert facts["body"] == "hello"
        assert "x-amz-meta-late" not in dict(facts["headers"])
        wire.send(head + b"0\r\nx: ")
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(400):
                wire.send(b"v" * 1000)
        assert error_code(wire.reply().body) == "RequestHeaderSectionTooLarge"


# --- time ---


def test_a_dripping_head_is_cut_off(server: Probe) -> None:
    """A head that is not complete in time closes the connection, however steadily it drips."""
    begin = time.monotonic()
    with server.wire() as wire, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        wire.socket.settimeout(0.1)
        for byte in itertools.chain(b"GET /info HTTP/1.1\r\nX: ", itertools.repeat(ord("v"))):
            wire.send(bytes([byte]))
            assert time.monotonic() < begin + 15, "it drips on"
            with contextlib.suppress(TimeoutError):
                if wire.socket.recv(100) == b"":
                    break
    assert time.monotonic() - begin > 0.9


def test_a_client_that_says_nothing_is_closed(server: Probe) -> None:
    """A connection without a first byte does not stay."""
    begin = time.monotonic()
    with server.wire() as wire:
        assert 3.4 < seconds_until_closed(wire, begin) < 12


def test_an_idle_connection_lives_on_for_its_time(server: Probe) -> None:
    """Between requests a connection is kept as long as promised, and not longer."""
    with server.wire() as wire:
        for _ in range(3):
            time.sleep(1.2)  # more than a head may take, less than a pool may wait
            begin = time.monotonic()
            wire.send(request("/echo"))
            assert wire.reply().status == 200
        assert 3.9 < seconds_until_closed(wire, begin) < 12


def test_a_body_that_stops_coming_ends_the_request(server: Probe) -> None:
    """The application is told when the body it waits for does not come."""
    with server.wire() as wire:
        begin = time.monotonic()
        wire.send(request("/echo", b"", "PUT", "Content-Length: 100") + b"only this")
        assert 1.4 < seconds_until_closed(wire, begin) < 12


def test_a_slow_application_is_not_the_clients_fault(server: Probe) -> None:
    """No bound on the client's time runs while the application works."""
    with server.wire() as wire:
        wire.send(request("/sleep?seconds=5.5"))
        assert wire.reply().body == b"slept"


def test_a_reader_that_stalls_is_cut_off_and_costs_little(server: Probe) -> None:
    """Of a large reply nobody reads, the server buffers little, and it gives up after a while."""
    pid = server.ask("/info").json()["pid"]
    before = memory_bytes(pid)
    with server.wire(seconds=30) as wire:
        wire.send(request("/big?pieces=800"))
        time.sleep(1)
        assert memory_bytes(pid) - before < 24 * MIB
        wait_for(wire.is_cut)
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.reply()


def test_a_slow_but_steady_reader_is_served_to_the_end(server: Probe) -> None:
    """A reader that takes longer than the patience with stalls, but never stalls, gets it all."""
    size = 48 * 256 * KIB
    with server.wire() as wire:
        wire.send(request("/big?pieces=48"))
        wire.take(256 * KIB)  # and the head
        for _ in range(16):
            time.sleep(0.3)
            wire.take(size // 32)
        assert len(wire.take(size // 2 - 256 * KIB)) > 0


def test_bodies_wait_in_the_kernel_when_the_application_is_slow(server: Probe) -> None:
    """A client that uploads faster than the application reads fills no memory of the server."""
    pid = server.ask("/info").json()["pid"]
    before = memory_bytes(pid)
    with server.wire() as wire:
        wire.send(request("/count?pause=0.2", b"", "PUT", f"Content-Length: {1 << 30}"))
        wire.socket.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            for _ in range(1024):
                wire.socket.sendall(b"b" * MIB)
                sent += 1
        assert sent < 64
        assert memory_bytes(pid) - before < 24 * MIB


# --- malformed requests ---


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "BadRequest"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "BadRequest"),
        (b"GET /info HTTP/2.0\r\nHost: a\r\n\r\n", "BadRequest"),
        (b"GET /info HTTP/1.1\r\n\r\n", "BadRequest"),
        (b"GET /info HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "BadRequest"),
        (b"GET /info HTTP/1.1\r\nHost : a\r\n\r\n", "BadRequest"),
        (b"GET /info HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", "BadRequest"),
        (b"GET /in\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidURI"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "InvalidURI"),
        (request("/info", b"x", "PUT", "Transfer-Encoding: chunked"), "BadRequest"),
        (request("/info", b"x", "PUT", "Content-Length: 1"), "BadRequest"),
        (request("/info", b"", "PUT", "Content-Length: -1"), "BadRequest"),
        (request("/echo", b"", "PUT", "Transfer-Encoding: chunked") + b"zz\r\n", "BadRequest"),
    ],
)
def test_malformed_requests_are_refused_in_s3s_words(server: Probe, data: bytes, code: str) -> None:
    """What is not HTTP/1.1 gets a 400 as S3 would write it, and a closed connection."""
    with server.wire() as wire:
        wire.send(data)
        reply = wire.reply()
        assert wire.is_closed()
    assert (reply.status, error_code(reply.body)) == (400, code)
    assert len(reply.headers["x-amz-request-id"]) == 16


def test_http_1_0_needs_no_host_and_gets_no_chunks(server: Probe) -> None:
    """A reply of unknown length to HTTP/1.0 ends with the connection."""
    with server.wire() as wire:
        wire.send(b"GET /stream HTTP/1.0\r\n\r\n")
        reply = wire.reply()
    assert reply.body == b"one two three"
    assert reply.headers["connection"] == "close"
    assert "transfer-encoding" not in reply.headers


# --- more than one request on a connection ---

SIZES = st.one_of(st.integers(0, 40), st.sampled_from([4096, 65_537, 300_000]))


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[bytes, str, bytes]:
    """Draw a request and the body expected in its reply."""
    body = bytes(draw(SIZES)) if draw(st.booleans()) else b""
    kind = draw(st.sampled_from(["echo", "chunked", "head", "refuse", "sleep", "stream"]))
    if kind == "chunked":
        chunks = [body[:7], body[7:]]
        coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
        head = request("/echo", b"", "PUT", "Transfer-Encoding: chunked")
        return head + coded + b"0\r\n\r\n", kind, body
    if kind == "head":
        return request("/echo", body, "HEAD"), kind, b""
    if kind == "refuse":
        return request("/refuse", body, "PUT"), kind, b"refused"
    if kind == "sleep":
        return request("/sleep?seconds=0.01", body, "PUT"), kind, b"slept"
    if kind == "stream":
        return request("/stream", body, "PUT"), kind, b"one two three"
    return request("/echo", body, "PUT"), kind, body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    drawn=st.lists(exchanges(), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 1 << 20), max_size=8),
)
def test_pipelined_requests_are_answered_in_order(
    server: Probe, drawn: list[tuple[bytes, str, bytes]], cuts: list[int]
) -> None:
    """However requests are cut into segments, each gets its own reply, in order, and no other."""
    data = b"".join(sent for sent, _, _ in drawn)
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    with server.wire() as wire:
        for start, end in itertools.pairwise(bounds):
            wire.send(data[start:end])
        for _, kind, expected in drawn:
            assert wire.reply(has_body=kind != "head").body == expected
        wire.send(request("/echo", b"last", "PUT"))
        assert wire.reply().body == b"last"


def test_a_thousand_large_uploads_keep_one_connection(server: Probe) -> None:
    """1 MiB uploads in sequence neither lose a byte nor the connection."""
    with server.wire() as wire:
        for index in range(150):
            wire.send(request("/count", b"b" * (MIB + index), "PUT"))
            assert wire.reply().body == b"%d" % (MIB + index)


def test_a_malformed_request_does_not_spoil_the_replies_before_it(server: Probe) -> None:
    """Requests ahead of a malformed one are answered first, each whole."""
    with server.wire() as wire:
        wire.send(request("/sleep?seconds=0.3") + request("/big?pieces=8") + b"NONSENSE\r\n\r\n")
        assert wire.reply().body == b"slept"
        assert len(wire.reply().body) == 8 * 256 * KIB
        assert error_code(wire.reply().body) == "BadRequest"
        assert wire.is_closed()


def test_a_malformed_body_behind_others_is_answered_in_its_turn(server: Probe) -> None:
    """The replies before a request with a malformed body arrive first."""
    broken = request("/echo", b"", "PUT", "Transfer-Encoding: chunked") + b"5\r\nhelloXX"
    with server.wire() as wire:
        wire.send(request("/sleep?seconds=0.3") + broken)
        assert wire.reply().body == b"slept"
        assert error_code(wire.reply().body) == "BadRequest"
        assert wire.is_closed()


def test_a_client_that_sends_far_ahead_is_answered_up_to_a_bound(server: Probe) -> None:
    """Of very many requests sent ahead the first are answered, and the connection closes."""
    with server.wire() as wire:
        wire.send(request("/sleep?seconds=0.5") + request("/echo") * 400)
        replies = [wire.reply() for _ in range(257)]
        assert {reply.status for reply in replies} == {200}
        assert replies[-1].headers["connection"] == "close"
        assert wire.is_closed()


def test_an_upgrade_is_ignored(server: Probe) -> None:
    """A request that offers another protocol is answered in HTTP/1.1, and so is the next one."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with server.wire() as wire:
        wire.send(request("/echo", b"", "GET", *offer) + request("/echo", b"next", "PUT"))
        assert wire.reply().status == 200
        assert wire.reply().body == b"next"


@pytest.mark.parametrize("cut", [0, 3, 40_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_upgrade_with_a_body_keeps_its_body(server: Probe, cut: int, is_chunked: bool) -> None:
    """The body of a request that offers another protocol reaches the application, whole."""
    body = b"b" * 70_000
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    if is_chunked:
        head = request("/count", b"", "PUT", *offer, "Transfer-Encoding: chunked")
        data = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        data = request("/count", body, "PUT", *offer)
    end_of_head = data.index(b"\r\n\r\n") + 4
    with server.wire() as wire:
        wire.send(data[: end_of_head + cut])
        time.sleep(0.05)
        wire.send(data[end_of_head + cut :] + request("/echo"))
        reply = wire.reply()
        assert reply.body == b"70000"
        assert reply.headers["connection"] == "close"
        assert wire.is_closed()


# --- replies that come before the body was read ---


def test_a_short_body_nobody_reads_keeps_the_connection(server: Probe) -> None:
    """An early refusal costs the connection only when much is still to come."""
    with server.wire() as wire:
        wire.send(request("/refuse", b"", "PUT", "Content-Length: 500000"))
        assert wire.reply().status == 403
        wire.send(b"b" * 500_000 + request("/echo", b"next", "PUT"))
        assert wire.reply().body == b"next"


def test_a_client_that_sends_on_can_read_the_refusal(server: Probe) -> None:
    """A refusal of a long upload is readable, and the server stops taking it before long."""
    with server.wire() as wire:
        wire.send(request("/refuse", b"", "PUT", f"Content-Length: {1 << 34}"))
        sent = 0
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 200 * MIB:
                wire.send(b"b" * MIB)
                sent += MIB
        reply = wire.reply()
    assert (reply.status, reply.body) == (403, b"refused")
    assert reply.headers["connection"] == "close"
    assert sent < 100 * MIB


def test_a_refused_body_that_comes_too_slowly_is_cut_off(server: Probe) -> None:
    """The rest of a refused body is not waited for without end."""
    with server.wire() as wire:
        begin = time.monotonic()
        wire.send(request("/refuse", b"", "PUT", "Content-Length: 500000"))
        assert wire.reply().status == 403
        wire.send(b"b" * 100)
        assert 0.9 < seconds_until_closed(wire, begin) < 12


def test_chunks_nobody_reads_are_bounded(server: Probe) -> None:
    """A body of unknown length that nobody reads closes the connection."""
    with server.wire() as wire:
        wire.send(request("/refuse", b"", "PUT", "Transfer-Encoding: chunked"))
        assert wire.reply().headers["connection"] == "close"
        assert wire.is_closed()


# --- connections ---


def test_too_many_connections_are_told_to_slow_down(tmp_path: Path) -> None:
    """Beyond the bound a request is refused with SlowDown, far beyond it the connection is cut."""
    limits = {"connections": 3, "connections_refused": 2}
    with probe(tmp_path / "log", limits=limits) as server, contextlib.ExitStack() as stack:
        wires = []
        for _ in range(6):
            wires.append(stack.enter_context(server.wire()))
            time.sleep(0.05)
        assert wires[5].is_closed()
        for index, wire in enumerate(wires[:5]):
            wire.send(request("/echo"))
            reply = wire.reply()
            assert reply.status == (200 if index < 3 else 503)
        assert error_code(reply.body) == "SlowDown"
        for wire in wires[2:]:
            wire.socket.close()
        wait_for(lambda: is_served(server))


def is_served(server: Probe) -> bool:
    """Tell whether a new connection is served rather than refused or cut."""
    try:
        return server.ask("/echo").status == 200
    except (ConnectionError, EOFError):
        return False


def test_the_application_learns_that_the_client_went(server: Probe, tmp_path: Path) -> None:
    """A client that closes its connection is reported to the application that answers it."""
    mark = tmp_path / "mark"
    with server.wire() as wire:
        wire.send(request(f"/linger?mark={mark}"))
        time.sleep(0.1)
    wait_for(mark.exists)
    assert mark.read_text() == "http.disconnect"


def test_a_reply_is_not_finished_behind_pipelined_requests_either(
    server: Probe, tmp_path: Path
) -> None:
    """What is sent tells that the client went where nothing is read: another request waits."""
    mark = tmp_path / "mark"
    with server.wire() as wire:
        wire.send(request(f"/pour?mark={mark}", b"body", "PUT") + request("/echo"))
        assert wire.take(12) == b"HTTP/1.1 200"
    wait_for(mark.exists)
    assert mark.read_text() == "told"


def test_nothing_here_was_an_error_of_the_server(server: Probe) -> None:
    """The log of all the above holds no line: clients' faults are not news."""
    lines = [json.loads(line) for line in server.said().splitlines()]
    assert [line["event"] for line in lines] == []
