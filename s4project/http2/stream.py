"""One request and its reply over HTTP/2: what the application receives and sends.

The window of a body is widened as the application reads, and a reply is sent as the client's
windows and its turn among the connection's streams allow.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from s4project.exchange import LEGAL, ClientGone
from s4project.http2.limits import FIRST_WINDOW_BYTES
from s4project.stalls import Pace

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

    from s4project.http2.connection import Http2
    from s4project.http2.head import Head

BODILESS: Final = frozenset({204, 304})
# Of HTTP/1.1's connections, and without meaning here (RFC 9113, 8.2.2).
OF_CONNECTIONS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


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


class Stream(Cycle):
    """One request and its reply; made when the request's head is complete."""

    def __init__(self, connection: Http2, number: int, head: Head, *, has_body: bool) -> None:
        super().__init__(
            cast("Any", connection.scope | head.scope),
            cast("Any", self),  # what is closed for an application that failed: this stream alone
            cast("Any", None),  # flow: the connection's turns
            connection.logger,
            connection.logger,
            False,  # noqa: FBT003  # access_log: S4 writes none here
            connection.server_state.default_headers,
            asyncio.Event(),
            head.expects_continue and has_body,
            True,  # noqa: FBT003  # keep_alive: of no meaning here
            lambda: connection.on_reply_complete(self),
        )
        self.connection = connection
        self.number = number
        self.more_body = has_body
        self.length = head.length
        self.window = FIRST_WINDOW_BYTES  # what the client may still send
        self.chunks: list[bytes] = []
        self.buffered_bytes = 0  # of the windows, which padding takes a part of too
        self.received_bytes = 0
        self.awaiting_since = 0.0  # when the application began to wait for the client; 0: it is not
        self.pace = Pace()
        self.blocked_since = 0.0  # when the client's window last let enough of the reply go
        self.blocked_bytes = 0  # what it has let go since
        self.is_blocked = False
        self.draining_since = 0.0  # when the reply ended before the request did; 0: it did not
        self.is_uninvited = False  # the client holds its body back, and is not asked for it
        self.is_ended = False  # the last frame of the reply is out
        self.is_window_open = asyncio.Event()
        self.head: list[tuple[bytes, bytes]] | None = None

    def close(self) -> None:
        """Break the reply off: the application has failed in the midst of it."""
        self.connection.break_off(self)

    # --- the request's side ---

    def take(self, body: bytes, window_bytes: int) -> None:
        """Keep a piece of the body until the application asks for it."""
        self.waiting_for_100_continue = False
        self.window -= window_bytes
        self.received_bytes += len(body)
        if self.response_complete or self.disconnected:
            self.connection.give_back(window_bytes)
            return
        self.chunks.append(body)
        self.buffered_bytes += window_bytes
        self.message_event.set()

    def finish(self) -> None:
        """Note that the whole body has come."""
        self.more_body = False
        self.message_event.set()

    def disconnect(self) -> None:
        """Tell the application that there is nobody to answer any more."""
        if not self.response_complete:
            self.disconnected = True
        self.drop()
        self.message_event.set()
        self.is_window_open.set()

    def drop(self) -> None:
        """Forget what has come of the body."""
        self.chunks.clear()
        self.connection.give_back(self.buffered_bytes)
        self.buffered_bytes = 0

    @property
    def rest_bytes(self) -> int | None:
        """What must still come of the body; None when the client has not said how long it is."""
        return None if self.length is None else self.length - self.received_bytes

    async def receive(self) -> ASGIReceiveEvent:
        """Hand over what has come of the body, and let the client send more of it."""
        if self.waiting_for_100_continue and not self.disconnected:
            self.waiting_for_100_continue = False
            self.connection.send_continue(self)
        if not self.disconnected and not self.response_complete:
            await self._wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        chunks, self.chunks = self.chunks, []
        self.connection.give_back(self.buffered_bytes)
        self.buffered_bytes = 0
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def _wait(self) -> None:
        """Wait until the client has sent more, or all, or has gone."""
        if not self.message_event.is_set():
            self.connection.widen(self)
            self.awaiting_since = asyncio.get_running_loop().time()
            try:
                await self.message_event.wait()
            finally:  # the application may give up waiting
                self.awaiting_since = 0.0
        elif self.more_body:
            self.connection.widen(self)
        self.message_event.clear()

    # --- the reply's side ---

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the reply; waits while the client does not take it. ClientGone."""
        if self.disconnected:
            raise ClientGone
        if message["type"] == "http.response.body" and self.response_started:
            await self._send_body(message)
        elif message["type"] == "http.response.start" and not self.response_started:
            self._make_head(message)
        else:
            raise RuntimeError(f"{message['type']} is out of order")

    def _make_head(self, message: HTTPResponseStartEvent) -> None:
        """Make up the head; it goes out with the first piece of the body."""
        status = message["status"]
        head = [(b":status", b"%d" % status), *self.default_headers]
        head += _fields(message.get("headers", ()))
        values = b"".join([name + value for name, value in head])
        if values.translate(None, LEGAL):
            raise RuntimeError("a header of the reply holds a control character")
        lengths = [int(value) for name, value in head if name == b"content-length"]
        has_no_body = self.scope["method"] == "HEAD" or status in BODILESS
        self.expected_content_length = -1 if has_no_body or not lengths else lengths[-1]
        self.chunked_encoding = not has_no_body  # whether bytes may follow at all
        self.head = head
        self.response_started = True
        self.is_uninvited = self.waiting_for_100_continue
        self.waiting_for_100_continue = False

    async def _send_body(self, message: HTTPResponseBodyEvent) -> None:
        """Send a piece of the body, the first one together with the head."""
        if self.response_complete:
            raise RuntimeError("http.response.body came after the reply's end")
        is_last = not message.get("more_body", False)
        body = message.get("body", b"") if self.chunked_encoding else b""
        self._check_length(len(body), is_last=is_last)
        if self.head is not None:
            head, self.head = self.head, None
            self.connection.send_head(self, head, is_last=is_last and not body)
        if body:
            await self._pour(memoryview(body), is_last=is_last)
        elif not is_last:
            self.connection.flush()
        elif not self.is_ended:
            self.connection.send_data(self, b"", is_last=True)
        if is_last:
            self.response_complete = True
            self.on_response()

    def _check_length(self, size: int, *, is_last: bool) -> None:
        """Insist on the length that was promised; RuntimeError."""
        if self.expected_content_length < 0:
            return
        self.expected_content_length -= size
        if self.expected_content_length < 0 or (is_last and self.expected_content_length):
            raise RuntimeError("the reply is not as long as its content-length says")

    async def _pour(self, rest: memoryview, *, is_last: bool) -> None:
        """Send a piece of the body, step by step, as windows and turns allow; ClientGone."""
        connection = self.connection
        while rest:
            if self.disconnected:
                connection.turns.pass_on()
                raise ClientGone
            window = connection.window_of(self)
            if window <= 0 or not connection.may_send():
                connection.flush()  # the head at least
            if window <= 0:
                connection.turns.pass_on()
                await self._await_window()
            elif not connection.may_send():
                await connection.turns.wait()
            else:
                size = min(len(rest), window, connection.step_bytes())
                connection.send_data(self, rest[:size], is_last=is_last and size == len(rest))
                rest = rest[size:]
                self.blocked_bytes += size
                if rest and connection.turns:
                    connection.turns.pass_on()
                    await connection.turns.wait()
        connection.turns.pass_on()

    async def _await_window(self) -> None:
        """Wait until the client lets this stream go on."""
        self.is_window_open.clear()
        if not self.blocked_since or self.blocked_bytes >= self.connection.limits.pace_bytes:
            self.blocked_since = asyncio.get_running_loop().time()
            self.blocked_bytes = 0
        self.is_blocked = True
        try:
            await self.is_window_open.wait()
        finally:
            self.is_blocked = False


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Write headers as HTTP/2 has them."""
    fields = [(name.lower(), value) for name, value in headers]
    return [field for field in fields if field[0] not in OF_CONNECTIONS]
