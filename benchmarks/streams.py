"""Large bodies: one stream of a gibibyte each way, and uploads in parts over connections."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from load import Load, LoadError
from loop import Connection, percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server
    from signing import Signer

PART_BYTES = 8 << 20
BLOCK_BYTES = (8 << 20) + 4099  # a part begins elsewhere in it than the next: no two are alike
UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")


class Body:
    """A body of any size that is like no other, made of one block of random bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._block = memoryview(os.urandom(min(size, BLOCK_BYTES)))

    def chunks(self, start: int = 0, size: int | None = None) -> Iterator[bytes | memoryview]:
        """Yield a stretch of it."""
        end = self.size if size is None else start + size
        while start < end:
            at = start % len(self._block)
            chunk = self._block[at : at + end - start]
            start += len(chunk)
            yield chunk


def _head(signer: Signer, method: str, path: str, query: str = "", length: int = 0) -> bytes:
    headers = signer.headers(signer.signatures(method, [path], query)[0])
    lines = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.1"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    if method in {"PUT", "POST"}:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def put_once(connection: Connection, server: Server, path: str, body: Body) -> int:
    """Put one object; answer the status."""
    connection.send(_head(server.signer(), "PUT", path, length=body.size))
    for chunk in body.chunks():
        connection.socket.sendall(chunk)
    return connection.wait().status


def put(server: Server, path: str, size: int, count: int) -> Load:
    """Put objects one after the other over one connection."""
    connection = Connection(server.signer().host)
    bodies = iter([Body(size) for _ in range(count)])  # made before they are timed
    try:
        return _timed(
            lambda: put_once(connection, server, f"{path}{time.time_ns()}", next(bodies)), count
        )
    finally:
        connection.socket.close()


def get(server: Server, path: str, count: int) -> Load:
    """Get an object again and again over one connection, and drop it."""
    connection = Connection(server.signer().host)

    def once() -> int:
        return connection.ask(_head(server.signer(), "GET", path)).status

    try:
        return _timed(once, count)
    finally:
        connection.socket.close()


def multipart(server: Server, path: str, size: int, connections: int, count: int) -> Load:
    """Upload objects in parts, over so many connections; an operation is one whole object."""
    open_connections = [Connection(server.signer().host) for _ in range(connections)]
    bodies = iter([Body(size) for _ in range(count)])

    def once() -> int:
        key, body = f"{path}{time.time_ns()}", next(bodies)
        made = UPLOAD_ID.search(server.demand("POST", key, query="uploads="))
        if made is None:
            raise LoadError("CreateMultipartUpload was answered without an UploadId")
        upload = made[1].decode()
        numbers = range(1, -(-size // PART_BYTES) + 1)

        def part(turn: int) -> list[tuple[int, str]]:
            mine = numbers[turn::connections]
            return [(number, _part(open_connections[turn], number)) for number in mine]

        def _part(connection: Connection, number: int) -> str:
            start = (number - 1) * PART_BYTES
            length = min(PART_BYTES, size - start)
            query = f"partNumber={number}&uploadId={upload}"
            connection.send(_head(server.signer(), "PUT", key, query, length))
            for chunk in body.chunks(start, length):
                connection.socket.sendall(chunk)
            answer = connection.wait()
            etag = re.search(rb"(?i)\r\netag: *([^\r]+)", connection.head)
            if answer.status != 200 or etag is None:
                raise LoadError(f"UploadPart was answered {answer.status}")
            return etag[1].decode()

        with ThreadPoolExecutor(connections) as pool:
            parts = sorted(pair for share in pool.map(part, range(connections)) for pair in share)
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in parts
        )
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        return server.ask("POST", key, document, f"uploadId={upload}")[0]

    try:
        return _timed(once, count)
    finally:
        for connection in open_connections:
            connection.socket.close()


def _timed(once: Callable[[], int], count: int) -> Load:
    times, refused, cpu = [], 0, time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        refused += once() >= 400
        times.append(time.perf_counter() - began)
    p50, p99 = percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3
    cpu = time.process_time() - cpu
    return Load(count, sum(times), round(p50, 2), round(p99, 2), refused, 0, cpu)
