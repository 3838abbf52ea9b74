"""Takes a request's payload in: verified, hashed and staged, with bounded memory.

Small payloads are hashed on the event loop, larger ones by threads; up to 1 MiB they stay in memory
until they are written, many at a time, for their commit. Large ones are hashed and written in steps
of about 1 MiB while the next step arrives (a thread hop for each small chunk would cost ten times
the work). A payload that proves wrong, or is given up, leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from s3api import checksums, md5
from s3api.errors import S3Error
from s3api.http import checksum_headers
from s3api.http.payload import PayloadReader
from s3api.operations.steps import Desk, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from hashlib import _Hash as Hash

    from s3api.checksums import Hasher
    from s3api.context import Call
    from s3api.http.body import Bytes
    from s3api.http.checksum_headers import ExpectedChecksum
    from storage_engine import BlobWriter, Guard, Origin, StagedBlob, StorageEngine

Staged = TypeVar("Staged", bound="StagedBlob | None")

SHARED_BYTES: Final = 16 * 1024  # to hash less together saves no more than the loop's extra round
SHARED_CROWD: Final = 12  # of fewer requests too few come in one round: 4 at a time cost 1.16 times
SMALL_BYTES: Final = 64 * 1024  # hashing this takes about as long as a hop to a thread and back
# Up to here a payload is written when it is whole, else as it arrives: many that are held have left
# the processor's cache before they are hashed (32 of 1 MiB at a time cost 1.4 times as much).
HELD_BYTES: Final = 256 * 1024
STEP_BYTES: Final = 1 << 20  # what is hashed and written at once of a larger one
DEFAULT_ALGORITHM: Final = "CRC64NVME"  # what AWS computes when the client asks for none


@dataclass(frozen=True, slots=True)
class Received:
    """A staged payload and its digests; checksums are base64 by algorithm."""

    blob: StagedBlob
    etag: str
    checksums: dict[str, str]


class Reader(Protocol):
    """Where a payload comes from."""

    @property
    def length(self) -> int | None:
        """Its size in bytes; None when nobody said."""

    @property
    def is_bound(self) -> bool:
        """Whether it may turn out to be shorter than its length."""

    @property
    def trailers(self) -> dict[str, str]:
        """What came behind it, by lower-case name, once its end has been read."""

    @property
    def is_ending(self) -> bool:
        """Whether the next `read` has nothing to wait for."""

    async def read(self) -> Bytes:
        """Return the next bytes, about 1 MiB; b"" at the end."""

    def check_sha256(self, actual_hex: str) -> None:
        """Refuse a payload that is not the one that was signed."""


class Digests:
    """MD5 and the wanted checksums of one payload, side by side.

    `sha256` is a digest of the same bytes that somebody else feeds: so it is computed once.
    """

    def __init__(self, algorithms: Iterable[str], sha256: Hash | None = None) -> None:
        self._names = tuple(algorithms)
        self.running_md5 = md5.new()
        self._sha256 = sha256
        self._hashers: dict[str, Hasher] = {
            name: checksums.new(name) for name in self._names if name != "SHA256" or sha256 is None
        }

    def update(self, data: Bytes) -> None:
        """Take the next bytes."""
        self.running_md5.update(data)
        self.update_checksums(data)

    def update_checksums(self, data: Bytes) -> None:
        """Take the next bytes, but for the MD5, which somebody else gives them to."""
        for hasher in self._hashers.values():
            hasher.update(data)

    @property
    def md5(self) -> bytes:
        """The MD5 digest."""
        return self.running_md5.digest()

    def checksums(self) -> dict[str, str]:
        """The checksums, base64 by algorithm."""
        return {name: self._b64(name) for name in self._names}

    def _b64(self, name: str) -> str:
        if name in self._hashers:
            return self._hashers[name].b64()
        assert self._sha256 is not None
        return b64encode(self._sha256.digest()).decode()


class Expectations:
    """Everything the client said about its payload's content.

    CompleteMultipartUpload's checksum is the object's, not that of the list of parts it sends.
    """

    def __init__(self, call: Call) -> None:
        self.md5 = checksum_headers.expected_md5(call.request)
        self.checksum: ExpectedChecksum | None = None
        if call.operation.name != "CompleteMultipartUpload":
            self.checksum = checksum_headers.expected_checksum(call.request)

    @property
    def exist(self) -> bool:
        """Whether the client sent an MD5 or a checksum along."""
        return self.md5 is not None or self.checksum is not None

    def algorithms(self, wanted: str | None) -> set[str]:
        """Name the checksums to compute: the client's, and the wanted one."""
        names = {self.checksum.algorithm} if self.checksum else set()
        return names | {wanted or (self.checksum.algorithm if self.checksum else DEFAULT_ALGORITHM)}

    def check(self, digests: Digests, reader: Reader, sha256: bytes) -> None:
        """Refuse a payload that is not what was promised."""
        reader.check_sha256(sha256.hex())
        self.check_digests(digests, reader)

    def check_digests(self, digests: Digests, reader: Reader) -> None:
        """Refuse a payload whose Content-MD5 or checksum is another."""
        if self.md5 is not None:
            checksum_headers.check_md5(self.md5, digests.md5)
        if self.checksum is not None:
            actual = digests.checksums()[self.checksum.algorithm]
            checksum_headers.check_checksum(self.checksum, reader.trailers, actual)


