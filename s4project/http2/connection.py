"""One connection over HTTP/2: its streams, its windows, its end, and a bound on all of them.

Framing and header compression are the h2 library's. Like `s4project.edge` it sets no timer for a
request: the worker calls `sweep` once a second. Source: RFC 9113.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from h2 import events as h2_events
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from s3api.errors import S3Error
from s4project.http2.beginnings import begin, bound_headers, complete
from s4project.http2.budget import BYTES_WORTH, REQUEST_WORTH, RESET_COST, Budget
from s4project.http2.head import read_head
from s4project.http2.limits import FIRST_WINDOW_BYTES, StreamLimits
from s4project.http2.stream import Stream
from s4project.http2.turns import Turns
from s4project.refusals import refusal
from s4project.stalls import StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from s4project.edge import Limits
    from s4project.forwarding import Proxies
    from s4project.http2.head import Head

CONTINUE: Final = [(b":status", b"100")]
IS_HEAD: Final = (b":method", b"HEAD")
ANSWER_BYTES: Final = 13  # of a reset, which data for a stream that has ended is answered by


class Http2(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        proxies: Proxies,
        stream_limits: StreamLimits | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.app = config.loaded_app
        self.logger = logging.getLogger("uvicorn.error")
        self.server_state = server_state
        self.app_state = app_state
        self.limits = limits
        self.bounds = stream_limits or StreamLimits()
        self.proxies = proxies
        self.transport: asyncio.Transport
        self.scope: dict[str, Any] = {}  # what all requests of the connection share
        self.is_from_proxy = False
        self.is_excess = False  # one connection too many: its requests are refused
        self.h2 = begin(self.bounds.streams, limits.head_bytes)
        self.streams: dict[int, Stream] = {}  # by number, those of which either half is open
        self.running: set[Stream] = set()  # those that the application is not done with
        self.turns = Turns()
        self.is_write_paused = False
        self.budget = Budget(self.bounds.budget, self.bounds.budget_per_second, self.loop.time())
        self.stalls = StallWatch()
        self.shut_since = 0.0  # when the client last let replies go on; 0: they do
        self.shut_bytes = 0  # what had been sent then
        self.sent_bytes = 0  # of replies
        self.owed_bytes = 0  # of the connection's window, to be given back
        self.since = self.loop.time()  # when the last stream ended
        self.silent_since = 0.0  # when bytes came that are no whole frame yet; 0: none did
        self.has_served = False
        self.last_number = 0  # of the streams that are served
        self.is_ending = False  # no new stream is served
        self.is_deaf = False  # what comes is not parsed any more
        self.dropped_bytes = 0

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with our settings."""
        self.transport = transport
        self.server_state.connections.add(self)  # type: ignore[arg-type]  # sweeps like those
        client = get_remote_addr(transport)
        self.is_from_proxy = client is not None and self.proxies.trusts(client[0])
        self.is_excess = len(self.server_state.connections) > self.limits.connections
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "server": get_local_addr(transport),
            "client": client,
            "scheme": "https",
            "root_path": "",
        }
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(self.bounds.connection_window - FIRST_WINDOW_BYTES)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the requests in progress."""
        del exc
        self.server_state.connections.discard(self)
        self.is_deaf = self.is_ending = True
        for stream in list(self.streams.values()):
            stream.disconnect()
        self.streams.clear()
        self.turns.release()

    def pause_writing(self) -> None:
        """Let replies wait: the client takes too slowly what is sent."""
        self.is_write_paused = True

    def resume_writing(self) -> None:
        """Let replies go on."""
        self.is_write_paused = False
        self.turns.pass_on()
        if not self.is_deaf:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take what came, in pieces small enough that a flood ends before it is served."""
        view = memoryview(data)
        while view and not self.is_deaf:
            piece = view[: self.bounds.feed_bytes]
            view = view[len(piece) :]
            self._feed(piece)
        if view:
            self.dropped_bytes += len(view)
            if self.dropped_bytes > self.limits.linger_bytes:
                self.transport.close()
        elif self.transport.get_write_buffer_size() > self.bounds.unsent_bytes:
            self.transport.pause_reading()  # until what was sent is taken: pings have answers

    def _feed(self, data: memoryview) -> None:
        """Parse a piece and do what it says."""
        try:
            events = self.h2.receive_data(data)
            answers = self.flush()  # by the library itself; some things have no event
            self.budget.spend(answers // ANSWER_BYTES)
            for event in events:
                DEEDS.get(type(event), Http2.on_trifle)(self, event)
        except ProtocolError:  # the client's affair: GOAWAY tells it why
            self._hang_up()
            return
        if events or answers:
            self.silent_since = 0.0
        elif not self.silent_since:
            self.silent_since = self.loop.time()
        if self.budget.is_spent(self.loop.time()) and not self.is_deaf:
            self._say_goodbye(ErrorCodes.ENHANCE_YOUR_CALM)
            self._hang_up()
        self.flush()

    def flush(self) -> int:
        """Send what is to be sent; answer how many bytes that is."""
        if data := self.h2.data_to_send():
            self.transport.write(data)
        return len(data)

    # --- what the client says ---

    def on_request(self, event: h2_events.RequestReceived) -> None:
        """Begin a request, or refuse it."""
        number, headers = event.stream_id, event.headers
        assert number is not None
        assert headers is not None
        if not self._is_open(number):  # it was taken back at once
            self.budget.spend(RESET_COST)
            return
        if self.is_ending or len(self.running) >= self.bounds.streams:
            self.reset(number, ErrorCodes.REFUSED_STREAM)
            self.budget.spend(RESET_COST)
            return
        self.last_number = number
        has_body = event.stream_ended is None
        try:
            head = self._read(read_head(headers, has_body=has_body))
        except S3Error as error:
            self._refuse(number, error, is_head=IS_HEAD in headers, has_body=has_body)
            if self.is_excess:  # not for its life: the client may connect anew
                self.shutdown()
            return
        stream = Stream(self, number, head, has_body=has_body)
        self.streams[number] = stream
        self.running.add(stream)
        task = self.loop.create_task(stream.run_asgi(self.app))
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)
        task.add_done_callback(lambda _: self._forget(stream))

    def _read(self, head: Head) -> Head:
        """Complete a head with what the connection knows; S3Error."""
        if self.is_excess:
            raise S3Error("SlowDown")
        head.scope["state"] = self.app_state.copy()
        if self.is_from_proxy:
            complete(head, self.proxies)
        return head

    def _refuse(self, number: int, error: S3Error, *, is_head: bool, has_body: bool) -> None:
        """Answer with an error in place of the application."""
        headers, body = refusal(error)
        head = [(b":status", b"%d" % error.status), *self.server_state.default_headers, *headers]
        has_room = not is_head and self.h2.local_flow_control_window(number) >= len(body)
        self.h2.send_headers(number, head, end_stream=not has_room)
        if has_room:
            self.h2.send_data(number, body, end_stream=True)
        if has_body:
            self.reset(number, ErrorCodes.NO_ERROR)
        self.has_served = True
        self.budget.spend(RESET_COST // 2)

    def on_data(self, event: h2_events.DataReceived) -> None:
        """Keep a piece of a body, or drop it."""
        assert event.stream_id is not None
        size = event.flow_controlled_length or 0
        stream = self.streams.get(event.stream_id)
        if not event.data:
            self.budget.spend(1)
        if stream is None:
            self.give_back(size)
            return
        stream.take(event.data or b"", size)
        if stream.response_complete:
            self.widen(stream)

    def on_end(self, event: h2_events.StreamEnded) -> None:
        """Note the end of a request."""
        assert event.stream_id is not None
        if stream := self.streams.get(event.stream_id):
            if stream.rest_bytes:  # RFC 9113, 8.1.1: shorter than it says is malformed
                self._cut(stream, ErrorCodes.PROTOCOL_ERROR)
                return
            stream.finish()
            self._settle(stream)

    def on_reset(self, event: h2_events.StreamReset) -> None:
        """Give up a request that the client has given up."""
        assert event.stream_id is not None
        if stream := self.streams.pop(event.stream_id, None):
            if not stream.response_complete:
                self.budget.spend(RESET_COST)
            stream.disconnect()
            self._rest()

    def on_window(self, event: h2_events.WindowUpdated) -> None:
        """Let replies go on that waited for the client to take more."""
        self.budget.spend(1)
        if not event.stream_id:
            self.turns.pass_on()
        elif stream := self.streams.get(event.stream_id):
            stream.is_window_open.set()

    def on_settings(self, event: h2_events.RemoteSettingsChanged) -> None:
        """Let replies go on: all windows may have changed."""
        del event
        self.budget.spend(1)
        bound_headers(self.h2.encoder)
        for stream in self.streams.values():
            stream.is_window_open.set()

    def on_goodbye(self, event: h2_events.ConnectionTerminated) -> None:
        """Close: a client says so when it has all it wants."""
        del event
        self._hang_up()
        self.transport.close()

    def on_trifle(self, event: h2_events.Event) -> None:
        """Count what brings nothing: pings, priorities, trailers, frames nobody knows."""
        del event
        self.budget.spend(1)

    # --- what streams ask for ---

    def give_back(self, size: int) -> None:
        """Let the client send as much more on the connection, once that is worth a frame."""
        self.owed_bytes += size
        if self.owed_bytes >= self.bounds.connection_window // 16 and not self.is_deaf:
            self.h2.increment_flow_control_window(self.owed_bytes)
            self.owed_bytes = 0
            self.flush()

    def widen(self, stream: Stream) -> None:
        """Let the client send more of a body that is being read, once that is worth a frame."""
        most = self.bounds.stream_window
        room, rest = most - stream.window, stream.rest_bytes
        is_enough = rest is not None and rest <= stream.window
        if (
            stream.more_body
            and room >= most // 4
            and not is_enough
            and self._is_open(stream.number)
        ):
            self.h2.increment_flow_control_window(room, stream.number)
            stream.window += room
            self.flush()

    def send_continue(self, stream: Stream) -> None:
        """Ask for a body that the client holds back."""
        self.h2.send_headers(stream.number, CONTINUE)
        self.flush()

    def send_head(self, stream: Stream, head: list[tuple[bytes, bytes]], *, is_last: bool) -> None:
        """Make the head of a reply ready; it is sent with what follows, or alone."""
        self.h2.send_headers(stream.number, head, end_stream=is_last)
        stream.is_ended = is_last
        if is_last:
            self.flush()

    def send_data(self, stream: Stream, data: memoryview | bytes, *, is_last: bool) -> None:
        """Send a step of a reply, which the windows must allow."""
        most, number = self.h2.max_outbound_frame_size, stream.number
        for start in range(0, max(len(data), 1), most):
            piece = data[start : start + most]
            ends = is_last and start + most >= len(data)
            self.h2.send_data(number, piece, end_stream=ends)
        self.sent_bytes += len(data)
        self.budget.earn(len(data) / BYTES_WORTH)
        self.flush()

    def window_of(self, stream: Stream) -> int:
        """Tell how much the client lets this stream send, whatever it lets the connection."""
        window: int = self.h2.streams[stream.number].outbound_flow_control_window
        return window

    def may_send(self) -> bool:
        """Tell whether the connection can take a step of anybody's reply."""
        return self.h2.outbound_flow_control_window > 0 and not self.is_write_paused

    def step_bytes(self) -> int:
        """Tell how large such a step is."""
        return min(self.bounds.step_bytes, self.h2.outbound_flow_control_window)

    # --- ends ---

    def on_reply_complete(self, stream: Stream) -> None:
        """Settle what is left of a request that is answered."""
        self.server_state.total_requests += 1
        self.has_served = True
        self.budget.earn(REQUEST_WORTH)
        stream.drop()
        if stream.more_body:
            stream.draining_since = self.loop.time()
            rest = stream.rest_bytes
            if rest is None or rest > self.limits.unread_bytes or stream.is_uninvited:
                self._cut(stream, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: the rest is not wanted
                return
            self.widen(stream)
        self._settle(stream)

    def _settle(self, stream: Stream) -> None:
        """Forget a stream whose both halves are closed."""
        if stream.response_complete and not stream.more_body:
            self.streams.pop(stream.number, None)
            self._rest()

    def break_off(self, stream: Stream) -> None:
        """End a stream whose reply cannot be completed."""
        if stream.number in self.streams:
            self._cut(stream, ErrorCodes.INTERNAL_ERROR)

    def _cut(self, stream: Stream, code: ErrorCodes) -> None:
        """Reset a stream."""
        self.streams.pop(stream.number, None)
        self.reset(stream.number, code)
        stream.disconnect()
        self.flush()
        self._rest()

    def reset(self, number: int, code: ErrorCodes) -> None:
        """Tell the client that a stream has ended."""
        if self._is_open(number):
            self.h2.reset_stream(number, code)

    def _is_open(self, number: int) -> bool:
        """Tell whether anything can be said on a stream."""
        stream = None if self.is_deaf else self.h2.streams.get(number)
        return stream is not None and not stream.closed

    def _forget(self, stream: Stream) -> None:
        """Note that the application is done with a request."""
        self.running.discard(stream)
        stream.transport = None  # type: ignore[assignment]  # it was itself: no circle is left
        self._rest()

    def _rest(self) -> None:
        """Note since when nothing is asked; end the connection when it was to end then."""
        if not self.streams:
            self.since = self.loop.time()
            if self.is_ending and not self.is_deaf:
                self._hang_up()  # requests may be on their way: a reset would undo the last reply

    def _say_goodbye(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Tell the client up to which stream it is answered here.

        Past the library, for which a connection is over by then, and replies are not.
        """
        self.is_ending = True
        if not self.is_deaf and not self.transport.is_closing():
            frame = GoAwayFrame(0)
            frame.last_stream_id, frame.error_code = self.last_number, code
            self.flush()
            self.transport.write(frame.serialize())

    def _hang_up(self) -> None:
        """Send what is left, then only wait until the client has read it."""
        self.flush()
        self.is_deaf = self.is_ending = True
        self.since = self.loop.time()
        for stream in list(self.streams.values()):
            stream.disconnect()
        self.streams.clear()
        self.turns.release()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()

    def shutdown(self) -> None:
        """Close an idle connection now, a busy one after the requests it has begun."""
        if not self.is_ending:
            is_idle = not self.streams
            self._say_goodbye()
            self._rest()
            if is_idle and not self.is_excess:
                self.transport.close()

    # --- time ---

    def sweep(self, now: float) -> None:
        """Close the connection, or streams of it, if the client has kept them waiting too long."""
        limits = self.limits
        if self.stalls.is_stalled(self.transport, now, limits) or self._is_shut(now):
            self.transport.abort()
        elif self.is_deaf:
            if now - self.since > limits.linger_seconds:
                self.transport.abort()
        elif self.silent_since and now - self.silent_since > limits.head_seconds:
            self._say_goodbye(ErrorCodes.PROTOCOL_ERROR)
            self._hang_up()
        elif not self.streams:
            patience = limits.idle_seconds if self.has_served else limits.first_byte_seconds
            if now - self.since > patience:
                self.shutdown()
        else:
            for stream in list(self.streams.values()):
                self._sweep(stream, now)

    def _is_shut(self, now: float) -> bool:
        """Tell whether replies wait for the connection's window, and it lets too little go."""
        if not self.turns or self.h2.outbound_flow_control_window > 0:
            self.shut_since = 0.0
            return False
        if not self.shut_since or self.sent_bytes - self.shut_bytes >= self.limits.pace_bytes:
            self.shut_since, self.shut_bytes = now, self.sent_bytes
        return now - self.shut_since > self.limits.stall_seconds

    def _sweep(self, stream: Stream, now: float) -> None:
        """Give up a stream on which the client does not go on."""
        limits = self.limits
        behind_since = stream.pace.behind_since(stream, limits.pace_bytes)
        for since, patience, code in (
            (behind_since, limits.body_seconds, ErrorCodes.CANCEL),
            (stream.is_blocked and stream.blocked_since, limits.stall_seconds, ErrorCodes.CANCEL),
            (stream.draining_since, limits.linger_seconds, ErrorCodes.NO_ERROR),
        ):
            if since and now - since > patience and stream.number in self.streams:
                self._cut(stream, code)


DEEDS: Final[dict[type[h2_events.Event], Callable[[Http2, Any], None]]] = {
    h2_events.RequestReceived: Http2.on_request,
    h2_events.DataReceived: Http2.on_data,
    h2_events.StreamEnded: Http2.on_end,
    h2_events.StreamReset: Http2.on_reset,
    h2_events.WindowUpdated: Http2.on_window,
    h2_events.RemoteSettingsChanged: Http2.on_settings,
    h2_events.ConnectionTerminated: Http2.on_goodbye,
}
