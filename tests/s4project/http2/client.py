"""A client of HTTP/2 that does what it is told: whole requests, single frames, or bare bytes."""

from __future__ import annotations

import socket
import ssl
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from h2.events import Event

    from tests.s4project.probing import Probe

READ_BYTES: Final = 1 << 18


class H2Client:
    """One connection; what comes is kept by stream."""

    def __init__(
        self, address: tuple[str, int], tls: ssl.SSLContext, settings: dict[Any, int] | None = None
    ) -> None:
        tls.set_alpn_protocols(["h2"])
        tcp = socket.create_connection(address, 30)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(tcp, server_hostname=address[0])
        assert self.socket.selected_alpn_protocol() == "h2"
        self.authority = f"{address[0]}:{address[1]}"
        config = H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = H2Connection(config)
        if settings:
            self.h2.local_settings.update(settings)
            self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.statuses: dict[int, int] = {}
        self.interim: dict[int, int] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytearray] = defaultdict(bytearray)
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.granted: dict[int, int] = defaultdict(int)  # windows, by stream
        self.goodbye: int | None = None
        self.is_closed = False
        self.takes = True  # gives windows back for what it is sent
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        """Send what the library has made."""
        self.send(self.h2.data_to_send())

    def send(self, data: bytes) -> None:
        """Send bytes as they are; a connection that the server closed takes them to nowhere."""
        try:
            self.socket.sendall(data)
        except (ssl.SSLError, OSError):
            self.is_closed = True

    def head(self, method: str, path: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
        """Write the head of a request."""
        return [
            (":method", method),
            (":scheme", "https"),
            (":authority", self.authority),
            (":path", path),
            *more,
        ]

    def ask(self, path: str, method: str = "GET", *more: tuple[str, str], ends: bool = True) -> int:
        """Send the head of a request; answer its number."""
        return self.ask_raw(self.head(method, path, *more), ends=ends)

    def ask_raw(self, head: list[tuple[str, str]], *, ends: bool = True) -> int:
        """Send a head as it is."""
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, head, end_stream=ends)
        self.flush()
        return number

    def put(self, path: str, body: bytes, *more: tuple[str, str]) -> int:
        """Send a request with a body, as the windows allow."""
        number = self.ask(path, "PUT", ("content-length", str(len(body))), *more, ends=not body)
        self.pour(number, body)
        return number

    def pour(self, number: int, body: bytes, *, ends: bool = True) -> None:
        """Send a body, waiting for windows."""
        view = memoryview(body)
        while view and number not in self.resets and not self.is_closed:
            size = min(
                len(view),
                self.h2.local_flow_control_window(number),
                self.h2.max_outbound_frame_size,
            )
            if size <= 0:
                self.read()
                continue
            self.h2.send_data(number, bytes(view[:size]), end_stream=ends and size == len(view))
            view = view[size:]
            self.flush()

    def read(self) -> list[Event]:
        """Read once, and note what came."""
        try:
            data = self.socket.recv(READ_BYTES)
        except TimeoutError:
            raise
        except OSError:
            data = b""
        if not data:
            self.is_closed = True
            return []
        events = self.h2.receive_data(data)
        for event in events:
            self._note(event)
        self.flush()
        return events

    def _note(self, event: Event) -> None:
        number: int = getattr(event, "stream_id", 0) or 0
        if isinstance(event, ResponseReceived):
            headers = {str(name): str(value) for name, value in event.headers or ()}
            self.statuses[number] = int(headers[":status"])
            self.headers[number] = headers
        elif isinstance(event, InformationalResponseReceived):
            self.interim[number] = int(dict(event.headers or ())[":status"])
        elif isinstance(event, DataReceived):
            self.bodies[number] += event.data or b""
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, number)
        elif isinstance(event, StreamEnded):
            self.ended.add(number)
        elif isinstance(event, StreamReset):
            self.resets[number] = int(event.error_code or 0)
        elif isinstance(event, WindowUpdated):
            self.granted[number] += event.delta or 0
        elif isinstance(event, ConnectionTerminated):
            self.goodbye = int(event.error_code or 0)

    def until(self, condition: Callable[[], Any]) -> None:
        """Read until something is so."""
        while not condition():
            assert not self.is_closed, "the server closed"
            self.read()

    def until_closed(self) -> None:
        """Read until the server closes."""
        while not self.is_closed:
            self.read()

    def reply(self, number: int) -> tuple[int, bytes]:
        """Read on until a reply is whole."""
        self.until(lambda: number in self.ended or number in self.resets)
        assert number in self.ended, f"it was reset: {self.resets[number]}"
        return self.statuses[number], bytes(self.bodies[number])


def connect(server: Probe, settings: dict[Any, int] | None = None) -> H2Client:
    """Connect to a probe server."""
    tls = ssl.create_default_context(cafile=server.log.parent / "authority.crt")
    return H2Client((server.host, server.port), tls, settings)
