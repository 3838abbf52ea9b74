"""Many objects as one zip: `/zip/<bucket>` on the console's port, made while it is sent.

A form of the object browser names objects and folders. Each object is asked for as who is signed in
would ask S3 for it, so that his rights, the audit log and the checks of its bytes are those of a
GET. What is gone by then, or denied, is left out, and a text in the zip says so; once an object's
bytes have begun, only all of them will do: else the reply breaks off. With `measure` it is told
instead how much the folders hold, so that nothing is begun that cannot be ended.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec
from asgiref.sync import sync_to_async

from iam.audit.acting import set_scene
from s3api.app import Errand, Guest
from s3api.errors import S3Error
from s3api.http.dates import parse_http_date
from s3api.http.query import Query
from s3api.http.request import Request
from s3api.http.target import Target
from s3api.operations.translate import s3_error
from s4project.session_gateway import SAFETY, SIGNED_IN, let_in, refuse
from s4project.zip_names import Paths
from s4project.zip_stream import ZipStream
from storage_engine import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from s3api.app import S3App

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]

ROOT: Final = b"/zip/"
FORM_BYTES_MAX: Final = 4 * 1024 * 1024  # the names of a page of the list, however long they are
FIELDS_MAX: Final = 8  # of the form: who is not known yet has no megabytes of names taken apart
# A zip's directory is kept until its end; more than these are a client's work, not a browser's.
OBJECTS_MAX: Final = 50_000
NOTED_MAX: Final = 1000
NOTE: Final = "LEFT OUT.txt"
LIST: Final = "ListObjectsV2"
OK: Final = 200
KEPT: Final = frozenset({b"host", b"user-agent", b"referer"})  # of a request: policies may ask


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be packed: objects and folders by key, all below `base`, which paths leave out."""

    base: str = ""
    keys: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def without_repeats(self) -> Selection:
        """Name nothing that is in a folder that is named, and nothing twice; S3Error."""
        named = (*self.keys, *self.prefixes)
        if not named or not all(each.startswith(self.base) for each in named):
            raise S3Error("InvalidRequest", "Name objects or folders, all below the base.")
        folders: list[str] = []
        for prefix in sorted(set(self.prefixes)):
            if not folders or not prefix.startswith(folders[-1]):
                folders.append(prefix)

        def is_within(key: str) -> bool:
            """Look at the one folder that can hold it: the last that is not behind it."""
            at = bisect_right(folders, key)
            return at > 0 and key.startswith(folders[at - 1])

        alone = [key for key in dict.fromkeys(self.keys) if not is_within(key)]
        return Selection(self.base, tuple(alone), tuple(folders))


class Order(NamedTuple):
    """Who wants what of which bucket, and the request by which he says so."""

    guest: Guest
    bucket: str
    selection: Selection
    scope: dict[str, Any]


class ZipDownload:
    """An ASGI application: zips, for sessions of the console."""

    def __init__(self, get_app: Callable[[], S3App]) -> None:
        self._get_app = get_app

    @staticmethod
    def is_for(path: bytes) -> bool:
        """Whether a raw path of the console's port is that of a zip."""
        return path.startswith(ROOT)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        packing = None
        try:
            form = await _form(scope, receive)
            order = await _order(scope, form)
            set_scene(order.guest.ask)
            if form.get("measure") is not None:
                await _answer_json(send, await self._measure(order))
                return
            packing = Packing(self._get_app(), order, send)
            await packing.run()
        except S3Error as error:
            if packing is None or not packing.has_begun:
                await refuse(error, scope["method"], send)

    async def _measure(self, order: Order) -> dict[str, Any]:
        """Count the folders' objects and bytes, up to one object more than a zip takes."""
        objects = size = 0
        room = OBJECTS_MAX - len(order.selection.keys)
        for prefix in order.selection.prefixes:
            async for row in listed(self._get_app(), order, prefix):
                if objects >= room:
                    return {"objects": OBJECTS_MAX, "bytes": size, "hasMore": True}
                objects, size = objects + 1, size + row["Size"]
        return {"objects": objects, "bytes": size, "hasMore": room < 0}


