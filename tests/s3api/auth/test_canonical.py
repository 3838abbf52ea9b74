"""What s3api.auth.canonical promises: AWS's form, and the forms that mean the same."""

from __future__ import annotations

import pytest

from tests.s3api.auth.clients import CREDENTIAL, EMPTY, EXAMPLE_SCOPE, Client, refused, verify
from tests.s3api.http.requests import make_request


@pytest.mark.parametrize(
    ("path", "signed"),
    [
        (b"/bucket/a=b", "/bucket/a%3Db"),
        (b"/bucket/a=b", "/bucket/a=b"),
        (b"/bucket/a%3Db", "/bucket/a%3Db"),
        (b"/bucket/a%3db", "/bucket/a%3Db"),
        (b"/bucket/a%3db", "/bucket/a%3db"),
        (b"/bucket/a%2Fb", "/bucket/a/b"),
        (b"/bucket/a%2Fb", "/bucket/a%2Fb"),
        (b"/bucket/%7E", "/bucket/~"),
        (b"/bucket/a+b", "/bucket/a%2Bb"),
        (b"/bucket/a+b", "/bucket/a+b"),
        ("/bucket/ü".encode(), "/bucket/%C3%BC"),
    ],
)
def test_ways_to_sign_a_path(path: bytes, signed: str) -> None:
    """A path may be signed in AWS's form or as it was sent."""
    request = Client(path=signed).sign()
    request.raw_path = path
    assert verify(request).credential is CREDENTIAL


@pytest.mark.parametrize("raw", [b"prefix=a%2Fb", b"prefix=a/b", b"prefix=a%2fb"])
def test_ways_to_send_a_query(raw: bytes) -> None:
    """However a client escapes its query, AWS's form is what it signs."""
    signed = Client(query={"prefix": "a/b"}).sign()
    items = signed.header_items
    assert verify(make_request("GET", b"/", raw, items)).credential is CREDENTIAL


@pytest.mark.parametrize(
    ("sent", "signed"),
    [
        (b"list-type=2&b=a/b", "b=a/b&list-type=2"),
        (b"list-type=2&b=a/b", "list-type=2&b=a/b"),
        (b"uploads", "uploads="),
        (b"uploads", "uploads"),
    ],
)
def test_a_query_signed_as_sent(sent: bytes, signed: str) -> None:
    """A query signed as it was sent, unescaped, sorted or not, passes too."""
    client = Client()
    headers = client.all_headers()
    signature = client.signature(signed, headers, EMPTY)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={EXAMPLE_SCOPE},"
        f"SignedHeaders={';'.join(sorted(headers))},Signature={signature}"
    )
    assert verify(make_request("GET", b"/", sent, headers)).credential is CREDENTIAL


@pytest.mark.parametrize(
    ("signed", "sent"), [("h:80", "h"), ("h", "h:80"), ("h:443", "h"), ("h", "h:443")]
)
def test_default_ports(signed: str, sent: str) -> None:
    """A default port may be signed and not sent, or sent and not signed."""
    request = Client(host=signed).sign()
    request.scheme = "https" if "443" in signed + sent else "http"
    request.header_map[b"host"] = sent.encode()
    assert verify(request).credential is CREDENTIAL


def test_other_ports_are_signed() -> None:
    """Any other port is part of the host that was signed."""
    request = Client(host="h:9000").sign()
    request.header_map[b"host"] = b"h"
    assert refused(request).code == "SignatureDoesNotMatch"


def test_bytes_and_characters_of_a_header() -> None:
    """A value outside ASCII may be signed as UTF-8 or as its ISO 8859-1 characters in UTF-8."""
    request = Client(headers={"x-amz-meta-a": "é"}).sign()
    for sent in ("é".encode(), b"\xe9"):
        request.header_map[b"x-amz-meta-a"] = sent
        assert verify(request).credential is CREDENTIAL
    request.header_map[b"x-amz-meta-a"] = b"\xe8"
    assert refused(request).code == "SignatureDoesNotMatch"


def test_repeated_headers_are_signed_joined() -> None:
    """Lines of one header are signed as one value with commas."""
    request = Client(headers={"x-amz-meta-a": "1,2"}).sign()
    items = [item for item in request.header_items if item[0] != b"x-amz-meta-a"]
    items += [(b"x-amz-meta-a", b"1 "), (b"x-amz-meta-a", b" 2")]
    assert verify(make_request("GET", b"/", b"", items)).credential is CREDENTIAL
