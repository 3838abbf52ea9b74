"""What one client of HTTP/2 could hold for ever, or make of what it only half sends."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame

from tests.s4project.http2.client import H2Client, connect
from tests.s4project.probing import Probe, probe, wait_for
from tests.s4project.tls.test_connection import write_pair

if TYPE_CHECKING:
    from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
NO_ERROR, PROTOCOL_ERROR = 0, 1


def test_a_connection_whose_window_stays_shut_is_given_up(server: Probe) -> None:
    """Streams with room of their own, on a connection that has none, are not held for ever."""
    with connect(server, {SettingCodes.INITIAL_WINDOW_SIZE: 64 * MIB}) as client:
        client.takes = False
        for _ in range(3):
            client.ask("/big?pieces=4")
        begin = time.monotonic()
        client.until_closed()
        assert time.monotonic() - begin < 12


@pytest.mark.parametrize("way", ["at once", "by trailers"])
def test_a_body_shorter_than_declared_is_no_request(client: H2Client, way: str) -> None:
    """A request that ends before its content-length ends by a reset, not as a whole one."""
    ends = way == "at once"
    number = client.ask("/echo", "PUT", ("content-length", "100"), ends=ends)
    if not ends:
        client.pour(number, b"half", ends=False)
        client.h2.send_headers(number, [("x-late", "1")], end_stream=True)
        client.flush()
    client.until(lambda: number in client.ended or number in client.resets)
    assert client.resets == {number: PROTOCOL_ERROR}
    assert client.reply(client.ask("/echo"))[0] == 200


def test_what_comes_late_for_a_stream_is_no_silence(client: H2Client) -> None:
    """Data in flight to a stream that was reset does not count as a frame without an end."""
    number = client.ask("/refuse", "PUT", ends=False)
    client.until(lambda: number in client.resets)
    slow = client.ask("/sleep?seconds=3")
    client.send(DataFrame(number, b"in flight").serialize())
    assert client.reply(slow) == (200, b"slept")


def test_the_memory_of_sent_headers_is_bounded(server: Probe) -> None:
    """A client that allows a huge table of headers gets none: what it costs would be ours."""
    with connect(server, {SettingCodes.HEADER_TABLE_SIZE: 64 * MIB}) as client:
        client.h2.decoder.max_allowed_table_size = 64 * MIB
        for count in range(50):
            number = client.ask(f"/head?value={count:0400}")
            client.until(lambda: number in client.ended)  # noqa: B023  # asked at once
        assert client.h2.decoder.header_table_size <= 4 * KIB


def test_a_connection_too_many_is_told_so_and_closed(tmp_path: Path) -> None:
    """It does not stay refused for its life: its client connects anew when others have gone."""
    plan = {"limits": {"connections": 1}, "tls": write_pair(tmp_path)}
    with probe(tmp_path / "log", **plan) as full, connect(full) as first:
        assert first.reply(first.ask("/echo"))[0] == 200
        with connect(full) as excess:
            number = excess.ask("/echo", "HEAD")
            excess.until_closed()
            assert excess.statuses[number] == 503
            assert not excess.bodies[number]
            assert excess.goodbye == NO_ERROR
        first.socket.close()
        wait_for(lambda: _answers(full))


def _answers(server: Probe) -> bool:
    with connect(server) as client:
        number = client.ask("/echo")
        while number not in client.ended and not client.is_closed:
            client.read()
        return client.statuses.get(number) == 200


def test_nothing_here_was_an_error_of_the_server(server: Probe) -> None:
    """The log of all the above tells of the certificate alone."""
    lines = [json.loads(line)["event"] for line in server.said().splitlines()]
    assert lines == ["Serving TLS"]