class Packing:
    """One zip on its way."""

    def __init__(self, app: S3App, order: Order, send: Send) -> None:
        self._app = app
        self._order = order
        self._send = send
        self._zip = ZipStream()
        self._paths = Paths()
        self._left_out: list[str] = []
        self._left_out_count = self._count = 0
        self.has_begun = False

    async def run(self) -> None:
        """Send the zip; S3Error where it cannot be begun, or not be gone on with."""
        selection = self._order.selection
        for key in selection.keys:
            await self._pack(key)
        for prefix in selection.prefixes:
            async for row in listed(self._app, self._order, prefix):
                await self._pack(row["Key"], row)
        self._add_note()
        self._zip.close()
        await self._flush(is_last=True)

    async def _pack(self, key: str, row: dict[str, Any] | None = None) -> None:
        """Add an object, or say why it is not there."""
        await asyncio.sleep(0)  # small ones never wait for anything: others have their turn
        self._count += 1
        if self._count > OBJECTS_MAX:
            self._leave_out(key, f"a zip takes {OBJECTS_MAX:,} objects")
            return
        name = key.removeprefix(self._order.selection.base)
        if row is not None and row["Size"] == 0 and name.endswith("/"):
            self._zip.add_folder(self._paths.of_folder(name), row["LastModified"])
            return
        reply = ObjectReply(self, name)
        await self._app.serve_for(self._order.guest, self._scope_of(key), _nothing, reply.take)
        if reply.is_cut:
            raise S3Error("InternalError")  # bytes that would pass for all of it
        if reply.code:
            self._leave_out(key, reply.code)

    async def begin(self, name: str, headers: dict[bytes, bytes]) -> None:
        """Begin an object's entry."""
        modified = parse_http_date(headers[b"last-modified"].decode("ascii")) or 0
        path, size = self._paths.of_file(name), int(headers[b"content-length"])
        self._zip.begin(path, size, modified * 1000)

    async def write(self, data: bytes) -> None:
        """Go on with it, at the pace at which the zip is taken."""
        self._zip.write(data)
        await self._flush()

    def _scope_of(self, key: str) -> dict[str, Any]:
        """Write the GET of an object, as the browser's own would be."""
        path = f"/{self._order.bucket}/{key}"
        return _inner(self._order.scope, quote(path, safe="/").encode(), b"")

    def _leave_out(self, key: str, why: str) -> None:
        self._left_out_count += 1
        if len(self._left_out) < NOTED_MAX:
            self._left_out.append(f"{key}: {why}")

    def _add_note(self) -> None:
        """Say in the zip itself what is not in it."""
        if not self._left_out_count:
            return
        more = self._left_out_count - len(self._left_out)
        lines = ["These objects are not in this zip:", "", *self._left_out]
        lines += [f"and {more:,} more"] if more else []
        text = ("\n".join(lines) + "\n").encode()
        self._zip.begin(self._paths.of_file(NOTE), len(text), time.time_ns() // 1_000_000)
        self._zip.write(text)
        self._zip.end()

    async def _flush(self, *, is_last: bool = False) -> None:
        if not self.has_begun:
            self.has_begun = True
            await self._send(_head(_zip_name(self._order)))
        body = self._zip.take()
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})


class ObjectReply:
    """Takes S3's reply to the GET of one object; `code` says why there is none."""

    def __init__(self, packing: Packing, name: str) -> None:
        self._packing = packing
        self._name = name
        self._left = 0
        self._status = 0
        self._refusal = b""

    async def take(self, message: Mapping[str, Any]) -> None:
        """Take the next part of the reply."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = {name.lower(): value for name, value in message["headers"]}
            if self._status == OK:
                self._left = int(headers[b"content-length"])
                await self._packing.begin(self._name, headers)
        elif self._status == OK:
            self._left -= len(message["body"])
            await self._packing.write(message["body"])
        else:
            self._refusal += message["body"]

    @property
    def is_cut(self) -> bool:
        """Whether the object broke off, or who takes the zip has gone."""
        return self._left > 0 or self._status == 0

    @property
    def code(self) -> str:
        """S3's code for why there is no object; "" when there is one."""
        if self._status == OK:
            return ""
        return self._refusal.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


