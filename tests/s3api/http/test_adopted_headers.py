"""Headers that a presigned URL carries in its query."""

from __future__ import annotations

from typing import Any

import pytest

from s3api.errors import S3Error
from s3api.http.request import Request


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def _request(query: bytes, headers: list[tuple[bytes, bytes]]) -> Request:
    scope = {
        "method": "PUT",
        "scheme": "http",
        "path": "/b/k",
        "raw_path": b"/b/k",
        "query_string": query,
        "headers": headers,
    }
    return Request(scope, _nothing)


def test_a_signed_parameter_counts_as_header() -> None:
    """An x-amz-* parameter of the URL is read like a header, and listed among them."""
    request = _request(b"x-amz-meta-color=blue&X-Amz-Signature=00&x-id=PutObject", [])
    request.adopt_query_headers()
    assert request.header("x-amz-meta-color") == "blue"
    assert request.header_items == [(b"x-amz-meta-color", b"blue")]


def test_a_header_wins_over_its_parameter() -> None:
    """Where both are there, the header itself counts."""
    request = _request(b"x-amz-acl=public-read", [(b"x-amz-acl", b"private")])
    request.adopt_query_headers()
    assert request.header("x-amz-acl") == "private"


def test_checksums_of_the_url_are_ignored() -> None:
    """A checksum in the URL is not of the body that comes, so it is no header."""
    request = _request(b"x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", [])
    request.adopt_query_headers()
    assert request.header_items == []


@pytest.mark.parametrize(
    "query",
    [b"x-amz-meta-a=1%0d%0ab:2", b"x-amz-meta-a=%00", b"x-amz-meta-a%3a=1", b"x-amz-%c3%a4"],
)
def test_what_no_header_could_hold_is_refused(query: bytes) -> None:
    """A line end in a parameter would be stored, and every reply that tells it would fail."""
    with pytest.raises(S3Error) as refusal:
        _request(query, []).adopt_query_headers()
    assert refusal.value.code == "InvalidArgument"
