"""HTTP/2 seen from the wire: what clients may ask, how much, how slowly, and what they get."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    WindowUpdateFrame,
)

from tests.s4project.http2.client import H2Client, connect
from tests.s4project.probing import Probe, memory_bytes, probe, wait_for
from tests.s4project.tls.test_connection import write_pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL, CALM = 0, 1, 2, 8, 11


# --- what a request is ---


def test_the_authority_is_the_host_and_the_path_stays_raw(client: H2Client) -> None:
    """The application sees what HTTP/1.1 would show it: clients sign that."""
    number = client.ask("/info/%C3%A4%2F..//x?a=%20&b", "GET", ("x-amz-date", "now"))
    status, body = client.reply(number)
    facts = json.loads(body)
    assert status == 200
    assert facts["raw_path"] == "/info/%C3%A4%2F..//x"
    assert facts["query_bytes"] == 7
    assert (facts["version"], facts["scheme"]) == ("2", "https")
    assert facts["headers"] == [["host", client.authority], ["x-amz-date", "now"]]


def test_a_trusted_proxy_tells_of_the_client(client: H2Client) -> None:
    """Client and scheme are those that a proxy names, and what nobody can read is refused."""
    more = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "http")]
    facts = json.loads(client.reply(client.ask("/info", "GET", *more))[1])
    assert (facts["client"], facts["scheme"]) == ("192.0.2.7", "http")
    assert client.reply(client.ask("/info", "GET", ("x-forwarded-for", "nobody")))[0] == 400


def test_a_body_of_no_declared_length_is_announced(client: H2Client) -> None:
    """Whoever bounds bodies by their headers learns that one comes, as with chunks."""
    number = client.ask("/info", "POST", ends=False)
    client.pour(number, b"unannounced")
    facts = json.loads(client.reply(number)[1])
    assert ["transfer-encoding", "chunked"] in facts["headers"]
    assert facts["body"] == "unannounced"


def test_cookies_come_in_one_line(client: H2Client) -> None:
    """Cookies that were split for compression are joined again (RFC 9113, 8.2.3)."""
    number = client.ask("/info", "GET", ("cookie", "a=1"), ("cookie", "b=2"))
    facts = json.loads(client.reply(number)[1])
    assert ["cookie", "a=1; b=2"] in facts["headers"]


PSEUDO = [(":scheme", "https"), (":authority", "here")]
BAD_HEADS = {
    "an unknown method": [(":method", "BREW"), *PSEUDO, (":path", "/")],
    "a path without a slash": [(":method", "GET"), *PSEUDO, (":path", "x")],
    "a whole URL": [(":method", "GET"), *PSEUDO, (":path", "http://there/x")],
    "an asterisk": [(":method", "OPTIONS"), *PSEUDO, (":path", "*")],
    "a control character": [(":method", "GET"), *PSEUDO, (":path", "/"), ("x", "a\x01b")],
    "a name that is none": [(":method", "GET"), *PSEUDO, (":path", "/"), ("x(y)", "a")],
    "two lengths": [(":method", "PUT"), *PSEUDO, (":path", "/")] + [("content-length", "0")] * 2,
}


@pytest.mark.parametrize("kind", list(BAD_HEADS))
def test_a_head_that_http_1_1_would_refuse_is_refused(client: H2Client, kind: str) -> None:
    """A bad head gets S3's 400, and the connection's other requests go on."""
    other = client.ask("/sleep?seconds=0.2")
    status, body = client.reply(client.ask_raw(BAD_HEADS[kind]))
    assert status == 400
    assert b"<Code>BadRequest</Code>" in body
    assert client.reply(other) == (200, b"slept")


@pytest.mark.parametrize(
    "more",
    [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("X-Upper", "a"),
        ("x", "a\r\nb: c"),
    ],
    ids=["connection", "transfer coding", "upper case", "line end"],
)
def test_a_head_that_is_none_ends_the_connection(client: H2Client, more: tuple[str, str]) -> None:
    """What smuggles between versions of HTTP is an error of the protocol."""
    client.ask("/info", "GET", more)
    client.until_closed()
    assert client.goodbye == PROTOCOL_ERROR


def test_a_host_that_contradicts_is_refused(client: H2Client) -> None:
    """Two names for the host are an error of the protocol."""
    client.ask("/info", "GET", ("host", "elsewhere"))
    client.until_closed()
    assert client.goodbye == PROTOCOL_ERROR


def test_trailers_are_dropped(client: H2Client) -> None:
    """Trailers never appear among the headers, which are what was signed."""
    number = client.ask("/info", "PUT", ends=False)
    client.h2.send_data(number, b"hello")
    client.h2.send_headers(number, [("x-amz-meta-late", "1")], end_stream=True)
    client.flush()
    facts = json.loads(client.reply(number)[1])
    assert facts["body"] == "hello"
    assert not any("late" in name for name, _ in facts["headers"])


# --- what a reply is ---


@pytest.mark.parametrize("target", ["/stream", "/echo", "/big?pieces=3"])
def test_head_gets_no_body(client: H2Client, target: str) -> None:
    """HEAD is answered with the head alone, whatever the application sends after it."""
    assert client.reply(client.ask(target, "HEAD")) == (200, b"")


@pytest.mark.parametrize("status", [204, 304])
def test_bodiless_statuses_have_no_body(client: H2Client, status: int) -> None:
    """204 and 304 end with their head."""
    number = client.ask(f"/head?status={status}&body=nobody")
    assert client.reply(number) == (status, b"")


def test_a_reply_of_unknown_length_ends_with_its_stream(client: H2Client) -> None:
    """No length is needed."""
    assert client.reply(client.ask("/stream")) == (200, b"one two three")


def test_headers_of_connections_are_not_passed_on(client: H2Client) -> None:
    """What an application says about an HTTP/1.1 connection has no place here."""
    number = client.ask("/fail")
    status, _ = client.reply(number)
    assert status == 500
    assert "connection" not in client.headers[number]


@pytest.mark.parametrize("length", [3, 8])
def test_a_reply_of_the_wrong_length_is_broken_off(client: H2Client, length: int) -> None:
    """A body that differs from its content-length never looks complete."""
    number = client.ask(f"/head?body=12345&length={length}")
    client.until(lambda: number in client.resets or number in client.ended)
    assert client.resets.get(number) == INTERNAL_ERROR
    assert client.reply(client.ask("/echo"))[0] == 200


@pytest.mark.parametrize("value", ["a%0D%0Ax-evil:%201", "a%0Dx", "a%00b"])
def test_a_header_cannot_be_split(client: H2Client, value: str) -> None:
    """A control character in a header of the reply ends in 500."""
    number = client.ask(f"/head?value={value}")
    assert client.reply(number)[0] == 500
    assert "x-probe" not in client.headers[number]


# --- many at once ---


def test_two_hundred_streams_keep_their_bodies_apart(client: H2Client) -> None:
    """200 bodies in flight on one connection, of any size, come back each to its own stream."""
    bodies: dict[int, bytes] = {}
    for index in range(200):
        number = client.ask("/echo", "PUT", ends=False)
        bodies[number] = os.urandom((index * 1237) % 40_000)
    rest = {number: memoryview(body) for number, body in bodies.items()}
    while rest:
        for number, view in list(rest.items()):
            client.pour(number, bytes(view[:9000]), ends=False)
            rest[number] = view[9000:]
            if not rest[number]:
                client.h2.end_stream(number)
                del rest[number]
    client.flush()
    for number, body in bodies.items():
        status, echoed = client.reply(number)
        assert status == 200
        assert hashlib.sha256(echoed).digest() == hashlib.sha256(body).digest()


def test_large_uploads_in_number_keep_one_connection(client: H2Client) -> None:
    """1 MiB uploads, one after the other, lose no byte, no window and no connection."""
    for index in range(25):
        body = os.urandom(MIB + index)
        assert client.reply(client.put("/echo", body)) == (200, body)


def test_requests_beyond_the_bound_are_refused(client: H2Client) -> None:
    """More streams than were announced are an error, as RFC 9113, 5.1.2 has it."""
    client.until(lambda: client.h2.remote_settings.max_concurrent_streams == 250)
    for _ in range(250):
        client.ask("/sleep?seconds=5")
    client.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 10_000
    client.h2.remote_settings.acknowledge()
    client.ask("/sleep?seconds=5")
    client.until_closed()
    assert client.goodbye is not None


# --- windows ---


def test_a_body_is_let_in_as_it_is_read(client: H2Client) -> None:
    """Until the application reads, a client may send the first window and no more."""
    number = client.ask("/sleep?seconds=0.5", "PUT", ("content-length", str(MIB)), ends=False)
    client.pour(number, b"b" * 65_535, ends=False)
    client.until(lambda: number in client.statuses or number in client.granted)
    assert number in client.statuses, "a window was opened for a body nobody reads"


def test_a_body_that_is_read_has_a_large_window(client: H2Client) -> None:
    """A body of more than the first window is let in by the megabyte."""
    number = client.ask("/count", "PUT", ("content-length", str(4 * MIB)), ends=False)
    client.until(lambda: client.granted[number])
    assert client.granted[number] > 900 * KIB
    client.pour(number, b"b" * (4 * MIB))
    assert client.reply(number) == (200, b"%d" % (4 * MIB))


def test_bodies_nobody_reads_do_not_stop_the_others(client: H2Client) -> None:
    """However many bodies wait, one that is read goes through."""
    sleeping = []
    for _ in range(100):
        number = client.ask("/sleep?seconds=1", "PUT", ends=False)
        client.pour(number, b"b" * 65_535, ends=False)
        sleeping.append(number)
    body = os.urandom(8 * MIB)
    assert client.reply(client.put("/echo", body)) == (200, body)


def test_a_reply_waits_for_its_window_and_lets_others_pass(server: Probe) -> None:
    """A stream whose client takes nothing holds up nobody, costs little and is given up."""
    (pid,) = server.children()
    before = memory_bytes(pid)
    with connect(server) as client:
        client.h2.increment_flow_control_window(64 * MIB)
        client.takes = False
        blocked = client.ask("/big?pieces=200")
        client.until(lambda: len(client.bodies[blocked]) >= 65_535)
        assert client.reply(client.put("/echo", b"past it")) == (200, b"past it")
        assert memory_bytes(pid) - before < 32 * MIB
        client.until(lambda: blocked in client.resets)
        assert client.resets[blocked] == CANCEL


def test_a_window_opened_by_the_byte_is_given_up(client: H2Client) -> None:
    """A client that lets a reply go on byte by byte is one that takes nothing."""
    client.h2.increment_flow_control_window(MIB)
    client.takes = False
    number = client.ask("/big?pieces=2")
    begin = time.monotonic()
    client.socket.settimeout(0.2)
    while number not in client.resets and time.monotonic() - begin < 25:
        client.h2.increment_flow_control_window(1, number)
        client.flush()
        with contextlib.suppress(TimeoutError):
            client.read()
        time.sleep(0.1)
    assert client.resets[number] == CANCEL


def test_windows_that_shrink_and_grow_are_obeyed(server: Probe) -> None:
    """A client may begin without any window, and change its mind about all streams at once."""
    with connect(server, {SettingCodes.INITIAL_WINDOW_SIZE: 0}) as client:
        for _ in range(20):
            number = client.ask("/stream")
            client.until(lambda: number in client.statuses)  # noqa: B023  # asked at once
            assert not client.bodies[number]
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
        client.flush()
        assert client.reply(number) == (200, b"one two three")


def test_replies_take_turns(client: H2Client) -> None:
    """Large replies on one connection go on beside each other."""
    numbers = [client.ask("/big?pieces=16") for _ in range(6)]
    client.until(lambda: sum(len(client.bodies[number]) for number in numbers) > 6 * MIB)
    assert all(client.bodies[number] for number in numbers)
    for number in numbers:
        assert len(client.reply(number)[1]) == 4 * MIB


# --- ends ---


def test_a_refused_upload_is_told_to_stop(client: H2Client) -> None:
    """A refusal of a long upload is whole, then its rest is declined; other requests go on."""
    number = client.ask("/refuse", "PUT", ("content-length", str(1 << 34)), ends=False)
    client.pour(number, b"b" * 30_000, ends=False)
    assert client.reply(number) == (403, b"refused")
    client.until(lambda: number in client.resets)
    assert client.resets[number] == NO_ERROR
    assert client.reply(client.put("/echo", b"next")) == (200, b"next")


def test_a_short_body_nobody_reads_is_let_run_out(client: H2Client) -> None:
    """The rest of a short upload is taken and dropped."""
    for _ in range(5):
        number = client.put("/refuse", b"b" * (300 * KIB))
        assert client.reply(number) == (403, b"refused")
        assert number not in client.resets


def test_a_body_is_asked_for_when_it_is_wanted(client: H2Client) -> None:
    """Expect: 100-continue is answered when the application reads, or by the refusal."""
    number = client.ask("/echo", "PUT", ("expect", "100-continue"), ends=False)
    client.until(lambda: client.interim.get(number) == 100)
    client.pour(number, b"wanted")
    assert client.reply(number) == (200, b"wanted")
    refused = client.ask("/refuse", "PUT", ("expect", "100-continue"), ends=False)
    assert client.reply(refused) == (403, b"refused")
    assert refused not in client.interim


@pytest.mark.parametrize("how", ["reset", "goodbye", "vanish"])
def test_the_application_learns_that_the_client_went(
    server: Probe, tmp_path: Path, how: str
) -> None:
    """A stream that is reset, and a connection that ends, are a disconnect."""
    mark = tmp_path / "gone"
    with connect(server) as client:
        number = client.ask(f"/linger?mark={mark}&begun={tmp_path / 'begun'}")
        wait_for((tmp_path / "begun").exists)
        if how == "reset":
            client.h2.reset_stream(number)
        elif how == "goodbye":
            client.h2.close_connection()
        client.flush()
        if how == "vanish":
            client.socket.close()
        wait_for(mark.exists)
        if how == "reset":
            assert client.reply(client.ask("/echo"))[0] == 200
    assert mark.read_text() == "http.disconnect"


def test_a_client_that_goes_in_mid_reply_stops_the_application(
    server: Probe, tmp_path: Path
) -> None:
    """An application that sends to nobody is told so."""
    mark = tmp_path / "poured"
    with connect(server) as client:
        number = client.ask(f"/pour?mark={mark}")
        client.until(lambda: client.bodies[number])
        client.h2.reset_stream(number)
        client.flush()
        wait_for(mark.exists)


# --- time ---


def test_a_silent_connection_is_closed(server: Probe) -> None:
    """A client that asks nothing, or nothing more, gets a goodbye."""
    with connect(server) as silent, connect(server) as idle:
        assert idle.reply(idle.ask("/echo"))[0] == 200
        for client in (silent, idle):
            client.until_closed()
            assert client.goodbye == NO_ERROR


def test_a_dripping_head_is_cut_off(server: Probe, client: H2Client) -> None:
    """A head that comes byte by byte has its time, and no more."""
    client.reply(client.ask("/echo"))
    block = client.h2.encoder.encode(client.head("GET", "/info"))
    frame = HeadersFrame(3, block).serialize()  # without an end
    begin = time.monotonic()
    client.socket.settimeout(0.2)
    for byte in frame + ContinuationFrame(3, b"x" * 200).serialize():
        client.send(bytes([byte]))
        try:
            client.read()
        except TimeoutError:
            continue
        if client.is_closed:
            break
    assert client.goodbye == PROTOCOL_ERROR
    assert time.monotonic() - begin < 15


def test_a_body_that_stops_coming_ends_its_stream_alone(client: H2Client) -> None:
    """A client that stops in mid-body loses that stream; its other requests go on."""
    number = client.ask("/count", "PUT", ("content-length", "100"), ends=False)
    client.pour(number, b"half", ends=False)
    other = client.ask("/sleep?seconds=3")
    client.until(lambda: number in client.resets)
    assert client.resets[number] == CANCEL
    assert client.reply(other) == (200, b"slept")


def test_a_slow_application_is_not_the_clients_fault(client: H2Client) -> None:
    """No time is counted while the application thinks."""
    assert client.reply(client.ask("/sleep?seconds=5.5")) == (200, b"slept")


# --- the worker's end ---


def test_a_worker_that_ends_answers_what_was_begun(tmp_path: Path) -> None:
    """At the server's end requests in progress are answered, and new ones sent elsewhere."""
    with probe(tmp_path / "log", tls=write_pair(tmp_path)) as ending, connect(ending) as client:
        slow = client.ask("/sleep?seconds=1")
        half = client.ask("/echo", "PUT", ends=False)
        last = client.ask("/echo")
        client.reply(last)
        ended = set(client.ended)
        ending.process.terminate()
        # By hand: for the client's library a connection is over once the goodbye has come.
        frames = frames_until(client, lambda frame: isinstance(frame, GoAwayFrame))
        assert isinstance(frames[-1], GoAwayFrame)
        assert (frames[-1].error_code, frames[-1].last_stream_id) == (NO_ERROR, last)
        client.send(DataFrame(half, b"rest", flags=["END_STREAM"]).serialize())
        frames += frames_until(client, lambda _: False)
        ended |= {frame.stream_id for frame in frames if "END_STREAM" in frame.flags}
        assert ended == {slow, half, last}
        assert ending.process.wait(20) == 0


