"""What s3api.auth.chunks promises: AWS's example uploads verify, and altered ones do not."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from s3api.errors import S3Error
from s3api.http.payload import PayloadReader
from tests.s3api.auth.clients import ACCESS_KEY, Client, hmac_of, verify
from tests.s3api.http.requests import make_request

DATA = b"a" * 66_560
SIGNED_NAMES = (
    "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
    "x-amz-decoded-content-length;x-amz-storage-class"
)
TRAILER_NAMES = (
    "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
    "x-amz-storage-class;x-amz-trailer"
)
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
SIGNED = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    SIGNED_NAMES,
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ),
    b"\r\n",
)
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
TRAILER = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    TRAILER_NAMES,
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    (
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ),
    (
        b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
        b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    ),
)
Example = tuple[str, str, str, tuple[str, str, str], bytes]


def body_of(signatures: tuple[str, ...], end: bytes) -> bytes:
    """Encode the examples' 64 KiB and 1 KiB chunks."""
    chunks = (DATA[:65_536], DATA[65_536:])
    lines = [
        b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), signature.encode(), chunk)
        for chunk, signature in zip(chunks, signatures, strict=False)
    ]
    return b"".join([*lines, b"0;chunk-signature=" + signatures[2].encode() + b"\r\n", end])


def upload(example: Example, body: bytes) -> PayloadReader:
    """Authenticate an example's request and open its body."""
    form, names, seed, _, _ = example
    headers = {
        "host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": form,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": "66824",
        "authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20130524/us-east-1/s3/"
        f"aws4_request,SignedHeaders={names},Signature={seed}",
    }
    if form.endswith("TRAILER"):
        headers["x-amz-trailer"] = "x-amz-checksum-crc32c"
    request = make_request(
        "PUT", b"/examplebucket/chunkObject.txt", b"", headers, [body[:70_000], body[70_000:]]
    )
    return PayloadReader(request.body, verify(request).payload, request.content_length)


async def read(reader: PayloadReader) -> bytes:
    """Read to the end."""
    pieces = []
    while piece := await reader.read():
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("example", [SIGNED, TRAILER])
def test_published_examples(example: Example) -> None:
    """The uploads of AWS's manual verify, chunk by chunk and with their trailer."""
    reader = upload(example, body_of(example[3], example[4]))
    assert reader.length == len(DATA)
    assert asyncio.run(read(reader)) == DATA
    assert reader.trailers == ({"x-amz-checksum-crc32c": "sOO8/Q=="} if example is TRAILER else {})


@pytest.mark.parametrize("example", [SIGNED, TRAILER])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_each_chunk_signature_counts(example: Example, chunk: int) -> None:
    """A wrong signature of any chunk, the last included, refuses the upload."""
    signatures = list(example[3])
    signatures[chunk] = "0" * 64
    with pytest.raises(S3Error) as refusal:
        asyncio.run(read(upload(example, body_of(tuple(signatures), example[4]))))
    assert refusal.value.code == "SignatureDoesNotMatch"
    assert refusal.value.detail["StringToSign"].startswith("AWS4-HMAC-SHA256-PAYLOAD\n")
    assert refusal.value.detail["SignatureProvided"] == "0" * 64
    assert refusal.value.detail["CanonicalRequest"].startswith(
        "PUT\n/examplebucket/chunkObject.txt"
    )


@pytest.mark.parametrize("position", [90, 65_000, 65_800])
def test_each_byte_counts(position: int) -> None:
    """A payload byte altered in any chunk refuses the upload."""
    body = bytearray(body_of(SIGNED[3], SIGNED[4]))
    assert body[position] == ord("a")
    body[position] = ord("b")
    with pytest.raises(S3Error) as refusal:
        asyncio.run(read(upload(SIGNED, bytes(body))))
    assert refusal.value.code == "SignatureDoesNotMatch"


def test_the_trailer_counts() -> None:
    """An altered trailer refuses the upload, and the refusal shows the trailer's string to sign."""
    end = TRAILER[4].replace(b"sOO8/Q==", b"sOO8/A==")
    with pytest.raises(S3Error) as refusal:
        asyncio.run(read(upload(TRAILER, body_of(TRAILER[3], end))))
    assert refusal.value.code == "SignatureDoesNotMatch"
    assert refusal.value.detail["StringToSign"].startswith("AWS4-HMAC-SHA256-TRAILER\n")


def test_a_trailer_ended_by_a_bare_line_feed() -> None:
    """Clients that put LF before the CRLF of a trailer's line sign the same bytes and pass."""
    end = TRAILER[4].replace(b"==\r\n", b"==\n\r\n")
    assert asyncio.run(read(upload(TRAILER, body_of(TRAILER[3], end)))) == DATA


def test_chunks_belong_to_their_request() -> None:
    """Chunks signed for one request do not verify for another."""
    client = Client(
        method="PUT",
        payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        headers={"x-amz-decoded-content-length": "5"},
    )
    chunks = []
    for other in (client, client.but(path="/other")):
        request = other.sign()
        seed = request.header("authorization")
        assert seed is not None
        chunks.append(sign_chunks(client, seed.rpartition("=")[2], b"hello"))
    for body, is_right in zip(chunks, (True, False), strict=True):
        request = client.but(body=(body,)).sign()
        reader = PayloadReader(request.body, verify(request).payload, len(body))
        if is_right:
            assert asyncio.run(read(reader)) == b"hello"
        else:
            with pytest.raises(S3Error, match="does not match"):
                asyncio.run(read(reader))


def sign_chunks(client: Client, seed: str, data: bytes) -> bytes:
    """Encode and sign one chunk and the last."""
    empty = hashlib.sha256(b"").hexdigest()
    parts = []
    for chunk in (data, b""):
        digest = hashlib.sha256(chunk).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{client.date}\n{client.scope}\n{seed}\n{empty}\n{digest}"
        seed = hmac_of(client.key(), text).hex()
        parts.append(b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), seed.encode(), chunk))
    return b"".join(parts)
