"""SigV4's arithmetic: signing keys, strings to sign, signatures.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from typing import Final

from s3api.errors import S3Error

SERVICE: Final = "s3"
TERMINAL: Final = "aws4_request"
ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


_BLOCK_BYTES: Final = 64  # of SHA-256
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class SigningKey:
    """A key, made ready to sign: HMAC-SHA256 by its definition (RFC 2104, 2).

    A signature is two digests of what stands here and the text, half of what `hmac.digest` takes:
    that looks its algorithm up and mixes the key anew each time.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        assert len(key) <= _BLOCK_BYTES, "a longer one is digested first"
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = block.translate(_INNER)
        self._outer = block.translate(_OUTER)

    def sign(self, string_to_sign: bytes) -> bytes:
        """Sign; the signature is lower-case hex."""
        inner = sha256(self._inner + string_to_sign).digest()
        return sha256(self._outer + inner).hexdigest().encode()


@lru_cache(maxsize=4096)
def signing_key(secret_key: str, date: str, region: str) -> SigningKey:
    """Derive the key that signs for one secret, day (`20130524`) and region.

    Kept per secret rather than per access key, so a changed secret needs no invalidation.
    """
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, SERVICE, TERMINAL):
        key = hmac.digest(key, part.encode(), "sha256")
    return SigningKey(key)


def mismatch(
    access_key: str, provided: str, string_to_sign: bytes, canonical_request: bytes | None = None
) -> S3Error:
    """Refuse a signature, showing what was signed here so that clients can compare."""
    refusal = S3Error(
        "SignatureDoesNotMatch",
        AWSAccessKeyId=access_key,
        StringToSign=string_to_sign.decode(errors="replace"),
        SignatureProvided=provided,
        StringToSignBytes=string_to_sign.hex(" "),
    )
    if canonical_request is not None:  # only SigV4 of whole requests has one
        refusal.detail["CanonicalRequest"] = canonical_request.decode(errors="replace")
        refusal.detail["CanonicalRequestBytes"] = canonical_request.hex(" ")
    return refusal
