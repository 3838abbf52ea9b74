"""Checksums that travel with an object: sent, verified, kept and returned, in one piece or parts.

Expected values are computed by zlib, hashlib and awscrt, never by the server's own code.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from awscrt import checksums as crt
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal
from tests.e2e.signing import UNSIGNED_CHUNKS_TRAILER, split, unsigned_frames
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
BODY = bytes(range(256)) * 2000
PARTS = [bytes([number]) * (5 * MIB + number) for number in (1, 2)] + [b"last"]


def big_endian(crc: Callable[[bytes], int], size: int) -> Callable[[bytes], bytes]:
    """Turn a CRC function into one that answers its digest."""
    return lambda data: crc(data).to_bytes(size, "big")


DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": big_endian(zlib.crc32, 4),
    "CRC32C": big_endian(crt.crc32c, 4),
    "CRC64NVME": big_endian(crt.crc64nvme, 8),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA512": lambda data: hashlib.sha512(data).digest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "XXHASH64": crt.XXHash.compute_xxhash64,
    "XXHASH3": crt.XXHash.compute_xxhash3_64,
    "XXHASH128": crt.XXHash.compute_xxhash3_128,
}
CRCS = ["CRC32", "CRC32C", "CRC64NVME"]
COMPOSITES = [name for name in DIGESTS if name != "CRC64NVME"]


def value(algorithm: str, data: bytes) -> str:
    """Compute a checksum as S3 writes it."""
    return b64encode(DIGESTS[algorithm](data)).decode()


def composite(algorithm: str, parts: list[bytes]) -> str:
    """Compute the checksum of the parts' checksums."""
    digests = b"".join(DIGESTS[algorithm](part) for part in parts)
    return f"{value(algorithm, digests)}-{len(parts)}"


def sent_with(algorithm: str, data: bytes) -> dict[str, str]:
    """Name what lets boto3 send a checksum along: it computes all but MD5 itself."""
    if algorithm == "MD5":
        return {"ChecksumMD5": value(algorithm, data)}
    return {"ChecksumAlgorithm": algorithm}


def sums_in(reply: dict[str, Any]) -> dict[str, str]:
    """Pick the checksums out of a reply."""
    names = {f"Checksum{algorithm}": algorithm for algorithm in DIGESTS}
    return {names[name]: reply[name] for name in reply if name in names}


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_checksum_the_client_computes_is_kept(
    s3: BaseClient, bucket: str, algorithm: str
) -> None:
    """A checksum boto3 sends comes back with all of the object, and in listings."""
    wanted = {algorithm: value(algorithm, BODY)}
    made = s3.put_object(Bucket=bucket, Key="k", Body=BODY, **sent_with(algorithm, BODY))
    assert sums_in(made) == wanted
    assert made["ChecksumType"] == "FULL_OBJECT"
    for call in (s3.head_object, s3.get_object):
        for span in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-99999999"}):
            reply = call(Bucket=bucket, Key="k", ChecksumMode="ENABLED", **span)
            assert sums_in(reply) == wanted
            assert reply["ChecksumType"] == "FULL_OBJECT"
        reply = call(Bucket=bucket, Key="k", ChecksumMode="ENABLED", Range="bytes=1-")
        assert sums_in(reply) == {}
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY
    row = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (row["ChecksumAlgorithm"], row["ChecksumType"]) == ([algorithm], "FULL_OBJECT")


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_checksum_in_a_header_is_verified(s3: BaseClient, bucket: str, algorithm: str) -> None:
    """A right checksum header is accepted, a wrong or malformed one stores nothing."""
    name = f"Checksum{algorithm}"
    s3.put_object(Bucket=bucket, Key="right", Body=BODY, **{name: value(algorithm, BODY)})
    wrong = {name: value(algorithm, BODY + b"x")}
    assert refusal(s3.put_object, Bucket=bucket, Key="wrong", Body=BODY, **wrong) == (
        400,
        "BadDigest",
    )
    for nonsense in ("AAAA", "not base64"):
        wish = {"Bucket": bucket, "Key": "bad", "Body": BODY, name: nonsense}
        assert refusal(s3.put_object, **wish) == (400, "InvalidRequest")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["right"]


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_checksum_in_a_trailer_is_verified(
    server: Server, s3: BaseClient, bucket: str, algorithm: str
) -> None:
    """A checksum that comes behind the body is kept when right and refuses the body when wrong."""
    name = f"x-amz-checksum-{algorithm.lower()}"
    for key, text, status in (
        ("right", value(algorithm, BODY), 200),
        ("wrong", value(algorithm, b"x"), 400),
    ):
        body = b"".join(unsigned_frames(split(BODY), {name: text}))
        headers = {
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(len(BODY)),
            "x-amz-trailer": name,
        }
        caller = server.caller
        head = caller.head("PUT", path_of(bucket, key), len(body), headers, UNSIGNED_CHUNKS_TRAILER)
        with caller.connect() as connection:
            connection.send(head + body)
            reply = connection.reply()
        assert (reply.status, reply.code) == (status, "BadDigest" if status == 400 else "")
    rows = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [row["Key"] for row in rows] == ["right"]
    head = s3.head_object(Bucket=bucket, Key="right", ChecksumMode="ENABLED")
    assert sums_in(head) == {algorithm: value(algorithm, BODY)}
    assert "ContentEncoding" not in head


