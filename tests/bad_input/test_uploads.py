"""Multipart uploads asked for wrongly, by the exact words; none of it adds or removes a part.

RECORDED: answers of S3 in the snapshots of github.com/localstack/localstack, tests/aws/services/s3.
The rest as github.com/versity/versitygw has them (s3err, tests/integration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bad_input.asking import BUCKET, NEW, UPLOAD, Bad, check_all

if TYPE_CHECKING:
    import pytest

    from tests.fuzz.world import World

BODY: Final = b"x"
PART_NUMBER: Final = "Part number must be an integer between 1 and 10000, inclusive"
NUMBERS: Final = ["0", "10001", "-1", "x", "", "1.5", "%2B1", "%201", "9" * 5000]
SPAN: Final = (
    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
    "are the zero-based offsets of the first and last bytes to copy"
)
SOURCE: Final = {"x-amz-copy-source": "alpha/plain"}
NO_IDS: Final = ["x", "0" * 32, "0" * 31, "<<upload>>0", "%00"]


def creation(code: str, message: str, **headers: str) -> Bad:
    """Make a CreateMultipartUpload."""
    named = {f"x-amz-{name.replace('_', '-')}": text for name, text in headers.items()}
    return Bad("POST", f"{NEW}?uploads", code, message, named)


def part(number: str, etag: str = "<<part-etag>>") -> bytes:
    """Write one part of a completion."""
    return f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>".encode()


def completion(code: str, message: str, *parts: bytes, target: str = UPLOAD) -> Bad:
    """Make a CompleteMultipartUpload."""
    body = b"<CompleteMultipartUpload>%b</CompleteMultipartUpload>" % b"".join(parts)
    return Bad("POST", target, code, message, body=body)


CREATIONS: Final = [
    creation(
        "InvalidRequest",
        "Checksum algorithm provided is unsupported. Please try again with any of the valid "
        "types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, "
        "XXHASH64]",
        checksum_algorithm="CRC31",
    ),
    creation(
        "InvalidRequest",
        "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
        "header.",  # RECORDED
        checksum_type="FULL_OBJECT",
    ),
    *[
        creation(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {name} checksum algorithm.",
            checksum_type=kind,
            checksum_algorithm=name.upper(),
        )
        for kind, name in (
            ("FULL_OBJECT", "sha1"),  # RECORDED, like the next two
            ("FULL_OBJECT", "sha256"),
            ("COMPOSITE", "crc64nvme"),
        )
    ],
    creation(
        "InvalidRequest",
        "Value for x-amz-checksum-type header is invalid.",
        checksum_type="HALF",
        checksum_algorithm="SHA1",
    ),
    creation("InvalidStorageClass", "", storage_class="COLD"),
    creation("MetadataTooLarge", "", meta_a="x" * 2048),
    creation("InvalidRedirectLocation", "", website_redirect_location="elsewhere"),
    creation("NotImplemented", "Encryption is not implemented.", server_side_encryption="AES256"),
    Bad("POST", "/nowhere/k?uploads", "NoSuchBucket"),
    Bad("POST", f"/alpha/{'k' * 1025}?uploads", "KeyTooLongError"),
]
PARTS: Final = [
    *[
        Bad("PUT", f"{UPLOAD}&partNumber={number}", "InvalidArgument", PART_NUMBER, {}, BODY)
        for number in NUMBERS
    ],
    *[
        Bad("PUT", f"{UPLOAD}&partNumber={number}", "InvalidArgument", PART_NUMBER, SOURCE)
        for number in NUMBERS
    ],
    *[
        Bad("PUT", f"/alpha/up?partNumber=1&uploadId={name}", "NoSuchUpload", "", {}, BODY)
        for name in NO_IDS
    ],
    Bad("PUT", "/alpha/other?partNumber=1&uploadId=<<upload>>", "NoSuchUpload", "", {}, BODY),
    Bad("PUT", "/beta/up?partNumber=1&uploadId=<<upload>>", "NoSuchUpload", "", {}, BODY),
    Bad(
        "PUT",
        f"{UPLOAD}&partNumber=1",
        "BadDigest",
        "",
        {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
        BODY,
    ),
    Bad("PUT", f"{UPLOAD}&partNumber=1", "InvalidDigest", "", {"content-md5": "x"}, BODY),
    *[
        Bad(
            "PUT",
            f"{UPLOAD}&partNumber=2",
            "InvalidArgument",
            SPAN,
            {**SOURCE, "x-amz-copy-source-range": span},
        )
        for span in ("", "0-1", "bytes=0-", "bytes=-5", "bytes=5-2", "bytes=0-1,3-4", "bytes=x-y")
    ],
    Bad("PUT", f"{UPLOAD}&partNumber=2", "NoSuchKey", "", {"x-amz-copy-source": "alpha/none"}),
    Bad(
        "PUT",
        f"{UPLOAD}&partNumber=2",
        "PreconditionFailed",
        "",
        {**SOURCE, "x-amz-copy-source-if-match": "0"},
    ),
]
COMPLETIONS: Final = [
    *[
        Bad("POST", UPLOAD, "MalformedXML", body=body)
        for body in (
            b"x",
            b"<Complete/>",
            b"<CompleteMultipartUpload>",
            b"<CompleteMultipartUpload/>",
        )
    ],
    completion("MalformedXML", "", b"<Part><PartNumber>1</PartNumber></Part>"),
    completion("MalformedXML", "", b"<Part><ETag>x</ETag></Part>"),
    completion("MalformedXML", "", part("x")),
    completion("MalformedXML", "", part("1"), b"<Extra/>"),
    completion("MalformedXML", "", part("1") * 10_001),
    completion("InvalidPartOrder", "", part("2"), part("1")),
    completion("InvalidPartOrder", "", part("1"), part("1")),
    completion("InvalidPart", "", part("1"), part("2")),
    completion("InvalidPart", "", part("1", "0" * 32)),
    completion("InvalidPart", "", part("10001")),
    completion("NoSuchUpload", "", part("1"), target="/alpha/up?uploadId=x"),
    completion("NoSuchUpload", "", part("1"), target="/alpha/other?uploadId=<<upload>>"),
]
OTHERS: Final = [
    *[Bad("DELETE", f"/alpha/up?uploadId={name}", "NoSuchUpload") for name in NO_IDS],
    *[Bad("GET", f"/alpha/up?uploadId={name}", "NoSuchUpload") for name in NO_IDS],
    Bad("DELETE", "/alpha/other?uploadId=<<upload>>", "NoSuchUpload"),
    Bad("GET", "/alpha/other?uploadId=<<upload>>", "NoSuchUpload"),
    Bad(
        "PUT",
        "/alpha/plain?partNumber=1",
        "InvalidArgument",
        "This operation does not accept a partNumber.",
        body=BODY,
    ),
    Bad("GET", f"{BUCKET}?uploadId=x", "InvalidRequest", "A key must be specified"),
]


def test_a_bad_beginning_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """CreateMultipartUpload begins nothing that could not be completed as it says."""
    check_all(world, subtests, CREATIONS)


def test_a_bad_part_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """UploadPart and UploadPartCopy take no part of a wrong number, upload, digest or span."""
    check_all(world, subtests, PARTS)


def test_a_bad_completion_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """CompleteMultipartUpload makes an object of nothing but a right list of parts."""
    check_all(world, subtests, COMPLETIONS)


def test_an_unknown_upload_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """An id that names no upload of that very key ends, lists and deletes nothing."""
    check_all(world, subtests, OTHERS)
