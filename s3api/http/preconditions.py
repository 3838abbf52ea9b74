"""Conditional requests and byte ranges (RFC 9110 13 and 14) with what S3 adds. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from s3api.errors import S3Error
from s3api.http.dates import parse_http_date

if TYPE_CHECKING:
    from s3api.http.request import Request

COPY_SOURCE: Final = "x-amz-copy-source-"
RENAME_SOURCE: Final = "x-amz-rename-source-"
_NAMES: Final = {
    prefix: frozenset(
        f"{prefix}if-{condition}".encode()
        for condition in ("match", "none-match", "modified-since", "unmodified-since")
    )
    for prefix in ("", COPY_SOURCE, RENAME_SOURCE)
}
# Digits enough for any size; a longer number is no byte range but an attempt to make us count.
_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,30})\s*-\s*(\d{0,30})", re.IGNORECASE | re.ASCII)
_COPY_RANGE: Final = re.compile(r"bytes=(\d{1,30})-(\d{1,30})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The four conditions of a request; times in epoch seconds.

    `prefix` stands before the header names: a copy's source has conditions of its own.
    """

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None
    prefix: str = ""


def read_conditions(request: Request, prefix: str = "") -> Conditions | None:
    """Collect the conditions (`prefix` COPY_SOURCE for a copy's source); None: there are none.

    What is no date is ignored (RFC 9110 13.1.3), and so is If-Modified-Since in the future, as AWS
    was seen to do.
    """
    if _NAMES[prefix].isdisjoint(request.header_map):
        return None
    since = parse_http_date(request.header(f"{prefix}if-modified-since") or "")
    return Conditions(
        request.header(f"{prefix}if-match") or None,
        request.header(f"{prefix}if-none-match") or None,
        since if since is None or since <= time.time() else None,
        parse_http_date(request.header(f"{prefix}if-unmodified-since") or ""),
        prefix,
    )


def _names(value: str, etag: str, *, is_weak_enough: bool) -> bool:
    """Tell whether a list of ETags, quoted or not, names `etag` (unquoted), or is `*`."""
    for item in value.split(","):
        name = item.strip()
        if is_weak_enough:
            name = name.removeprefix("W/")
        if name == "*" or name.strip('"') == etag:
            return True
    return False


def _refuse(conditions: Conditions, name: str) -> S3Error:
    return S3Error("PreconditionFailed", Condition=conditions.prefix + name)


def _check_unchanged(conditions: Conditions, etag: str, modified_ms: int) -> None:
    """Check If-Match; without it, If-Unmodified-Since (RFC 9110 13.2.2, steps 1 and 2)."""
    if conditions.if_match is not None:
        if not _names(conditions.if_match, etag, is_weak_enough=False):
            raise _refuse(conditions, "If-Match")
    elif (
        conditions.if_unmodified_since is not None
        and modified_ms // 1000 > conditions.if_unmodified_since
    ):
        raise _refuse(conditions, "If-Unmodified-Since")


def _unchanged_by(conditions: Conditions, etag: str, modified_ms: int) -> str | None:
    """Name the condition by which the client has this object already (steps 3 and 4)."""
    if conditions.if_none_match is not None:
        is_named = _names(conditions.if_none_match, etag, is_weak_enough=True)
        return "If-None-Match" if is_named else None
    if (
        conditions.if_modified_since is not None
        and modified_ms // 1000 <= conditions.if_modified_since
    ):
        return "If-Modified-Since"
    return None


def is_modified(conditions: Conditions, etag: str, modified_ms: int) -> bool:
    """Decide a GET or HEAD: True: answer the object; False: answer 304 (`etag` unquoted).

    Raises S3Error PreconditionFailed with its Condition.
    """
    _check_unchanged(conditions, etag, modified_ms)
    return _unchanged_by(conditions, etag, modified_ms) is None


def check_source(conditions: Conditions, etag: str, modified_ms: int) -> None:
    """Decide a copy's source: every condition that fails is S3Error PreconditionFailed."""
    _check_unchanged(conditions, etag, modified_ms)
    name = _unchanged_by(conditions, etag, modified_ms)
    if name is not None:
        raise _refuse(conditions, name)


def check_write(conditions: Conditions, key: str, etag: str | None) -> None:
    """Decide a write to a key against the current ETag (unquoted; None: there is no object).

    Raises S3Error PreconditionFailed, and NoSuchKey for If-Match without an object, as AWS does.
    """
    if conditions.if_match is not None:
        if etag is None:
            raise S3Error("NoSuchKey", Key=key)
        if not _names(conditions.if_match, etag, is_weak_enough=False):
            raise _refuse(conditions, "If-Match")
    if (
        conditions.if_none_match is not None
        and etag is not None
        and _names(conditions.if_none_match, etag, is_weak_enough=True)
    ):
        raise _refuse(conditions, "If-None-Match")


def check_replaced(conditions: Conditions, key: str, etag: str | None, modified_ms: int) -> None:
    """Decide a rename to a key against the current ETag (unquoted; None: there is no object).

    As for a write, and the two times (REF API_RenameObject): modified since asks for an object.
    """
    check_write(conditions, key, etag)
    if etag is not None:
        _check_unchanged(conditions, etag, modified_ms)
        name = _unchanged_by(conditions, etag, modified_ms)
        if name is not None:
            raise _refuse(conditions, name)
    elif conditions.if_modified_since is not None and conditions.if_none_match is None:
        raise _refuse(conditions, "If-Modified-Since")


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
        """Write the Content-Range header's value."""
        return f"bytes {self.first}-{self.last}/{size}"


def parse_range(value: str | None, size: int) -> ByteRange | None:
    """Read a Range header against an object of `size` bytes; None: the whole object.

    Whole is the answer to no header, to several ranges and to what is not a byte range (as AWS
    does). Raises S3Error InvalidRange (416) for a range that holds no byte of the object.
    """
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        wanted = ByteRange(max(size - int(last), 0), size - 1)
    else:
        wanted = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None  # not a range at all (RFC 9110 14.1.1)
    if wanted.length <= 0:
        raise S3Error("InvalidRange", RangeRequested=value or "", ActualObjectSize=str(size))
    return wanted


def parse_copy_range(value: str, size: int) -> ByteRange:
    """Read x-amz-copy-source-range: exactly `bytes=first-last`, within a source of `size` bytes.

    Raises S3Error InvalidArgument, and InvalidRequest for one that lies beyond the source's end.
    """
    match = _COPY_RANGE.fullmatch(value)
    if match is None or int(match[1]) > int(match[2]):
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=value,
        )
    if int(match[1]) >= size:
        raise S3Error(
            "InvalidRequest", "The specified copy range is invalid for the source object size"
        )
    if int(match[2]) >= size:
        raise S3Error(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {size}",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=value,
        )
    return ByteRange(int(match[1]), int(match[2]))


def if_range_holds(value: str | None, etag: str, modified_ms: int) -> bool:
    """Tell whether a Range header counts, given If-Range (None: it does); RFC 9110 13.1.5."""
    if value is None:
        return True
    date = parse_http_date(value)
    if date is not None:
        return modified_ms // 1000 == date
    return value.strip().strip('"') == etag  # a weak ETag keeps its W/ and so never equals
