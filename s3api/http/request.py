"""A lazy view of one ASGI request: nothing is decoded before somebody asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from s3api.http.body import Body
from s3api.http.query import Query

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Request:
    """One request: method, raw path, query, headers and the body still to be read."""

    method: str
    scheme: str
    raw_path: bytes
    header_items: list[tuple[bytes, bytes]]
    query: Query
    body: Body

    def __init__(self, scope: Scope, receive: Receive, *, idle_seconds: float = 60.0) -> None:
        """Wrap a scope; `idle_seconds` is how long one read of the body may wait."""
        raise NotImplementedError

    def header(self, name: str) -> str | None:
        """Answer a header by lower-case name; several lines are joined by `,` (RFC 9110 5.3)."""
        raise NotImplementedError

    def headers_all(self, name: str) -> list[str]:
        """List the lines of a header, in the order sent."""
        raise NotImplementedError

    @property
    def client(self) -> str | None:
        """The peer's address."""
        raise NotImplementedError

    @property
    def content_length(self) -> int | None:
        """The declared length; None when there is none (S3Error when it is not a number)."""
        raise NotImplementedError

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in HTTP chunks (Transfer-Encoding), so without a length."""
        raise NotImplementedError
