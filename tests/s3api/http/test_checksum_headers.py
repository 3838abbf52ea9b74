"""What s3api.http.checksum_headers promises: one checksum or a refusal in AWS's words."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest

from s3api.errors import S3Error
from s3api.http.checksum_headers import (
    ExpectedChecksum,
    check_checksum,
    check_md5,
    expected_checksum,
    expected_md5,
)
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import code_of

CRC32 = {"x-amz-checksum-crc32": "AAAAAA=="}
CRC32C = {"x-amz-checksum-crc32c": "AAAAAA=="}
TRAILING = {
    "x-amz-trailer": "x-amz-checksum-crc32",
    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
}
SDK_CRC32 = {"x-amz-sdk-checksum-algorithm": "CRC32"}
SINGLE = "Expecting a single x-amz-checksum- header"
SEVERAL = f"{SINGLE}. Multiple checksum Types are not allowed."
UNSUPPORTED_TRAILER = "The value specified in the x-amz-trailer header is not supported"
NOTHING_DECLARED = (
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
    "x-amz-trailer headers were found."
)
BAD_SDK_VALUE = "Value for x-amz-sdk-checksum-algorithm header is invalid."


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-amz-checksum-mode": "ENABLED", "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-checksum-algorithm": "crc32"}, None),
        (CRC32, ExpectedChecksum("CRC32", "AAAAAA==")),
        (CRC32 | {"x-amz-checksum-type": "FULL_OBJECT"}, ExpectedChecksum("CRC32", "AAAAAA==")),
        (CRC32 | SDK_CRC32, ExpectedChecksum("CRC32", "AAAAAA==")),
        (CRC32 | {"x-amz-sdk-checksum-algorithm": "crc32"}, ExpectedChecksum("CRC32", "AAAAAA==")),
        (TRAILING, ExpectedChecksum("CRC32", None)),
        (TRAILING | SDK_CRC32, ExpectedChecksum("CRC32", None)),
        (TRAILING | {"x-amz-trailer": "X-Amz-Checksum-CRC32 ,,"}, ExpectedChecksum("CRC32", None)),
        (TRAILING | {"x-amz-trailer": ""}, None),
    ],
)
def test_what_is_announced(headers: dict[str, str], expected: ExpectedChecksum | None) -> None:
    """A checksum is found in a header or announced for the trailer, else there is none."""
    assert expected_checksum(make_request(headers=headers)) == expected


def test_query_parameters_are_no_headers() -> None:
    """Checksums that SDKs sign into presigned URLs (of an empty body) are ignored as AWS does."""
    query = b"x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
    assert expected_checksum(make_request(query=query)) is None


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x-amz-checksum-crc32": "bad"}, "Value for x-amz-checksum-crc32 header is invalid."),
        ({"x-amz-checksum-sha1": "AAAAAA=="}, "Value for x-amz-checksum-sha1 header is invalid."),
        (
            {"x-amz-checksum-bad": "AAAAAA=="},
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ),
        (CRC32 | CRC32C, SEVERAL),
        (CRC32 | CRC32C | {"x-amz-sdk-checksum-algorithm": "SHA256"}, SEVERAL),
        (CRC32 | CRC32C | TRAILING, SEVERAL),
        (TRAILING | CRC32, SINGLE),
        (TRAILING | CRC32C, SINGLE),
        (TRAILING | {"x-amz-trailer": "x-amz-checksum-crc32, x-amz-checksum-crc32c"}, SEVERAL),
        (TRAILING | {"x-amz-trailer": "x-amz-checksum-crc32, x-amz-checksum-crc32"}, SEVERAL),
        (TRAILING | {"x-amz-trailer": "x-amz-checksum-crc32, x-amz-foo"}, UNSUPPORTED_TRAILER),
        (TRAILING | {"x-amz-trailer": "x-amz-checksum-bad"}, UNSUPPORTED_TRAILER),
        (TRAILING | {"x-amz-trailer": "content-md5"}, UNSUPPORTED_TRAILER),
        (TRAILING | {"x-amz-trailer": ",x-amz-checksum-crc32"}, UNSUPPORTED_TRAILER),
        (TRAILING | {"x-amz-trailer": "x-amz-checksum-crc32, ,"}, UNSUPPORTED_TRAILER),
        (SDK_CRC32, NOTHING_DECLARED),
        (CRC32C | SDK_CRC32, BAD_SDK_VALUE),
        (TRAILING | {"x-amz-sdk-checksum-algorithm": "SHA256"}, BAD_SDK_VALUE),
    ],
)
def test_what_is_refused(headers: dict[str, str], message: str) -> None:
    """Contradictory, unknown and malformed announcements are InvalidRequest in AWS's words."""
    with pytest.raises(S3Error) as refusal:
        expected_checksum(make_request(headers=headers))
    assert (refusal.value.code, refusal.value.message) == ("InvalidRequest", message)


