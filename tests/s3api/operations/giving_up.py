"""Uploads of every kind, interrupted wherever that can be, and what of them must be left then."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
import threading
from functools import partial
from operator import le
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from iam.audit.acting import Actor, Via
from s3api.app import Guest
from s3api.operations import ingest
from storage_engine import NoSuchKey, ObjectAttributes
from tests.e2e.posting import BOUNDARY, Upload, write_form
from tests.e2e.signing import UNSIGNED
from tests.fuzz.world import md5
from tests.s3api.http.requests import receive_of
from tests.storage_engine.bad_disks import FaultyDisk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence

    from tests.fuzz.world import World

KIB: Final = 1024
MIB: Final = 1024 * KIB
LARGE: Final = 3 * MIB + 5  # several steps
LOOKS: Final = 4000  # of some milliseconds, until all must have come to rest
OK: Final = {200, 204}


class TimedDisk(FaultyDisk):
    """A disk on which something happens, or on which there is no room, as it is called again."""

    def __init__(self, suffix: str = ".volume") -> None:
        super().__init__(suffix)
        self.left = 0  # so many calls until then
        self.befall: Callable[[], None] | None = None
        self.is_full_at = 0  # this write, counted from now on, finds no room, half-way
        self._counting = threading.Lock()

    def _call(self, descriptor: int) -> None:
        with self._counting:
            if self.befall is None or descriptor not in self._watched:
                return
            self.left -= 1
            if self.left:
                return
            befall, self.befall = self.befall, None
        befall()

    def write(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> None:
        """Write, unless it is this one that finds no room."""
        self._call(descriptor)
        if self.is_full_at and descriptor in self._watched:
            self.is_full_at -= 1
            if not self.is_full_at:
                data = b"".join(buffers)
                super().write(descriptor, [data[: len(data) // 2]], offset)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(descriptor, buffers, offset)

    def write_out(self, descriptor: int, offset: int, length: int) -> None:
        """Write out."""
        self._call(descriptor)
        super().write_out(descriptor, offset, length)

    def sync(self, descriptor: int) -> None:
        """Sync."""
        self._call(descriptor)
        super().sync(descriptor)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Punch."""
        self._call(descriptor)
        super().punch(descriptor, offset, length)


class Interrupted:
    """Awaits a request that is cancelled as it waits for the nth time; 0: never.

    `is_late`: not before what it waits for is there, and nobody has taken it. `is_relentless`: at
    each wait from then on.
    """

    def __init__(
        self,
        request: Coroutine[Any, Any, None],
        nth: int = 0,
        *,
        is_late: bool = False,
        is_relentless: bool = False,
    ) -> None:
        self._request = request
        self._nth = nth
        self._is_late = is_late
        self._is_relentless = is_relentless
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        resume: Callable[[], Any] = partial(self._request.send, None)
        while True:
            try:
                awaited = resume()
            except StopIteration:
                return
            self.waits += 1
            if self._is_due():
                if self._is_late and awaited is not None:
                    awaited.add_done_callback(lambda _: task.cancel())
                else:
                    asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield awaited
            except BaseException as interruption:  # noqa: BLE001  # handed on to where it belongs
                resume = partial(self._request.throw, interruption)
            else:
                resume = partial(self._request.send, None)

    def _is_due(self) -> bool:
        if not self._nth:
            return False
        return self.waits == self._nth or (self._is_relentless and self.waits > self._nth)


class Asked(NamedTuple):
    """An upload as a client sends it; `key` is its object, or "" where it is a part."""

    method: str
    target: str
    body: bytes
    headers: dict[str, str]
    key: str
    data: bytes
    is_signed: bool = True
    is_of_console: bool = False


def put(size: int, _world: World, number: int) -> Asked:
    """Put an object."""
    data = os.urandom(size)
    return Asked("PUT", f"/alpha/new{number}", data, {}, f"new{number}", data)


def put_in_console(size: int, world: World, number: int) -> Asked:
    """Put an object as a page of the console does."""
    return put(size, world, number)._replace(is_of_console=True)


def put_known(size: int, world: World, number: int) -> Asked:
    """Put what is in the store already."""
    data = bytes(size)
    stage(world, "known", data)
    return Asked("PUT", f"/alpha/new{number}", data, {}, f"new{number}", data)


def part(size: int, world: World, number: int) -> Asked:
    """Upload a part."""
    target = f"/alpha/up?partNumber={number}&uploadId={world.words['upload']}"
    return Asked("PUT", target, os.urandom(size), {}, "", b"")


def part_copy(size: int, world: World, number: int) -> Asked:
    """Copy an object into a part."""
    stage(world, f"source{number}", os.urandom(size))
    headers = {"x-amz-copy-source": f"alpha/source{number}"}
    return part(0, world, number)._replace(body=b"", headers=headers)


def copy(size: int, world: World, number: int) -> Asked:
    """Copy an object, which is read for a checksum of it."""
    data = os.urandom(size)
    stage(world, f"source{number}", data)
    headers = {
        "x-amz-copy-source": f"alpha/source{number}",
        "x-amz-checksum-algorithm": "SHA1",
    }
    return Asked("PUT", f"/alpha/new{number}", b"", headers, f"new{number}", data)


def form(size: int, _world: World, number: int) -> Asked:
    """Post a form to a bucket that is open to everybody."""
    data = os.urandom(size)
    body = write_form({"key": f"new{number}"}, Upload(data))
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return Asked("POST", "/beta", body, headers, f"new{number}", data, is_signed=False)


def completion(size: int, world: World, number: int) -> Asked:
    """Complete an upload of one part."""
    data, key = os.urandom(size), f"new{number}"
    upload = world._upload(bucket_id(world), key, attributes(world), [data])
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{md5(data)}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    return Asked("POST", f"/alpha/{key}?uploadId={upload.upload_id}", body, {}, key, data)


