"""When a request says it was signed, and whether that is now.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from s3api.errors import S3Error
from s3api.http import dates

if TYPE_CHECKING:
    from s3api.http.request import Request

_BASIC_BYTES: Final = len("20130524T000000Z")


class Moment(NamedTuple):
    """When a request was signed; `sent` is the date as the client wrote it."""

    epoch: int  # seconds
    stamp: bytes  # as it is signed: 20130524T000000Z
    day: str  # of the credential scope: 20130524
    sent: str


@lru_cache(maxsize=1024)
def _basic_moment(value: bytes) -> Moment | None:
    """Read SigV4's own form: many requests are signed in one second."""
    sent = value.decode("latin-1")
    epoch = dates.parse_iso_basic(sent)
    return None if epoch is None else Moment(epoch, value, sent[:8], sent)


def header_moment(request: Request) -> Moment:
    """Read when a request was signed with Version 4: x-amz-date, or else Date.

    Raises S3Error AccessDenied when there is no such date.
    """
    value = request.header_map.get(b"x-amz-date")
    if value is not None and len(value) == _BASIC_BYTES:
        moment = _basic_moment(value)
        if moment is not None and moment.epoch >= 0:
            return moment
    epoch, sent = read_date(request.header("x-amz-date") or request.header("date") or "")
    stamp = dates.format_iso_basic(epoch)
    return Moment(epoch, stamp.encode(), stamp[:8], sent)


def query_moment(value: str) -> Moment:
    """Read the date of a presigned URL; S3Error AuthorizationQueryParametersError."""
    moment = _basic_moment(value.encode()) if len(value) == _BASIC_BYTES else None
    if moment is None:
        raise S3Error(
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        )
    return moment


def read_date(value: str) -> tuple[int, str]:
    """Read a date of signing as epoch seconds, and answer it as sent too; S3Error AccessDenied."""
    signed_at = dates.parse_iso_basic(value)
    if signed_at is None:
        signed_at = dates.parse_http_date(value)
    if signed_at is None or signed_at < 0:
        raise S3Error(
            "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        )
    return signed_at, value


def check_clock(signed_at: int, sent: str, *, now: float, allowed_skew: int) -> None:
    """Refuse (RequestTimeTooSkewed) what was signed too long ago or too far ahead."""
    if abs(now - signed_at) > allowed_skew:
        raise S3Error(
            "RequestTimeTooSkewed",
            RequestTime=sent,
            ServerTime=dates.format_iso(now),
            MaxAllowedSkewMilliseconds=str(allowed_skew * 1000),
        )
