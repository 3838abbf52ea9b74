"""Each form of a streamed body, from the SDK that sends it or by the book that describes it.

What SDKs here send: boto3 an unsigned trailer over https and a header over http, awscrt (the
transport under AWS's command line and SDKs) an unsigned trailer over either. Signed chunks, which
the Java, Go and C++ SDKs send, are encoded by tests/e2e/signing.py, which first has to reproduce
AWS's published examples.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from awscrt import checksums as crt
from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSignedBodyValue,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.s3 import (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3Client,
    S3RequestTlsMode,
    S3RequestType,
)

from tests.e2e.server import ACCESS_KEY, SECRET_KEY
from tests.e2e.signing import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED_CHUNKS_TRAILER,
    Signer,
    split,
    unsigned_frames,
)
from tests.e2e.tls import TlsFront
from tests.e2e.wire import Reply, path_of, write_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

KIB = 1024
BODY = bytes(range(251)) * 4000
CRC32C = b64encode(crt.crc32c(BODY).to_bytes(4, "big")).decode()
SIZES = [0, 1, 8192, 65_536, 65_537, 1_000_000]
EXAMPLE = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE_BODY = b"a" * 65 * KIB
EXAMPLE_STAMP = "20130524T000000Z"


@pytest.fixture(scope="module")
def https(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    """Put TLS before the server, as its administrators do."""
    with TlsFront(("127.0.0.1", server.port), tmp_path_factory.mktemp("tls")) as front:
        yield front


def capture(client: BaseClient) -> dict[str, str]:
    """Note the headers of what a client sends."""
    seen: dict[str, str] = {}

    def note(request: Any, **_: Any) -> None:
        texts = {name.lower(): value for name, value in request.headers.items()}
        seen.update({n: v.decode() if isinstance(v, bytes) else v for n, v in texts.items()})

    client.meta.events.register("before-send.s3.PutObject", note)
    return seen


# --- the judge is judged first ---


def test_our_encoder_makes_awss_signed_chunks() -> None:
    """The encoder reproduces AWS's published example of a body in signed chunks."""
    headers = {
        "host": "s3.amazonaws.com",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": "66824",
    }
    signed = EXAMPLE.sign(
        "PUT", "/examplebucket/chunkObject.txt", headers, SIGNED_CHUNKS, EXAMPLE_STAMP
    )
    assert signed.signature == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    frames = EXAMPLE.signed_frames(signed, split(EXAMPLE_BODY))
    assert [frame.partition(b"\r\n")[0] for frame in frames] == [
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    assert sum(map(len, frames)) == 66_824


def test_our_encoder_makes_awss_signed_trailer() -> None:
    """The encoder reproduces AWS's published example of signed chunks with a trailer."""
    headers = {
        "host": "s3.amazonaws.com",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-trailer": "x-amz-checksum-crc32c",
    }
    signed = EXAMPLE.sign(
        "PUT", "/examplebucket/chunkObject.txt", headers, SIGNED_CHUNKS_TRAILER, EXAMPLE_STAMP
    )
    assert signed.signature == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    frames = EXAMPLE.signed_frames(
        signed, split(EXAMPLE_BODY), {"x-amz-checksum-crc32c": "sOO8/Q=="}
    )
    assert [frame.partition(b"\r\n")[0] for frame in frames[:3]] == [
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        b"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    assert frames[3] == (
        b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
        b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )


def test_our_signer_agrees_with_awss_own() -> None:
    """The seed of a chunked body is signed as AWS's own signer signs it."""
    headers = {
        "host": "127.0.0.1:9000",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
    }
    request = HttpRequest("PUT", "/bucket/a%20key", HttpHeaders(list(headers.items())))
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=AwsCredentialsProvider.new_static(ACCESS_KEY, SECRET_KEY),
        region="us-east-1",
        service="s3",
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
        signed_body_value=AwsSignedBodyValue.STREAMING_AWS4_HMAC_SHA256_PAYLOAD,
        signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )
    made = aws_sign_request(request, config).result(10)
    theirs = dict(made.headers)
    ours = Signer(ACCESS_KEY, SECRET_KEY).sign(
        "PUT", "/bucket/a%20key", headers, SIGNED_CHUNKS, theirs["X-Amz-Date"]
    )
    assert theirs["Authorization"].endswith(f"Signature={ours.signature}")


# --- what SDKs send ---


