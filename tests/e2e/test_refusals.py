"""Each bad request is refused with AWS's own code and status, leaves nothing, and harms nobody.

Every case goes over a bare connection. Afterwards the bucket holds what it held, the connection
goes on where HTTP lets it, and the workers are those that were there before.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.signing import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED,
    UNSIGNED_CHUNKS_TRAILER,
    split,
    unsigned_frames,
)
from tests.e2e.wire import Caller, ConnectionEnded, Reply, path_of, write_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

BODY = bytes(range(256)) * 800  # larger than what stays inline
BYSTANDER = b"an object that must stay as it is"
WRONG_CRC32 = "/////w=="


@pytest.fixture
def guarded(server: Server, s3: BaseClient, bucket: str) -> Iterator[str]:
    """Answer a bucket with one object, and insist that it holds just that when the test is over."""
    s3.put_object(Bucket=bucket, Key="bystander", Body=BYSTANDER)
    workers = server.workers()
    yield bucket
    rows = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(row["Key"], row["Size"]) for row in rows] == [("bystander", len(BYSTANDER))]
    assert s3.get_object(Bucket=bucket, Key="bystander")["Body"].read() == BYSTANDER
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert server.workers() == workers, "a worker died"


def ask(caller: Caller, request: bytes, method: str) -> Reply:
    """Send a request, read its refusal, and go on over the same connection if HTTP allows it."""
    with caller.connect() as connection:
        connection.send(request)
        reply = connection.reply(method)
        if not reply.ends_connection:
            assert caller.ask("GET", "/", over=connection).status == 200
    return reply


# --- who asks ---


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"secret_key": "another"}, 403, "SignatureDoesNotMatch"),
        ({"access_key": "AKIAUNKNOWN"}, 403, "InvalidAccessKeyId"),
        ({"clock_offset": 960}, 403, "RequestTimeTooSkewed"),
        ({"clock_offset": -960}, 403, "RequestTimeTooSkewed"),
        ({"region": "eu-north-1"}, 400, "AuthorizationHeaderMalformed"),
    ],
)
def test_a_wrong_signer_is_refused(
    server: Server, guarded: str, changes: dict[str, Any], status: int, code: str, method: str
) -> None:
    """A wrong secret, unknown key, skewed clock or other region opens nothing."""
    caller = replace(server.caller, signer=replace(server.caller.signer, **changes))
    body = b"overwritten" if method == "PUT" else b""
    reply = caller.ask(method, path_of(guarded, "bystander"), body)
    assert (reply.status, reply.code) == (status, "" if method == "HEAD" else code)


@pytest.mark.parametrize("offset", [-840, 840])
def test_a_clock_within_fifteen_minutes_is_fine(
    server: Server, guarded: str, offset: float
) -> None:
    """A clock that is fourteen minutes wrong is accepted."""
    caller = replace(server.caller, signer=replace(server.caller.signer, clock_offset=offset))
    assert caller.ask("GET", path_of(guarded, "bystander")).body == BYSTANDER


@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        ("AWS4-HMAC-SHA256 nonsense", 400, "AuthorizationHeaderMalformed"),
        ("Basic dXNlcjpwYXNz", 400, "InvalidArgument"),
        ("AWS AKIA:c2lnbmF0dXJl", 400, "InvalidRequest"),
        ("x", 400, "InvalidArgument"),
    ],
)
def test_an_unreadable_authorization_is_refused(
    server: Server, guarded: str, value: str, status: int, code: str
) -> None:
    """An Authorization header of another kind, or of none, is refused in its own words."""
    target = path_of(guarded, "bystander")
    headers = server.caller.sign("PUT", target, None, UNSIGNED).headers | {"authorization": value}
    reply = ask(server.caller, write_head("PUT", target, headers, 1) + b"x", "PUT")
    assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-copy-source", "x-amz-meta-late"])
def test_an_unsigned_amz_header_is_refused(server: Server, guarded: str, name: str) -> None:
    """A header that S3 obeys must be covered by the signature."""
    target = path_of(guarded, "bystander")
    headers = server.caller.sign("PUT", target, None, UNSIGNED).headers | {name: "value"}
    reply = ask(server.caller, write_head("PUT", target, headers, 1) + b"x", "PUT")
    assert (reply.status, reply.code) == (403, "AccessDenied")


# --- bodies that are not what was said ---


@dataclass
class Chunked:
    """A body in chunks, before and after it is tampered with."""

    form: str = SIGNED_CHUNKS
    checksum: str | None = None
    body: bytes = BODY
    decoded_length: int = len(BODY)
    tamper: Callable[[list[bytes]], list[bytes]] = field(default=lambda frames: frames)

    def request(self, caller: Caller, target: str) -> bytes:
        """Write the whole request."""
        headers = {
            "host": caller.host,
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(self.decoded_length),
        }
        trailers = None
        if self.checksum is not None:
            headers["x-amz-trailer"] = "x-amz-checksum-crc32"
            trailers = {"x-amz-checksum-crc32": self.checksum}
        signed = caller.signer.sign("PUT", target, headers, self.form)
        pieces = split(self.body)
        if self.form == UNSIGNED_CHUNKS_TRAILER:
            frames = unsigned_frames(pieces, trailers or {})
        else:
            frames = caller.signer.signed_frames(signed, pieces, trailers)
        encoded = b"".join(self.tamper(frames))
        return write_head("PUT", target, signed.headers, len(encoded)) + encoded


def flip(frame: int, place: int) -> Callable[[list[bytes]], list[bytes]]:
    """Make a change of one byte in a frame, one that keeps the framing readable."""

    def tamper(frames: list[bytes]) -> list[bytes]:
        data = bytearray(frames[frame])
        data[place] = ord("b") if data[place] == ord("a") else ord("a")
        return [*frames[:frame], bytes(data), *frames[frame + 1 :]]

    return tamper


def swap(frames: list[bytes]) -> list[bytes]:
    """Exchange the first two chunks."""
    return [frames[1], frames[0], *frames[2:]]


SIGNATURE_AT = len("10000;chunk-signature=")
TAMPERED = {
    "a byte of the first chunk": (Chunked(tamper=flip(0, 200)), "SignatureDoesNotMatch"),
    "a byte of the last chunk": (Chunked(tamper=flip(3, 200)), "SignatureDoesNotMatch"),
    "a chunk's signature": (Chunked(tamper=flip(1, SIGNATURE_AT)), "SignatureDoesNotMatch"),
    "the last signature": (Chunked(tamper=flip(4, 30)), "SignatureDoesNotMatch"),
    "the order of chunks": (Chunked(tamper=swap), "SignatureDoesNotMatch"),
    "a missing last chunk": (Chunked(tamper=lambda frames: frames[:-1]), "IncompleteBody"),
    "a chunk left out": (
        Chunked(tamper=lambda frames: [frames[0], *frames[2:]]),
        "SignatureDoesNotMatch",
    ),
    "a length too small": (Chunked(decoded_length=len(BODY) - 1), "IncompleteBody"),
    "a length too large": (Chunked(decoded_length=len(BODY) + 1), "IncompleteBody"),
    "no framing at all": (Chunked(tamper=lambda _: [BODY]), "IncompleteBody"),
    "a signed trailer's value": (
        Chunked(SIGNED_CHUNKS_TRAILER, WRONG_CRC32, tamper=flip(-1, 25)),
        "SignatureDoesNotMatch",
    ),
    "a signed trailer's signature": (
        Chunked(SIGNED_CHUNKS_TRAILER, WRONG_CRC32, tamper=flip(-1, -10)),
        "SignatureDoesNotMatch",
    ),
    "a signed trailer's checksum": (
        Chunked(SIGNED_CHUNKS_TRAILER, WRONG_CRC32),
        "BadDigest",
    ),
    "an unsigned trailer's checksum": (
        Chunked(UNSIGNED_CHUNKS_TRAILER, WRONG_CRC32),
        "BadDigest",
    ),
    "an unsigned trailer's form": (
        Chunked(UNSIGNED_CHUNKS_TRAILER, "nonsense"),
        "InvalidRequest",
    ),
    "a trailer that is missing": (
        Chunked(
            UNSIGNED_CHUNKS_TRAILER,
            WRONG_CRC32,
            tamper=lambda frames: [*frames[:-1], b"\r\n"],
        ),
        "MalformedTrailerError",
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_stream_stores_nothing(server: Server, guarded: str, case: str) -> None:
    """A chunked body with anything changed in it is refused, over an existing key as well."""
    chunked, code = TAMPERED[case]
    for key in ("new", "bystander"):
        target = path_of(guarded, key)
        reply = ask(server.caller, chunked.request(server.caller, target), "PUT")
        assert reply.code == code
        assert reply.status == (403 if code == "SignatureDoesNotMatch" else 400)


def md5_of(body: bytes) -> str:
    """Compute a Content-MD5."""
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


PROMISES = {
    "another MD5": ({"content-md5": md5_of(b"other")}, "BadDigest"),
    "a short MD5": ({"content-md5": "AAAA"}, "InvalidDigest"),
    "an MD5 that is no base64": ({"content-md5": "not base64!"}, "InvalidDigest"),
    "another CRC32": ({"x-amz-checksum-crc32": WRONG_CRC32}, "BadDigest"),
    "another CRC64NVME": ({"x-amz-checksum-crc64nvme": "//////////8="}, "BadDigest"),
    "another SHA256": (
        {"x-amz-checksum-sha256": b64encode(bytes(32)).decode()},
        "BadDigest",
    ),
    "a CRC32 of wrong size": ({"x-amz-checksum-crc32": "AAAA"}, "InvalidRequest"),
    "an unknown algorithm": ({"x-amz-checksum-crc31": "AAAAAA=="}, "InvalidRequest"),
    "two checksums": (
        {"x-amz-checksum-crc32": WRONG_CRC32, "x-amz-checksum-crc32c": WRONG_CRC32},
        "InvalidRequest",
    ),
}


@pytest.mark.parametrize("case", PROMISES)
@pytest.mark.parametrize("body", [b"", b"small", BODY], ids=len)
def test_a_broken_promise_stores_nothing(
    server: Server, guarded: str, case: str, body: bytes
) -> None:
    """A body that is not what its headers promise is refused, whatever its size."""
    headers, code = PROMISES[case]
    for key in ("new", "bystander"):
        target = path_of(guarded, key)
        request = server.caller.request("PUT", target, body, headers)
        reply = ask(server.caller, request, "PUT")
        assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize("body", [b"", b"small", BODY], ids=len)
def test_a_body_that_was_not_signed_is_refused(server: Server, guarded: str, body: bytes) -> None:
    """A body whose SHA-256 is another than the signed one is refused."""
    target = path_of(guarded, "bystander")
    digest = hashlib.sha256(b"what was signed").hexdigest()
    request = server.caller.head("PUT", target, len(body), None, digest) + body
    reply = ask(server.caller, request, "PUT")
    assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize("sent", [0, 100, 100_000])
@pytest.mark.parametrize("is_reset", [False, True])
def test_a_body_that_ends_early_stores_nothing(
    server: Server, guarded: str, sent: int, is_reset: bool
) -> None:
    """A client that goes away in the middle of its body has stored nothing."""
    for key in ("new", "bystander"):
        connection = server.caller.connect()
        connection.send(server.caller.head("PUT", path_of(guarded, key), len(BODY)) + BODY[:sent])
        connection.reset() if is_reset else connection.close()


def test_a_body_without_a_length_is_refused(server: Server, guarded: str) -> None:
    """A PUT that does not say how long it is is refused, in HTTP chunks by the name of these."""
    target = path_of(guarded, "new")
    headers = server.caller.sign("PUT", target, None, UNSIGNED).headers
    head = write_head("PUT", target, headers | {"transfer-encoding": "chunked"}, None)
    reply = ask(server.caller, head + b"5\r\nhello\r\n0\r\n\r\n", "PUT")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert reply.text("Header") == "Transfer-Encoding"
    reply = ask(server.caller, write_head("PUT", target, headers, None), "PUT")
    assert (reply.status, reply.code) == (411, "MissingContentLength")


def test_an_oversized_body_is_refused_before_it_comes(server: Server, guarded: str) -> None:
    """A body over the limit answers EntityTooLarge from its declared length alone."""
    target = path_of(guarded, "new")
    head = server.caller.head("PUT", target, 5 * 1024**3 + 1, {"expect": "100-continue"})
    with server.caller.connect() as connection:
        connection.send(head)
        reply = connection.reply("PUT")
    assert (reply.status, reply.code) == (400, "EntityTooLarge")


# --- documents ---

DOCUMENTS = {
    "no XML": b"nothing of the kind",
    "cut off": b"<Delete><Object><Key>bystander</Key></Object>",
    "another root": b"<Remove><Object><Key>bystander</Key></Object></Remove>",
    "nothing in it": b"<Delete></Delete>",
    "no key": b"<Delete><Object></Object></Delete>",
    "an entity": (
        b'<!DOCTYPE d [<!ENTITY k "bystander">]><Delete><Object><Key>&k;</Key></Object></Delete>'
    ),
    "bad UTF-8": b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
    "no body": b"",
}
COMPLETE = b"<CompleteMultipartUpload>%b</CompleteMultipartUpload>"
PUT = b"PUT /b/k HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_malformed_delete_deletes_nothing(server: Server, guarded: str, case: str) -> None:
    """DeleteObjects with a document that is not one answers MalformedXML."""
    request = server.caller.request("POST", f"/{guarded}?delete", DOCUMENTS[case])
    reply = ask(server.caller, request, "POST")
    assert reply.status == 400
    assert reply.code in {"MalformedXML", "MissingRequestBodyError"}
    assert reply.code == "MalformedXML" or not DOCUMENTS[case]


@pytest.mark.parametrize(
    "document",
    [
        b"nothing of the kind",
        COMPLETE % b"",
        COMPLETE % b"<Part><PartNumber>one</PartNumber><ETag>x</ETag></Part>",
        COMPLETE % b"<Part><PartNumber>1</PartNumber></Part>",
        b"<CompleteMultipartUpload><Part>",
    ],
)
def test_a_malformed_complete_completes_nothing(
    server: Server, s3: BaseClient, guarded: str, document: bytes
) -> None:
    """CompleteMultipartUpload with a document that is not one answers MalformedXML."""
    names = {"Bucket": guarded, "Key": "new"}
    upload = s3.create_multipart_upload(**names)["UploadId"]
    s3.upload_part(**names, UploadId=upload, PartNumber=1, Body=b"x")
    target = f"{path_of(guarded, 'new')}?uploadId={upload}"
    request = server.caller.request("POST", target, document)
    reply = ask(server.caller, request, "POST")
    assert (reply.status, reply.code) == (400, "MalformedXML")
    assert len(s3.list_parts(**names, UploadId=upload)["Parts"]) == 1
    s3.abort_multipart_upload(**names, UploadId=upload)


@pytest.mark.parametrize("document", [b"nothing of the kind", b"<A/>", b"<CreateBucketConfig"])
def test_a_malformed_create_makes_no_bucket(server: Server, guarded: str, document: bytes) -> None:
    """CreateBucket with a document that is not one answers MalformedXML."""
    request = server.caller.request("PUT", "/never-made", document)
    reply = ask(server.caller, request, "PUT")
    assert (reply.status, reply.code) == (400, "MalformedXML")
    assert server.caller.ask("HEAD", "/never-made").status == 404


# --- names ---


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper-Case",
        "under_score",
        "dot..dot",
        ".dot",
        "dot.",
        "-dash",
        "dash-",
        "192.168.5.4",
        "xn--bucket",
        "sthree-bucket",
        "amzn-s3-demo-bucket",
        "bucket-s3alias",
        "bucket--ol-s3",
        "bucket.mrap",
        "bucket--x-s3",
        "b%20b",
        "b%C3%BCcket",
    ],
)
def test_an_illegal_bucket_name_is_refused(server: Server, guarded: str, name: str) -> None:
    """CreateBucket takes no name that AWS's rules forbid."""
    reply = ask(server.caller, server.caller.request("PUT", f"/{name}"), "PUT")
    assert (reply.status, reply.code) == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "1.2.3", "a.b-c.d", "123", "a--b"])
