"""Whatever a client sends, each room of the S3 side takes it or refuses it in S3's words.

The rooms one by one, in process, on inputs of their own kind; test_app.py has them all together.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import strategies as st

from s3api.auth import authenticate
from s3api.auth.chunks import SignedChunks
from s3api.auth.claim import parse_expires
from s3api.auth.signing import signing_key
from s3api.http import dates, preconditions
from s3api.http.aws_chunked import ChunkedDecoder
from s3api.http.checksum_headers import check_checksum, expected_checksum, expected_md5
from s3api.http.payload import PayloadReader
from s3api.http.query import Query
from s3api.http.target import parse_target
from s3api.operations.attributes import stored_headers
from s3api.operations.copy import _parse_source
from s3api.operations.tokens import read_token, write_token
from s3api.protocol import OPERATIONS, Level, route
from s3api.protocol.router import FLAGS, METHODS, PARAMETERS
from s3api.protocol.timestamps import parse_timestamp
from storage_engine.limits import KEY_BYTES_MAX
from tests.e2e.signing import Signed, Signer, unsigned_frames
from tests.fuzz import texts
from tests.fuzz.documents import WITH_DOCUMENT, documents
from tests.fuzz.exploring import explore, register
from tests.fuzz.refusing import attempt
from tests.fuzz.wiring import encode, header_lists, queries
from tests.s3api.auth.clients import ACCESS_KEY, DATE, KEYRING, NOW, SECRET_KEY, Client
from tests.s3api.http.requests import make_request

if TYPE_CHECKING:
    from collections.abc import Callable


DOMAINS: Final = "s3.test,objects.example"
HEAD: Final = f"{DATE}\n20130524/us-east-1/s3/aws4_request\n".encode()
CHUNK_BYTES: Final = 8192


# --- target, query, router ---


def check_target(sent: tuple[str, bytes]) -> None:
    """Parse a target: its key is within bounds and its bucket has no slash."""
    host, path = sent
    target = attempt(parse_target, host, path, DOMAINS)
    if target is not None and target.key is not None:
        assert 0 < len(target.key.encode()) <= KEY_BYTES_MAX
    if target is not None and target.bucket is not None and not target.is_virtual_host:
        assert "/" not in target.bucket


HOSTS: Final = st.one_of(
    st.sampled_from(
        ["a", "alpha.s3.test", "s3.test", "[::1]:80", "..s3.test", "a.b.s3.test:9", ""]
    ),
    texts.anything,
)
PATHS: Final = st.one_of(
    texts.anything.map(lambda text: b"/" + text.encode("utf-8", "ignore")),
    st.lists(
        st.sampled_from([b"/", b"a", b"%2f", b"%", b"%zz", b"%c3%a9", b"%ff", b"\xff", b"%00"])
    ).map(b"".join),
)


def check_query(raw: bytes) -> None:
    """Parse a query: what it answers is what it lists."""
    query = attempt(Query, raw)
    if query is not None:
        for name, _ in query.items():  # noqa: PERF102  # a Query is no dict: names may repeat
            assert name in query
            assert query.get(name) is not None


def check_route(sent: tuple[str, Level, bytes, list[tuple[bytes, bytes]]]) -> None:
    """Route a request: it comes to an operation of the model."""
    method, level, raw, headers = sent
    query = attempt(Query, raw)
    if query is not None:
        operation = attempt(route, method, level, query, make_request(headers=headers))
        assert operation is None or OPERATIONS[operation.name] is operation


ROUTED: Final = st.tuples(
    st.one_of(st.sampled_from(sorted(METHODS)), st.text(max_size=5)),
    st.sampled_from(list(Level)),
    queries(sorted(FLAGS | PARAMETERS)),
    header_lists(),
)


# --- binder, documents ---


def check_binder(sent: tuple[str, bytes, list[tuple[bytes, bytes]]]) -> None:
    """Bind headers and query to every operation."""
    name, raw, headers = sent
    query = attempt(Query, raw)
    if query is not None:
        attempt(OPERATIONS[name].bind, "b", "k", query, headers, b"")


BOUND: Final = st.tuples(
    st.sampled_from(sorted(OPERATIONS)), queries(sorted(PARAMETERS)), header_lists()
)


def check_document(sent: tuple[str, bytes]) -> None:
    """Read a document of every operation that has one."""
    name, document = sent
    attempt(OPERATIONS[name].bind, "b", "k", Query(b""), [], document)


@st.composite
def read_documents(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw an operation and a document for it, or for another."""
    name = draw(st.sampled_from(WITH_DOCUMENT))
    other = draw(st.sampled_from([name, name, name, *WITH_DOCUMENT]))
    return name, draw(documents(other))


