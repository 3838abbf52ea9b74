"""Tells the access log of requests to the console and REST, as `access` does of those to S3.

An ASGI application around another counts and takes the time; who asked, and what for, is known
further in only, by Django: a middleware leaves it in the scope.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from django.utils.functional import SimpleLazyObject

from iam.audit.acting import request_id
from s4project.logs.access import MILLISECONDS, asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from django.http import HttpRequest, HttpResponse

    from s4project.logs.access import AccessLog

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]

VISITOR: Final = "s4.visitor"  # in the scope: what Django found out


class Visit:
    """One request, as far as it got."""

    def __init__(self) -> None:
        self.began = self.received = perf_counter()
        self.answered = 0.0
        self.status = self.bytes_in = self.bytes_out = 0

    async def receive(self, receive: Receive) -> dict[str, Any]:
        """Pass on what comes."""
        message = await receive()
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.received = perf_counter()
        return message

    async def send(self, send: Send, message: Mapping[str, Any]) -> None:
        """Pass on what goes."""
        if message["type"] == "http.response.start":
            self.status, self.answered = message["status"], perf_counter()
        self.bytes_out += len(message.get("body", b""))
        await send(message)


class ConsoleLog:
    """An ASGI application around one of the console's rooms."""

    def __init__(
        self,
        room: Callable[[dict[str, Any], Receive, Send], Awaitable[None]],
        get_log: Callable[[], AccessLog | None],
    ) -> None:
        self._room = room
        self._get_log = get_log

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        log = self._get_log()
        if log is None:
            await self._room(scope, receive, send)
            return
        visit = Visit()
        visitor: dict[str, Any] = {}
        try:
            await self._room(
                {**scope, VISITOR: visitor},
                partial(visit.receive, receive),
                partial(visit.send, send),
            )
        finally:
            _tell(log, visit, asked(scope) | visitor)


def _tell(log: AccessLog, visit: Visit, facts: dict[str, Any]) -> None:
    now = perf_counter()
    facts |= {
        "request_id": request_id.get(),
        "status": visit.status,
        "bytes_in": visit.bytes_in,
        "bytes_out": visit.bytes_out,
        "total_ms": round((now - visit.began) * MILLISECONDS, 3),
    }
    if visit.answered:
        facts["first_byte_ms"] = round((visit.answered - visit.began) * MILLISECONDS, 3)
    log.take(facts, (visit.answered or now) - visit.received)


class Visitors:
    """Django's middleware that leaves word of who asked for which view; it asks nobody anew."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        response = self._get_response(request)
        visitor = getattr(request, "scope", {}).get(VISITOR)
        if visitor is not None:
            user = request.__dict__.get("user")
            if isinstance(user, SimpleLazyObject):  # nobody has looked, or it is kept here
                user = getattr(request, "_cached_user", None)
            visitor["user"] = getattr(user, "username", None)
            match = request.resolver_match
            visitor["operation"] = match.view_name if match else None
        return response
