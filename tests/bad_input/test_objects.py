"""Headers of object requests that are wrong, contradict each other or ask for too much.

RECORDED: answers of S3 in the snapshots of github.com/localstack/localstack, tests/aws/services/s3.
The rest as github.com/versity/versitygw (s3err) and ceph/s3-tests have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.bad_input.asking import NEW, OBJECT, Bad, check_all

if TYPE_CHECKING:
    from tests.fuzz.world import World

BODY: Final = b"x"
MD5_OF_NOTHING: Final = "1B2M2Y8AsgTpgAmY7PhCfg=="
SSE: Final = "x-amz-server-side-encryption"
SSE_C: Final = {
    f"{SSE}-customer-algorithm": "AES256",
    f"{SSE}-customer-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    f"{SSE}-customer-key-md5": "dnF5x6K/8ZZRzpfSlMMM+w==",
}
NO_ACCOUNT: Final = (
    "The value of the expected bucket owner parameter must be an AWS Account ID... [{}]"
)
TAG_HEADER: Final = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
    "without tag name duplicates."
)
TOO_LONG: Final = "The length of website redirect location cannot exceed 2,048 characters."


def put(code: str, message: str = "", **headers: str) -> Bad:
    """Make a PutObject with headers; underscores stand for dashes."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Bad("PUT", NEW, code, message, named, BODY)


def amz(code: str, message: str, *headers: tuple[str, str], argument: str = "") -> Bad:
    """Make a PutObject with headers of S3's own."""
    named = {f"x-amz-{name}": text for name, text in headers}
    return Bad("PUT", NEW, code, message, named, BODY, argument)


