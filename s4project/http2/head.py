"""Reads the head of a request over HTTP/2 as ASGI has it, and refuses what HTTP/1.1 would.

The h2 library has checked the order of pseudo-headers, lower case and connection headers (RFC 9113,
8.2 and 8.3). Knows nothing of streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import httptools

from s3api.errors import S3Error
from s3api.http.request import FIELD_VALUE, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
SINGLE: Final = frozenset({b"content-length", b"expect", b"host"})


class Head(NamedTuple):
    """A request's head."""

    scope: dict[str, Any]  # method, path, raw_path, query_string, headers
    length: int | None  # of the body, as declared
    expects_continue: bool


def read_head(items: Iterable[tuple[bytes, bytes]], *, has_body: bool) -> Head:
    """Read what a request asks; S3Error.

    `:authority` becomes the Host header, which is what clients sign. A body of no declared length
    is announced as HTTP/1.1 would have it, so that whoever bounds bodies knows of it.
    """
    pseudo: dict[bytes, bytes] = {}
    headers: list[tuple[bytes, bytes]] = []
    single: dict[bytes, bytes] = {}
    for name, value in items:
        if name[:1] == b":":
            pseudo[bytes(name)] = bytes(value)
            continue
        headers.append((bytes(name), bytes(value)))
        if name in SINGLE:
            if name in single:
                raise S3Error("BadRequest", f"A request must have one {name.decode()} header.")
            single[bytes(name)] = bytes(value)
    if b"host" not in single:
        headers.insert(0, (b"host", pseudo.get(b":authority", b"")))
    check_fields(headers)
    length = _length(single.get(b"content-length"))
    if has_body and length is None:
        headers.append((b"transfer-encoding", b"chunked"))
    scope = _target(pseudo) | {"headers": headers}
    return Head(scope, length, single.get(b"expect", b"").lower() == b"100-continue")


def check_fields(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse what no header of HTTP/1.1 could hold; S3Error."""
    for name, value in headers:
        if name.translate(None, TOKEN) or value.translate(None, FIELD_VALUE):
            raise S3Error("BadRequest")


def _length(text: bytes | None) -> int | None:
    if text is not None and not text.isdigit():
        raise S3Error("BadRequest")
    return None if text is None else int(text)


def _target(pseudo: dict[bytes, bytes]) -> dict[str, Any]:
    """Read method, path and query; what is percent-encoded stays so in the raw ones."""
    method = pseudo[b":method"].decode("latin-1")
    target = pseudo.get(b":path", b"")
    if method not in METHODS or target[:1] != b"/":
        raise S3Error("BadRequest")
    try:
        url = httptools.parse_url(target)
        raw_path: bytes = url.path or b"/"
        path = raw_path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError) as error:
        raise S3Error("InvalidURI") from error
    return {
        "method": method,
        "path": unquote(path) if "%" in path else path,
        "raw_path": raw_path,
        "query_string": url.query or b"",
    }
