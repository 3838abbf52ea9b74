"""S3 for who is signed in to the console: `/s3/` on the console's own port.

The object browser is an S3 client of the server that serves it. So it needs no key, no CORS and no
name for the S3 side; a body goes straight to S3's rooms, and what a user may do is decided there,
as his signed request would be. Here is decided who he is, by his session; that a page of the
console asks, and no foreign one; and that what is stored can do no harm on the console's origin.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

import structlog
from asgiref.sync import sync_to_async
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import Error
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from iam.audit.acting import request_id
from iam.audit_middleware import actor_of
from iam.console import signed_in
from iam.sessions import SessionLife
from s3api.app import Guest
from s3api.context import RETRY
from s3api.errors import S3Error
from s3api.protocol import render_error
from s4project.signing_key import FollowServerKey
from s4project.sql.trouble import is_away
from s4project.sql.visits import visit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from django.http import HttpRequest

    from s3api.app import S3App

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    Headers = list[tuple[bytes, bytes]]

ROOT: Final = b"/s3"  # what stands before S3's own path
# Of a request: what says who asks, or from which page, is for this room alone; and a browser signs
# no body, in chunks or whole.
OWN: Final = frozenset(
    {
        *(b"authorization", b"cookie", b"origin", b"x-csrftoken", b"x-requested-with"),
        *(b"x-amz-content-sha256", b"x-amz-date", b"x-amz-security-token"),
    }
)
SIGNED_IN: Final = (b"authorization", b"Session")  # conditions may ask where it says who asks
BODY: Final = frozenset({b"content-type", b"content-length", b"transfer-encoding", b"expect"})
FROM_HERE: Final = frozenset(
    {b"same-origin", b"none"}
)  # of Sec-Fetch-Site; none: typed, a bookmark
# Of a reply: what must not be said of an object here, whatever was stored with it.
UNSAID: Final = frozenset({b"cache-control", b"expires"})
# What was stored is never a page here, whatever was asked: Chromium's viewer of PDFs was seen to
# let scripts in a document open windows of the console, in spite of a sandbox. So it is a download;
# to the pictures and films of a page that means nothing. Errors and lists are shown without a
# script, a style or an origin of their own.
GUARD: Final = b"default-src 'none'; frame-ancestors 'none'; sandbox"
SAFETY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Cookie"),
)
OVER: Final = S3Error("ExpiredToken", "The session is over. Sign in again.")

log = structlog.get_logger(__name__)


class SessionGateway:
    """An ASGI application: S3 below `/s3/`, for sessions of the console."""

    def __init__(self, get_app: Callable[[], S3App]) -> None:
        self._get_app = get_app

    @staticmethod
    def is_for(path: bytes) -> bool:
        """Whether a raw path of the console's port is S3's."""
        return path.startswith(b"/s3/")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = await sync_to_async(let_in, thread_sensitive=False)(scope)
        if isinstance(found, S3Error):
            await refuse(found, scope["method"], send)
            return
        await self._get_app().serve_for(
            found, _inner(scope), receive, partial(_send_safely, scope, send)
        )


def let_in(scope: dict[str, Any]) -> Guest | S3Error:
    """Find out whose session asks; ExpiredToken when it is nobody's, AccessDenied as below."""
    headers = dict(scope["headers"])
    if headers.get(b"sec-fetch-site", b"none") not in FROM_HERE:
        return S3Error("AccessDenied", "Only pages of the console itself may ask here.")
    bare = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in BODY]}
    found: list[Guest | S3Error] = [OVER]

    def look(request: HttpRequest) -> HttpResponse:
        found[:] = [_guest(request)]
        return HttpResponse()

    known = AuthenticationMiddleware(look)
    lasting = SessionLife(known)  # type: ignore[arg-type]  # `look` waits for nothing
    try:
        with visit(), closing(BytesIO()) as nothing:
            sessions = SessionMiddleware(lasting)
            FollowServerKey(sessions)(ASGIRequest(bare, nothing))  # type: ignore[arg-type]  # so too
    except BadRequest:  # the session was ended at this very moment
        return OVER
    except SuspiciousOperation:  # a host that cannot be one
        return S3Error("InvalidRequest")
    except Error as error:
        if not is_away(error):
            log.exception("session_unknown")
        return S3Error("ServiceUnavailable", headers=RETRY)
    return found[0]


def _guest(request: HttpRequest) -> Guest | S3Error:
    user = signed_in(request)
    if user is None:
        return OVER
    if CsrfViewMiddleware(_nothing).process_view(request, _nothing, (), {}) is not None:
        return S3Error(
            "AccessDenied", "The page is out of date. Load it again.", Reason="PageOutOfDate"
        )
    actor = actor_of(request, request_id.get())
    return Guest(user.canonical_id, lambda: actor)


def _nothing(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse()


def _inner(scope: dict[str, Any]) -> dict[str, Any]:
    """Write the request as S3's rooms are to see it."""
    headers = [pair for pair in scope["headers"] if pair[0] not in OWN]
    return {
        **scope,
        "headers": [*headers, SIGNED_IN],
        "raw_path": scope["raw_path"].removeprefix(ROOT),
        "path": scope["path"].removeprefix(ROOT.decode()),
    }


async def _send_safely(scope: dict[str, Any], send: Send, message: Mapping[str, Any]) -> None:
    """Pass a message on; a reply's head says that nothing in it may run."""
    if message["type"] == "http.response.start":
        is_get = scope["method"] == "GET"
        headers = _safe(message["headers"], scope) if is_get else [*message["headers"], *SAFETY]
        message = {**message, "headers": headers}
    await send(message)


def _safe(headers: Headers, scope: dict[str, Any]) -> Headers:
    """Rewrite the head of a reply to a browser: an object is a download."""
    told = {name.lower(): value for name, value in headers}
    kept = [(name, value) for name, value in headers if name.lower() not in UNSAID]
    disposition = told.get(b"content-disposition", b"")
    if b"etag" in told and not _is_attachment(disposition):
        kept = [pair for pair in kept if pair[0].lower() != b"content-disposition"]
        kept.append((b"content-disposition", _attachment(scope)))
    return [
        *kept,
        *SAFETY,
        (b"cache-control", b"private, no-cache"),
        (b"content-security-policy", GUARD),
    ]


def _is_attachment(disposition: bytes) -> bool:
    return disposition.strip().lower().startswith(b"attachment")


def _attachment(scope: dict[str, Any]) -> bytes:
    """Name a download by the last part of its key (RFC 6266, RFC 8187)."""
    name = unquote_to_bytes(scope["raw_path"].rstrip(b"/")).rpartition(b"/")[2]
    return b"attachment; filename*=UTF-8''" + quote(name, safe="").encode()


async def refuse(error: S3Error, method: str, send: Send) -> None:
    """Answer who was not let in, in S3's words."""
    status = HTTPStatus.UNAUTHORIZED if error is OVER else error.status
    body = b""
    if method != "HEAD":
        body = render_error(error, resource="", request_id=request_id.get(), host_id="")
    headers = [
        *SAFETY,
        (b"content-type", b"application/xml"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", GUARD),
        *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