def test_an_object_without_a_checksum_gets_awss(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """An object sent without a checksum is given the CRC64NVME that AWS computes for it."""
    assert server.caller.ask("PUT", path_of(bucket, "k"), BODY).status == 200
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert sums_in(head) == {"CRC64NVME": value("CRC64NVME", BODY)}


def upload(
    s3: BaseClient, bucket: str, algorithm: str, kind: str | None
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Upload the parts of an object with checksums, and answer what Complete needs."""
    options = {"ChecksumType": kind} if kind else {}
    made = s3.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, **options
    )
    names = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    parts = []
    for number, body in enumerate(PARTS, 1):
        wish = {**names, "PartNumber": number, "Body": body, **sent_with(algorithm, body)}
        part = s3.upload_part(**wish)
        assert sums_in(part) == {algorithm: value(algorithm, body)}
        sums = {f"Checksum{name}": text for name, text in sums_in(part).items()}
        parts.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    return names, parts


@pytest.mark.parametrize("algorithm", COMPOSITES)
def test_parts_have_a_composite_checksum(s3: BaseClient, bucket: str, algorithm: str) -> None:
    """COMPOSITE, the default of all but CRC64NVME, is the checksum of the parts' checksums."""
    names, parts = upload(s3, bucket, algorithm, None)
    listed = s3.list_parts(**names)
    assert listed["ChecksumType"] == "COMPOSITE"
    assert [sums_in(row) for row in listed["Parts"]] == [
        {algorithm: value(algorithm, part)} for part in PARTS
    ]
    wanted = {algorithm: composite(algorithm, PARTS)}
    wish = {**names, "MultipartUpload": {"Parts": parts}}
    sent = f"Checksum{algorithm}"
    for wrong in (f"{value(algorithm, b'')}-3", wanted[algorithm].replace("-3", "-2")):
        refused = refusal(s3.complete_multipart_upload, **wish, **{sent: wrong})
        assert refused == (400, "BadDigest")
    bare = wanted[algorithm].partition("-")[0]
    refused = refusal(s3.complete_multipart_upload, **wish, **{sent: f"{bare}-x"})
    assert refused == (400, "InvalidRequest")
    made = s3.complete_multipart_upload(**wish, **{sent: bare})
    assert (sums_in(made), made["ChecksumType"]) == (wanted, "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (sums_in(head), head["ChecksumType"]) == (wanted, "COMPOSITE")


@pytest.mark.parametrize("algorithm", CRCS)
def test_parts_have_a_full_checksum(s3: BaseClient, bucket: str, algorithm: str) -> None:
    """FULL_OBJECT is the checksum that the object would have in one piece."""
    names, parts = upload(s3, bucket, algorithm, "FULL_OBJECT")
    wanted = {algorithm: value(algorithm, b"".join(PARTS))}
    wrong = {f"Checksum{algorithm}": value(algorithm, b"")}
    call, listed = s3.complete_multipart_upload, {"Parts": parts}
    refused = refusal(call, **names, MultipartUpload=listed, ChecksumType="FULL_OBJECT", **wrong)
    assert refused == (400, "BadDigest")
    right = {f"Checksum{algorithm}": wanted[algorithm]}
    made = call(**names, MultipartUpload=listed, ChecksumType="FULL_OBJECT", **right)
    assert (sums_in(made), made["ChecksumType"]) == (wanted, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (sums_in(head), head["ChecksumType"]) == (wanted, "FULL_OBJECT")


def test_a_full_checksum_needs_no_parts_checksums(s3: BaseClient, bucket: str) -> None:
    """Complete may leave the parts' checksums out when the type is FULL_OBJECT."""
    names, parts = upload(s3, bucket, "CRC64NVME", None)
    bare = [{name: part[name] for name in ("PartNumber", "ETag")} for part in parts]
    made = s3.complete_multipart_upload(**names, MultipartUpload={"Parts": bare})
    assert sums_in(made) == {"CRC64NVME": value("CRC64NVME", b"".join(PARTS))}


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        *((name, "FULL_OBJECT") for name in DIGESTS if name not in CRCS),
        ("CRC64NVME", "COMPOSITE"),
    ],
)
def test_an_impossible_type_is_refused(
    s3: BaseClient, bucket: str, algorithm: str, kind: str
) -> None:
    """A checksum type that its algorithm cannot have is refused when the upload begins."""
    wish = {"Bucket": bucket, "Key": "k", "ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    assert refusal(s3.create_multipart_upload, **wish) == (400, "InvalidRequest")


def test_a_part_with_a_wrong_checksum_is_refused(s3: BaseClient, bucket: str) -> None:
    """UploadPart verifies its checksum, and Complete the ones it repeats."""
    names, parts = upload(s3, bucket, "CRC32C", None)
    wrong = value("CRC32C", b"")
    wish = {**names, "PartNumber": 3, "Body": b"other", "ChecksumCRC32C": wrong}
    assert refusal(s3.upload_part, **wish) == (400, "BadDigest")
    listed = {"Parts": [{**parts[0], "ChecksumCRC32C": wrong}, *parts[1:]]}
    refused = refusal(s3.complete_multipart_upload, **names, MultipartUpload=listed)
    assert refused == (400, "InvalidPart")
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(PARTS)


def test_a_part_of_another_algorithm_is_refused(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """A part must come with the checksum of its upload, if that is COMPOSITE; or may come bare."""
    for algorithm, kind, bare in (("SHA256", "COMPOSITE", 400), ("CRC32C", "FULL_OBJECT", 200)):
        wish = {"Bucket": bucket, "Key": "k", "ChecksumAlgorithm": algorithm}
        made = s3.create_multipart_upload(**wish, ChecksumType=kind)
        target = path_of(bucket, "k") + f"?partNumber=1&uploadId={made['UploadId']}"
        other = {"x-amz-checksum-crc32": value("CRC32", b"x")}
        refused = server.caller.ask("PUT", target, b"x", other)
        assert (refused.status, refused.code) == (400, "InvalidRequest")
        assert b"Checksum Type mismatch occurred" in refused.body
        assert server.caller.ask("PUT", target, b"x").status == bare


def test_a_copy_keeps_or_changes_the_checksum(s3: BaseClient, bucket: str) -> None:
    """A copy carries its source's checksum, or another algorithm's when that is asked for."""
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm="SHA1")
    wish = {"Bucket": bucket, "CopySource": f"{bucket}/k"}
    kept = s3.copy_object(**wish, Key="kept")["CopyObjectResult"]
    assert sums_in(kept) == {"SHA1": value("SHA1", BODY)}
    changed = s3.copy_object(**wish, Key="new", ChecksumAlgorithm="CRC64NVME")
    assert sums_in(changed["CopyObjectResult"]) == {"CRC64NVME": value("CRC64NVME", BODY)}
    head = s3.head_object(Bucket=bucket, Key="new", ChecksumMode="ENABLED")
    assert sums_in(head) == {"CRC64NVME": value("CRC64NVME", BODY)}


def test_deletes_are_checked_too(server: Server, s3: BaseClient, bucket: str) -> None:
    """DeleteObjects with a wrong checksum deletes nothing; with right ones, both or none, all."""
    document = b"<Delete><Object><Key>%b</Key></Object></Delete>"
    target, body = f"/{bucket}?delete", document % b"k0"
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    wrong = server.caller.ask("POST", target, body, {"x-amz-checksum-crc32": value("CRC32", b"x")})
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 5
    md5, both = (
        b64encode(hashlib.md5(document % key, usedforsecurity=False).digest()).decode()
        for key in (b"k1", b"k3")
    )
    for number, headers in enumerate(
        (
            {"x-amz-checksum-crc32": value("CRC32", document % b"k0")},
            {"content-md5": md5},
            {"x-amz-checksum-sha256": value("SHA256", document % b"k2")},
            {"content-md5": both, "x-amz-checksum-crc32": value("CRC32", document % b"k3")},
            {},
        )
    ):
        body = document % f"k{number}".encode()
        assert server.caller.ask("POST", target, body, headers).status == 200
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_complete_must_cite_what_the_upload_promised(s3: BaseClient, bucket: str) -> None:
    """COMPOSITE needs each part's checksum, of its algorithm, alone and well formed."""
    names, parts = upload(s3, bucket, "SHA1", None)
    sha256 = {"ChecksumSHA256": value("SHA256", PARTS[0])}
    bare = {name: parts[0][name] for name in ("PartNumber", "ETag")}
    for first, code, words in (
        (bare, "InvalidRequest", "created using a sha1 checksum"),
        (bare | sha256, "BadDigest", "The sha256 you specified for part 1 did not match"),
        (parts[0] | sha256, "InvalidArgument", "Invalid Base64 or multiple checksums"),
        (bare | {"ChecksumSHA1": "bad"}, "InvalidArgument", "Invalid Base64 or multiple"),
    ):
        wish = {**names, "MultipartUpload": {"Parts": [first, *parts[1:]]}}
        with pytest.raises(ClientError, match=words) as refused:
            s3.complete_multipart_upload(**wish)
        assert refused.value.response["Error"]["Code"] == code
    wish = {**names, "MultipartUpload": {"Parts": parts}}
    other = {"ChecksumCRC32": value("CRC32", b"".join(PARTS))}
    assert refusal(s3.complete_multipart_upload, **wish, **other) == (400, "BadDigest")
    both = other | {"ChecksumSHA1": composite("SHA1", PARTS)}
    assert refusal(s3.complete_multipart_upload, **wish, **both) == (400, "InvalidRequest")
    kind = {"ChecksumType": "FULL_OBJECT"}
    assert refusal(s3.complete_multipart_upload, **wish, **kind) == (400, "InvalidRequest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_upload_without_an_algorithm_promised_nothing(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """Such an upload takes any part; checksums cited at its end belong to no part."""
    target = path_of(bucket, "k")
    begun = server.caller.ask("POST", f"{target}?uploads")
    names = {"Bucket": bucket, "Key": "k", "UploadId": begun.text("UploadId")}
    part = s3.upload_part(**names, PartNumber=1, Body=b"aaa", ChecksumAlgorithm="CRC32C")
    bare = {"PartNumber": 1, "ETag": part["ETag"]}
    cited = {"Parts": [bare | {"ChecksumCRC32C": part["ChecksumCRC32C"]}]}
    call = s3.complete_multipart_upload
    assert refusal(call, **names, MultipartUpload=cited) == (400, "InvalidPart")
    wish = {**names, "MultipartUpload": {"Parts": [bare]}}
    for kind in ("FULL_OBJECT", "COMPOSITE"):
        with pytest.raises(ClientError, match="created using the null checksum mode"):
            call(**wish, ChecksumType=kind)
    for size, words in (
        (4, "header value 4 does not match what was computed: 3"),
        (-1, "than zero"),
    ):
        with pytest.raises(ClientError, match=words) as refused:
            call(**wish, MpuObjectSize=size)
        assert refused.value.response["Error"]["Code"] == "InvalidRequest"
    made = call(**wish, MpuObjectSize=3, ChecksumCRC32C=f"{value('CRC32C', b'')}-2")
    assert sums_in(made) == {"CRC64NVME": value("CRC64NVME", b"aaa")}
    assert made["ChecksumType"] == "FULL_OBJECT"


def test_an_unknown_algorithm_is_refused(server: Server, s3: BaseClient, bucket: str) -> None:
    """An algorithm that is none is refused in S3's words wherever it is named."""
    target = path_of(bucket, "k")
    for method, query, headers, words in (
        ("POST", "?uploads", {"x-amz-checksum-algorithm": "TEST"}, "SHA512, XXHASH128, XXHASH3"),
        ("POST", "?uploads", {"x-amz-checksum-type": "COMPOSITE"}, "can only be used with"),
        ("PUT", "", {"x-amz-checksum-sha224": "AAAA"}, "The algorithm type you specified in"),
        ("PUT", "", {"x-amz-sdk-checksum-algorithm": "sha224"}, "Value for x-amz-sdk-checksum"),
    ):
        reply = server.caller.ask(method, target + query, b"", headers)
        assert (reply.status, reply.code) == (400, "InvalidRequest")
        assert words.encode() in reply.body
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
