"""Dates as HTTP (RFC 9110 5.6.7) and SigV4 write them, as epoch seconds.

Strict where it reads: what is no date is None, never a guess.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CLOCK: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
# RFC 9110 5.6.7: the form to send, and the two old ones to read. Numeric zones that mean GMT are
# what mail libraries write into Date.
_FORMS: Final = (
    re.compile(
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d?) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_CLOCK}"
        r" (?:GMT|UTC|[+-]0000)",
        re.ASCII,
    ),
    re.compile(
        rf"[A-Z][a-z]+day, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_CLOCK} GMT",
        re.ASCII,
    ),
    re.compile(
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})",
        re.ASCII,
    ),
)
_ISO_BASIC: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?Z", re.ASCII)
_CENTURY: Final = 100
_FUTURE_YEARS_MAX: Final = 50


@lru_cache(maxsize=1024)
def parse_http_date(value: str) -> int | None:
    """Read a date in one of HTTP's three forms as epoch seconds; None if it is none of them."""
    for form in _FORMS:
        match = form.fullmatch(value.strip())
        if match is not None:
            return _epoch_of(match)
    return None


def _epoch_of(match: re.Match[str]) -> int | None:
    month, year = match["month"], int(match["year"])
    if month not in _MONTHS:
        return None
    if len(match["year"]) == len("94"):
        year = _full_year(year)
    return _epoch(
        (year, _MONTHS.index(month) + 1, int(match["day"])),
        (int(match["hour"]), int(match["minute"]), int(match["second"])),
    )


def _full_year(short: int) -> int:
    """Read a two-digit year: more than 50 years ahead means the past (RFC 9110 5.6.7)."""
    this_year = time.gmtime().tm_year
    year = this_year - this_year % _CENTURY + short
    return year - _CENTURY if year > this_year + _FUTURE_YEARS_MAX else year


def _epoch(date: tuple[int, int, int], clock: tuple[int, int, int]) -> int | None:
    """Count the seconds to a moment in UTC; None: there is no such moment."""
    try:
        return int(datetime(*date, *clock, tzinfo=UTC).timestamp())
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def parse_iso_basic(value: str) -> int | None:
    """Read `20130524T000000Z`, SigV4's form, as epoch seconds; None if it is something else."""
    match = _ISO_BASIC.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    return _epoch((year, month, day), (hour, minute, second))


def parse_iso(value: str) -> int | None:
    """Read `2013-05-24T00:00:00Z`, with or without fractions of a second, as epoch seconds."""
    match = _ISO.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    return _epoch((year, month, day), (hour, minute, second))


@lru_cache(maxsize=1024)
def format_iso_basic(epoch: int) -> str:
    """Write epoch seconds as `20130524T000000Z`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch))


def format_iso(epoch: float) -> str:
    """Write epoch seconds as `2013-05-24T00:00:00Z`, as S3's error details do."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


@lru_cache(maxsize=1024)
def _format_seconds(epoch: int) -> str:
    now = time.gmtime(epoch)
    # Not strftime: its names follow the locale.
    return (
        f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {_MONTHS[now.tm_mon - 1]} {now.tm_year:04} "
        f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"
    )


def format_http_date(epoch_ms: int) -> str:
    """Write epoch milliseconds as `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return _format_seconds(epoch_ms // 1000)
