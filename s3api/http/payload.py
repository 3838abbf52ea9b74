"""What a body is said to be (x-amz-content-sha256), and the reader that decodes it.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from s3api.errors import S3Error
from s3api.http.aws_chunked import ChunkedDecoder, ChunkVerifier

if TYPE_CHECKING:
    from s3api.http.body import Body, Bytes
    from s3api.http.request import Request


class PayloadKind(StrEnum):
    """The forms of x-amz-content-sha256: SIGNED stands for a digest in hex."""

    SIGNED = "SIGNED"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


SIGNED_STREAMS: Final = frozenset(
    {PayloadKind.STREAMING_SIGNED, PayloadKind.STREAMING_SIGNED_TRAILER}
)
TRAILER_KINDS: Final = frozenset(
    {PayloadKind.STREAMING_SIGNED_TRAILER, PayloadKind.STREAMING_UNSIGNED_TRAILER}
)
STREAMS: Final = SIGNED_STREAMS | TRAILER_KINDS
LENGTH_DIGITS_MAX: Final = 19  # of a 64-bit integer


class Payload(msgspec.Struct, frozen=True):
    """What the headers promise about the body; lengths in bytes."""

    kind: PayloadKind
    sha256_hex: str | None = None  # as sent; only for SIGNED
    decoded_length: int | None = None  # only for streams
    trailer_names: tuple[str, ...] = ()
    verifier: ChunkVerifier | None = None


UNSIGNED_PAYLOAD: Final = Payload(PayloadKind.UNSIGNED)


def split_trailer_names(value: str) -> list[str]:
    """Split x-amz-trailer into lower-case names; commas at its end are forgiven, as AWS does."""
    return [name.strip().lower() for name in value.strip().rstrip(",").split(",")]


def stream_payload(request: Request, kind: PayloadKind, verifier: ChunkVerifier | None) -> Payload:
    """Describe an aws-chunked body.

    Raises S3Error MissingContentLength when x-amz-decoded-content-length is not a number.
    """
    length = request.header("x-amz-decoded-content-length") or ""
    digits = length.lstrip("0") or "0"
    if not (length.isascii() and length.isdigit()) or len(digits) > LENGTH_DIGITS_MAX:
        raise S3Error("MissingContentLength")
    names = request.header("x-amz-trailer") if kind in TRAILER_KINDS else None
    return Payload(
        kind,
        decoded_length=int(digits),
        trailer_names=tuple(split_trailer_names(names)) if names else (),
        verifier=verifier,
    )


class PayloadReader:
    """The decoded payload of one request.

    Pieces are handed on before the signature of their chunk is known to be right: whoever stores
    them may commit only after `read()` has returned b"" and `check_sha256` has passed.
    """

    __slots__ = ("_body", "_content_length", "_decoder", "_payload")

    is_bound: Final = False  # a payload is as long as it is said to be

    def __init__(self, body: Body, payload: Payload, content_length: int | None) -> None:
        self._body = body
        self._payload = payload
        self._content_length = content_length
        self._decoder: ChunkedDecoder | None = None
        if payload.decoded_length is not None:
            self._decoder = ChunkedDecoder(
                payload.decoded_length,
                payload.verifier,
                payload.trailer_names,
                has_signed_trailer=payload.kind is PayloadKind.STREAMING_SIGNED_TRAILER,
            )

    @property
    def length(self) -> int | None:
        """Size of the decoded payload in bytes, as declared; None when it is not."""
        if self._decoder is not None:
            return self._payload.decoded_length
        return self._content_length

    @property
    def trailers(self) -> dict[str, str]:
        """The trailers by lower-case name, once the end has been read."""
        return self._decoder.trailers if self._decoder is not None else {}

    @property
    def is_ending(self) -> bool:
        """Whether nothing more has to be waited for: the next `read` tells the end."""
        return self._body.is_finished

    async def read(self) -> Bytes:
        """Return the next decoded bytes, about 1 MiB; b"" after all of it is verified.

        Raises ClientDisconnected, and S3Error for whatever is wrong with the body.
        """
        if self._decoder is None:
            return await self._body.read()
        while data := await self._body.read():
            pieces = self._decoder.feed(data)
            if pieces:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._decoder.finish()
        return b""

    async def read_all(self, bytes_max: int) -> bytes:
        """Read a document whole and check its SHA-256 if that was signed.

        Raises S3Error MaxMessageLengthExceeded when it is longer than `bytes_max`.
        """
        if (self.length or 0) > bytes_max:
            raise _too_long(bytes_max)
        pieces: list[Bytes] = []
        size = 0
        while piece := await self.read():
            size += len(piece)
            if size > bytes_max:
                raise _too_long(bytes_max)
            pieces.append(piece)
        document = b"".join(pieces)
        if self._payload.kind is PayloadKind.SIGNED:
            self.check_sha256(sha256(document).hexdigest())
        return document

    def check_sha256(self, actual_hex: str) -> None:
        """Refuse (XAmzContentSHA256Mismatch) a payload that is not the one that was signed."""
        expected = self._payload.sha256_hex
        if expected is not None and expected.lower() != actual_hex:
            raise S3Error(
                "XAmzContentSHA256Mismatch",
                ClientComputedContentSHA256=expected,
                S3ComputedContentSHA256=actual_hex,
            )


def _too_long(bytes_max: int) -> S3Error:
    return S3Error("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(bytes_max))
