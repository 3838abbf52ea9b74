"""How slowly a client may send or take: a slow line is served, one that drips to hold on is cut."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from tests.s4project.probing import Probe, Wire, probe, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB = 1024
LIMITS = {"body_seconds": 1.5, "stall_seconds": 2.5}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One probe server for this module, with one worker and short patience."""
    with probe(tmp_path_factory.mktemp("pace") / "log", limits=LIMITS) as running:
        yield running


def test_a_dripping_body_is_cut_off(server: Probe) -> None:
    """A body that comes, but by bytes, ends the request: 200 of them as one, and nobody else's."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.wire()) for _ in range(200)]
        for wire in wires:
            wire.send(request("/echo", b"", "PUT", "Content-Length: 1000000"))
        begin = time.monotonic()
        while wires:
            assert time.monotonic() < begin + 20, "they drip on"
            wires = [wire for wire in wires if drips_on(wire)]
            assert server.ask("/echo").status == 200
            time.sleep(0.1)
        assert time.monotonic() - begin > 1.4


def drips_on(wire: Wire) -> bool:
    """Send a byte more, unless the connection is closed."""
    wire.socket.settimeout(0.001)
    try:
        wire.send(b"x")
        return wire.socket.recv(100) != b""
    except TimeoutError:
        return True
    except (ConnectionResetError, BrokenPipeError):
        return False


def test_a_slow_and_steady_body_is_taken_whole(tmp_path: Path) -> None:
    """A body that takes longer than the patience, but keeps pace, is no drip."""
    limits = LIMITS | {"pace_bytes": 1000, "body_seconds": 3}
    with probe(tmp_path / "log", limits=limits) as server, server.wire() as wire:
        wire.send(request("/count", b"", "PUT", "Content-Length: 20000"))
        for _ in range(20):
            wire.send(b"b" * 1000)
            time.sleep(0.2)
        assert wire.reply().body == b"20000"


def test_a_reply_taken_by_bytes_is_cut_off(server: Probe) -> None:
    """Of a reply that waits, a client must take more than a byte now and then."""
    with server.wire(seconds=30) as wire:
        wire.send(request("/big?pieces=800"))
        begin = time.monotonic()
        while not wire.is_cut():
            assert time.monotonic() < begin + 20, "it is taken by bytes on and on"
            wire.socket.recv(10)
            time.sleep(0.1)
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.take(700 * 256 * KIB)
