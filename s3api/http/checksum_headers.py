"""Checksums a client sends along: Content-MD5 and x-amz-checksum-*, as header or trailer.

Order and words of the refusals are those AWS's servers were observed to use.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from s3api import checksums
from s3api.errors import S3Error
from s3api.http.payload import TRAILER_KINDS, split_trailer_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s3api.http.request import Request

_PREFIX: Final = "x-amz-checksum-"
_NOT_VALUES: Final = frozenset(
    {"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"}
)
_SINGLE: Final = "Expecting a single x-amz-checksum- header"
_SEVERAL: Final = f"{_SINGLE}. Multiple checksum Types are not allowed."
_MD5_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ExpectedChecksum:
    """A checksum to verify: base64, or None until the trailer brings it."""

    algorithm: str
    value: str | None


def expected_checksum(request: Request) -> ExpectedChecksum | None:
    """Find the one checksum the request announces, in a header or in x-amz-trailer.

    Query parameters of these names, which some SDKs sign into URLs, are ignored as AWS does.
    Raises S3Error InvalidRequest (several, malformed, unknown algorithm), MalformedTrailerError.
    """
    header = value_header(request)
    trailers = _declared_trailers(request)
    if header is None and not trailers and request.header("x-amz-sdk-checksum-algorithm") is None:
        return None
    if header is not None and trailers:
        raise S3Error("InvalidRequest", _SINGLE)
    expected = _of_header(*header) if header is not None else None
    if trailers:
        expected = ExpectedChecksum(trailers[0], None)
    _check_declared_algorithm(request, expected)
    if trailers and request.header("x-amz-content-sha256") not in TRAILER_KINDS:
        raise S3Error("MalformedTrailerError")
    return expected


def value_header(request: Request) -> tuple[str, str] | None:
    """Find algorithm and value of the one checksum header; the value is as sent.

    Raises S3Error InvalidRequest (several, unknown algorithm).
    """
    found = []
    for line, value in request.header_map.items():
        if not line.startswith(b"x-amz-checksum-"):
            continue
        name = line.decode("latin-1")
        algorithm = checksums.algorithm_of_header(name)
        if algorithm is not None:
            found.append((algorithm, value.decode("latin-1").strip()))
        elif name not in _NOT_VALUES:
            raise S3Error(
                "InvalidRequest",
                f"The algorithm type you specified in {_PREFIX} header is invalid.",
            )
    if len(found) > 1:
        raise S3Error("InvalidRequest", _SEVERAL)
    return found[0] if found else None


def _declared_trailers(request: Request) -> list[str]:
    """List the algorithms x-amz-trailer announces: at most one."""
    value = request.header("x-amz-trailer")
    if not value:
        return []
    found = [checksums.algorithm_of_header(name) for name in split_trailer_names(value)]
    names = [algorithm for algorithm in found if algorithm is not None]
    if len(names) < len(found):
        raise S3Error(
            "InvalidRequest", "The value specified in the x-amz-trailer header is not supported"
        )
    if len(names) > 1:
        raise S3Error("InvalidRequest", _SEVERAL)
    return names


def _of_header(algorithm: str, value: str) -> ExpectedChecksum:
    if not checksums.is_well_formed(algorithm, value):
        name = checksums.header_name(algorithm)
        raise S3Error("InvalidRequest", f"Value for {name} header is invalid.")
    return ExpectedChecksum(algorithm, value)


def _check_declared_algorithm(request: Request, expected: ExpectedChecksum | None) -> None:
    """Check x-amz-sdk-checksum-algorithm: it must name the checksum that is sent."""
    declared = request.header("x-amz-sdk-checksum-algorithm")
    if not declared:
        return
    if expected is None:
        raise S3Error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
            "x-amz-trailer headers were found.",
        )
    if declared.upper() != expected.algorithm:
        raise S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")


def check_checksum(expected: ExpectedChecksum, trailers: Mapping[str, str], actual: str) -> None:
    """Compare with the computed base64 value; S3Error BadDigest or InvalidRequest."""
    value = expected.value
    if value is None:
        name = checksums.header_name(expected.algorithm)
        value = trailers.get(name, "")
        if not checksums.is_well_formed(expected.algorithm, value):
            raise S3Error("InvalidRequest", f"Value for {name} trailing header is invalid.")
    if not compare_digest(b64decode(value), b64decode(actual)):
        raise S3Error(
            "BadDigest",
            f"The {expected.algorithm} you specified did not match the calculated checksum.",
        )


def expected_md5(request: Request) -> bytes | None:
    """Read Content-MD5 (base64 of 16 bytes); S3Error InvalidDigest if it is malformed."""
    value = request.header("content-md5")
    if value is None:
        return None
    try:
        digest = b64decode(value, validate=True)
    except (Base64Error, ValueError):
        digest = b""
    if len(digest) != _MD5_BYTES:
        refusal = S3Error("InvalidDigest")
        refusal.detail["Content-MD5"] = value
        raise refusal
    return digest


def check_md5(expected: bytes, actual: bytes) -> None:
    """Compare Content-MD5 with the computed digest; S3Error BadDigest."""
    if not compare_digest(expected, actual):
        raise S3Error(
            "BadDigest", ExpectedDigest=expected.hex(), CalculatedDigest=b64encode(actual).decode()
        )
