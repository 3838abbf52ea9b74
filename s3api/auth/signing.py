"""SigV4's arithmetic: signing keys, strings to sign, signatures.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

from s3api.errors import S3Error

SERVICE: Final = "s3"
TERMINAL: Final = "aws4_request"
ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")


@lru_cache(maxsize=4096)
def signing_key(secret_key: str, date: str, region: str) -> bytes:
    """Derive the key that signs for one secret, day (`20130524`) and region.

    Kept per secret rather than per access key, so a changed secret needs no invalidation.
    """
    key = _hmac(f"AWS4{secret_key}".encode(), date)
    for part in (region, SERVICE, TERMINAL):
        key = _hmac(key, part)
    return key


def sign(key: bytes, string_to_sign: bytes) -> bytes:
    """Sign; the signature is lower-case hex."""
    return hmac.digest(key, string_to_sign, "sha256").hex().encode()


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
