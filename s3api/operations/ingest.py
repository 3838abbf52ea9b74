"""Takes a request's payload in: verified, hashed and staged, with bounded memory.

Small payloads stay on the event loop; larger ones are hashed and written by threads in steps of
about 1 MiB while the next step arrives (a thread hop for each small chunk would cost ten times
the work). A payload that proves wrong leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from s3api import checksums
from s3api.errors import S3Error
from s3api.http import checksum_headers
from s3api.http.payload import PayloadReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s3api.checksums import Hasher
    from s3api.context import Call
    from s3api.http.checksum_headers import ExpectedChecksum
    from storage_engine import BlobWriter, Guard, Origin, StagedBlob

SMALL_BYTES: Final = 32 * 1024  # hashing this takes about as long as one hop to a thread
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

    async def read(self) -> bytes:
        """Return the next bytes, about 1 MiB; b"" at the end."""

    def check_sha256(self, actual_hex: str) -> None:
        """Refuse a payload that is not the one that was signed."""


class Digests:
    """MD5 and the wanted checksums of one payload, side by side."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashers: dict[str, Hasher] = {name: checksums.new(name) for name in algorithms}

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._md5.update(data)
        for hasher in self._hashers.values():
            hasher.update(data)

    @property
    def md5(self) -> bytes:
        """The MD5 digest."""
        return self._md5.digest()

    def checksums(self) -> dict[str, str]:
        """The checksums, base64 by algorithm."""
        return {name: hasher.b64() for name, hasher in self._hashers.items()}


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
    digests = Digests(expectations.algorithms(wanted))
    if size <= SMALL_BYTES:
        blob = await _receive_small(call, reader, origin, digests, expectations)
    else:
        blob = await _receive_large(call, reader, origin, digests, expectations)
    return Received(blob, digests.md5.hex(), digests.checksums())


def _check_room(call: Call, origin: Origin, reader: Reader, guard: Guard | None) -> None:
    """Refuse what could not be kept now anyway; of a form's file nobody knows the size yet."""
    engine, size = call.engine, 0 if reader.is_bound else reader.length or 0
    if origin.upload_id:
        engine.check_part_room(call.bucket.id, origin.upload_id, origin.part_number, size)
    else:
        engine.check_room(call.bucket.id, call.key, size, call.versioning, guard)


async def _receive_small(
    call: Call,
    reader: Reader,
    origin: Origin,
    digests: Digests,
    expectations: Expectations,
) -> StagedBlob:
    pieces = []
    while piece := await reader.read():
        pieces.append(piece)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    digests.update(data)
    sha256 = hashlib.sha256(data).digest()
    expectations.check(digests, reader, sha256)
    await call.catch_up()
    if call.engine.is_inline(len(data), origin):
        return call.engine.stage_bytes(data, sha256)
    known = origin.with_digests(digests.md5.hex(), digests.checksums())
    return await call.store.on_disk(call.engine.stage_bytes, data, sha256, known)


async def _receive_large(
    call: Call,
    reader: Reader,
    origin: Origin,
    digests: Digests,
    expectations: Expectations,
) -> StagedBlob:
    assert reader.length is not None
    begin = partial(call.engine.begin_blob, is_bound=reader.is_bound)
    writer = await call.store.on_disk(begin, reader.length, origin)
    try:
        await _pump(call, reader, writer, digests)
        sums = digests.checksums()
        blob = await call.store.on_disk(writer.finish, digests.md5.hex(), sums)
    except BaseException:
        await call.store.on_disk(writer.abort)
        raise
    try:
        expectations.check(digests, reader, blob.sha256)
        await call.catch_up()
    except S3Error:
        await call.store.on_disk(call.engine.discard, blob)
        raise
    return blob


async def _pump(call: Call, reader: Reader, writer: BlobWriter, digests: Digests) -> None:
    """Hash and write each step in a thread while the next one arrives."""

    def take(data: bytes) -> None:
        writer.write(data)
        digests.update(data)

    pending: asyncio.Task[None] | None = None
    loop = asyncio.get_running_loop()
    try:
        while piece := await reader.read():
            await call.catch_up()  # a body of hours does not outlast the right to send it
            if pending is not None:
                await pending
            pending = loop.create_task(call.store.on_disk(take, piece))
    finally:
        if pending is not None:
            await pending