def test_what_comes_late_does_not_undo_the_last_reply(tmp_path: Path) -> None:
    """A client that still sends when the last reply has gone out gets all of it to read."""
    with probe(tmp_path / "log", tls=write_pair(tmp_path)) as ending, connect(ending) as client:
        client.takes = False
        last = client.ask("/big?pieces=4")
        client.until(lambda: len(client.bodies[last]) == 65_535)
        ending.process.terminate()
        frames_until(client, lambda frame: isinstance(frame, GoAwayFrame))
        for number in (0, last):
            client.send(WindowUpdateFrame(number, window_increment=2 * MIB).serialize())
        time.sleep(0.5)  # the reply is on its way, and not read
        client.send(PingFrame(0, b"12345678").serialize())
        frames = frames_until(client, lambda _: False)
        assert any(frame.stream_id == last and "END_STREAM" in frame.flags for frame in frames)


def frames_until(client: H2Client, is_last: Callable[[Frame], bool]) -> list[Frame]:
    """Read frames past the client's library, until one that is asked for or the end."""
    frames: list[Frame] = []
    data = b""
    while True:
        while len(data) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(data[:9]))
            if len(data) < 9 + length:
                break
            frame.parse_body(memoryview(data[9 : 9 + length]))
            data = data[9 + length :]
            frames.append(frame)
            if is_last(frame):
                return frames
        if not (more := client.socket.recv(1 << 16)):
            return frames
        data += more


def test_nothing_here_was_an_error_of_the_server(server: Probe) -> None:
    """The log of all the above tells of the application's own failures alone."""
    lines = [json.loads(line) for line in server.said().splitlines()]
    failures = [line for line in lines if line["level"] in {"warning", "error"}]
    assert {line["event"].strip() for line in failures} <= {"Exception in ASGI application"}
    assert all(
        "probe was told" in line["exception"] or "reply" in line["exception"] for line in failures
    )
