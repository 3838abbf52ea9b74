"""A probe server that speaks HTTP/2, for each module, and a connection to it for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.s4project.http2.client import H2Client, connect
from tests.s4project.probing import Probe, probe
from tests.s4project.tls.test_connection import write_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = {
    "first_byte_seconds": 3.5,
    "head_seconds": 1,
    "idle_seconds": 4,
    "body_seconds": 1.5,
    "stall_seconds": 2.5,
    "linger_seconds": 1,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One probe server under TLS for this module, with one worker and short patience."""
    directory = tmp_path_factory.mktemp("http2")
    plan = {"limits": LIMITS, "tls": write_pair(directory), "proxies": "127.0.0.1"}
    with probe(directory / "log", **plan) as running:
        yield running


@pytest.fixture
def client(server: Probe) -> Iterator[H2Client]:
    """A connection for one test."""
    with connect(server) as connected:
        yield connected
