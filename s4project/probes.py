"""What load balancers and containers ask: health, on both ports, of anybody, without SQL.

On the console's port `/health/live` and `/health/ready`; on S3's the paths that MinIO has, so that
who comes from there changes nothing, for as long as no bucket is called `minio`. Told is what is
wrong in a few plain words of our own, never what the system said of it: anybody may ask.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from s3api.errors import S3Error
from s3api.http.target import parse_target
from s4project.readiness import Readiness, look, read_snapshots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from s3api.app import S3App
    from s3api.context import Store

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    Headers = list[tuple[bytes, bytes]]

CONSOLE: Final = b"/health/"
MINIO: Final = b"/minio/health/"
BUCKET: Final = "minio"
READING: Final = frozenset({"GET", "HEAD"})
RETRY_SECONDS: Final = b"5"
TEXT: Final = b"text/plain; charset=utf-8"
JSON: Final = b"application/json"
SAFETY: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class ConsoleProbes:
    """An ASGI application: `/health/` of the console's port."""

    def __init__(self, get_app: Callable[[], S3App]) -> None:
        self._get_app = get_app

    @staticmethod
    def is_for(path: bytes) -> bool:
        """Whether a raw path of the console's port is one of health."""
        return path.startswith(CONSOLE)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        del receive
        path = scope["raw_path"]
        if path not in {b"/health/live", b"/health/ready"}:
            await _answer(send, scope, HTTPStatus.NOT_FOUND, TEXT, b"There is no such check.\n")
        elif scope["method"] not in READING:
            headers = [(b"allow", b"GET, HEAD")]
            await _answer(send, scope, HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"", headers)
        elif path == b"/health/live":
            await _answer(send, scope, HTTPStatus.OK, TEXT, b"ok")
        else:
            found = await look(self._get_app())
            status = HTTPStatus.OK if found.writes else HTTPStatus.SERVICE_UNAVAILABLE
            await _answer(send, scope, status, JSON, _document(found), _retry(status))


def _document(found: Readiness) -> bytes:
    """Write what was found as JSON: a word for each check, and what is wrong."""
    checks = (*found.for_reads, *found.for_writes, found.sql)
    told = {
        "status": "ready" if found.writes else "not ready",
        "failing": {each.name: each.trouble for each in checks[:-1] if each.trouble},
        "checks": {each.name: each.trouble or "ok" for each in checks},
    }
    return json.dumps(told).encode() + b"\n"


class MinioProbes:
    """MinIO's health on the S3 side; whatever else begins so is S3's.

    Each answers by its status alone. `cluster` is whether writes are taken, `cluster/read` whether
    reads are; `ready` is the latter, as a full disk is no reason to send no requests at all.
    Asked whether this machine could be spared (`maintenance=true`) the answer is always 412: it is
    the only one.
    Source: MinIO's documentation, "Healthcheck Probe".
    """

    def __init__(self, get_app: Callable[[], S3App]) -> None:
        self._get_app = get_app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = self._get_app()
        probe = PROBES.get(scope["raw_path"].removeprefix(MINIO))
        if probe is None or not await _is_free(app.store, scope):
            await app(scope, receive, send)
            return
        status = await probe(app, scope)
        await _answer(send, scope, status, b"", b"", _retry(status))


async def _is_free(store: Store, scope: dict[str, Any]) -> bool:
    """Tell whether the path is nobody's: it is read, and no bucket of the name is there."""
    if scope["method"] not in READING:
        return False
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    try:
        target = parse_target(host, scope["raw_path"], store.config.domains)
    except S3Error:
        return False
    if target.is_virtual_host:
        return False
    await read_snapshots(store)
    snapshots = store.snapshots
    return not snapshots.are_read or snapshots.registry.find(BUCKET) is None


async def _live(app: S3App, scope: dict[str, Any]) -> HTTPStatus:
    del app, scope
    return HTTPStatus.OK


async def _ready(app: S3App, scope: dict[str, Any]) -> HTTPStatus:
    del scope
    return HTTPStatus.OK if (await look(app)).reads else HTTPStatus.SERVICE_UNAVAILABLE


async def _cluster(app: S3App, scope: dict[str, Any]) -> HTTPStatus:
    if b"maintenance=true" in scope["query_string"].split(b"&"):
        return HTTPStatus.PRECONDITION_FAILED
    return HTTPStatus.OK if (await look(app)).writes else HTTPStatus.SERVICE_UNAVAILABLE


async def _cluster_read(app: S3App, scope: dict[str, Any]) -> HTTPStatus:
    if b"maintenance=true" in scope["query_string"].split(b"&"):
        return HTTPStatus.PRECONDITION_FAILED
    return await _ready(app, scope)


PROBES: Final[dict[bytes, Callable[[S3App, dict[str, Any]], Awaitable[HTTPStatus]]]] = {
    b"live": _live,
    b"ready": _ready,
    b"cluster": _cluster,
    b"cluster/read": _cluster_read,
}


def _retry(status: HTTPStatus) -> Headers:
    is_unready = status is HTTPStatus.SERVICE_UNAVAILABLE
    return [(b"retry-after", RETRY_SECONDS)] if is_unready else []


async def _answer(
    send: Send,
    scope: dict[str, Any],
    status: HTTPStatus,
    kind: bytes,
    body: bytes,
    headers: Headers | None = None,
) -> None:
    """Send a whole reply."""
    head = [*SAFETY, *(headers or []), (b"content-length", b"%d" % len(body))]
    if kind:
        head.append((b"content-type", kind))
    await send({"type": "http.response.start", "status": int(status), "headers": head})
    is_head = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if is_head else body})