@pytest.mark.parametrize("size", SIZES)
def test_boto3_streams_with_an_unsigned_trailer(
    server: Server, https: TlsFront, s3: BaseClient, bucket: str, size: int
) -> None:
    """Over https boto3 sends its body unsigned, in chunks, with a checksum behind it."""
    client = server.client(endpoint_url=https.url, verify=str(https.certificate))
    seen, body = capture(client), BODY[:size]
    try:
        made = client.put_object(Bucket=bucket, Key="k", Body=body)
    finally:
        client.close()
    assert seen["x-amz-content-sha256"] == UNSIGNED_CHUNKS_TRAILER
    assert seen["x-amz-trailer"] == "x-amz-checksum-crc32"
    assert made["ChecksumCRC32"] == b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == body
    assert "ContentEncoding" not in read


@pytest.mark.parametrize("size", SIZES)
def test_boto3_signs_over_http(server: Server, bucket: str, size: int) -> None:
    """Over http boto3 signs the body's digest and sends its checksum in a header."""
    client = server.client()
    seen, body = capture(client), BODY[:size]
    try:
        client.put_object(Bucket=bucket, Key="k", Body=body)
        assert seen["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
        assert "x-amz-checksum-crc32" in seen
        assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    finally:
        client.close()


def test_a_stream_without_a_length_of_its_own(
    server: Server, https: TlsFront, s3: BaseClient, bucket: str, tmp_path: Path
) -> None:
    """A content encoding of the object's own survives the one that ends with the transfer."""
    client = server.client(endpoint_url=https.url, verify=str(https.certificate))
    (tmp_path / "file").write_bytes(BODY)
    try:
        with (tmp_path / "file").open("rb") as file:
            client.put_object(Bucket=bucket, Key="k", Body=file, ContentEncoding="gzip")
    finally:
        client.close()
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ContentEncoding"]) == (len(BODY), "gzip")


@pytest.mark.parametrize("algorithm", [member.name for member in S3ChecksumAlgorithm])
@pytest.mark.parametrize("location", ["HEADER", "TRAILER"])
def test_awscrt_puts_its_checksum_where_it_is_told(
    server: Server, s3: BaseClient, bucket: str, algorithm: str, location: str
) -> None:
    """AWS's native client stores an object with each checksum in a header and in a trailer."""
    client = S3Client(region="us-east-1", tls_mode=S3RequestTlsMode.DISABLED, part_size=5 << 20)
    lines = [("host", f"127.0.0.1:{server.port}"), ("content-length", str(len(BODY)))]
    made: list[tuple[int, list[tuple[str, str]]]] = []
    request = client.make_request(
        type=S3RequestType.PUT_OBJECT,
        request=HttpRequest("PUT", f"/{bucket}/k", HttpHeaders(lines), _Stream(BODY)),
        credential_provider=AwsCredentialsProvider.new_static(ACCESS_KEY, SECRET_KEY),
        checksum_config=S3ChecksumConfig(
            algorithm=S3ChecksumAlgorithm[algorithm], location=S3ChecksumLocation[location]
        ),
        on_headers=lambda status_code, headers, **_: made.append((status_code, headers)),
    )
    request.finished_future.result(60)
    assert made[0][0] == 200
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (
        head[f"Checksum{algorithm}"]
        == {n.lower(): v for n, v in made[0][1]}[f"x-amz-checksum-{algorithm.lower()}"]
    )
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY
    del request
    client.shutdown_event.wait(1)


# --- by the book ---


def put_signed(
    server: Server, bucket: str, body: bytes, chunk_bytes: int, trailer: str | None
) -> Reply:
    """Send a body in signed chunks, with a signed trailer if there is one."""
    headers = {
        "host": server.caller.host,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
    }
    trailers = None
    if trailer is not None:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32c"
        trailers = {"x-amz-checksum-crc32c": trailer}
    target = path_of(bucket, "k")
    form = SIGNED_CHUNKS if trailers is None else SIGNED_CHUNKS_TRAILER
    signer = server.caller.signer
    signed = signer.sign("PUT", target, headers, form)
    frames = signer.signed_frames(signed, split(body, chunk_bytes), trailers)
    with server.caller.connect() as connection:
        length = sum(map(len, frames))
        connection.send(write_head("PUT", target, signed.headers, length))
        for frame in frames:
            connection.send(frame)
        return connection.reply()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk_bytes", [8 * KIB, 64 * KIB, 300_001])
@pytest.mark.parametrize("has_trailer", [False, True])
def test_signed_chunks_are_stored(
    server: Server, s3: BaseClient, bucket: str, size: int, chunk_bytes: int, has_trailer: bool
) -> None:
    """Signed chunks of any size, with and without a signed trailer, become the object."""
    body = BODY[:size]
    checksum = b64encode(crt.crc32c(body).to_bytes(4, "big")).decode()
    reply = put_signed(server, bucket, body, chunk_bytes, checksum if has_trailer else None)
    assert (reply.status, reply.code) == (200, "")
    read = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert read["Body"].read() == body
    assert "ContentEncoding" not in read
    if has_trailer:
        assert read["ChecksumCRC32C"] == checksum


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),  # minio-go says nothing of the chunks
        ("aws-chunked", None),
        ("aws-chunked,gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("gzip", "gzip"),
    ],
)
@pytest.mark.parametrize("form", [SIGNED_CHUNKS, UNSIGNED_CHUNKS_TRAILER])
def test_only_the_coding_of_the_content_is_kept(
    server: Server, s3: BaseClient, bucket: str, form: str, sent: str | None, kept: str | None
) -> None:
    """Chunks are decoded whether Content-Encoding names them or not, and all else in it stays."""
    headers = {"host": server.caller.host, "x-amz-decoded-content-length": "5"}
    headers |= {"content-encoding": sent} if sent is not None else {}
    target, signer = path_of(bucket, "k"), server.caller.signer
    signed = signer.sign("PUT", target, headers, form)
    is_signed = form == SIGNED_CHUNKS
    frames = (
        signer.signed_frames(signed, [b"hello"]) if is_signed else unsigned_frames([b"hello"], {})
    )
    with server.caller.connect() as connection:
        encoded = b"".join(frames)
        connection.send(write_head("PUT", target, signed.headers, len(encoded)) + encoded)
        assert connection.reply().status == 200
    read = s3.get_object(Bucket=bucket, Key="k")
    assert (read["Body"].read(), read.get("ContentEncoding")) == (b"hello", kept)