@pytest.mark.parametrize(
    "sha256", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64]
)
def test_a_trailer_needs_a_form_that_has_one(sha256: str) -> None:
    """Announcing a trailer for a body that cannot have one is MalformedTrailerError."""
    request = make_request(headers=TRAILING | {"x-amz-content-sha256": sha256})
    assert code_of(expected_checksum, request) == "MalformedTrailerError"


def test_comparison_with_a_header() -> None:
    """A header's value must equal the computed one, and the refusal names the algorithm."""
    check_checksum(ExpectedChecksum("CRC32", "AAAAAA=="), {}, "AAAAAA==")
    with pytest.raises(S3Error) as refusal:
        check_checksum(ExpectedChecksum("CRC64NVME", "AAAAAAAAAAA="), {}, "AAAAAAAAAAE=")
    assert refusal.value.code == "BadDigest"
    assert (
        refusal.value.message
        == "The CRC64NVME you specified did not match the calculated checksum."
    )


def test_comparison_with_a_trailer() -> None:
    """A trailer's value is judged like a header's, and called a trailing header."""
    expected = ExpectedChecksum("CRC32", None)
    check_checksum(expected, CRC32, "AAAAAA==")
    assert code_of(check_checksum, expected, CRC32, "AAAAAQ==") == "BadDigest"
    for trailers in ({"x-amz-checksum-crc32": "not-base-64"}, {}):
        with pytest.raises(S3Error) as refusal:
            check_checksum(expected, trailers, "AAAAAA==")
        assert refusal.value.code == "InvalidRequest"
        assert refusal.value.message == "Value for x-amz-checksum-crc32 trailing header is invalid."


def test_content_md5() -> None:
    """Content-MD5 is sixteen bytes in base64, and absent when it is not sent."""
    digest = hashlib.md5(b"bar", usedforsecurity=False).digest()
    request = make_request(headers={"content-md5": b64encode(digest).decode()})
    assert expected_md5(request) == digest
    assert expected_md5(make_request()) is None


@pytest.mark.parametrize("value", ["", "invalid", "YWJyYWNhZGFicmE=", "AWS HAHAHA", "====", "Ä"])
def test_malformed_content_md5(value: str) -> None:
    """Anything else is InvalidDigest, with the value shown."""
    with pytest.raises(S3Error) as refusal:
        expected_md5(make_request(headers={"content-md5": value}))
    assert refusal.value.code == "InvalidDigest"
    assert refusal.value.detail == {"Content-MD5": value}


def test_wrong_content_md5() -> None:
    """A body with another MD5 is BadDigest; the expected digest is shown in hex, as AWS does."""
    check_md5(b"\1" * 16, b"\1" * 16)
    with pytest.raises(S3Error) as refusal:
        check_md5(b"\1" * 16, b"\2" * 16)
    assert refusal.value.code == "BadDigest"
    assert refusal.value.detail == {
        "ExpectedDigest": "01" * 16,
        "CalculatedDigest": "AgICAgICAgICAgICAgICAg==",
    }