async def receive_payload(
    call: Call, origin: Origin, wanted: str | None = None, guard: Guard | None = None
) -> Received:
    """Read, verify and stage the whole payload; `wanted` names a checksum to compute in any case.

    `origin`, which lacks only the digests, is kept beside the payload; `guard` is what the commit
    will ask. Raises S3Error (MissingContentLength, EntityTooLarge, IncompleteBody, BadDigest,
    XAmzContentSHA256Mismatch, SignatureDoesNotMatch ...) with nothing left on disk; QuotaExceeded,
    before the body is asked for, where a quota leaves no room for so much.
    """
    request = call.request
    expectations = Expectations(call)
    reader: Reader = PayloadReader(request.body, call.identity.payload, request.content_length)
    if call.form is not None:
        reader = call.form.file
    size = reader.length
    if size is None and request.header("transfer-encoding") is not None:
        raise S3Error("NotImplemented", Header="Transfer-Encoding")  # as AWS (knox issue 43)
    if size is None:
        raise S3Error("MissingContentLength")
    if size > call.store.config.object_bytes_max:
        raise S3Error(
            "EntityTooLarge",
            ProposedSize=str(size),
            MaxSizeAllowed=str(call.store.config.object_bytes_max),
        )
    if call.bucket.is_bounded:
        _check_room(call, origin, reader, guard)
    algorithms = expectations.algorithms(wanted)
    receive = _receive_whole if size <= HELD_BYTES else _receive_large
    return await receive(call, reader, origin, algorithms, expectations)


def _check_room(call: Call, origin: Origin, reader: Reader, guard: Guard | None) -> None:
    """Refuse what could not be kept now anyway; of a form's file nobody knows the size yet."""
    engine, size = call.engine, 0 if reader.is_bound else reader.length or 0
    if origin.upload_id:
        engine.check_part_room(call.bucket.id, origin.upload_id, origin.part_number, size)
    else:
        engine.check_room(call.bucket.id, call.key, size, call.versioning, guard)


async def _receive_whole(
    call: Call,
    reader: Reader,
    origin: Origin,
    algorithms: set[str],
    expectations: Expectations,
) -> Received:
    pieces = []
    while piece := await reader.read():
        pieces.append(piece)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    sha256 = hashlib.sha256()
    digests = Digests(algorithms, sha256)
    if len(data) <= SMALL_BYTES:
        if md5.IS_COMPILED and len(data) >= SHARED_BYTES and call.store.in_flight >= SHARED_CROWD:
            await _desk.hash_with_others(digests.running_md5, data)
        else:
            digests.running_md5.update(data)
        sha256.update(data)
        digests.update_checksums(data)
    else:
        works = [sha256.update, digests.update_checksums]
        await _desk.work(call, Step(data, digests.running_md5, works))
    expectations.check(digests, reader, sha256.digest())
    await call.catch_up()
    etag, sums = digests.md5.hex(), digests.checksums()
    if not call.engine.is_inline(len(data), origin):
        origin = origin.with_digests(etag, sums)
    return Received(call.engine.stage_bytes(data, sha256.digest(), origin), etag, sums)


