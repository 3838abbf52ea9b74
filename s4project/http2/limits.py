"""What one client can hold of a worker over HTTP/2, beside `s4project.edge.Limits`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
FIRST_WINDOW_BYTES: Final = 65_535  # RFC 9113, 6.9.2: of a stream, and of a connection


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Sizes in bytes. A body nobody has asked for yet holds no more than the first window."""

    streams: int = 250  # at once; a stream counts until the application is done with it
    stream_window: int = MIB  # of a body that the application reads
    connection_window: int = 20 * MIB  # all first windows, and room for those that are read
    step_bytes: int = 64 * KIB  # sent of one reply before the next has its turn
    feed_bytes: int = 32 * KIB  # parsed at once, so that floods are seen before they are served
    unsent_bytes: int = MIB  # of answers to a client that does not read; beyond, nor do we
    budget: int = 10_000  # see `budget`
    budget_per_second: int = 500
