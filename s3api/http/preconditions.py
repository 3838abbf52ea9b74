"""Conditional requests and byte ranges (RFC 9110 13 and 14) with what S3 adds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s3api.http.request import Request


@dataclass(frozen=True, slots=True)
class Conditions:
    """The four conditions of a request; times in epoch seconds."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None


def read_conditions(request: Request, prefix: str = "") -> Conditions | None:
    """Collect the conditions (`prefix` "x-amz-copy-source-" for a copy's source); None: there are none.

    Dates that are not dates are ignored (RFC 9110 13.1.3).
    """
    raise NotImplementedError


def is_modified(conditions: Conditions, etag: str, modified_ms: int) -> bool:
    """Decide a GET or HEAD: True: answer the object; False: answer 304.

    Raises S3Error PreconditionFailed with its Condition.
    """
    raise NotImplementedError


def check_source(conditions: Conditions, etag: str, modified_ms: int) -> None:
    """Decide a copy's source: every condition that fails is S3Error PreconditionFailed."""
    raise NotImplementedError


def check_write(conditions: Conditions, etag: str | None) -> None:
    """Decide a PUT, Complete, copy destination or DELETE against the current ETag (None: no object).

    Raises S3Error PreconditionFailed, and NoSuchKey for If-Match without an object.
    """
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Offsets of the first and last byte, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Bytes in the range."""
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """The Content-Range header's value."""
        return f"bytes {self.first}-{self.last}/{size}"


def parse_range(value: str | None, size: int) -> ByteRange | None:
    """Read a Range header; None: the whole object (absent, several ranges, or not a byte range).

    Raises S3Error InvalidRange (416).
    """
    raise NotImplementedError


def parse_copy_range(value: str, size: int) -> ByteRange:
    """Read x-amz-copy-source-range: exactly `bytes=first-last` within the source; InvalidArgument."""
    raise NotImplementedError


def if_range_holds(value: str | None, etag: str, modified_ms: int) -> bool:
    """Tell whether a Range header counts, given If-Range (None: it does)."""
    raise NotImplementedError