async def _receive_large(
    call: Call,
    reader: Reader,
    origin: Origin,
    algorithms: set[str],
    expectations: Expectations,
) -> Received:
    assert reader.length is not None
    begin = partial(call.engine.begin_blob, reader.length, origin, is_bound=reader.is_bound)
    taking = Taking(call.engine, begin, algorithms)
    try:
        if reader.length > STEP_BYTES:
            await call.store.on_disk(taking.begin)  # a full disk says so before all was sent
        last = await _pump(call, reader, taking)
        end = partial(taking.end, expectations, reader)
        received: Received
        if reader.length > STEP_BYTES:  # the disk is waited for, which keeps nobody's hash waiting
            await _desk.work(call, taking.step(last))
            received = await call.store.on_disk(end)
        else:
            received = await _desk.work(call, taking.step(last, end))
        await call.catch_up()  # not before: the disk may have taken its time over the rest
    except BaseException:
        await call.store.undo(taking.abort)
        raise
    return received


async def _pump(call: Call, reader: Reader, taking: Taking) -> Bytes:
    """Have each step hashed and written while the next one arrives; answer what is left to be."""
    pending: asyncio.Task[None] | None = None
    loop = asyncio.get_running_loop()
    try:
        piece = await reader.read()
        while piece:
            await call.catch_up()  # a body of hours does not outlast the right to send it
            if pending is not None:
                await pending
            is_ending = reader.is_ending
            following = await reader.read() if is_ending else b""
            if is_ending and not following:
                break
            pending = loop.create_task(_desk.work(call, taking.step(piece)))
            piece = following or await reader.read()
        return piece
    finally:
        if pending is not None:
            await pending


class Staging:
    """What a thread stages for a request, which may be given up meanwhile."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine = engine
        self._staged: StagedBlob | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def stage(self, make: Callable[..., Staged], *arguments: Any) -> Staged:
        """Make a staged payload, which is given back if nobody takes it; ValueError once over."""
        with self._lock:
            if self._is_over:
                raise ValueError("the payload was given up")
            self._staged = staged = make(*arguments)
            return staged

    def abort(self) -> None:
        """Give the room back, of what is being staged too; nobody has handed it to a mutation."""
        with self._lock:
            self._is_over = True
            if self._staged is not None:
                self._engine.discard(self._staged)


class Taking(Staging):
    """A large payload that is hashed and written, step by step, by threads."""

    def __init__(
        self, engine: StorageEngine, begin: Callable[..., BlobWriter], algorithms: Iterable[str]
    ) -> None:
        super().__init__(engine)
        self._sha256 = hashlib.sha256()
        self._digests = Digests(algorithms, self._sha256)
        self._begin = partial(begin, sha256=self._sha256)
        self._writer: BlobWriter | None = None

    def begin(self) -> BlobWriter:
        """Take room on the disk, if not done yet; DiskFull, and ValueError once given up."""
        with self._lock:
            if self._is_over:
                raise ValueError("the payload was given up")
            if self._writer is None:
                self._writer = self._begin()
            return self._writer

    def step(self, data: Bytes, end: Callable[[], Received] | None = None) -> Step:
        """Say what is to be done with the next bytes, and what with the last ones behind that."""
        digests = self._digests
        return Step(data, digests.running_md5, [self._write, digests.update_checksums], end)

    def take(self, data: Bytes) -> None:
        """Do all of that with the next bytes."""
        self._digests.update(data)
        self._write(data)

    def _write(self, data: Bytes) -> None:
        self.begin().write(data)

    def end(self, expectations: Expectations, reader: Reader) -> Received:
        """Finish the record, if the payload is what was promised; S3Error."""
        expectations.check(self._digests, reader, self._sha256.digest())
        return self.finish()

    def finish(self) -> Received:
        """Finish the record."""
        etag, sums = self._digests.md5.hex(), self._digests.checksums()
        return Received(self.stage(self.begin().finish, etag, sums), etag, sums)

    def abort(self) -> None:
        """Give the room back; a thread that is still at work takes none any more."""
        super().abort()
        if self._writer is not None:
            self._writer.abort()


_desk: Final = Desk()
