"""One request and its reply on a connection: what the application receives and sends.

In place of uvicorn's: a body is handed over without being copied twice, a reply that comes before
the body was read says whether the connection lives on, the head is made and checked in a few calls
for all of it, and nothing stands around the application's own coroutine. Knows nothing of S3.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from s4project.intake import LARGE_BYTES, Intake

if TYPE_CHECKING:
    from uvicorn._types import (
        ASGIReceiveEvent,
        ASGISendEvent,
        HTTPResponseBodyEvent,
        HTTPResponseStartEvent,
    )

    from s4project.edge import Edge

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
COPIED_BYTES_MAX: Final = 16_384  # a body up to here is cheaper copied behind its head
LINE: Final = b": ".join  # of a name and a value
# How a header begins that frames the reply, in a head in lower case.
LENGTH: Final = b"\r\ncontent-length:"
CODING: Final = b"\r\ntransfer-encoding:"
CONNECTION: Final = b"\r\nconnection:"
BODILESS: Final = frozenset({204, 304})
# What may stand in a line of a reply's head: what else is in it must be the ends of its lines.
LEGAL: Final = bytes({*range(32, 127), *range(128, 256), *b"\t"})
FAILED: Final = b"Internal Server Error"
FAILURE: Final[HTTPResponseStartEvent] = {
    "type": "http.response.start",
    "status": 500,
    "headers": [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(FAILED)),
        (b"connection", b"close"),
    ],
}


class ClientGone(OSError):  # noqa: N818  # an event: the reply has nobody to go to
    """The connection is closed; an OSError, as ASGI says that `send` raises."""


def _value(name: bytes, text: bytes) -> bytes:
    """Find the first value of a header that is in a head, both in lower case."""
    return text.partition(name)[2].partition(b"\r\n")[0]


def _says_close(text: bytes) -> bool:
    """Tell whether a head that speaks of its connection, in lower case, closes it."""
    return b"close" in [token.strip() for token in _value(CONNECTION, text).split(b",")]


class Exchange:
    """One request and its reply; made when the request's head is complete."""

    more_body = True
    disconnected = False
    response_started = False
    response_complete = False
    buffered_bytes = 0
    received_bytes = 0
    awaiting_since = 0.0  # when the application began to wait for the client; 0: it is not
    has_news = False  # for the application that waits for the client
    news: asyncio.Event | None = None  # made by the first that has to wait
    head = b""
    chunked_encoding: bool | None = None
    expected_content_length = 0
    until_close = False  # the reply's end is the connection's end (HTTP/1.0)
    is_spliced = False  # the parser is not told where the body began
    intake: Intake | None = None  # where a large body goes past the parser

    def __init__(self, edge: Edge, *, keep_alive: bool) -> None:
        self.edge = edge
        self.scope = edge.scope
        self.transport = edge.transport
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = edge.expect_100_continue
        self.chunks: list[bytes] = []

    def end(self, task: asyncio.Task[None]) -> None:
        """Answer for an application that ended without answering, if somebody is there to know."""
        self.edge.tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None and self.response_complete:
            return
        if isinstance(error, ClientGone):
            return
        if error is not None:
            self.edge.logger.error("Exception in ASGI application\n", exc_info=error)
        elif not self.disconnected:
            self.edge.logger.error("ASGI callable returned without completing response.")
        if self.disconnected:
            return
        if self.response_started:
            self.transport.close()
        else:
            self._send_head(FAILURE)
            self._send_body({"type": "http.response.body", "body": FAILED, "more_body": False})

    # --- the request's side ---

    def take(self, body: bytes) -> None:
        """Keep a piece of the body until the application asks for it."""
        self.waiting_for_100_continue = False
        self.chunks.append(body)
        self.buffered_bytes += len(body)
        self.received_bytes += len(body)
        self.wake()

    def finish(self) -> None:
        """Note that the whole body has come.

        An empty body is asked for all the same: botocore, given a final status in place of the 100
        it announced to wait for, reads the next reply of the connection wrongly and hangs.
        """
        self.more_body = False
        self.wake()

    def disconnect(self) -> None:
        """Tell the application that there is nobody to answer any more."""
        if not self.response_complete:
            self.disconnected = True
        self._forget_body()
        self.wake()

    def take_chunks(self) -> list[bytes]:
        """Give away what the parser has found of the body."""
        chunks, self.chunks, self.buffered_bytes = self.chunks, [], 0
        return chunks

    def rest(self) -> int | None:
        """Tell how many bytes of the body are still to come; None: the client has not said."""
        lengths = [value for name, value in self.scope["headers"] if name == b"content-length"]
        return int(lengths[0]) - self.received_bytes if lengths else None

    def _forget_body(self) -> None:
        """Let go of what came of the body: nobody will ask for it."""
        self.chunks.clear()
        self.intake = None

    def wake(self) -> None:
        """Let the application go on that waits for the client."""
        self.has_news = True
        if self.news is not None:
            self.news.set()

    async def receive(self) -> ASGIReceiveEvent:
        """Hand over what has come of the body; ask for it first when the client waits for that.

        Of a large body it is memory, in large pieces, where ASGI speaks of bytes.
        """
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.waiting_for_100_continue = False
            self.transport.write(CONTINUE)
        if not self.disconnected and not self.response_complete:
            await self._wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body: Any
        if self.intake is not None:
            body = self.intake.take()
        else:
            chunks = self.take_chunks()
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _wait(self) -> None:
        """Wait until the client has sent more, or all, or has gone."""
        if self.more_body:
            if self.intake is None and not self.is_spliced:
                self._begin_intake()
            self.edge.flow.resume_reading()
        if not self.has_news:
            self.awaiting_since = asyncio.get_running_loop().time()
            if self.news is None:
                self.news = asyncio.Event()
            self.news.clear()
            try:
                await self.news.wait()
            finally:  # the application may give up waiting
                self.awaiting_since = 0.0
        self.has_news = False

    def _begin_intake(self) -> None:
        """Have what is still to come, if it is much, received past the parser."""
        rest = self.rest()
        if rest is not None and rest >= LARGE_BYTES:
            self.intake = Intake(self.edge, self, rest)
            self.edge.begin_intake(self.intake)
            self.has_news = False  # what has come goes with what comes

    # --- the reply's side ---

    async def send(self, message: ASGISendEvent) -> None:
        """Write a part of the reply; waits while the client does not take what was written.

        ClientGone: an application that went on would read and make all of a reply for nobody.
        """
        flow = self.edge.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        is_going_on = self.response_started and not self.head
        if is_going_on and not self.disconnected and self.transport.is_closing():
            self.disconnect()  # as will be told in a later turn of the loop
        if self.disconnected:
            raise ClientGone
        if message["type"] == "http.response.body" and self.response_started:
            self._send_body(message)
        elif message["type"] == "http.response.start" and not self.response_started:
            self._send_head(message)
        else:
            raise RuntimeError(f"{message['type']} is out of order")

    def _send_head(self, message: HTTPResponseStartEvent) -> None:
        """Make up status line and headers; they go out with the first piece of the body."""
        status = message["status"]
        if self.more_body or self.waiting_for_100_continue:
            self._settle_unread_body()
        defaults = self.edge.server_state.default_headers
        lines = [*map(LINE, defaults), *map(LINE, message.get("headers", ())), b""]
        head = STATUS_LINE[status] + b"\r\n".join(lines)
        if head.translate(None, LEGAL) != b"\r\n" * len(lines):
            raise RuntimeError("a header of the reply holds a control character")
        text = head.lower()
        if CONNECTION in text and _says_close(text):
            self.keep_alive = False
        elif not self.keep_alive:
            head += b"connection: close\r\n"
        if CODING in text:
            self.chunked_encoding = True
        elif LENGTH in text:
            self.chunked_encoding = False
            self.expected_content_length = int(_value(LENGTH, text))
        elif status not in BODILESS:
            head += self._frame_unknown_length()
        self.response_started = True
        self.waiting_for_100_continue = False
        self.head = head + b"\r\n"

    def _frame_unknown_length(self) -> bytes:
        """Frame a reply of unknown length: in chunks, or by the end of the connection."""
        if self.scope["method"] == "HEAD":
            return b""
        if self.scope["http_version"] == "1.0":
            self.until_close = True
            return b""
        self.chunked_encoding = True
        return b"transfer-encoding: chunked\r\n"

    def _settle_unread_body(self) -> None:
        """Decide, before the reply's head goes out, whether the connection outlives its body.

        A client that waits for a 100 may send its body or not (RFC 9110, 10.1.1): what comes next
        cannot be told apart, so the connection must close. A short rest is read and dropped.
        """
        if self.waiting_for_100_continue:
            self.keep_alive = False
            return
        rest = self.rest()
        if rest is None or rest > self.edge.limits.unread_bytes:
            self.keep_alive = False

    def _send_body(self, message: HTTPResponseBodyEvent) -> None:
        """Write a piece of the body, the first one together with the head: one system call."""
        if self.response_complete:
            raise RuntimeError("http.response.body came after the reply's end")
        more_body = message.get("more_body", False)
        body = self._frame(message.get("body", b""), is_last=not more_body)
        head, self.head = self.head, b""
        if len(body) <= COPIED_BYTES_MAX:
            if head or body:
                self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        if not more_body:
            self.response_complete = True
            self._forget_body()
            self.wake()
            self.edge.on_response_complete()

    def _frame(self, body: bytes, *, is_last: bool) -> bytes:
        """Return the bytes to send for a piece of the body; check the promised length."""
        if self.scope["method"] == "HEAD":
            return b""
        if self.chunked_encoding:  # RFC 9112, 7.1
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk + b"0\r\n\r\n" if is_last else chunk
        if not self.until_close:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (is_last and self.expected_content_length):
                raise RuntimeError("the reply is not as long as its content-length says")
        return body