@pytest.mark.parametrize("size", SIZES)
def test_unsigned_chunks_are_stored(server: Server, s3: BaseClient, bucket: str, size: int) -> None:
    """Unsigned chunks with a trailer become the object, over plain http as well."""
    body = BODY[:size]
    checksum = b64encode(crt.crc32c(body).to_bytes(4, "big")).decode()
    encoded = b"".join(unsigned_frames(split(body), {"x-amz-checksum-crc32c": checksum}))
    headers = {
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32c",
    }
    target = path_of(bucket, "k")
    head = server.caller.head("PUT", target, len(encoded), headers, UNSIGNED_CHUNKS_TRAILER)
    with server.caller.connect() as connection:
        connection.send(head + encoded)
        assert connection.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_chunks_may_arrive_in_any_pieces(server: Server, s3: BaseClient, bucket: str) -> None:
    """How TCP cuts a chunked body up changes nothing of it."""
    body = BODY[:20_000]
    checksum = b64encode(crt.crc32c(body).to_bytes(4, "big")).decode()
    trailers = {"x-amz-checksum-crc32c": checksum}
    encoded = b"".join(unsigned_frames(split(body, 9000), trailers))
    headers = {
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32c",
    }
    target = path_of(bucket, "k")
    head = server.caller.head("PUT", target, len(encoded), headers, UNSIGNED_CHUNKS_TRAILER)
    with server.caller.connect() as connection:
        connection.send(head)
        for place in range(0, len(encoded), 7):
            connection.send(encoded[place : place + 7])
        assert connection.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_an_unsigned_payload_is_stored(server: Server, s3: BaseClient, bucket: str) -> None:
    """UNSIGNED-PAYLOAD stores the body as it comes."""
    with server.caller.connect() as connection:
        connection.send(server.caller.head("PUT", path_of(bucket, "k"), len(BODY)) + BODY)
        assert connection.reply().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


class _Stream:
    """A body as awscrt reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        """Answer the next bytes."""
        end = len(self._data) if size < 0 else self._place + size
        piece, self._place = self._data[self._place : end], min(end, len(self._data))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go back to the beginning, for another try."""
        self._place = {0: 0, 1: self._place, 2: len(self._data)}[whence] + offset
        return self._place

    def tell(self) -> int:
        """Answer where the reading stands."""
        return self._place
