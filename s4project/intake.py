"""A large body on its way in: received into the memory it is hashed and written from.

While the application waits for a body that is long, the transport fills a buffer of its own with
it, past the parser, which has nothing to find there: no byte is copied between the socket and the
disk. The application is given the buffer when it is full, when the body ends, or, of a slow
client, once a second. Knows nothing of S3.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from storage_engine.buffers import Buffers
from storage_engine.limits import BUFFER_BYTES

if TYPE_CHECKING:
    from s4project.edge import Edge
    from s4project.exchange import Exchange

LARGE_BYTES: Final = 128 * 1024  # a body of which less is to come is cheaper through the parser
SLOW_SECONDS: Final = 1.0
KEPT_MAX: Final = 32  # buffers that a worker keeps; more bodies at once have new memory each time

_buffers: Final = Buffers(KEPT_MAX)


class Intake(asyncio.BufferedProtocol):
    """What the transport writes a body to."""

    def __init__(self, edge: Edge, exchange: Exchange, rest: int) -> None:
        """Take the `rest` bytes of the body that have not come yet, after what was parsed."""
        self.edge = edge
        self.exchange = exchange
        self.rest = rest
        self.filled = 0
        self.buffer: memoryview | None = None  # lent when there is something to put into it

    # --- the transport's side ---

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the memory that the next bytes go to; what follows the body is not for it."""
        del sizehint
        if self.buffer is None:
            self.buffer = self._begin()
        return self.buffer[self.filled : self.filled + self.rest]

    def _begin(self) -> memoryview:
        """Begin a buffer with what came before the body was asked for."""
        chunks = self.exchange.take_chunks()
        buffer = _buffers.lend(min(self.rest + sum(map(len, chunks)), BUFFER_BYTES))
        for chunk in chunks:
            buffer[self.filled : self.filled + len(chunk)] = chunk
            self.filled += len(chunk)
        return buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Note what was received; hand over what is full."""
        self.filled += nbytes
        self.rest -= nbytes
        self.exchange.received_bytes += nbytes
        assert self.buffer is not None
        if not self.rest:
            self.edge.end_intake()
        elif self.filled == len(self.buffer):
            self.edge.flow.pause_reading()
            self.exchange.wake()

    def eof_received(self) -> None:
        """Let the connection close."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the connection."""
        self.edge.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell the connection."""
        self.edge.pause_writing()

    def resume_writing(self) -> None:
        """Tell the connection."""
        self.edge.resume_writing()

    # --- the application's side ---

    def hurry(self, now: float) -> None:
        """Have the application take what a slow client has sent so far."""
        exchange = self.exchange
        since = exchange.awaiting_since
        if since and now - since > SLOW_SECONDS and (self.filled or exchange.chunks):
            exchange.wake()

    def take(self) -> bytes | memoryview:
        """Give away what is there."""
        buffer, filled = self.buffer, self.filled
        if buffer is None:
            return b"".join(self.exchange.take_chunks())
        self.filled = 0
        if 2 * filled < len(buffer):  # a slow client shall not hold what he does not fill
            return bytes(buffer[:filled])
        self.buffer = None
        return buffer[:filled]