async def listed(app: S3App, order: Order, prefix: str) -> AsyncIterator[dict[str, Any]]:
    """Walk over all objects of a folder, as who asks may list them; S3Error."""
    target = Target(order.bucket, None, is_virtual_host=False, resource=f"/{order.bucket}")
    token: str | None = None
    while True:
        asked = {"list-type": "2", "prefix": prefix, "continuation-token": token}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        path = quote(target.resource).encode()
        request = Request(_inner(order.scope, path, query.encode()), _nothing)
        arguments = {"Prefix": prefix, **({"ContinuationToken": token} if token else {})}
        errand = Errand(order.guest.canonical_id, LIST, request, target, arguments)
        try:
            page = (await app.perform(errand)).output
        except EngineError as error:
            raise s3_error(error, target) from error
        await asyncio.sleep(0)  # as in `_pack`
        for row in page["Contents"]:
            yield row
        token = page.get("NextContinuationToken")
        if token is None:
            return


async def _form(scope: dict[str, Any], receive: Receive) -> Query:
    """Read a form; MethodNotAllowed, EntityTooLarge, IncompleteBody, InvalidRequest, InvalidURI."""
    if scope["method"] != "POST":
        raise S3Error("MethodNotAllowed")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise S3Error("IncompleteBody")
        body += message.get("body", b"")
        if len(body) > FORM_BYTES_MAX:
            raise S3Error("EntityTooLarge")
        if not message.get("more_body", False):
            break
    if body.count(b"&") >= FIELDS_MAX:
        raise S3Error("InvalidRequest", "The form has too many fields.")
    return Query(bytes(body))


async def _order(scope: dict[str, Any], form: Query) -> Order:
    """Find out who asks, and for what; S3Error."""
    token = form.get("csrfmiddlewaretoken")
    if token is not None:  # a form has no header for it
        told = (b"x-csrftoken", token.encode("latin-1", "replace"))
        scope = {**scope, "headers": [*scope["headers"], told]}
    found = await sync_to_async(let_in, thread_sensitive=False)(scope)
    if isinstance(found, S3Error):
        raise found
    try:
        bucket = unquote_to_bytes(scope["raw_path"].removeprefix(ROOT)).decode()
        selection = msgspec.json.decode(form.get("selection") or "", type=Selection)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise S3Error("InvalidRequest", str(error)) from error
    if not bucket or "/" in bucket:
        raise S3Error("InvalidBucketName", BucketName=bucket)
    return Order(found, bucket, selection.without_repeats(), scope)


def _inner(scope: dict[str, Any], path: bytes, query: bytes) -> dict[str, Any]:
    """Write a GET for S3's rooms that comes from where the form came."""
    headers = [*(pair for pair in scope["headers"] if pair[0] in KEPT), SIGNED_IN]
    asked = {"method": "GET", "raw_path": path, "query_string": query, "headers": headers}
    return {**scope, **asked, "path": path.decode()}


async def _nothing() -> dict[str, Any]:
    """Answer that a request has no body."""
    return {"type": "http.request", "body": b"", "more_body": False}


def _zip_name(order: Order) -> str:
    """Name the zip by what is in it: its only folder, else the folder it is from."""
    selection = order.selection
    place = selection.base
    if len(selection.prefixes) == 1 and not selection.keys:
        place = selection.prefixes[0]
    return (place.rstrip("/").rpartition("/")[2] or order.bucket) + ".zip"


def _head(name: str) -> dict[str, Any]:
    disposition = b"attachment; filename*=UTF-8''" + quote(name, safe="").encode()
    headers = [
        *SAFETY,
        (b"content-type", b"application/zip"),
        (b"content-disposition", disposition),
        (b"cache-control", b"no-store"),
    ]
    return {"type": "http.response.start", "status": OK, "headers": headers}


async def _answer_json(send: Send, told: dict[str, Any]) -> None:
    body = json.dumps(told).encode()
    headers = [
        *SAFETY,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    status = int(HTTPStatus.OK)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
