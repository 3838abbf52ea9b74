"""When a request says it was signed, and whether that is now.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3api.errors import S3Error
from s3api.http import dates

if TYPE_CHECKING:
    from s3api.http.request import Request


def header_date(request: Request) -> tuple[int, str]:
    """Read when the request was signed, as epoch seconds and as sent: x-amz-date, or else Date.

    Raises S3Error AccessDenied when there is no such date.
    """
    return read_date(request.header("x-amz-date") or request.header("date") or "")


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
