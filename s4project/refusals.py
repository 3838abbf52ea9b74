"""What is answered before any application is asked: refusals that look like S3's.

Knows nothing of connections. Counts them, for metrics: no application does.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from s3api.protocol import render_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s3api.errors import S3Error

    Headers = Iterable[tuple[bytes, bytes]]

counts: Final[dict[str, list[float]]] = {}  # of this process, by code


def refusal(error: S3Error) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Make headers and body of a refusal, and count it."""
    counts.setdefault(error.code, [0])[0] += 1
    request_id = secrets.token_hex(8).upper()
    body = render_error(error, resource="", request_id=request_id, host_id="")
    headers = [
        (b"x-amz-request-id", request_id.encode()),
        (b"content-type", b"application/xml"),
        (b"content-length", b"%d" % len(body)),
    ]
    return headers, body


def http11_refusal(error: S3Error, default_headers: Headers) -> bytes:
    """Write a whole refusal, after which the connection closes."""
    headers, body = refusal(error)
    lines = [b"%b: %b\r\n" % pair for pair in (*default_headers, *headers)]
    return b"".join((STATUS_LINE[error.status], *lines, b"connection: close\r\n\r\n", body))
