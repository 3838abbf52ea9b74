"""Finds clients that hold on: readers that take next to nothing, bodies that drip.

What a reader has taken is what TCP says he has acknowledged (Linux).
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio

    from s4project.edge import Limits

TCP_INFO_BYTES: Final = 136
TCP_INFO_BYTES_ACKED: Final = 120  # offset of tcpi_bytes_acked (u64) in Linux's struct tcp_info


class StallWatch:
    """What one client had acknowledged when last looked at."""

    __slots__ = ("acked_at", "acked_bytes")

    def __init__(self) -> None:
        self.acked_bytes = -1
        self.acked_at = 0.0

    def is_stalled(self, transport: asyncio.Transport, now: float, limits: Limits) -> bool:
        """Tell whether replies wait and the client has acknowledged too little of them for long."""
        if not transport.get_write_buffer_size():
            self.acked_bytes = -1
            return False
        tcp = transport.get_extra_info("socket")
        info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        (acked,) = struct.unpack_from("=Q", info, TCP_INFO_BYTES_ACKED)
        if self.acked_bytes < 0 or acked - self.acked_bytes >= limits.pace_bytes:
            self.acked_bytes, self.acked_at = acked, now
        return now - self.acked_at > limits.stall_seconds


class Body(Protocol):
    """A request's body, as it comes."""

    more_body: bool
    received_bytes: int
    awaiting_since: float  # when the application began to wait for the client; 0: it is not


class Pace:
    """How a body that is waited for keeps up, as last looked at; asked about once a second."""

    __slots__ = ("_at", "_body", "_bytes")

    def __init__(self) -> None:
        self._body: Body | None = None
        self._at = 0.0
        self._bytes = 0

    def behind_since(self, body: Body, pace_bytes: int) -> float:
        """Tell since when less than `pace_bytes` have come; 0: nobody waits for more."""
        if not (body.more_body and body.awaiting_since):
            self._body = None
            return 0.0
        if body is not self._body or body.received_bytes - self._bytes >= pace_bytes:
            self._body, self._at, self._bytes = body, body.awaiting_since, body.received_bytes
        return self._at