WRITES: Final = [
    put("InvalidDigest", content_md5="x"),
    put("InvalidDigest", content_md5="AAAA"),
    put("InvalidDigest", content_md5=""),
    put("BadDigest", content_md5=MD5_OF_NOTHING),
    amz("MetadataTooLarge", "", ("meta-a", "x" * 2048)),
    amz("MetadataTooLarge", "", ("meta-a", "x" * 1024), ("meta-b", "é" * 512)),
    amz("InvalidStorageClass", "", ("storage-class", "COLD")),
    amz("InvalidStorageClass", "", ("storage-class", "standard")),
    amz("InvalidRedirectLocation", "", ("website-redirect-location", "elsewhere")),
    amz("InvalidRedirectLocation", "", ("website-redirect-location", "")),
    amz("InvalidRedirectLocation", TOO_LONG, ("website-redirect-location", "/" * 2049)),
    amz(
        "InvalidArgument",
        "The encryption method specified is not supported",
        ("server-side-encryption", "rot13"),
        argument=SSE,
    ),
    Bad(
        "PUT",
        NEW,
        "InvalidArgument",
        "Server Side Encryption with Customer provided key is incompatible with the encryption "
        "method specified",  # RECORDED
        SSE_C | {SSE: "AES256"},
        BODY,
        SSE,
    ),
    Bad("PUT", NEW, "NotImplemented", "Encryption is not implemented.", SSE_C, BODY),
    *[
        amz(
            "InvalidBucketOwnerAWSAccountID",
            NO_ACCOUNT.format(owner),  # RECORDED
            ("expected-bucket-owner", owner),
        )
        for owner in ("abcd", "aa000000000$", "0000", "0000000000020", "")
    ],
    amz("AccessDenied", "", ("expected-bucket-owner", "<<other>>")),
    amz("AccessDenied", "", ("expected-bucket-owner", "000000000000")),
]
TAGS: Final = [
    amz("InvalidArgument", TAG_HEADER, ("tagging", "a=b&a=c"), argument="x-amz-tagging"),
    amz("InvalidArgument", TAG_HEADER, ("tagging", "a=%zz")),
    amz(
        "BadRequest",
        "Object tags cannot be greater than 10",
        ("tagging", "&".join(f"k{number}=v" for number in range(11))),
    ),
    amz("InvalidTag", "The TagKey you have provided is invalid", ("tagging", "k" * 129 + "=v")),
    amz("InvalidTag", "The TagValue you have provided is invalid", ("tagging", "k=" + "v" * 257)),
    amz("InvalidTag", "Your TagKey cannot be prefixed with aws:", ("tagging", "aws:k=v")),
]
SUMS: Final = [
    amz(
        "InvalidRequest",
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        ("sdk-checksum-algorithm", "CRC31"),
    ),
    amz(
        "InvalidRequest",
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
        "x-amz-trailer headers were found.",
        ("sdk-checksum-algorithm", "CRC32"),
    ),
    amz(
        "InvalidRequest",
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ("checksum-crc31", "AAAAAA=="),
    ),
    amz(
        "InvalidRequest",
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ("checksum-crc32", "jrM6wA=="),
        ("checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
    ),
    *[
        amz(
            "InvalidRequest",
            f"Value for x-amz-checksum-{name} header is invalid.",  # RECORDED
            (f"checksum-{name}", value),
        )
        for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
        for value in ("", "not base64", "AAAAAAAA")
    ],
    *[
        amz(
            "BadDigest",
            f"The {name.upper()} you specified did not match the calculated checksum.",  # RECORDED
            (f"checksum-{name}", value),
        )
        for name, value in (("crc32", "AAAAAA=="), ("crc64nvme", "AAAAAAAAAAA="))
    ],
]


def copy(code: str, message: str = "", source: str = OBJECT, **headers: str) -> Bad:
    """Make a CopyObject; underscores stand for dashes, and every name begins with x-amz-."""
    named = {f"x-amz-{name.replace('_', '-')}": text for name, text in headers.items()}
    return Bad("PUT", NEW, code, message, {"x-amz-copy-source": source} | named)


SELF_COPY: Final = (
    "This copy request is illegal because it is trying to copy an object to itself without "
    "changing the object's metadata, storage class, website redirect location or encryption "
    "attributes."
)
SELF: Final = {"x-amz-copy-source": OBJECT}
REPLACE: Final = {"x-amz-metadata-directive": "REPLACE"}
COPIES: Final = [
    copy("InvalidArgument", "Invalid copy source bucket name", ""),
    copy("InvalidArgument", "Invalid copy source bucket name", "/"),
    copy("InvalidArgument", "Invalid copy source object key", "alpha"),
    copy("InvalidArgument", "Invalid copy source object key", "alpha/"),  # RECORDED
    *[
        copy("InvalidArgument", "Invalid copy source encoding", f"alpha/{key}")
        for key in ("%", "%2", "%zz", "%ff", "100%")
    ],
    copy("NoSuchBucket", "", "nowhere/k"),
    copy("NoSuchKey", "", "alpha/none"),
    copy("NoSuchVersion", "", "versioned/plain?versionId=" + "0" * 16),
    copy("InvalidArgument", "Invalid version id specified", "alpha/plain?versionId=x"),
    copy("AccessDenied", "", "foreign/secret"),
    copy("InvalidArgument", "Unknown metadata directive.", metadata_directive="MERGE"),
    copy("InvalidArgument", "Unknown tagging directive.", tagging_directive="MERGE"),
    copy("InvalidStorageClass", storage_class="COLD"),
    copy("PreconditionFailed", copy_source_if_match="0"),
    copy("PreconditionFailed", copy_source_if_none_match="<<etag>>"),
    Bad("PUT", OBJECT, "PreconditionFailed", "", {**SELF, "if-none-match": "*", **REPLACE}),
    Bad("PUT", OBJECT, "InvalidRequest", SELF_COPY, SELF),
    Bad(
        "PUT",
        OBJECT,
        "InvalidRequest",
        SELF_COPY,
        {**SELF, "x-amz-metadata-directive": "COPY"},
    ),
    copy(
        "InvalidBucketOwnerAWSAccountID",
        NO_ACCOUNT.format("abcd"),
        source_expected_bucket_owner="abcd",
    ),
    copy("AccessDenied", source_expected_bucket_owner="<<other>>"),
]
PART_NUMBER: Final = "Part number must be an integer between 1 and 10000, inclusive"
LATIN: Final = "Header value cannot be represented using ISO-8859-1."
READS: Final = [
    *[
        Bad("GET", f"{OBJECT}?partNumber={number}", "InvalidArgument", PART_NUMBER)
        for number in ("0", "10001", "-1", "x", "", "1.5", "9" * 5000)
    ],
    Bad("GET", f"{OBJECT}?partNumber=2", "InvalidPartNumber"),
    Bad("GET", "/alpha/parts?partNumber=3", "InvalidPartNumber"),
    Bad(
        "GET",
        f"{OBJECT}?partNumber=1",
        "InvalidRequest",
        "Cannot specify both Range header and partNumber query parameter",
        {"range": "bytes=0-1"},
    ),
    *[
        Bad("GET", OBJECT, "InvalidRange", "", {"range": span})
        for span in ("bytes=20-", "bytes=-0", "bytes=99-100", "bytes=" + "9" * 30 + "-")
    ],
    Bad("GET", "/alpha/dir/two", "InvalidRange", "", {"range": "bytes=0-0"}),
    *[
        Bad("GET", f"{OBJECT}?response-content-type={text}", "InvalidArgument", LATIN)  # RECORDED
        for text in ("%E4%BD%A0", "a%0d%0ab", "%00")
    ],
    Bad("GET", "/alpha/none", "NoSuchKey"),
    Bad("GET", "/alpha/dir/", "NoSuchKey"),
    Bad("GET", "/nowhere/k", "NoSuchBucket"),
    Bad(
        "GET",
        f"{OBJECT}?versionId=",
        "InvalidArgument",
        "Version id cannot be the empty string",
    ),
    *[
        Bad(
            "GET",
            f"/versioned/plain?versionId={version_id}",
            "InvalidArgument",
            "Invalid version id specified",
        )
        for version_id in ("x", "NULL", "0" * 15, "G" * 16)
    ],
    Bad("GET", "/versioned/plain?versionId=" + "0" * 16, "NoSuchVersion"),
    Bad("GET", "/versioned/plain?versionId=null", "NoSuchVersion"),
    Bad("GET", OBJECT, "PreconditionFailed", "", {"if-match": "0"}),
    Bad(
        "GET",
        OBJECT,
        "PreconditionFailed",
        "",
        {"if-unmodified-since": "Sun, 06 Nov 1994 08:49:37 GMT"},
    ),
]


@pytest.mark.parametrize("requests", [WRITES, TAGS, SUMS], ids=["plain", "tags", "checksums"])
def test_a_bad_write_is_refused(
    world: World, subtests: pytest.Subtests, requests: list[Bad]
) -> None:
    """A header of PutObject that is out of bounds stores nothing."""
    check_all(world, subtests, requests)


def test_a_bad_copy_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """A source that is none, and directives and conditions that do not hold, copy nothing."""
    check_all(world, subtests, COPIES)


def test_a_bad_read_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """Parts, ranges, versions and overrides that cannot be answered are refused."""
    check_all(world, subtests, READS)


def test_a_bad_look_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """HEAD answers the status of GET, without a body."""
    for bad in READS:
        if "response-" not in bad.target:
            with subtests.test(f"{bad.target[:80]} {bad.headers}"):
                bad.check_head(world)


def test_dates_that_are_none_are_no_conditions(world: World) -> None:
    """A condition whose date cannot be read does not count (RFC 9110 13.1.3 and 13.1.4)."""
    for name in ("if-modified-since", "if-unmodified-since"):
        for date in ("yesterday", "", "Fri, 31 Feb 2024 00:00:00 GMT", "1700000000"):
            assert Bad("GET", OBJECT, "", headers={name: date}).send(world).status == 200


def test_what_just_fits_is_taken(world: World) -> None:
    """The last value within each bound is stored."""
    for headers in (
        {"x-amz-meta-a": "x" * 2047},
        {"x-amz-website-redirect-location": "/" * 2048},
        {"x-amz-tagging": "k" * 128 + "=" + "v" * 256},
        {"x-amz-tagging": "&".join(f"k{number}=v" for number in range(10))},
        {"x-amz-expected-bucket-owner": "<<owner>>"},
    ):
        assert Bad("PUT", NEW, "", headers=headers, body=BODY).send(world).status == 200
        world.settle()
