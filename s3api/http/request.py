"""A view of one ASGI request: header bytes stay bytes until somebody asks for one.

Header values are read as ISO 8859-1 (RFC 9110 5.5), so encoding one back gives the bytes sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from string import ascii_letters, digits
from typing import Any, Final
from urllib.parse import quote

from s3api.errors import S3Error
from s3api.http.body import Body
from s3api.http.query import NO_QUERY, Query

# Parameters of the signature itself, and those that AWS ignores in a URL.
NOT_HEADERS: Final = (
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "x-amz-checksum-",
    "x-amz-sdk-checksum-",
)
# The first of them as clients spell them: what every presigned URL has is passed over at once.
OF_SIGNATURE: Final = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
)
# What a header's name and its value are made of: RFC 9110, 5.6.2 and 5.5.
TOKEN: Final = b"!#$%&'*+-.^_`|~" + (ascii_letters + digits).encode()
FIELD_VALUE: Final = bytes({*range(32, 127), *range(128, 256), *b"\t"})
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]


def _join_repeated(items: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Join the lines of repeated headers by `,` (RFC 9110 5.3), the way AWS signs them too."""
    joined: dict[bytes, bytes] = {}
    for name, value in items:
        line = value.strip()
        joined[name] = joined[name] + b"," + line if name in joined else line
    return joined


class Request:
    """One request: method, raw path, query, headers and the body still to be read."""

    __slots__ = (
        "_client",
        "body",
        "header_items",
        "header_map",
        "method",
        "query",
        "raw_path",
        "scheme",
    )

    def __init__(self, scope: Scope, receive: Receive, *, idle_seconds: float = 60.0) -> None:
        """Wrap a scope; `idle_seconds` is how long one read of the body may wait.

        Raises S3Error InvalidURI when the query string cannot be decoded.
        """
        self.method: str = scope["method"]
        self.scheme: str = scope["scheme"]
        self.raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        self._client = scope.get("client")
        items: list[tuple[bytes, bytes]] = scope["headers"]
        fields = dict(items)
        if len(fields) != len(items):
            fields = _join_repeated(items)
        self.header_items, self.header_map = items, fields  # the map: lower-case name to value
        query_string: bytes = scope["query_string"]
        self.query = Query(query_string) if query_string else NO_QUERY
        self.body = Body(receive, idle_seconds=idle_seconds)

    def header(self, name: str) -> str | None:
        """Answer a header by lower-case name; the lines of a repeated one are joined by `,`."""
        value = self.header_map.get(name.encode())
        return None if value is None else value.strip().decode("latin-1")

    def adopt_query_headers(self) -> None:
        """Let the x-amz-* parameters of a presigned URL count as headers, as AWS does.

        SDKs move headers into the URL they sign. Checksums among them are of the empty body the
        URL was made with, and AWS ignores those; what a header says itself wins. What no header
        could hold is refused (InvalidArgument): kept as metadata, it could never be answered.
        """
        for name, value in self.query.items():
            if name in OF_SIGNATURE:
                continue
            header = name.lower()
            if not header.startswith("x-amz-") or header.startswith(NOT_HEADERS):
                continue
            pair = (header.encode(), value.encode())
            _check_field(name, *pair)
            if pair[0] not in self.header_map:
                self.header_map[pair[0]] = pair[1]
                self.header_items = [*self.header_items, pair]

    def with_headers(self, items: list[tuple[bytes, bytes]]) -> Request:
        """Answer this request, its body too, with other headers and without its query.

        What no header could hold is refused (InvalidArgument).
        """
        for name, value in items:
            _check_field(name.decode(errors="replace"), name, value)
        request = copy(self)
        request.query = NO_QUERY
        request.header_items, request.header_map = items, _join_repeated(items)
        return request

    @property
    def client(self) -> str | None:
        """The peer's address."""
        return self._client[0] if self._client else None

    @property
    def content_length(self) -> int | None:
        """The declared length in bytes; None when there is none.

        Raises S3Error InvalidArgument when it is not a number.
        """
        value = self.header_map.get(b"content-length")
        if value is None:
            return None
        if not value.isdigit():
            raise S3Error(
                "InvalidArgument",
                ArgumentName="Content-Length",
                ArgumentValue=value.decode("latin-1"),
            )
        return int(value)


def _check_field(parameter: str, name: bytes, value: bytes) -> None:
    """Refuse what the parser of headers would have refused (RFC 9110, 5.1 and 5.5)."""
    if name.translate(None, TOKEN) or value.translate(None, FIELD_VALUE):
        raise S3Error(
            "InvalidArgument",
            "The value cannot be sent as a header.",
            ArgumentName=parameter,
        )
