"""Queries and header lines: names that mean something with values that fit, or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from hypothesis import strategies as st

from s3api import checksums
from s3api.protocol.model import load_operations
from tests.fuzz import texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s3api.protocol.model import Member

MD5: Final = ["1B2M2Y8AsgTpgAmY7PhCfg==", "AAAA", "not base64", "////"]
SUMS: Final = ["AAAAAA==", "AAAAAAAAAAA=", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "AAAA", "é", "="]
SOURCES: Final = [
    *("/alpha/plain", "alpha/plain", "alpha/large", "alpha/dir/one", "alpha/parts", "alpha/none"),
    *(
        "alpha%2Fplain",
        "alpha/%zz",
        "alpha/plain?versionId=null",
        "alpha/plain?versionId=<<version>>",
    ),
    *("foreign/secret", "nobucket/k", "beta/k", "versioned/plain?versionId=<<version>>", "alpha/"),
    *(
        "alpha/%C3%BC%23%3F%25",
        "alpha/ü#?%",
        "alpha/plain?versionId=",
        "alpha/plain?x=y",
        "/",
        "alpha",
    ),
]
ACLS: Final = ["private", "public-read", "bucket-owner-full-control", "authenticated-read", "none"]
GRANTS: Final = [
    *(
        'id="<<owner>>"',
        'id="<<other>>"',
        'id="f"',
        "id=<<other>>",
        'emailAddress="owner@example.org"',
    ),
    'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
]
# Values that lead somewhere, by wire name in lower case.
USUAL: Final[dict[str, list[str]]] = {
    "content-md5": MD5,
    "x-amz-copy-source": SOURCES,
    "x-amz-rename-source": ["plain", "dir/one", "/plain", "none", "%C3%BC%23%3F%25", "dir/"],
    "x-amz-acl": ACLS,
    "x-amz-tagging": ["a=b", "a=b&c=d", "a=b&a=c", "=b", "a", "a=" + "b" * 257, "k" * 129 + "=b"],
    "x-amz-expected-bucket-owner": ["<<owner>>", "<<other>>", "123456789012"],
    "x-amz-source-expected-bucket-owner": ["<<owner>>", "<<other>>"],
    "x-amz-decoded-content-length": ["0", "5", "-1", "9" * 5000, "x"],
    "x-amz-object-attributes": ["ETag", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize", "x"],
    "x-amz-trailer": [
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc31",
        "a,b",
        "x-amz-checksum-sha1,",
    ],
    "x-amz-write-offset-bytes": ["0", "20", "-1"],
    "x-amz-mp-object-size": ["5", "20", "5242880"],
    "uploadid": ["<<upload>>", "<<upload>>", "0" * 32, "x"],
    "versionid": ["null", "<<version>>", "0" * 16, "f" * 16],
    "continuation-token": ["MXBsYWlu", "MQ==", "x", "MQ"],
    "partnumber": ["1", "2", "3", "0", "10000", "10001"],
    "prefix": ["", "dir/", "p", "ü"],
    "delimiter": ["/", "", "i", "//"],
    "list-type": ["2", "1", "3"],
    "encoding-type": ["url", "URL", "x"],
    "expires": ["Sun, 06 Nov 1994 08:49:37 GMT", "0", "never"],
    "range": texts.RANGES,
    "if-range": ["<<etag>>", "Sun, 06 Nov 1994 08:49:37 GMT"],
    "x-amz-copy-source-range": texts.RANGES,
    "content-encoding": ["gzip", "aws-chunked", "aws-chunked,gzip", "gzip, aws-chunked"],
    "origin": ["http://a.example", "null", "*"],
    "access-control-request-method": ["GET", "PUT", "x"],
    "content-type": ["text/plain", "multipart/form-data; boundary=b", "multipart/form-data"],
} | {checksums.header_name(name): SUMS for name in checksums.ALGORITHMS}
for _condition in ("if-match", "if-none-match"):
    for _prefix in ("", "x-amz-copy-source-", "x-amz-source-"):
        USUAL[_prefix + _condition] = ["<<etag>>", '"<<etag>>"', *texts.ETAGS]
for _who in ("full-control", "read", "read-acp", "write", "write-acp"):
    USUAL[f"x-amz-grant-{_who}"] = GRANTS
_DATED: Final = ("modified-since", "unmodified-since", "last-modified-time", "date")


def value(
    name: str, member: Member | None = None, *, is_wild: bool = True
) -> st.SearchStrategy[str]:
    """Draw the value of a header or parameter; one that is not wild is of its type."""
    usual = _usual(name.lower(), member)
    return texts.mostly(usual, texts.anything) if is_wild else usual


def _usual(wire: str, member: Member | None) -> st.SearchStrategy[str]:
    shape = member.shape if member is not None else None
    kind = shape.kind if shape is not None else ""
    if wire in USUAL:
        return st.sampled_from(USUAL[wire])
    if shape is not None and shape.enum:
        return st.sampled_from(sorted(shape.enum))
    if kind == "boolean":
        return st.sampled_from(["true", "false", "True"])
    if wire.endswith(_DATED) or kind == "timestamp":
        return texts.chosen(texts.DATES)
    if wire.startswith(("max-", "x-amz-max-")) or kind in {"integer", "long"}:
        return st.one_of(st.integers(-2, 1100).map(str), texts.chosen(texts.NUMBERS))
    return texts.chosen(texts.PLAIN)


def _members(location: str) -> dict[str, Member]:
    return {
        member.wire.lower() if location == "header" else member.wire: member
        for operation in load_operations()
        for member in (operation.input.members if operation.input else ())
        if member.location == location
    }


HEADERS: Final = _members("header")
QUERY: Final = _members("querystring")
MORE_HEADERS: Final = [
    *("x-amz-meta-a", "x-amz-meta-", "x-amz-meta-_x", "x-amz-checksum-crc31", "x-amz-trailer"),
    *("if-range", "range", "date", "origin", "x-amz-unknown", "x-amz-decoded-content-length"),
    *("access-control-request-method", "access-control-request-headers", "content-encoding"),
    *("x-amz-grant-read", "x-amz-security-token", "x-amz-content-sha256", "x-forwarded-for"),
]
HEADER_NAMES: Final = sorted({*HEADERS, *MORE_HEADERS} - {"content-length", "authorization"})


@st.composite
def header_lists(draw: st.DrawFn, most: int = 5) -> list[tuple[bytes, bytes]]:
    """Draw header lines as ASGI hands them over; names may repeat."""
    names = draw(st.lists(st.sampled_from(HEADER_NAMES), max_size=most))
    return [
        (name.encode(), texts.header_bytes(draw(value(name, HEADERS.get(name))))) for name in names
    ]


def encode(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write a query, escaped."""
    return "&".join(
        f"{quote(name, safe='~', errors='ignore')}={quote(text, safe='~/', errors='ignore')}"
        if text
        else quote(name, safe="~", errors="ignore")
        for name, text in pairs
    ).encode()


@st.composite
def queries(draw: st.DrawFn, names: list[str]) -> bytes:
    """Draw a raw query of known and unknown names, now and then spoilt."""
    known = st.sampled_from([*names, "x-id", "X-Amz-Meta-a", "X-Amz-Acl"])
    pairs = [
        (name, draw(value(name, QUERY.get(name))))
        for name in draw(st.lists(st.one_of(known, known, texts.anything), max_size=4))
    ]
    raw = encode(pairs)
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(raw)))
        raw = raw[:place] + draw(texts.raw_bytes) + raw[place:]
    return raw
