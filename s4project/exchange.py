"""One request and its reply on a connection: what the application receives and sends.

Keeps uvicorn's task and error handling, and replaces its two ASGI callables: a body is handed over
without being copied twice, a reply that comes before the body was read says whether the connection
lives on, and header bytes are checked in one pass. Knows nothing of S3.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGIReceiveEvent,
        ASGISendCallable,
        ASGISendEvent,
        HTTPResponseBodyEvent,
        HTTPResponseStartEvent,
        Scope,
    )

    from s4project.edge import Edge

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
COPIED_BYTES_MAX: Final = 16_384  # a body up to here is cheaper copied behind its head
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
BODILESS: Final = frozenset({204, 304})
# What may stand in a line of a reply's head: what else is in it must be the ends of its lines.
LEGAL: Final = bytes({*range(32, 127), *range(128, 256), *b"\t"})


class ClientGone(OSError):  # noqa: N818  # an event: the reply has nobody to go to
    """The connection is closed; an OSError, as ASGI says that `send` raises."""


class Cycle(RequestResponseCycle):
    """uvicorn's error handling, to which a client that has gone is no error."""

    app: ASGI3Application

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Run the application; that it ends because the client has gone is no error."""
        self.app = app
        await super().run_asgi(self._until_gone)

    async def _until_gone(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        try:  # contextlib.suppress would cost each request as much as all of this
            await self.app(scope, receive, send)
        except ClientGone:
            return

    async def send_500_response(self) -> None:
        """Answer for an application that failed, if there is still somebody to answer."""
        with suppress(ClientGone):
            await super().send_500_response()


class Exchange(Cycle):
    """One request and its reply; made when the request's head is complete."""

    def __init__(self, edge: Edge, *, keep_alive: bool) -> None:
        # In place of uvicorn's, which would have an event made for each request.
        self.scope = edge.scope
        self.transport = edge.transport
        self.flow = edge.flow
        self.logger = edge.logger
        self.default_headers = edge.server_state.default_headers
        self.on_response = edge.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = edge.expect_100_continue
        self.disconnected = False
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0
        self.unread_bytes_max = edge.limits.unread_bytes
        self.has_news = False  # for the application that waits for the client
        self.news: asyncio.Event | None = None  # made by the first that has to wait
        self.chunks: list[bytes] = []
        self.buffered_bytes = 0
        self.received_bytes = 0
        self.awaiting_since = 0.0  # when the application began to wait for the client; 0: it is not
        self.head = b""
        self.until_close = False  # the reply's end is the connection's end (HTTP/1.0)

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
        self.chunks.clear()
        self.wake()

    def wake(self) -> None:
        """Let the application go on that waits for the client."""
        self.has_news = True
        if self.news is not None:
            self.news.set()

    async def receive(self) -> ASGIReceiveEvent:
        """Hand over what has come of the body; ask for it first when the client waits for that."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.waiting_for_100_continue = False
            self.transport.write(CONTINUE)
        if not self.disconnected and not self.response_complete:
            await self._wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        chunks, self.chunks, self.buffered_bytes = self.chunks, [], 0
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _wait(self) -> None:
        """Wait until the client has sent more, or all, or has gone."""
        if self.more_body:
            self.flow.resume_reading()
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

    # --- the reply's side ---

    async def send(self, message: ASGISendEvent) -> None:
        """Write a part of the reply; waits while the client does not take what was written.

        ClientGone: an application that went on would read and make all of a reply for nobody.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
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
        lines = [STATUS_LINE[status]]
        if self._add_headers(lines, (*self.default_headers, *message.get("headers", ()))):
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and status not in BODILESS:
            self._frame_unknown_length(lines)
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.translate(None, LEGAL) != b"\r\n" * len(lines):
            raise RuntimeError("a header of the reply holds a control character")
        self.response_started = True
        self.waiting_for_100_continue = False
        self.head = head

    def _add_headers(self, lines: list[bytes], headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Append header lines; tell whether one of them closes the connection."""
        says_close = False
        for raw_name, value in headers:
            name = raw_name.lower()
            if name in FRAMING:
                says_close = self._note_framing(name, value) or says_close
            lines.append(b"%b: %b\r\n" % (name, value))
        return says_close

    def _note_framing(self, name: bytes, value: bytes) -> bool:
        """Note how the application frames its reply; tell whether it closes the connection."""
        if name == b"connection":
            return b"close" in [token.strip() for token in value.lower().split(b",")]
        if name == b"transfer-encoding":
            self.chunked_encoding = True
            self.expected_content_length = 0
        elif self.chunked_encoding is None:
            self.chunked_encoding = False
            self.expected_content_length = int(value)
        return False

    def _frame_unknown_length(self, lines: list[bytes]) -> None:
        """Frame a reply of unknown length: in chunks, or by the end of the connection."""
        if self.scope["method"] == "HEAD":
            return
        if self.scope["http_version"] == "1.0":
            self.until_close = True
            return
        self.chunked_encoding = True
        lines.append(b"transfer-encoding: chunked\r\n")

    def _settle_unread_body(self) -> None:
        """Decide, before the reply's head goes out, whether the connection outlives its body.

        A client that waits for a 100 may send its body or not (RFC 9110, 10.1.1): what comes next
        cannot be told apart, so the connection must close. A short rest is read and dropped.
        """
        if self.waiting_for_100_continue:
            self.keep_alive = False
            return
        lengths = [value for name, value in self.scope["headers"] if name == b"content-length"]
        rest = int(lengths[0]) - self.received_bytes if lengths else None
        if rest is None or rest > self.unread_bytes_max:
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
            self.chunks.clear()
            self.wake()
            self.on_response()

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
