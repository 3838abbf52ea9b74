"""The HTTP/1.1 edge: uvicorn's httptools protocol with a bound on everything a client can hold.

Every bound is a field of `Limits`. No timer runs for a request: the worker calls `Edge.sweep` on
each connection once a second. Refusals made here, before any application, look like S3's.
Sources: RFC 9110, RFC 9112. Knows nothing of buckets, users or Django.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from s3api.errors import S3Error
from s4project.exchange import Exchange
from s4project.forwarding import Malformed
from s4project.refusals import http11_refusal
from s4project.stalls import Pace, StallWatch

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import HTTPScope
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from s4project.forwarding import Proxies
    from s4project.intake import Intake

KIB: Final = 1024
MIB: Final = 1024 * KIB
VERSIONS: Final = frozenset({"1.1", "1.0"})
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
DROPPED: Final = cast("list[tuple[bytes, bytes]]", deque(maxlen=0))  # keeps none of what is added
ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Everything one client can hold of a worker. Sizes in bytes, times in seconds."""

    connections: int = 4096  # per worker; beyond, requests are refused with SlowDown
    connections_refused: int = 256  # how many may wait for that answer; beyond, they are cut
    handshakes: int = 512  # of TLS at once, per worker; beyond, the oldest is cut
    handshake_seconds: float = 10
    head_bytes: int = 64 * KIB  # a 1,024-byte key, percent-encoded, in a presigned URL with a token
    first_byte_seconds: float = 30  # a new connection that says nothing
    head_seconds: float = 20  # from a request's first byte to the end of its head
    idle_seconds: float = 75  # between requests; the pools of the usual clients keep them for 60
    body_seconds: float = 150  # for `pace_bytes` of a body the application waits for, or its end
    stall_seconds: float = 120  # for the client to take as much of a reply that waits for him
    pace_bytes: int = 64 * KIB  # what comes slower is no slow line (a modem does 1 KiB/s): it drips
    buffered_bytes: int = 64 * KIB  # of a body the application has not asked for yet
    asked_bytes: int = 512 * KIB  # of one it waits for: it is woken once for what comes at once
    unread_bytes: int = MIB  # of a body nobody wants, read to keep the connection
    linger_bytes: int = 16 * MIB  # the same on a connection about to close, so the reply gets there
    linger_seconds: float = 5
    pipelined: int = 256  # requests waiting for their turn on one connection


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Split a request's target into path and query; httptools.HttpParserInvalidURLError.

    What begins with a slash, as nearly all do, needs no parser: the one that found the target has
    looked at each byte of it.
    """
    if target[:1] == b"/" and b"#" not in target:
        path, _, query = target.partition(b"?")
        return path, query
    url = httptools.parse_url(target)
    return url.path or b"/", url.query or b""


def _address(transport: asyncio.BaseTransport, name: str) -> tuple[str, int] | None:
    """Tell host and port of an end of a connection; None when the system knows it no more."""
    found = transport.get_extra_info(name)
    return None if found is None else (found[0], found[1])


class _Deaf(Exception):  # noqa: N818  # not an error: it stops the parser
    """The rest of what this connection sends is of no interest."""


class Edge(HttpToolsProtocol):
    """One connection."""

    cycle: Exchange  # type: ignore[assignment]  # the request being parsed, or parsed last, if any

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        proxies: Proxies,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = limits
        self.proxies = proxies
        self.is_from_proxy = False  # the peer is one whose word on the client counts
        self.running: Exchange | None = None  # the request being answered, or answered last
        self.queue: deque[Exchange] = deque()  # requests sent ahead, in order
        self.since = 0.0  # when the connection came to wait for what it waits for now
        self.has_served = False
        self.is_excess = False  # one connection too many: its request is refused
        self.is_in_head = False
        self.silent_bytes = 0  # fed to the parser since it last completed a head or gave a body
        self.dropped_bytes = 0  # read of a body nobody wants
        self.skips_end = False  # the parser is about to end a message too early: see `_splice`
        self.is_deaf = False  # what comes is not parsed any more
        self.is_lingering = False  # nothing is left to send; waits for the client to close
        self.intake: Intake | None = None  # of the body that goes past the parser
        self.refusal: bytes | None = None  # to be sent when the replies before it are out
        self.stalls = StallWatch()
        self.pace = Pace()

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; cut the connection at once when even refusing it would be too much.

        As uvicorn does, but with the addresses as the transport knows them: uvicorn makes a Python
        socket for each, to ask the system again.
        """
        self.connections.add(self)
        self.transport, self.flow = transport, FlowControl(transport)
        self.server = _address(transport, "sockname")
        self.client = _address(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"
        self.since = self.loop.time()
        self.is_from_proxy = self.client is not None and self.proxies.trusts(self.client[0])
        excess = len(self.connections) - self.limits.connections
        self.is_excess = excess > 0
        if excess > self.limits.connections_refused:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request in progress, and forget those that wait behind it."""
        self.connections.discard(self)
        if self.running is not None:
            self.running.disconnect()
        self.queue.clear()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        # These hold on to this connection, and it to them: only the collector would find that.
        self.running = self.intake = None
        self.cycle = self.parser = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Parse what came in, within bounds."""
        if self.is_deaf:
            self._drop(len(data))
            return
        if self.intake is not None and not (data := self._pass_by(data)):
            return
        self.silent_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http11(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._stop_parsing(error)
        else:
            if self.silent_bytes > self.limits.head_bytes:
                self._refuse(S3Error("RequestHeaderSectionTooLarge"))

    def begin_intake(self, intake: Intake) -> None:
        """Let the rest of a body go past the parser."""
        self.intake = intake
        self.transport.set_protocol(intake)

    def end_intake(self) -> None:
        """Go on behind such a body, with a parser that never heard of it."""
        self.intake = None
        self.transport.set_protocol(self)
        self.parser = httptools.HttpRequestParser(self)
        self.on_message_complete()

    def _pass_by(self, data: bytes) -> bytes:
        """Drop what is left of a body that nobody wants any more; answer what is behind it."""
        assert self.intake is not None
        body = data[: self.intake.rest]
        self.intake.rest -= len(body)
        try:
            self.on_body(body)
        except _Deaf:
            return b""
        if not self.intake.rest:
            self.end_intake()
        return data[len(body) :]

    def _drop(self, byte_count: int) -> None:
        """Read on without parsing, so that the client gets to read the reply."""
        self.dropped_bytes += byte_count
        if self.dropped_bytes > self.limits.linger_bytes:
            self.transport.close()

    def _stop_parsing(self, error: httptools.HttpParserError) -> None:
        """Answer what the parser, or a callback under it, could not accept."""
        reason = error.__context__ or error
        if isinstance(reason, _Deaf):
            return
        if isinstance(reason, S3Error):
            self._refuse(reason)
        elif isinstance(reason, httptools.HttpParserInvalidURLError | UnicodeDecodeError):
            self._refuse(S3Error("InvalidURI"))
        else:
            if not isinstance(reason, httptools.HttpParserError):
                self.logger.error("A request could not be begun", exc_info=reason)
            self._refuse(S3Error("BadRequest"))

    def _stay_with_http11(self, rest: bytes) -> None:
        """Ignore the offer of another protocol (RFC 9110, 7.8) and go on behind its head.

        The parser leaves the body of such a request (Java's HTTP client sends them) unread: a
        second parser takes it, which must be told how long it is. The connection closes after.
        """
        if self.skips_end:
            self.skips_end = False
            self.cycle.keep_alive = False
            self.cycle.is_spliced = True
            lines = [b"%b: %b\r\n" % pair for pair in self._framing()]
            ears = SimpleNamespace(on_body=self.on_body, on_message_complete=self._end_splice)
            self.parser = httptools.HttpRequestParser(ears)
            rest = b"PUT / HTTP/1.1\r\n%b\r\n%b" % (b"".join(lines), rest)
        if rest:
            self.data_received(rest)

    def _end_splice(self) -> None:
        """End a body that was parsed apart from its head."""
        self.on_message_complete()
        self.is_deaf = True
        raise _Deaf

    # --- the parser's side ---

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.is_in_head = True
        self.since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers come when `headers` keeps nothing: see `on_headers_complete`."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Start the request, or queue it behind the one that is being answered."""
        parser = self.parser
        version = parser.get_http_version()
        self._check_head(version)
        self._make_scope(version)
        self.is_in_head = False
        self.silent_bytes = 0
        self.skips_end = parser.should_upgrade() and bool(self._framing())
        self.headers = DROPPED  # what comes now are trailers: they must not pass for signed headers
        keep_alive = version == "1.1" and parser.should_keep_alive()
        running, self.cycle = self.running, Exchange(self, keep_alive=keep_alive)
        if running is None or running.response_complete:
            self._run(self.cycle)
        else:
            self.flow.pause_reading()
            self.queue.append(self.cycle)

    def _make_scope(self, version: str) -> None:
        """Write down what the head tells of the request."""
        raw_path, query = split_target(self.url)
        path = raw_path.decode("ascii")
        scope = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "method": self.parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
        }
        self.scope = cast("HTTPScope", scope)
        if self.is_from_proxy:
            self._believe()

    def _believe(self) -> None:
        """Let client and scheme be those that a trusted proxy tells of; its port is not ours."""
        try:
            host, scheme = self.proxies.origin(self.headers)
        except Malformed as error:
            raise S3Error("BadRequest", str(error)) from error
        if host is not None:
            self.scope["client"] = (host, 0)
        if scheme is not None:
            self.scope["scheme"] = scheme

    def _check_head(self, version: str) -> None:
        """Refuse a head that is too large, not HTTP/1, without Host, or one too many.

        Finds out as well whether the client waits to be asked for its body.
        """
        limits = self.limits
        if self.silent_bytes > limits.head_bytes and self._head_bytes() > limits.head_bytes:
            raise S3Error("RequestHeaderSectionTooLarge")
        if version not in VERSIONS:
            raise S3Error("BadRequest", "S4 speaks HTTP/1.1 here.")
        headers = self.headers
        fields = dict(headers)
        hosts = int(b"host" in fields)
        if len(fields) != len(headers):
            hosts = sum(name == b"host" for name, _ in headers)
        if hosts != 1 and (hosts or version == "1.1"):  # RFC 9112, 3.2
            raise S3Error("BadRequest", "A request must have one Host header.")
        # RFC 9110, 10.1.1: one of HTTP/1.0 does not wait.
        if b"expect" in fields and version == "1.1":
            self.expect_100_continue = fields[b"expect"].lower() == b"100-continue"
        if self.is_excess:
            raise S3Error("SlowDown")
        if len(self.queue) >= limits.pipelined:
            self._hear_no_more()

    def _framing(self) -> list[tuple[bytes, bytes]]:
        """List the headers of the request just parsed that tell how long its body is."""
        return [pair for pair in self.scope["headers"] if pair[0] in FRAMING]

    def _head_bytes(self) -> int:
        """Measure the request line and headers of the head just parsed."""
        lines = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return len(self.url) + lines

    def _hear_no_more(self) -> None:
        """Answer what a client has sent ahead, and nothing beyond: it asks again elsewhere."""
        self.queue[-1].keep_alive = False
        self.is_deaf = True
        raise _Deaf

    def _run(self, exchange: Exchange) -> None:
        """Let the application answer a request."""
        self.running = exchange
        running = self.app(exchange.scope, exchange.receive, exchange.send)
        task = self.loop.create_task(running)
        self.tasks.add(task)
        task.add_done_callback(exchange.end)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; past the bound, read no more until it was asked for."""
        self.silent_bytes = 0
        exchange = self.cycle
        if exchange.response_complete:
            self.dropped_bytes += len(body)
            if self.dropped_bytes > self.limits.unread_bytes:
                self._linger()
                raise _Deaf
            return
        exchange.take(body)
        limits = self.limits
        is_asked = exchange.awaiting_since  # it comes to fetch what is there
        if exchange.buffered_bytes > (limits.asked_bytes if is_asked else limits.buffered_bytes):
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """Note the end of the request."""
        self.silent_bytes = 0
        if not self.skips_end:
            self.cycle.finish()

    # --- ends ---

    def on_response_complete(self) -> None:
        """Go on to the next request of the connection, or end it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        assert self.running is not None
        self.since = self.loop.time()
        self.has_served = True
        self.dropped_bytes = 0
        if self.intake is not None:
            self.transport.set_protocol(self)
        if not self.running.keep_alive:
            self._end()
        elif self.queue:
            self._run(self.queue.popleft())
        elif self.refusal is not None:
            self.transport.write(self.refusal)
            self._linger()
        if not self.queue and not self.is_deaf:
            self.flow.resume_reading()

    def _end(self) -> None:
        """Close after a reply; linger where the client may still be sending."""
        assert self.running is not None
        if self.running.more_body or self.queue or self.is_deaf:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Half-close, and drop what still comes until the client closes (RFC 9112, 9.6).

        Closing at once would answer unread bytes with a reset, which may destroy the reply.
        """
        self.is_deaf = self.is_lingering = True
        self.queue.clear()
        self.since = self.loop.time()
        self.dropped_bytes = 0
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _refuse(self, error: S3Error) -> None:
        """Answer with an error in place of the request being parsed, and close."""
        self.is_deaf = True
        if self.running is not None and self.cycle.more_body:
            self._break_off()
        if self.is_lingering or self.transport.is_closing():
            return
        self.refusal = http11_refusal(error, self.server_state.default_headers)
        if self.running is None or self.running.response_complete or self.running.disconnected:
            self.transport.write(self.refusal)
            self._linger()
        else:
            self.flow.pause_reading()

    def _break_off(self) -> None:
        """Give up the request whose body turned out malformed."""
        broken = self.cycle
        if self.queue and self.queue[-1] is broken:
            self.queue.pop()
        elif broken.response_complete:
            self._linger()
        else:
            broken.disconnect()
            if broken.response_started:
                self.transport.close()

    def shutdown(self) -> None:
        """Close an idle connection now, a busy one after the requests it has sent."""
        if self.is_lingering or self.running is None or self.running.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    # --- time ---

    def sweep(self, now: float) -> None:
        """Close the connection if the client has kept it waiting too long."""
        if self.intake is not None:
            self.intake.hurry(now)
        if self.stalls.is_stalled(self.transport, now, self.limits):
            self.transport.abort()
        elif not self.transport.is_closing():
            since, patience = self._turn()
            if now - since > patience:
                self.transport.close()

    def _turn(self) -> tuple[float, float]:
        """Tell since when the client is expected to act, and how many seconds it has."""
        limits, running = self.limits, self.running
        if self.is_lingering:
            return self.since, limits.linger_seconds
        if running is not None and not running.response_complete:
            since = self.pace.behind_since(running, limits.pace_bytes)
            return since, limits.body_seconds if since else float("inf")
        if self.is_in_head or (running is not None and running.more_body):
            return self.since, limits.head_seconds
        return self.since, limits.idle_seconds if self.has_served else limits.first_byte_seconds
