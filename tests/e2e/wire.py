"""A small HTTP/1.1 client over a bare socket, for what no library would send.

It sends exactly the bytes it is given, reads one reply after the other, never opens a connection
behind the caller's back, and says when the server ended one. RFC 9112.
"""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from tests.e2e.signing import UNSIGNED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tests.e2e.signing import Signed, Signer

TIMEOUT_SECONDS: Final = 60
READ_BYTES: Final = 256 * 1024
CONTINUE: Final = 100


class ConnectionEnded(Exception):  # noqa: N818 - an event the tests count, no error of theirs
    """The server ended the connection before a whole reply had come."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The S3 error code in the body; "" where there is none."""
        return self.text("Code")

    def text(self, tag: str) -> str:
        """The text of the document's first element of that tag; "" where there is none."""
        match = re.search(f"<{tag}>([^<]*)</{tag}>".encode(), self.body)
        return match[1].decode() if match else ""

    @property
    def etag(self) -> str:
        """The ETag without its quotes."""
        return self.headers.get("etag", "").strip('"')

    @property
    def ends_connection(self) -> bool:
        """Whether the server said that it closes now."""
        return self.headers.get("connection", "").lower() == "close"


def path_of(bucket: str, key: str = "") -> str:
    """Write the path of a bucket or an object, percent-encoded as SigV4 has it."""
    return f"/{bucket}/{quote(key, safe='/~')}" if key else f"/{bucket}"


class Connection:
    """One TCP connection to the server."""

    def __init__(self, address: tuple[str, int], *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are; ConnectionEnded when the server takes no more."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionEnded(str(error)) from error

    def reset(self) -> None:
        """End the connection with a TCP reset, as a client does that is killed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def is_ended(self, seconds: float = 0.05) -> bool:
        """Wait a moment for the server to close; bytes nobody asked for count as open."""
        self._socket.settimeout(seconds)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        finally:
            self._socket.settimeout(TIMEOUT_SECONDS)

    def has_begun(self, seconds: float = TIMEOUT_SECONDS) -> bool:
        """Wait for the first byte of a reply, and leave it there."""
        self._socket.settimeout(seconds)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except (TimeoutError, BlockingIOError, ConnectionResetError):
            return False
        finally:
            self._socket.settimeout(TIMEOUT_SECONDS)

    def reply(self, method: str = "GET") -> Reply:
        """Read the next final reply; interim ones are skipped."""
        while True:
            status, headers = self._head()
            if status >= CONTINUE * 2:
                return Reply(status, headers, self._body(method, status, headers))

    def interim(self) -> int:
        """Read the next reply's head, which must be an interim one, and answer its status."""
        status, _ = self._head()
        assert status < CONTINUE * 2, f"a final reply came: {status}"
        return status

    def _head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", f"not a status line: {lines[0]!r}"
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(status), headers

    def _body(self, method: str, status: int, headers: Mapping[str, str]) -> bytes:
        if method == "HEAD" or status in {204, 304}:
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunked()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self._rest()

    def _chunked(self) -> bytes:
        pieces = []
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            pieces.append(self._exactly(size))
            assert self._exactly(2) == b"\r\n", "a chunk ends with CRLF"
        while self._until(b"\r\n"):
            pass
        return b"".join(pieces)

    def _until(self, mark: bytes) -> bytes:
        start = 0
        while (end := self._received.find(mark, start)) < 0:
            start = max(0, len(self._received) - len(mark))
            self._receive()
        found = bytes(self._received[:end])
        del self._received[: end + len(mark)]
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        found = bytes(self._received[:size])
        del self._received[:size]
        return found

    def _rest(self) -> bytes:
        try:
            while True:
                self._receive()
        except ConnectionEnded:
            found, self._received = bytes(self._received), bytearray()
            return found

    def _receive(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except ConnectionResetError as error:
            raise ConnectionEnded(f"reset after {bytes(self._received[:200])!r}") from error
        if not data:
            raise ConnectionEnded(f"closed after {bytes(self._received[:200])!r}")
        self._received += data


@dataclass(frozen=True, slots=True)
class Caller:
    """Writes signed requests to one server, and sends them over new connections or a given one."""

    address: tuple[str, int]
    signer: Signer

    @property
    def host(self) -> str:
        """The Host header of this server."""
        return f"{self.address[0]}:{self.address[1]}"

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(self.address)

    def sign(
        self, method: str, target: str, headers: Mapping[str, str] | None, payload_hash: str
    ) -> Signed:
        """Sign a request for this server."""
        lines = {name.lower(): value for name, value in (headers or {}).items()}
        return self.signer.sign(method, target, {"host": self.host, **lines}, payload_hash)

    def head(
        self,
        method: str,
        target: str,
        length: int | None,
        headers: Mapping[str, str] | None = None,
        payload_hash: str = UNSIGNED,
    ) -> bytes:
        """Write the head of a signed request whose body has `length` bytes."""
        return write_head(
            method, target, self.sign(method, target, headers, payload_hash).headers, length
        )

    def request(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Write a whole request; its body's digest is signed."""
        digest = hashlib.sha256(body).hexdigest()
        length = len(body) if body or method in {"PUT", "POST"} else None
        return self.head(method, target, length, headers, digest) + body

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        over: Connection | None = None,
    ) -> Reply:
        """Send a request and read its reply."""
        request = self.request(method, target, body, headers)
        if over is not None:
            over.send(request)
            return over.reply(method)
        with self.connect() as connection:
            connection.send(request)
            return connection.reply(method)


def write_head(method: str, target: str, headers: Mapping[str, str], length: int | None) -> bytes:
    """Write a request's head as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    if length is not None:
        lines.append(f"content-length: {length}")
    return "\r\n".join((*lines, "", "")).encode("latin-1")