def test_a_legal_bucket_name_is_taken(s3: BaseClient, guarded: str, name: str) -> None:
    """CreateBucket takes every name that AWS's rules allow."""
    s3.create_bucket(Bucket=name)
    s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("key", ["x" * 1025, "\u00e4" * 513])
def test_an_overlong_key_is_refused(server: Server, guarded: str, key: str) -> None:
    """A key of more than 1,024 bytes answers KeyTooLongError."""
    request = server.caller.request("PUT", path_of(guarded, key), b"x")
    reply = ask(server.caller, request, "PUT")
    assert (reply.status, reply.code) == (400, "KeyTooLongError")


@pytest.mark.parametrize("path", ["%", "%zz", "%ff%fe", "%C3", "a%0"])
def test_a_path_that_is_no_text_is_refused(server: Server, guarded: str, path: str) -> None:
    """A key with a broken escape, or that is not UTF-8, answers InvalidURI."""
    target = f"/{guarded}/{path}"
    reply = ask(server.caller, server.caller.request("PUT", target, b"x"), "PUT")
    assert (reply.status, reply.code) == (400, "InvalidURI")


# --- heads ---


@pytest.mark.parametrize("lines", [1, 700])
def test_an_oversized_head_is_refused(server: Server, guarded: str, lines: int) -> None:
    """A head over the limit, in one line or many, answers RequestHeaderSectionTooLarge."""
    filler = "x" * (70_000 // lines)
    headers = {f"x-filler-{number}": filler for number in range(lines)}
    request = server.caller.head("GET", path_of(guarded, "bystander"), None, headers)
    with server.caller.connect() as connection:
        with suppress(ConnectionEnded):  # it may not take all of it; what it says is what counts
            connection.send(request)
        reply = connection.reply()
    assert (reply.status, reply.code) == (400, "RequestHeaderSectionTooLarge")


def test_too_much_metadata_is_refused(server: Server, guarded: str) -> None:
    """User metadata over 2 KB answers MetadataTooLarge."""
    headers = {"x-amz-meta-a": "x" * 2048}
    request = server.caller.request("PUT", path_of(guarded, "new"), b"x", headers)
    reply = ask(server.caller, request, "PUT")
    assert (reply.status, reply.code) == (400, "MetadataTooLarge")


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        PUT + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        PUT + b"Content-Length: -1\r\n\r\n",
        PUT + b"Content-Length: \r\n\r\n",
        PUT + b"Content-Length: x\r\n\r\n",
        PUT + b"Content-Length: 99999999999999999999999\r\n\r\n",
        PUT + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(server: Server, guarded: str, head: bytes) -> None:
    """A head that breaks HTTP's rules is answered with 400 and the end of the connection."""
    with server.caller.connect() as connection:
        connection.send(head)
        reply = connection.reply()
        assert reply.status == 400
        assert connection.is_ended(30)


def test_refusals_leave_nothing_behind(server: Server) -> None:
    """After all that was refused here the store holds the bystanders, and not a byte more."""
    stats = server.manage_json("stats")
    assert (stats["blobs"], stats["live_bytes"], stats["uploads"]) == (0, 0, 0)
    assert stats["object_bytes"] == stats["objects"] * len(BYSTANDER)
    assert server.disk_bytes("volumes") < 1024 * 1024, "the refused bodies' space is used again"
    server.verify()