# --- chunks ---

SIGNER: Final = Signer(ACCESS_KEY, SECRET_KEY)
SEED: Final = "a" * 64
SIGNING_KEY: Final = signing_key(SECRET_KEY, "20130524", "us-east-1")
FORMS: Final = ["signed", "signed trailer", "unsigned trailer", "unsigned"]
TRAILER: Final = "x-amz-checksum-crc32"


def frames_of(form: str, pieces: list[bytes], trailers: dict[str, str]) -> bytes:
    """Encode a body as a client would."""
    signed = Signed({}, SEED, DATE)
    if form == "signed":
        return b"".join(SIGNER.signed_frames(signed, pieces))
    if form == "signed trailer":
        return b"".join(SIGNER.signed_frames(signed, pieces, trailers))
    return b"".join(unsigned_frames(pieces, trailers if form == "unsigned trailer" else {}))


@st.composite
def chunked_bodies(draw: st.DrawFn) -> tuple[str, bytes, list[bytes], int, bool]:
    """Draw (form, payload, pieces of the body, declared length, whether it is spoilt)."""
    form = draw(st.sampled_from(FORMS))
    sizes = draw(st.lists(st.sampled_from([CHUNK_BYTES, CHUNK_BYTES + 1, 1, 5, 9000]), max_size=3))
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    payload = b"".join(pieces)
    trailers = {TRAILER: draw(st.sampled_from(["AAAAAA==", "", "x", "é"]))}
    body = bytearray(frames_of(form, pieces, trailers))
    spoils = draw(st.sampled_from([0, 0, 1, 1, 2]))
    for _ in range(spoils):
        place = draw(st.integers(0, max(0, len(body) - 1)))
        how = draw(st.sampled_from(["flip", "cut", "insert", "delete", "double"]))
        if how == "flip" and body:
            body[place] = draw(st.integers(0, 255))
        elif how == "cut":
            del body[place:]
        elif how == "insert":
            body[place:place] = draw(texts.raw_bytes)
        elif how == "delete":
            del body[place : place + draw(st.integers(1, 90))]
        else:
            body += body[place:]
    length = draw(st.sampled_from([len(payload), len(payload), len(payload), 0, len(payload) + 1]))
    edges = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    cuts = [0, *edges, len(body)]
    return form, payload, [bytes(body[a:b]) for a, b in pairwise(cuts)], length, spoils > 0


def check_chunks(sent: tuple[str, bytes, list[bytes], int, bool]) -> None:
    """Decode a body: whatever is let through signed is what was signed, and of the length said."""
    form, payload, pieces, length, is_spoilt = sent
    verifier = None
    if form.startswith("signed"):
        verifier = SignedChunks(
            SIGNING_KEY, HEAD, SEED.encode(), access_key=ACCESS_KEY, canonical_request=b""
        )
    decoder = ChunkedDecoder(
        length,
        verifier,
        (TRAILER,) if "trailer" in form else (),
        has_signed_trailer=form == "signed trailer",
    )
    got: list[bytes] = []

    def decode() -> bool:
        for piece in pieces:
            got.extend(map(bytes, decoder.feed(piece)))
        decoder.finish()
        return True

    if attempt(decode):
        assert sum(map(len, got)) == length
        if verifier is not None or not is_spoilt:
            assert b"".join(got) == payload


def check_payload(sent: tuple[list[tuple[bytes, bytes]], list[bytes], str]) -> None:
    """Read the body of a request whose headers say anything about it."""
    headers, pieces, kind = sent
    items = [*headers, (b"host", b"a"), (b"x-amz-content-sha256", kind.encode())]
    request = make_request("PUT", b"/b/k", b"", items, pieces)

    async def read() -> bytes:
        identity = authenticate(request, KEYRING, region="us-east-1", now=NOW)
        return await PayloadReader(request.body, identity.payload, None).read_all(1 << 20)

    attempt(asyncio.run, read())


# --- signatures ---

SCOPES: Final = [
    *("20130524/us-east-1/s3/aws4_request", "20130525/us-east-1/s3/aws4_request"),
    *("20130524/eu-west-1/s3/aws4_request", "20130524/us-east-1/iam/aws4_request"),
    *("20130524/us-east-1/s3/aws4", "x/us-east-1/s3/aws4_request", "20130524//s3/aws4_request"),
    *("20130524/us-east-1/s3", "\u0662\u0660130524/us-east-1/s3/aws4_request", ""),
]


