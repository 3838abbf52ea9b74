"""Headers that a presigned URL carries in its query."""

from __future__ import annotations

from typing import Any

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
