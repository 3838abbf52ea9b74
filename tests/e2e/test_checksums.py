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
}
CRCS = ["CRC32", "CRC32C", "CRC64NVME"]


def value(algorithm: str, data: bytes) -> str:
    """Compute a checksum as S3 writes it."""
    return b64encode(DIGESTS[algorithm](data)).decode()


def composite(algorithm: str, parts: list[bytes]) -> str:
    """Compute the checksum of the parts' checksums."""
    digests = b"".join(DIGESTS[algorithm](part) for part in parts)
    return f"{value(algorithm, digests)}-{len(parts)}"


def sums_in(reply: dict[str, Any]) -> dict[str, str]:
    """Pick the checksums out of a reply."""
    names = {f"Checksum{algorithm}": algorithm for algorithm in DIGESTS}
    return {names[name]: reply[name] for name in reply if name in names}


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_checksum_the_client_computes_is_kept(
    s3: BaseClient, bucket: str, algorithm: str
) -> None:
    """A checksum boto3 sends comes back from PutObject, HeadObject, GetObject and listings."""
    wanted = {algorithm: value(algorithm, BODY)}
    made = s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm=algorithm)
    assert sums_in(made) == wanted
    assert made["ChecksumType"] == "FULL_OBJECT"
    for call in (s3.head_object, s3.get_object):
        reply = call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert sums_in(reply) == wanted
        assert reply["ChecksumType"] == "FULL_OBJECT"
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
        part = s3.upload_part(**names, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        assert sums_in(part) == {algorithm: value(algorithm, body)}
        sums = {f"Checksum{name}": text for name, text in sums_in(part).items()}
        parts.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    return names, parts


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_parts_have_a_composite_checksum(s3: BaseClient, bucket: str, algorithm: str) -> None:
    """COMPOSITE, the default of all but CRC64NVME, is the checksum of the parts' checksums."""
    names, parts = upload(s3, bucket, algorithm, None)
    listed = s3.list_parts(**names)
    assert listed["ChecksumType"] == "COMPOSITE"
    assert [sums_in(row) for row in listed["Parts"]] == [
        {algorithm: value(algorithm, part)} for part in PARTS
    ]
    wanted = {algorithm: composite(algorithm, PARTS)}
    made = s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
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
    [("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")],
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


def test_a_part_of_another_algorithm_is_refused(s3: BaseClient, bucket: str) -> None:
    """A part must come with the checksum that its upload was begun with."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")
    names = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    wish = {**names, "PartNumber": 1, "Body": b"x", "ChecksumAlgorithm": "CRC32"}
    assert refusal(s3.upload_part, **wish) == (400, "InvalidRequest")


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
    """DeleteObjects with a wrong checksum deletes nothing; with a right one, MD5 or none, all."""
    document = b"<Delete><Object><Key>%b</Key></Object></Delete>"
    target, body = f"/{bucket}?delete", document % b"k0"
    for number in range(4):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    wrong = server.caller.ask("POST", target, body, {"x-amz-checksum-crc32": value("CRC32", b"x")})
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 4
    md5 = b64encode(hashlib.md5(document % b"k1", usedforsecurity=False).digest()).decode()
    for number, headers in enumerate(
        (
            {"x-amz-checksum-crc32": value("CRC32", document % b"k0")},
            {"content-md5": md5},
            {"x-amz-checksum-sha256": value("SHA256", document % b"k2")},
            {},
        )
    ):
        body = document % f"k{number}".encode()
        assert server.caller.ask("POST", target, body, headers).status == 200
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_copy_with_an_algorithm_not_offered_is_refused(s3: BaseClient, bucket: str) -> None:
    """An algorithm of AWS's that S4 does not compute is NotImplemented, and copies nothing."""
    s3.put_object(Bucket=bucket, Key="source", Body=BODY)
    copy = {"Bucket": bucket, "CopySource": f"{bucket}/source", "ChecksumAlgorithm": "SHA512"}
    assert refusal(s3.copy_object, Key="copy", **copy) == (501, "NotImplemented")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
