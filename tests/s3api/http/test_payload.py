"""What s3api.http.payload promises: decoded pieces, and no end before all is verified."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from s3api.errors import S3Error
from s3api.http.body import Body, ClientDisconnected
from s3api.http.payload import (
    UNSIGNED_PAYLOAD,
    Payload,
    PayloadKind,
    PayloadReader,
    split_trailer_names,
    stream_payload,
)
from tests.s3api.http.requests import make_request, receive_of
from tests.s3api.refusals import code_of

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA = b"hello, chunked world"
CHUNKED = b"14\r\n" + DATA + b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
STREAM = Payload(
    PayloadKind.STREAMING_UNSIGNED_TRAILER,
    decoded_length=20,
    trailer_names=("x-amz-checksum-crc32",),
)
SIGNED = Payload(PayloadKind.SIGNED, hashlib.sha256(DATA).hexdigest())


def reader_of(
    pieces: Iterable[bytes], payload: Payload = UNSIGNED_PAYLOAD, *, disconnect: bool = False
) -> PayloadReader:
    """Build a reader of a body that arrives in the given pieces."""
    pieces = list(pieces)
    body = Body(receive_of(pieces, disconnect=disconnect), idle_seconds=5)
    return PayloadReader(body, payload, sum(map(len, pieces)))


async def read_to_end(reader: PayloadReader) -> bytes:
    """Read every piece."""
    pieces = []
    while piece := await reader.read():
        pieces.append(piece)
    return b"".join(pieces)


def test_a_plain_body_is_its_payload() -> None:
    """Without aws-chunked the body passes through and its length is the request's."""
    reader = reader_of([DATA[:7], DATA[7:]])
    assert reader.length == 20
    assert asyncio.run(read_to_end(reader)) == DATA
    assert reader.trailers == {}


@pytest.mark.parametrize("cut", [1, 3, 10, 24, 26, 40])
def test_a_stream_is_decoded(cut: int) -> None:
    """An aws-chunked body gives its payload, its decoded length and its trailers."""
    reader = reader_of([CHUNKED[:cut], b"", CHUNKED[cut:]], STREAM)
    assert reader.length == 20
    assert asyncio.run(read_to_end(reader)) == DATA
    assert reader.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


def test_the_end_comes_after_verification() -> None:
    """A stream without its last chunk is refused instead of ending."""
    reader = reader_of([CHUNKED[:26]], STREAM)
    assert asyncio.run(reader.read()) == DATA
    with pytest.raises(S3Error) as refusal:
        asyncio.run(reader.read())
    assert refusal.value.code == "IncompleteBody"


@pytest.mark.parametrize("payload", [UNSIGNED_PAYLOAD, STREAM])
def test_a_disconnect_is_no_end(payload: Payload) -> None:
    """A client that goes away never makes a shorter object."""
    reader = reader_of([CHUNKED[:10]], payload, disconnect=True)
    with pytest.raises(ClientDisconnected):
        asyncio.run(read_to_end(reader))


def test_documents_are_read_whole_and_verified() -> None:
    """A document is checked against the SHA-256 that was signed."""
    assert asyncio.run(reader_of([DATA[:5], DATA[5:]], SIGNED).read_all(100)) == DATA
    assert asyncio.run(reader_of([CHUNKED], STREAM).read_all(100)) == DATA
    assert asyncio.run(reader_of([], UNSIGNED_PAYLOAD).read_all(100)) == b""
    with pytest.raises(S3Error) as refusal:
        asyncio.run(reader_of([DATA + b"!"], SIGNED).read_all(100))
    assert refusal.value.code == "XAmzContentSHA256Mismatch"


def test_documents_are_bounded() -> None:
    """A document that is too long, announced or not, is refused without being gathered."""
    for length in (20, None):
        body = Body(receive_of([DATA]), idle_seconds=5)
        with pytest.raises(S3Error) as refusal:
            asyncio.run(PayloadReader(body, UNSIGNED_PAYLOAD, length).read_all(19))
        assert refusal.value.code == "MaxMessageLengthExceeded"


def test_the_signed_digest() -> None:
    """Only a signed digest is compared, in either case, and both are shown on mismatch."""
    digest = hashlib.sha256(DATA).hexdigest()
    reader_of([]).check_sha256(digest)
    reader_of([], SIGNED).check_sha256(digest)
    reader_of([], Payload(PayloadKind.SIGNED, digest.upper())).check_sha256(digest)
    with pytest.raises(S3Error) as refusal:
        reader_of([], SIGNED).check_sha256("0" * 64)
    assert refusal.value.detail == {
        "ClientComputedContentSHA256": digest,
        "S3ComputedContentSHA256": "0" * 64,
    }


def test_streams_are_described_by_headers() -> None:
    """Decoded length and trailer names come from the headers, names only where a form has them."""
    request = make_request(
        headers={
            "x-amz-decoded-content-length": "20",
            "x-amz-trailer": "X-Amz-Checksum-CRC32,",
        }
    )
    kind = PayloadKind.STREAMING_UNSIGNED_TRAILER
    assert stream_payload(request, kind, None) == STREAM
    assert stream_payload(request, PayloadKind.STREAMING_SIGNED, None).trailer_names == ()


@pytest.mark.parametrize("value", [None, "", "not an int", "-1", "1.5", "²", "9" * 5000])
def test_streams_need_a_decoded_length(value: str | None) -> None:
    """Without a number of decoded bytes a stream is MissingContentLength, as AWS calls it."""
    headers = {} if value is None else {"x-amz-decoded-content-length": value}
    request = make_request(headers=headers)
    kind = PayloadKind.STREAMING_UNSIGNED_TRAILER
    assert code_of(stream_payload, request, kind, None) == "MissingContentLength"


def test_trailer_names() -> None:
    """Names are lower-cased and trimmed; only commas at the end are forgiven."""
    assert split_trailer_names("A, b ,,") == ["a", "b"]
    assert split_trailer_names(",a") == ["", "a"]
