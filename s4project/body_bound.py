"""Keeps requests to the console small: Django reads a body whole before it looks at the request.

Knows nothing of what is asked. A body that is too large is refused as soon as that is known, by its
declared length or by what has come of it.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

BODY_BYTES_MAX: Final = 1024 * 1024
REFUSAL: Final = json.dumps(
    {"error": f"The body is larger than {BODY_BYTES_MAX:,} bytes."}
).encode()
DECLARING: Final = frozenset({b"content-length", b"transfer-encoding"})


class BodyBound:
    """An application that is given whole bodies within the bound, and no others."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = dict(scope["headers"])
        if DECLARING.isdisjoint(headers):
            await self.app(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            await _refuse(send)
            return
        message = await _read(receive)
        if message is None:
            await _refuse(send)
            return
        await self.app(scope, _once(message, receive), send)


async def _read(receive: Receive) -> dict[str, Any] | None:
    """Read a body into one message, however many pieces it comes in; None when it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _once(message: dict[str, Any], receive: Receive) -> Receive:
    """Give what was read, then go on as before."""
    waiting = [message]

    async def replay() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def _refuse(send: Send) -> None:
    """Answer that the body is too large."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(REFUSAL)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": REFUSAL})
