"""A client in Python that sends exactly the requests it is given, over so many connections.

Slower than wrk, and it can what wrk cannot: end after a count, meet a HEAD's length without
waiting for a body, and see the first byte of an answer. Requests are signed before they are timed.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from load import Load, LoadError, filler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from load import Stage
    from signing import Signer

WAIT_SECONDS = 60
CHUNK_BYTES = 1 << 20
END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, as far as a load generator must understand it."""

    status: int
    length: int | None  # bytes of body to come; None: chunked

    @classmethod
    def read(cls, head: bytes, *, has_body: bool) -> Answer:
        """Read a head."""
        status = int(head[9:12])
        if not has_body or status in {204, 304}:
            return cls(status, 0)
        lower = head.lower() + b"\r\n"
        start = lower.find(b"\r\ncontent-length:")
        if start < 0:
            return cls(status, None if b"\r\ntransfer-encoding:" in lower else 0)
        return cls(status, int(lower[start + 17 : lower.find(b"\r\n", start + 2)]))


class Connection:
    """One connection, with one request at a time."""

    def __init__(
        self, host: str, room: int = CHUNK_BYTES, tls: ssl.SSLContext | None = None
    ) -> None:
        name, _, port = host.rpartition(":")
        self.socket = socket.create_connection((name, int(port)), WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=name)
        self.buffer = bytearray(room)
        self.sent = self.first = 0.0
        self._head = b""
        self._answer: Answer | None = None
        self._left = 0
        self._has_body = True

    def send(self, head: bytes, body: bytes = b"", *, has_body: bool = True) -> None:
        """Send a request."""
        self._head, self._answer, self._has_body, self.first = b"", None, has_body, 0.0
        self.sent = time.perf_counter()
        self.socket.sendall(head + body)

    def receive(self) -> Answer | None:
        """Take in what has come; answer when the answer is whole."""
        count = self.socket.recv_into(self.buffer)
        if not count:
            raise LoadError("a connection was closed before the answer was whole")
        self.first = self.first or time.perf_counter()
        if self._answer is None:
            self._head += self.buffer[:count]
            head, end, rest = self._head.partition(END)
            if not end:
                return None
            self._answer = Answer.read(head, has_body=self._has_body)
            self._left = (self._answer.length or 0) - len(rest)
            tail = rest
        else:
            self._left -= count
            tail = bytes(self.buffer[max(count - 5, 0) : count])
        if self._answer.length is None:
            return self._answer if tail.endswith(b"0\r\n\r\n") else None
        return self._answer if self._left <= 0 else None

    @property
    def has_more(self) -> bool:
        """Tell whether TLS has deciphered more than was taken in: no poll tells of that."""
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    @property
    def head(self) -> bytes:
        """The answer's head, and what came with it."""
        return self._head

    def ask(self, head: bytes, body: bytes = b"") -> Answer:
        """Send a request and wait for its answer."""
        self.send(head, body)
        return self.wait()

    def wait(self) -> Answer:
        """Wait for the answer to what was sent."""
        while True:
            answer = self.receive()
            if answer is not None:
                return answer


def requests(stage: Stage, signer: Signer) -> list[tuple[bytes, bytes]]:
    """Make the heads and bodies of a stage's requests, one for each path."""
    target = f"?{stage.query}" if stage.query else ""
    signatures = signer.signatures(stage.method, stage.paths, stage.query)
    headers = signer.headers("")
    if stage.method == "PUT":
        headers = {"Content-Length": str(stage.size)} | headers
    shared = "\r\n".join(f"{name}: {text}" for name, text in headers.items())
    rest = filler(stage.size) if stage.method == "PUT" else b""
    return [
        (
            f"{stage.method} {path}{target} HTTP/1.1\r\n{shared}{signature}\r\n\r\n".encode(),
            (stage.mark(index).encode() + rest)[: stage.size] if stage.method == "PUT" else b"",
        )
        for index, (path, signature) in enumerate(zip(stage.paths, signatures, strict=True))
    ]


def run(stage: Stage, signer: Signer, tls: ssl.SSLContext | None = None) -> Load:
    """Send the stage's requests, each once or as many as its seconds allow; tell how it went."""
    waiting = iter(requests(stage, signer))
    has_body = stage.method != "HEAD"
    count = min(stage.connections, len(stage.paths))
    connections = [Connection(signer.host, tls=tls) for _ in range(count)]
    whole: list[float] = []
    first: list[float] = []
    refused = 0
    poll = select.epoll()
    by_file = {each.socket.fileno(): each for each in connections}
    began, cpu = time.perf_counter(), time.process_time()
    deadline = began + stage.seconds if stage.seconds else float("inf")
    try:
        for file, connection in by_file.items():
            poll.register(file, select.EPOLLIN)
            _next(connection, waiting, has_body=has_body)
        busy = len(by_file)
        while busy:
            ready = poll.poll(WAIT_SECONDS)
            if not ready:
                raise LoadError(f"no answer to {stage.method} within {WAIT_SECONDS} s")
            for file, _ in ready:
                connection = by_file[file]
                answer = connection.receive()
                while answer is None and connection.has_more:
                    answer = connection.receive()
                if answer is None:
                    continue
                now = time.perf_counter()
                whole.append(now - connection.sent)
                first.append(connection.first - connection.sent)
                refused += answer.status >= 400
                if now > deadline or not _next(connection, waiting, has_body=has_body):
                    poll.unregister(file)
                    busy -= 1
    finally:
        poll.close()
        for connection in connections:
            connection.socket.close()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    p50, p99 = percentile(whole, 0.5) * 1e3, percentile(whole, 0.99) * 1e3
    return Load(
        *(len(whole), seconds, round(p50, 3), round(p99, 3), refused, 0, cpu),
        round(percentile(first, 0.5) * 1e3, 3),
    )


def _next(
    connection: Connection, waiting: Iterator[tuple[bytes, bytes]], *, has_body: bool
) -> bool:
    """Send the next request, if there is one."""
    request = next(waiting, None)
    if request is not None:
        connection.send(*request, has_body=has_body)
    return request is not None


def percentile(values: list[float], share: float) -> float:
    """Pick the value below which such a share lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
