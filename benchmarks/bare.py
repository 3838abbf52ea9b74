"""The least an ASGI application can do with the same requests: the measure for S4.

PUT reads the body and drops it; GET answers bytes from memory. No signature, no index, no disk.
The size of an object is read from its path: `/bucket/<size>/...`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]


@lru_cache
def reply(path: str) -> tuple[dict[str, Any], bytes]:
    """Make the reply of all objects of one size."""
    body = bytes(int(path))
    headers = [(b"content-length", b"%d" % len(body)), (b"etag", b'"0"')]
    return {"type": "http.response.start", "status": 200, "headers": headers}, body


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one request."""
    if scope["type"] != "http":
        return
    method = scope["method"]
    more = method == "PUT"
    while more:
        more = (await receive()).get("more_body", False)
    size = scope["path"].split("/", 3)[2] if method != "PUT" else "0"
    start, body = reply(size)
    await send(start)
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
