"""Finds readers that take nothing: by what TCP says the client has acknowledged (Linux)."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

TCP_INFO_BYTES: Final = 136
TCP_INFO_BYTES_ACKED: Final = 120  # offset of tcpi_bytes_acked (u64) in Linux's struct tcp_info


class StallWatch:
    """What one client had acknowledged when last looked at."""

    __slots__ = ("acked_at", "acked_bytes")

    def __init__(self) -> None:
        self.acked_bytes = -1
        self.acked_at = 0.0

    def is_stalled(self, transport: asyncio.Transport, now: float, seconds: float) -> bool:
        """Tell whether replies wait and the client has acknowledged nothing of them for long."""
        if not transport.get_write_buffer_size():
            self.acked_bytes = -1
            return False
        tcp = transport.get_extra_info("socket")
        info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        (acked,) = struct.unpack_from("=Q", info, TCP_INFO_BYTES_ACKED)
        if acked != self.acked_bytes:
            self.acked_bytes, self.acked_at = acked, now
        return now - self.acked_at > seconds