@st.composite
def authorizations(draw: st.DrawFn) -> list[tuple[bytes, bytes]]:
    """Draw the headers of a request that claims a signature."""
    key = draw(st.sampled_from([ACCESS_KEY, ACCESS_KEY, "", "AKIA/with/slashes", "é", "x" * 600]))
    names = draw(
        st.sampled_from(
            ["host;x-amz-content-sha256;x-amz-date", "host", "", ";", "HOST;host", "é;host"]
        )
    )
    signature = draw(st.sampled_from(["0" * 64, "é" * 64, "", "0" * 63, "x" * 65, "0" * 64 + ","]))
    parts = [
        f"Credential={key}/{draw(st.sampled_from(SCOPES))}",
        f"SignedHeaders={names}",
        f"Signature={signature}",
        draw(texts.anything),
    ]
    kept = draw(st.permutations(parts))[: draw(st.sampled_from([3, 3, 4, 2, 0]))]
    scheme = draw(st.sampled_from(["AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256", "AWS ", "Basic ", ""]))
    value = scheme + draw(st.sampled_from([",", ", ", " "])).join(
        parts[:3] if draw(st.booleans()) else kept
    )
    date = draw(st.one_of(st.just(DATE), texts.dates))
    content = draw(st.one_of(st.sampled_from(["UNSIGNED-PAYLOAD", "0" * 64]), texts.anything))
    lines = {
        b"host": "a",
        b"authorization": value,
        draw(st.sampled_from([b"x-amz-date", b"date"])): date,
        b"x-amz-content-sha256": content,
    }
    extra = draw(header_lists(2))
    return [(name, texts.header_bytes(text)) for name, text in lines.items()] + extra


def check_header_signature(headers: list[tuple[bytes, bytes]]) -> None:
    """Authenticate by header: nobody here knows the secret, so nobody is let in."""
    request = make_request("GET", b"/b/k", b"", headers)
    identity = attempt(authenticate, request, KEYRING, region="us-east-1", now=NOW)
    assert identity is None or identity.credential is None


