"""One request's life, in order: target, route, authenticate, bind, authorise, operate, respond.

The only room that knows that order, and the only place in S4 that catches every exception: it logs
what it did not expect under the request's id and answers InternalError.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from iam.audit.acting import request_id, set_scene
from iam.keyring import Credential
from s3api.audit import GONE, Course
from s3api.auth import Identity, Payload, PayloadKind, identify
from s3api.context import Answer, Call, Store
from s3api.decision import Denied
from s3api.errors import S3Error
from s3api.http.body import ClientDisconnected
from s3api.http.cors import Headers, cors_headers
from s3api.http.payload import PayloadReader
from s3api.http.request import Request
from s3api.http.target import Target, parse_target
from s3api.operations.access import (
    authorise_operation,
    check_missing,
    check_settled,
    existing_bucket,
)
from s3api.operations.attributes import check_expected_owner
from s3api.operations.ingest import Digests, Expectations
from s3api.operations.post import open_form
from s3api.operations.refusal import refusal
from s3api.operations.registry import HANDLERS, OPEN, Handler
from s3api.operations.translate import s3_error
from s3api.protocol import OPERATIONS, Level, Operation, render_error, route
from s3api.rates import lone_rates, too_many
from storage_engine import EngineError, QuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from iam.audit.acting import Actor
    from s3api.audit import Audit
    from s3api.context import ControlPlane, Notes, Piece, S3Config
    from s3api.http.query import Query
    from s3api.rates import Rates
    from storage_engine import StorageEngine

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Given = tuple[str | None, str | None, Query, list[tuple[bytes, bytes]]]

log = structlog.get_logger("s3api")

STEP_BYTES: Final = 1 << 20  # of a body: in steps of a quarter, 1 MiB costs a quarter more
AT_ONCE_BYTES: Final = 32 * 1024  # of a document: they are read in 1.5 ms
HELD_BYTES: Final = (
    16 * 1024
)  # of a reply that waits for others: more has cost more than that gains
OK: Final = 200
TROUBLE: Final = 500  # statuses from here on tell of the server, not of the request
XML: Final = (b"content-type", b"application/xml")
NOWHERE: Final = Target(bucket=None, key=None, is_virtual_host=False, resource="/")
NOBODY: Final = Identity(None, Payload(PayloadKind.UNSIGNED))
FORM: Final = "PostObject"
HOST_ID: Final = os.urandom(16).hex()
HOST: Final = (b"x-amz-id-2", HOST_ID.encode())


class Reply:
    """Writes one response, and remembers whether it has begun."""

    has_begun = False
    cors: Headers | tuple[()] = ()

    def __init__(self, send: Send, course: Course, *, is_head: bool) -> None:
        self._send = send
        self.is_head = is_head
        self.course = course

    async def begin(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        data: bytes | memoryview,
        *,
        more: bool = False,
    ) -> None:
        """Send status, headers with the ids every S3 reply carries, and a first piece, or all."""
        self.has_begun = True
        course = self.course
        course.status, course.answered = status, time.perf_counter()
        course.sent_bytes = len(data)
        headers += (*self.cors, (b"x-amz-request-id", course.request_id.encode()), HOST)
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError as error:  # ASGI's word for a client that has gone
            raise ClientDisconnected from error

    async def go_on(self, data: bytes | memoryview, *, more: bool) -> None:
        """Send another piece of the body; the last one ends the response."""
        self.course.sent_bytes += len(data)
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError as error:
            raise ClientDisconnected from error


class Errand(NamedTuple):
    """What a user wants done who proved elsewhere who he is: an operation, as a request would ask.

    `request` is what policies may ask about; `arguments` are AWS member names to values.
    """

    canonical_id: str
    operation: str
    request: Request
    target: Target
    arguments: dict[str, Any]


class Guest(NamedTuple):
    """A user whom another door let in, and as whom the audit log tells of him."""

    canonical_id: str
    ask: Callable[[], Actor]


class S3App:
    """The ASGI application of the S3 side, one per worker process."""

    def __init__(
        self,
        engine: StorageEngine,
        control: ControlPlane,
        notes: Notes,
        config: S3Config,
        audit: Audit | None = None,
        rates: Rates | None = None,
    ) -> None:
        self.store = Store(engine, control, notes, config, rates or lone_rates())
        self._numbers = itertools.count(int.from_bytes(os.urandom(7)))  # no other worker's
        self.tellers: list[Callable[[Course], None]] = [] if audit is None else [audit.tell]

    def close(self) -> None:
        """Let the worker's threads end; the engine is its opener's to close."""
        self.store.close()

    def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one HTTP request of who has signed it."""
        turns = self.store.turns
        turns.come += 1
        return self._live(scope, receive, send, None, turns.come)

    async def serve_for(
        self, guest: Guest, scope: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        """Serve one HTTP request of a user whom another door let in, decided as his signed one.

        It names its bucket by path. No key narrows it, and no form is taken: that is signed. The
        door has given it its id.
        """
        set_scene(guest.ask)
        turns = self.store.turns
        turns.come += 1
        await self._live(scope, receive, send, guest, turns.come)

    async def _live(
        self, scope: dict[str, Any], receive: Receive, send: Send, guest: Guest | None, turn: int
    ) -> None:
        """Answer a request, whatever comes of it."""
        self.store.turns.begun = turn
        number = "" if guest is None else request_id.get()
        if not number:
            number = f"{next(self._numbers):016X}"
            request_id.set(number)
        course = Course(number, is_errand=guest is not None, scope=scope)
        reply = Reply(send, course, is_head=scope["method"] == "HEAD")
        target = NOWHERE
        store = self.store
        store.in_flight += 1
        try:
            request = Request(scope, receive)
            domains = store.config.domains if guest is None else None
            target = parse_target(request.header("host"), request.raw_path, domains)
            course.request, course.target = request, target
            await self._serve(request, target, reply, guest)
        except ClientDisconnected:
            course.code = GONE  # nobody is left to answer
        except S3Error as error:
            await _refuse(reply, error, target)
        except EngineError as error:
            told = s3_error(error, target, scope["method"])
            if told.status >= TROUBLE:  # a key that is not there is no trouble of ours
                log.error("engine_error", error=repr(error))  # noqa: TRY400  # its kind says it all
            await _refuse(reply, told, target)
        except Exception:
            log.exception("internal_error", path=target.resource)
            await _refuse(reply, S3Error("InternalError"), target)
        finally:
            store.in_flight -= 1
            self._tell(course)

    async def perform(
        self, errand: Errand, serve: Callable[[Call], Awaitable[Answer]] | None = None
    ) -> Answer:
        """Do what a user wants, decided as a request of his would be; S3Error, EngineError.

        `serve` does it in another way than the operation's own.
        """
        course = Course("", request=errand.request, target=errand.target, is_errand=True)
        course.operation = errand.operation
        try:
            await self.store.refresh()
            call = course.call = self.admit(errand)
            handler = _handler(call.operation)
            answer = await _operate(call, handler._replace(serve=serve) if serve else handler)
        except (S3Error, EngineError) as error:
            course.refuse(error if isinstance(error, S3Error) else s3_error(error, errand.target))
            raise
        else:
            course.status, course.output = OK, answer.output
            return answer
        finally:
            self._tell(course)

    def _tell(self, course: Course) -> None:
        """Let those know what became of a request who are to be told."""
        for tell in self.tellers:
            tell(course)

    def admit(self, errand: Errand) -> Call:
        """Let a user in with what he wants, by the snapshots as they are, if he may; S3Error."""
        store = self.store
        call = Call(
            store,
            errand.request,
            errand.target,
            OPERATIONS[errand.operation],
            _identity_without_key(store, errand.canonical_id),
            None,
            errand.arguments,
            time.time_ns() // 1_000_000,
        )
        _admit(call)
        return call

    async def _serve(
        self, request: Request, target: Target, reply: Reply, guest: Guest | None
    ) -> None:
        """Take one request through the rooms."""
        store, course = self.store, reply.course
        if store.is_overfull:
            raise too_many()
        now = time.time()
        course.now_ms = now_ms = int(now * 1000)
        if b"origin" in request.header_map and target.bucket is not None:
            await store.refresh()
            reply.cors = _cors_headers(store, request, target.bucket)
        operation = route(request.method, _level(target), request.query, request)
        course.operation = operation.name
        if not store.snapshots.is_current:
            await store.refresh()
        form = None
        if guest is not None:
            identity = _identity_of_guest(store, request, operation, guest)
        elif operation.name == FORM:  # alone in not being signed in headers or query
            form, request, target, identity = await open_form(store, request, target, now)
            course.target = target
        else:
            identity = _identity(store, request, target, operation, now)
        if guest is None and identity.credential is not None:
            store.notes.note_use(identity.credential.access_key, now_ms)
        call = course.call = Call(
            store,
            request,
            target,
            operation,
            identity,
            None,
            {},
            now_ms,
            form=form,
            request_id=course.request_id,
        )
        if guest is None:
            set_scene(call.actor)
        handler = _admit(call)
        store.rates.count(identity.credential, call.bucket_or_none)
        given = target.bucket, target.key, request.query, request.header_items
        if operation.reads_body:
            call.arguments = await _read_document(call, given)
        else:
            call.arguments = operation.bind(*given, b"")
        check_expected_owner(call)
        await _respond(reply, call, await _operate(call, handler))


def _admit(call: Call) -> Handler:
    """Find the call's bucket, and refuse the call unless its principal may make it; S3Error."""
    handler = _handler(call.operation)
    if handler.needs_bucket:
        assert call.target.bucket is not None, "routed by a bucket's name"
        call.bucket_or_none = existing_bucket(call, call.target.bucket)
    if handler.action is not None:
        authorise_operation(call, handler.action)
    return handler


def _identity(
    store: Store, request: Request, target: Target, operation: Operation, now: float
) -> Identity:
    """Find out who asks; nobody is asked where it makes no difference."""
    if operation.name in OPEN:
        return NOBODY
    return identify(
        request,
        target,
        store.snapshots.keyring,
        region=store.config.region,
        now=now,
        allows_version_2=store.config.signature_v2,
    )


def _identity_without_key(store: Store, canonical_id: str) -> Identity:
    """Make what a signature would tell of a user, of whom another door knows who he is."""
    principal = store.snapshots.keyring.principal(canonical_id)
    if principal is None:
        raise S3Error("AccessDenied")
    return Identity(Credential("", "", principal), NOBODY.payload)


def _identity_of_guest(
    store: Store, request: Request, operation: Operation, guest: Guest
) -> Identity:
    """As `_identity`, of who needs no signature."""
    if operation.name == FORM:
        raise S3Error("MethodNotAllowed")
    identity = _identity_without_key(store, guest.canonical_id)
    if request.query.raw:
        request.adopt_query_headers()
    return identity


def _cors_headers(store: Store, request: Request, bucket_name: str) -> Headers:
    """Write what every reply to a request from another origin carries, refusals too."""
    bucket = store.snapshots.registry.find(bucket_name)
    return cors_headers(bucket.configuration.cors, request) if bucket is not None else []


def _level(target: Target) -> Level:
    if target.bucket is None:
        return Level.SERVICE
    return Level.BUCKET if target.key is None else Level.OBJECT


def _handler(operation: Operation) -> Handler:
    handler = HANDLERS.get(operation.name)
    if handler is None:
        raise S3Error("NotImplemented", Operation=operation.name)
    return handler


async def _operate(call: Call, handler: Handler) -> Answer:
    """Let the operation answer, and make sure that the caller was allowed what he is told."""
    try:
        answer = await handler.serve(call)
    except S3Error as error:
        check_missing(call, error)
        raise
    except EngineError as error:
        told = refusal(call, error)
        check_missing(call, told)
        if isinstance(error, QuotaExceeded):
            raise told from error
        raise
    try:
        check_settled(call)
    except S3Error:
        if answer.piece is not None:
            answer.piece.reader.close()
        raise
    return answer


async def _read_document(call: Call, given: Given) -> dict[str, Any]:
    """Read a request's XML document whole, and bind it with what else the request has given.

    A long one is read in a thread: 10,000 parts would keep everybody waiting for 40 ms.
    """
    request = call.request
    expectations = Expectations(call)
    reader = PayloadReader(request.body, call.identity.payload, request.content_length)
    document = await reader.read_all(call.operation.document_bytes_max)

    def bind() -> dict[str, Any]:
        if expectations.exist:
            digests = Digests(expectations.algorithms(None))
            digests.update(document)
            expectations.check_digests(digests, reader)
        elif call.operation.demands_checksum and document:
            raise S3Error(
                "InvalidRequest",
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            )
        return call.operation.bind(*given, document)

    bound = bind() if len(document) <= AT_ONCE_BYTES else await call.store.on_disk(bind)
    await call.catch_up()
    return bound


async def _respond(reply: Reply, call: Call, answer: Answer) -> None:
    """Write an answer: rendered members, stored headers, then the body."""
    reply.course.output = answer.output
    rendered = call.operation.render(answer.output)
    status = answer.status or rendered.status
    headers = rendered.headers + answer.headers
    if answer.piece is not None:
        await _stream(reply, call, status, headers, answer.piece)
        return
    body = b"" if status in BODILESS else rendered.body or b""
    if len(body) <= HELD_BYTES and call.store.turns.is_crowd:
        await call.store.turns.let_others()
    if not reply.is_head and status not in BODILESS:
        headers.append((b"content-length", b"%d" % len(body)))
    await reply.begin(status, headers, body)


BODILESS: Final = {204, 304}


async def _stream(
    reply: Reply, call: Call, status: int, headers: list[tuple[bytes, bytes]], piece: Piece
) -> None:
    """Send an object's bytes, verified, in steps; the first is read before the status is sent.

    What the page cache holds is read at once; only what would wait for the disk takes a thread. A
    right that is taken away meanwhile ends it.
    """
    reader, offset, left = piece.reader, piece.offset, piece.length
    try:
        if call.store.turns.is_crowd:
            await call.store.turns.let_others()
            if call.store.is_overfull:  # those before it take their time
                raise too_many()
        while True:
            step = min(left, STEP_BYTES)
            data = reader.read_cached(offset, step) if step else b""
            if data is None:
                data = await call.store.on_disk(reader.read, offset, step)
            offset, left = offset + step, left - step
            if reply.has_begun:
                await reply.go_on(data, more=left > 0)
            else:
                await reply.begin(status, headers, data, more=left > 0)
            if not left:
                return
            del data  # what is read next may take its place in memory, and in the processor's cache
            await call.catch_up()
            if call.decision is not None and not call.decision.is_settled:
                call.settle(reader.info)
    finally:
        reader.close()


async def _refuse(reply: Reply, error: S3Error, target: Target) -> None:
    """Answer an error document; once a body has begun, breaking off is the only honest answer."""
    reply.course.refuse(error)
    if isinstance(error, Denied):
        tell = log.debug if error.is_anonymous else log.info
        tell("access_denied", reason=error.reason)
    if reply.has_begun:
        if error.status < TROUBLE:  # the right to the rest was taken away
            log.info("reply_cut_short", code=error.code)
        else:
            log.error("reply_broken_off", code=error.code)
        return
    body = b""
    headers: list[tuple[bytes, bytes]] = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()
    ]
    if not reply.is_head and error.status not in BODILESS:
        body = render_error(
            error, resource=target.resource, request_id=reply.course.request_id, host_id=HOST_ID
        )
        headers += [XML, (b"content-length", b"%d" % len(body))]
    with suppress(ClientDisconnected):
        await reply.begin(error.status, headers, body)
