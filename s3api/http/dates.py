"""HTTP dates (RFC 9110 5.6.7), read in their three forms and written in the first."""

from __future__ import annotations


def parse_http_date(value: str) -> int | None:
    """Read a date as epoch seconds; None if it is none of the three forms."""
    raise NotImplementedError


def format_http_date(epoch_ms: int) -> str:
    """Write epoch milliseconds as `Sun, 06 Nov 1994 08:49:37 GMT`."""
    raise NotImplementedError