@st.composite
def presigned(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Draw a query that claims a signature, and headers beside it."""
    values = {
        "X-Amz-Algorithm": st.sampled_from(["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", ""]),
        "X-Amz-Credential": st.sampled_from(SCOPES).map(lambda scope: f"{ACCESS_KEY}/{scope}"),
        "X-Amz-Date": st.one_of(st.just(DATE), texts.dates),
        "X-Amz-Expires": texts.numbers,
        "X-Amz-SignedHeaders": st.sampled_from(["host", "", ";", "host;x-amz-acl", "é"]),
        "X-Amz-Signature": st.sampled_from(["0" * 64, "", "é"]),
        "X-Amz-Content-Sha256": texts.anything,
        "X-Amz-Security-Token": texts.anything,
        "AWSAccessKeyId": texts.anything,
        "Signature": texts.anything,
        "Expires": texts.numbers,
    }
    usual = list(values)[:6]
    names = [name for name in values if draw(st.integers(0, 9)) < (9 if name in usual else 1)]
    pairs = [(name, draw(values[name])) for name in names]
    return encode(draw(st.permutations(pairs))), draw(header_lists(2))


def check_query_signature(sent: tuple[bytes, list[tuple[bytes, bytes]]]) -> None:
    """Authenticate by query: nobody here knows the secret, so nobody is let in."""
    raw, headers = sent
    request = attempt(make_request, "GET", b"/b/k", raw, [(b"host", b"a"), *headers])
    if request is None:
        return
    identity = attempt(authenticate, request, KEYRING, region="us-east-1", now=NOW)
    assert identity is None or identity.credential is None


def check_expires(text: str) -> None:
    """Read X-Amz-Expires: a week at most."""
    seconds = attempt(parse_expires, text)
    assert seconds is None or 0 <= seconds <= 604_800


@st.composite
def tampered(draw: st.DrawFn) -> tuple[Client, str, str, bool]:
    """Draw a well signed request, and one change of it after it was signed."""
    client = Client(
        path=draw(st.sampled_from(["/", "/b/k", "/b/%C3%A9"])),
        query=draw(st.sampled_from([{}, {"prefix": "a"}, {"x": ""}])),
        headers=draw(st.sampled_from([{}, {"x-amz-meta-a": "b"}, {"range": "bytes=0-1"}])),
    )
    change = draw(st.sampled_from(["method", "path", "query", "header", "drop", "add", "nothing"]))
    return client, change, draw(texts.anything), draw(st.booleans())


def check_tampered(sent: tuple[Client, str, str, bool]) -> None:
    """Authenticate what was changed after it was signed: it is let in only if it means the same."""
    client, change, text, is_presigned = sent
    request = client.presign() if is_presigned else client.sign()
    path, query, items, method = request.raw_path, request.query.raw, request.header_items, "GET"
    if change == "method":
        method = "PUT"
    elif change == "path":
        path += b"x"
    elif change == "query":
        query += b"&added=" + text.encode("utf-8", "ignore").hex().encode()
    elif change == "header":
        items = [(name, b"changed" if name == b"host" else value) for name, value in items]
    elif change == "drop":
        items = [pair for pair in items if pair[0] != b"host"]
    elif change == "add":
        items = [*items, (b"x-amz-acl", b"public-read")]
    again = make_request(method, path, query, items)
    identity = attempt(authenticate, again, KEYRING, region="us-east-1", now=NOW)
    assert (identity is not None and identity.credential is not None) == (change == "nothing")


# --- headers with a meaning ---


def check_checksums(headers: list[tuple[bytes, bytes]]) -> None:
    """Read what a request says of its body's digests."""
    request = make_request("PUT", b"/b/k", b"", headers)
    attempt(expected_md5, request)
    expected = attempt(expected_checksum, request)
    if expected is not None:
        attempt(check_checksum, expected, {}, "AAAAAA==")
    attempt(stored_headers, request)


def check_conditions(sent: tuple[list[tuple[bytes, bytes]], str, int]) -> None:
    """Decide conditions and ranges: a range that is served lies within the object."""
    headers, span, size = sent
    request = make_request("GET", b"/b/k", b"", headers)
    for prefix in ("", preconditions.COPY_SOURCE):
        conditions = attempt(preconditions.read_conditions, request, prefix)
        if conditions is not None:
            attempt(preconditions.is_modified, conditions, "etag", 784_111_777_000)
            attempt(preconditions.check_source, conditions, "etag", 784_111_777_000)
            attempt(preconditions.check_write, conditions, "k", "etag")
            attempt(preconditions.check_write, conditions, "k", None)
    for found in (
        attempt(preconditions.parse_range, span, size),
        attempt(preconditions.parse_copy_range, span, size),
    ):
        assert found is None or 0 <= found.first <= found.last < size
    preconditions.if_range_holds(span, "etag", 0)


def check_date(text: str) -> None:
    """Read a date: an integer or nothing."""
    for parse in (dates.parse_http_date, dates.parse_iso_basic, parse_timestamp):
        found: Any = parse(text)
        assert found is None or isinstance(found, int)


def check_copy_source(text: str) -> None:
    """Read a copy's source: a bucket and a key, or a refusal."""
    source = attempt(_parse_source, text)
    assert source is None or (source[0] and source[1])


def check_token(text: str) -> None:
    """Read a continuation token: what was written comes back, anything else is refused or text."""
    if text.isprintable():
        assert read_token(write_token(text)) == text
    attempt(read_token, text)


TARGETS: Final[dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]]] = {
    "target": (st.tuples(HOSTS, PATHS), check_target),
    "query": (queries(sorted(PARAMETERS)), check_query),
    "router": (ROUTED, check_route),
    "binder": (BOUND, check_binder),
    "documents": (read_documents(), check_document),
    "chunks": (chunked_bodies(), check_chunks),
    "payload": (
        st.tuples(
            header_lists(3),
            st.lists(texts.raw_bytes, max_size=3),
            st.one_of(
                st.sampled_from(["STREAMING-UNSIGNED-PAYLOAD-TRAILER", sha256(b"").hexdigest()]),
                st.just("UNSIGNED-PAYLOAD"),
            ),
        ),
        check_payload,
    ),
    "header signature": (authorizations(), check_header_signature),
    "query signature": (presigned(), check_query_signature),
    "expires": (texts.numbers, check_expires),
    "tampered": (tampered(), check_tampered),
    "checksums": (header_lists(), check_checksums),
    "conditions": (
        st.tuples(header_lists(), texts.ranges, st.integers(0, 100)),
        check_conditions,
    ),
    "dates": (texts.dates, check_date),
    "copy source": (
        st.one_of(
            st.builds("{}/{}{}".format, texts.anything, texts.anything, texts.anything),
            st.builds("b/k?versionId={}".format, texts.anything),
            texts.anything,
        ),
        check_copy_source,
    ),
    "token": (texts.anything, check_token),
}
for target in TARGETS:
    register(target)


@pytest.mark.parametrize("target", TARGETS)
def test_a_room_takes_or_refuses(target: str) -> None:
    """Nothing but a refusal of S3's comes out of a room, whatever goes in."""
    inputs, check = TARGETS[target]
    explore(target, inputs, check)
