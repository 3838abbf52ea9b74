"""What s3api.auth.canonical promises: AWS's form, and the forms that mean the same."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.auth.canonical import canonical_request
from s3api.auth.claim import parse_form_credential
from s3api.auth.signed_headers import SignedHeaders
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


CLAIM = parse_form_credential(EXAMPLE_SCOPE)._replace(signed_headers=SignedHeaders("host"))
PIECES = ("a", "Z", "-", "_", ".", "~", "=", "&", "+", "%2F", "%2f", "%41", "%7E", "%20", "%C3%A9")


def canonical_lines(path: bytes, query: bytes) -> list[bytes]:
    """Build the canonical request of a target, line by line."""
    request = make_request("GET", path, query, {"host": "h"})
    return canonical_request(request, CLAIM, b"hash", request.header_map).split(b"\n")


@given(st.lists(st.sampled_from((*PIECES, "X-Amz-Signature=", "&X-Amz-Signature=f&")), max_size=12))
def test_any_query_has_one_form(pieces: list[str]) -> None:
    """Whether a query came in AWS's form or in another, AWS's form of it is signed."""
    raw = "".join(pieces).encode()
    pairs = [piece.partition(b"=") for piece in raw.replace(b"+", b" ").split(b"&") if piece]
    encoded = sorted(
        tuple(quote(unquote_to_bytes(part), safe="~") for part in (name, value))
        for name, _, value in pairs
        if unquote_to_bytes(name) != b"X-Amz-Signature"
    )
    wanted = "&".join(f"{name}={value}" for name, value in encoded).encode()
    assert canonical_lines(b"/", raw)[2] == wanted


VALUES = st.text("ab :\t ", max_size=12).map(str.encode)


@given(values=st.tuples(VALUES, VALUES), names=st.permutations(("host", "range", "x%b")))
def test_blank_in_headers(values: tuple[bytes, bytes], names: list[str]) -> None:
    """Blank around a value is left out, and between its words it is one space."""
    headers = {b"range": values[0], b"x%b": values[1], b"host": b"h", b"other": b"a  b"}
    request = make_request("GET", b"/", b"", list(headers.items()))
    claim = CLAIM._replace(signed_headers=SignedHeaders(";".join(names)))
    written = canonical_request(request, claim, b"hash", request.header_map).decode()
    lines = [f"{name}:{' '.join(headers[name.encode()].decode().split())}" for name in names]
    assert written == "\n".join(["GET", "/", "", *lines, "", ";".join(names), "hash"])


NAMES = st.frozensets(
    st.sampled_from(("host", "range", "x-amz-date", "x-amz-acl", "no-x-amz-acl", "x-amz-x-amz-a")),
    min_size=1,
)


@given(signed=NAMES, more=NAMES)
def test_what_a_signature_covers(signed: frozenset[str], more: frozenset[str]) -> None:
    """Counting the headers that must be covered lets none pass that looking at each finds."""
    headers = {name.encode(): b"" for name in sorted(signed | more)}
    found = SignedHeaders(";".join(sorted(signed)))
    is_covered = not found.uncovered(headers)
    assert is_covered or not found.cover(headers)
    if "no-x-amz-acl" not in more - signed:
        assert is_covered is found.cover(headers)
