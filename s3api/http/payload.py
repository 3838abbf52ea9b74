"""What a body is said to be (x-amz-content-sha256), and the reader that decodes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s3api.http.aws_chunked import ChunkVerifier
    from s3api.http.body import Body


class PayloadKind(StrEnum):
    """The forms of x-amz-content-sha256."""

    SIGNED = "SIGNED"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclass(frozen=True, slots=True)
class Payload:
    """What the headers promise about the body."""

    kind: PayloadKind
    sha256_hex: str | None = None
    decoded_length: int | None = None
    trailer_names: tuple[str, ...] = ()
    verifier: ChunkVerifier | None = None

    @property
    def is_streaming(self) -> bool:
        """Whether the body is aws-chunked."""
        raise NotImplementedError


class PayloadReader:
    """The decoded payload of one request.

    Pieces are handed on before the signature of their chunk is known to be right: whoever stores
    them may commit only after `read()` has returned b"" and `check_sha256` has passed.
    """

    trailers: dict[str, str]

    def __init__(self, body: Body, payload: Payload, content_length: int | None) -> None:
        raise NotImplementedError

    @property
    def length(self) -> int | None:
        """Size of the decoded payload in bytes, as declared; None when it is not."""
        raise NotImplementedError

    async def read(self) -> bytes:
        """Return the next decoded bytes, about 1 MiB; b"" after all of it is verified."""
        raise NotImplementedError

    async def read_all(self, bytes_max: int) -> bytes:
        """Read a small document whole and check its SHA-256; MaxMessageLengthExceeded beyond."""
        raise NotImplementedError

    def check_sha256(self, actual_hex: str) -> None:
        """Refuse (XAmzContentSHA256Mismatch) a payload that is not the one that was signed."""
        raise NotImplementedError
