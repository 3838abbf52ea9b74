"""The torture over TLS: by HTTP/1.1 and by HTTP/2 alike, signed requests on kept connections.

Large bodies in number, many at once, early refusals, clients that vanish: every byte comes back,
and nobody who vanishes leaves anything behind.
"""

from __future__ import annotations

import hashlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, Self

import pytest

from tests.e2e.content import content
from tests.e2e.processes import wait_until
from tests.e2e.server import HOST, Server, running
from tests.e2e.test_torture import open_files
from tests.e2e.tls import write_certificate
from tests.e2e.wire import Caller, Connection, ConnectionEnded
from tests.s4project.http2.client import H2Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.e2e
KIB, MIB = 1024, 1024 * 1024
PROTOCOLS = ["http/1.1", "h2"]


class Kept(Protocol):
    """A connection that is kept, whatever is spoken on it."""

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask; answer status and body."""

    def begin(self, target: str, length: int, sent: bytes) -> None:
        """Begin an upload, and send only a part."""

    def close(self) -> None:
        """Vanish."""


class Http11(Connection):
    """HTTP/1.1 under TLS."""

    def __init__(self, caller: Caller, tls: ssl.SSLContext) -> None:
        super().__init__(caller.address)
        self._socket = tls.wrap_socket(self._socket, server_hostname=HOST)
        self.caller = caller

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask; answer status and body."""
        with suppress(ConnectionEnded, ssl.SSLError):  # it may be refused before it is whole
            self.send(self.caller.request(method, target, body))
        reply = self.reply(method)
        return reply.status, reply.body

    def begin(self, target: str, length: int, sent: bytes) -> None:
        """Begin an upload, and send only a part."""
        self.send(self.caller.head("PUT", target, length) + sent)


class Http2:
    """HTTP/2 under TLS."""

    def __init__(self, caller: Caller, tls: ssl.SSLContext) -> None:
        self.caller = caller
        self.client = H2Client(caller.address, tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self, method: str, target: str, body: bytes = b"") -> int:
        """Send a signed request; answer its number."""
        digest = hashlib.sha256(body).hexdigest()
        signed = self.caller.sign(method, target, None, digest).headers
        more = [(name, text) for name, text in signed.items() if name != "host"]
        if method == "PUT":
            more.append(("content-length", str(len(body))))
        number = self.client.ask(target, method, *more, ends=not body)
        self.client.pour(number, body)
        return number

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask; answer status and body."""
        return self.client.reply(self.start(method, target, body))

    def begin(self, target: str, length: int, sent: bytes) -> None:
        """Begin an upload, and send only a part."""
        signed = self.caller.sign("PUT", target, None, "UNSIGNED-PAYLOAD").headers
        more = [(name, text) for name, text in signed.items() if name != "host"]
        number = self.client.ask(target, "PUT", *more, ("content-length", str(length)), ends=False)
        self.client.pour(number, sent, ends=False)

    def close(self) -> None:
        """Vanish."""
        self.client.socket.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with TLS for this module."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = write_certificate(directory, days=90)
    files = {"tls_cert": str(certificate), "tls_key": str(key)}
    with running(directory / "server", **files) as server:
        yield server


@pytest.fixture(scope="module")
def trust(server: Server) -> Callable[[], ssl.SSLContext]:
    """Make what trusts the server; each connection has its own, for what it offers to speak."""
    return lambda: ssl.create_default_context(cafile=server.settings["tls_cert"])


@pytest.fixture(params=PROTOCOLS)
def connect(
    request: pytest.FixtureRequest, server: Server, trust: Callable[[], ssl.SSLContext]
) -> Callable[[], Http11 | Http2]:
    """Answer what connects, over each protocol."""
    kind = Http2 if request.param == "h2" else Http11
    with kind(server.caller, trust()) as connection:
        connection.ask("PUT", "/torture")
    return lambda: kind(server.caller, trust())


def exchange(connection: Kept, name: str, size: int) -> None:
    """Put an object and get it back, byte for byte."""
    body, target = content(name, size), f"/torture/{name}"
    assert connection.ask("PUT", target, body)[0] == 200
    status, back = connection.ask("GET", target)
    assert status == 200
    assert hashlib.sha256(back).digest() == hashlib.sha256(body).digest()


def test_large_bodies_in_number(connect: Callable[[], Http11 | Http2]) -> None:
    """Four clients put and get 1 MiB each over and over, each on one connection."""

    def play(number: int) -> None:
        with connect() as connection:
            for index in range(12):
                exchange(connection, f"many-{number}-{index}", MIB + index)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(play, range(4)))


def test_early_refusals(connect: Callable[[], Http11 | Http2], server: Server) -> None:
    """A refusal before the body was read is heard; over HTTP/2 the connection lives on."""
    wrong = replace(server.caller, signer=replace(server.caller.signer, secret_key="another"))
    for size in (0, KIB, 100 * KIB, 3 * MIB):
        with connect() as connection:
            right, connection.caller = connection.caller, wrong
            status, body = connection.ask("PUT", "/torture/refused", content("no", size))
            assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
            connection.caller = right
            if isinstance(connection, Http2) or size <= 100 * KIB:
                exchange(connection, "after a refusal".replace(" ", "-"), KIB)


def test_those_who_vanish_leave_nothing(
    connect: Callable[[], Http11 | Http2], server: Server
) -> None:
    """Clients that vanish in mid-body disturb no neighbour, store nothing, hold no file open."""
    with connect() as bystander:
        exchange(bystander, "bystander", KIB)
        before = open_files(server)
        for number in range(30):
            connection = connect()
            connection.begin("/torture/torn", 2 * MIB, bytes([100, 60 * KIB, 7][number % 3]))
            connection.close()
            exchange(bystander, "bystander", [KIB, 100 * KIB][number % 2])
        assert bystander.ask("GET", "/torture/torn")[0] == 404
        wait_until(lambda: open_files(server) <= before + 8, "the files are closed")


def test_two_hundred_streams(server: Server, trust: Callable[[], ssl.SSLContext]) -> None:
    """200 uploads at once on one connection, then 200 downloads, keep their bytes apart."""
    with Http2(server.caller, trust()) as connection:
        connection.ask("PUT", "/torture")
        bodies = {f"/torture/s{n}": content(f"s{n}", n * 997 % 60_000) for n in range(200)}
        numbers = [connection.start("PUT", name, body) for name, body in bodies.items()]
        assert [connection.client.reply(number)[0] for number in numbers] == [200] * 200
        numbers = [connection.start("GET", name) for name in bodies]
        assert [connection.client.reply(number)[1] for number in numbers] == list(bodies.values())