KINDS: Final[dict[str, Callable[[World, int], Asked]]] = {
    "PutObject of 1 KiB": partial(put, KIB),
    "PutObject of 40 KiB": partial(put, 40 * KIB),
    "PutObject of 200 KiB": partial(put, 200 * KIB),
    "PutObject of 300 KiB": partial(put, 300 * KIB),
    "PutObject of 3 MiB": partial(put, LARGE),
    "PutObject of known bytes": partial(put_known, 300 * KIB),
    "PutObject of the console": partial(put_in_console, LARGE),
    "UploadPart of 1 KiB": partial(part, KIB),
    "UploadPart of 3 MiB": partial(part, LARGE),
    "UploadPartCopy": partial(part_copy, LARGE),
    "CopyObject": partial(copy, LARGE),
    "CompleteMultipartUpload": partial(completion, 5 * KIB),
    "PostObject of 40 KiB": partial(form, 40 * KIB),
    "PostObject of 3 MiB": partial(form, LARGE),
}


def bucket_id(world: World, name: str = "alpha") -> int:
    """Find a bucket, without asking SQL."""
    return next(bucket.id for bucket in world._registry if bucket.name == name)


def attributes(world: World) -> ObjectAttributes:
    """Say whose an object is."""
    return ObjectAttributes(
        etag="", headers={}, owner=world.ids["owner"], checksum_type="FULL_OBJECT"
    )


def stage(world: World, key: str, data: bytes) -> None:
    """Put an object before all begins."""
    blob = world.engine.stage_bytes(data)
    world.engine.put_object(bucket_id(world), key, blob, attributes(world)).result()


class Attempt:
    """One upload, begun in the loop it is made in; `arrange` has it interrupted."""

    def __init__(self, world: World, asked: Asked, *, pieces_left_out: int = 0) -> None:
        self.world = world
        self.asked = asked
        self.sent: list[dict[str, Any]] = []
        self.is_cancelled = False
        body = asked.body
        self.pieces = [body[at : at + MIB] for at in range(0, len(body), MIB)]
        given = self.pieces[: len(self.pieces) - pieces_left_out]
        self._references = self._count_references()
        self._receive = receive_of(given, disconnect=pieces_left_out > 0)
        self._before = (tail(world), world.engine.live_bytes())

    @property
    def status(self) -> int:
        """How it was answered; 0: not at all."""
        return self.sent[0]["status"] if self.sent else 0

    def request(self) -> Coroutine[Any, Any, None]:
        """Begin it."""
        asked, world = self.asked, self.world
        path, _, query = asked.target.partition("?")
        own = {"host": "s3.test", "content-length": str(len(asked.body)), **asked.headers}
        if asked.is_signed and not asked.is_of_console:
            signed = world.signers["owner"].sign(asked.method, asked.target, own, UNSIGNED)
            own = signed.headers
        scope = {
            "type": "http",
            "method": asked.method,
            "scheme": "http",
            "raw_path": path.encode(),
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), text.encode()) for name, text in own.items()],
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 9000),
        }
        if asked.is_of_console:
            guest = Guest(world.ids["owner"], lambda: Actor(Via.CONSOLE))
            return world.app.serve_for(guest, scope, self._receive, self._send)
        live: Any = world.app(scope, self._receive, self._send)
        return live

    async def meet(self, interrupted: Awaitable[None] | None = None) -> None:
        """Have it answered, or cancelled."""
        try:
            await (interrupted or self.request())
        except asyncio.CancelledError:
            self.is_cancelled = True

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def _count_references(self) -> list[int]:
        return list(map(sys.getrefcount, self.pieces))

    async def come_to_rest(self) -> None:
        """Wait until nothing is held for it, and insist that nothing is kept but what is used."""
        del self._receive
        for _ in range(LOOKS):
            held = holdings(self.world)
            if not any(held.values()):
                break
            await asyncio.sleep(0.005)
        else:
            raise AssertionError(f"kept: {held}")
        (before, used), engine = self._before, self.world.engine
        if engine.live_bytes() == used:
            assert tail(self.world) == before, "room was kept that nothing uses"
        else:
            assert self.asked.key == "" or self.is_there(), "room was used for nothing"
        if not self.is_cancelled:  # what that leaves is for the collector
            await self._be_forgotten()

    async def _be_forgotten(self) -> None:
        """Wait until nobody refers to the body any more: threads let go of it last."""
        for _ in range(LOOKS):
            gc.collect()  # the test's own
            if all(map(le, self._count_references(), self._references)):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the body is still referred to")

    def is_there(self) -> bool:
        """Tell whether its object is, and insist that it is whole."""
        bucket = self.asked.target[1:].partition("/")[0]
        try:
            reader = self.world.engine.open_object(bucket_id(self.world, bucket), self.asked.key)
        except NoSuchKey:
            return False
        with reader:
            assert reader.read(0, reader.info.size) == self.asked.data
        return True


def holdings(world: World) -> dict[str, int]:
    """Count all that is held for uploads under way."""
    desk, store = ingest._desk, world.app.store
    return {
        "regions": sum(volume._open_regions for volume in world.engine._appender._owned),
        "steps": desk._steps + len(desk._arrived) + len(desk._hashed) + len(desk._hands),
        "requests": store.in_flight,
        "waiting": store._home.waiting if store._home is not None else 0,
        "held": store.turns.held,
    }


def tail(world: World) -> tuple[int, int]:
    """Tell where the next region would begin."""
    active = world.engine._appender._active
    return (active.id, active._tail) if active is not None else (0, 0)
