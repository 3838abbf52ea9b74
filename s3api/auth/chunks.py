"""Signatures of aws-chunked bodies: each chunk's depends on the one before, from the request's on.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from s3api.auth import signing

if TYPE_CHECKING:
    from s3api.auth.signing import SigningKey

_CHUNK: Final = b"AWS4-HMAC-SHA256-PAYLOAD\n"
_TRAILER: Final = b"AWS4-HMAC-SHA256-TRAILER\n"
_EMPTY: Final = signing.EMPTY_SHA256.encode() + b"\n"


class SignedChunks:
    """Verifies the chunks of one request in order (the ChunkVerifier of `http.aws_chunked`).

    `head` is the request's date and credential scope, each ended by LF; `seed` its verified
    signature.
    """

    __slots__ = ("_access_key", "_canonical_request", "_hash", "_head", "_key", "_previous")

    def __init__(
        self,
        key: SigningKey,
        head: bytes,
        seed: bytes,
        *,
        access_key: str,
        canonical_request: bytes,
    ) -> None:
        self._key = key
        self._head = head
        self._previous = seed
        self._access_key = access_key
        self._canonical_request = canonical_request  # only to explain a refusal
        self._hash = sha256()

    def update(self, data: memoryview) -> None:
        """Take the next bytes of the current chunk."""
        self._hash.update(data)

    def finish_chunk(self, signature: str) -> None:
        """Check the current chunk and begin the next; S3Error SignatureDoesNotMatch."""
        digest = self._hash.hexdigest().encode()
        self._hash = sha256()
        self._check(
            b"".join((_CHUNK, self._head, self._previous, b"\n", _EMPTY, digest)), signature
        )

    def finish_trailer(self, trailer: bytes, signature: str) -> None:
        """Check the trailer (sorted `name:value` lines, ended by LF); SignatureDoesNotMatch."""
        digest = sha256(trailer).hexdigest().encode()
        self._check(b"".join((_TRAILER, self._head, self._previous, b"\n", digest)), signature)

    def _check(self, string_to_sign: bytes, signature: str) -> None:
        expected = self._key.sign(string_to_sign)
        if not compare_digest(expected, signature.encode()):
            raise signing.mismatch(
                self._access_key, signature, string_to_sign, self._canonical_request
            )
        self._previous = expected
