"""Requests as an ASGI server hands them over, for the tests of the rooms above."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from s3api.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence


def make_scope(
    method: str = "GET",
    path: bytes = b"/",
    query: bytes = b"",
    headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]] = (),
) -> dict[str, Any]:
    """Build an ASGI scope; headers as a mapping are encoded, as pairs taken as they are."""
    items = (
        [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        if hasattr(headers, "items")
        else list(headers)
    )
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "raw_path": path,
        "path": path.decode("latin-1"),
        "query_string": query,
        "headers": items,
        "client": ("127.0.0.1", 4711),
    }


def receive_of(
    pieces: Iterable[bytes], *, disconnect: bool = False
) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Answer pieces one message at a time, then the end, or a disconnect instead of it."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    if disconnect:
        messages.append({"type": "http.disconnect"})
    elif messages:
        messages[-1]["more_body"] = False
    else:
        messages.append({"type": "http.request"})
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return next(waiting)

    return receive


def make_request(
    method: str = "GET",
    path: bytes = b"/",
    query: bytes = b"",
    headers: Mapping[str, str] | Sequence[tuple[bytes, bytes]] = (),
    body: Iterable[bytes] = (),
) -> Request:
    """Build a request whose body arrives in the given pieces."""
    return Request(make_scope(method, path, query, headers), receive_of(body))
