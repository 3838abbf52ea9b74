"""Checksums a client sends along: Content-MD5 and x-amz-checksum-*, as header or trailer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s3api.http.request import Request


@dataclass(frozen=True, slots=True)
class ExpectedChecksum:
    """A checksum to verify; `value` is None until the trailer brings it."""

    algorithm: str
    value: str | None


def expected_checksum(request: Request) -> ExpectedChecksum | None:
    """Find the one checksum the request announces, in a header or in x-amz-trailer.

    Raises S3Error InvalidRequest (several, malformed, unknown algorithm).
    """
    raise NotImplementedError


def check_checksum(expected: ExpectedChecksum, trailers: Mapping[str, str], actual: str) -> None:
    """Compare with the computed base64 value; S3Error BadDigest or InvalidRequest."""
    raise NotImplementedError


def expected_md5(request: Request) -> bytes | None:
    """Read Content-MD5; S3Error InvalidDigest if it is malformed."""
    raise NotImplementedError


def check_md5(expected: bytes, actual: bytes) -> None:
    """Compare Content-MD5 with the computed digest; S3Error BadDigest."""
    raise NotImplementedError
