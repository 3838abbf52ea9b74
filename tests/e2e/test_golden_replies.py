"""Replies as S3 itself was seen to give them: codes, words, details, elements and their order.

The facts are those that LocalStack's project recorded from AWS with dates (github.com/localstack/
localstack, tests/aws/services/s3/*.snapshot.json) and backlot's measured (see `protocol/quirks`).
Left out on purpose: what names AWS's own things (its ids, its encryption), and `Resource`, which S4
gives with every refusal as the manual shows it and S3 mostly does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.golden import bad_argument, elements, no, refused
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.golden import Refusal
    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

RANGE_FORM = (
    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last "
    "are the zero-based offsets of the first and last bytes to copy"
)


@pytest.fixture(scope="module")
def place(server: Server, s3: BaseClient) -> dict[str, str]:
    """Make a bucket with an object of ten bytes, a multipart object, and an upload."""
    s3.create_bucket(Bucket="golden")
    s3.put_object(Bucket="golden", Key="ten", Body=b"0123456789")
    made = {}
    for name in ("parts", "open"):
        upload = s3.create_multipart_upload(Bucket="golden", Key=name)
        names = {"Bucket": "golden", "Key": name, "UploadId": upload["UploadId"]}
        parts = [
            {
                "PartNumber": number,
                "ETag": s3.upload_part(**names, PartNumber=number, Body=body)["ETag"],
            }
            for number, body in enumerate((bytes(5 * 1024**2), b"data"), 1)
        ]
        made[name] = upload["UploadId"]
        if name == "parts":
            s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    return made


NO_KEY = no(404, "NoSuchKey", "The specified key does not exist.", Key="none")
NO_PART = "The requested partnumber is not satisfiable"
NO_NUMBER = "Part number must be an integer between 1 and 10000, inclusive"
NO_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
    "been aborted or completed."
)
NO_CLASS = no(
    400,
    "InvalidStorageClass",
    "The storage class you specified is not valid",
    StorageClassRequested="OUTPOSTS",
)
OUTPOSTS = {"x-amz-storage-class": "OUTPOSTS"}
PART = "/golden/open?partNumber=1&uploadId={open}"
ONE_PART = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>"
    b"</CompleteMultipartUpload>"
)


def copied(wanted: str) -> dict[str, str]:
    """Write the headers that copy a range of the object of ten bytes."""
    return {"x-amz-copy-source": "golden/ten", "x-amz-copy-source-range": wanted}


REFUSALS: list[tuple[str, str, bytes, dict[str, str], Refusal]] = [
    ("GET", "/golden/none", b"", {}, NO_KEY),
    ("PUT", "/golden/copy", b"", {"x-amz-copy-source": "golden/none"}, NO_KEY),
    (
        "GET",
        "/golden-none/k",
        b"",
        {},
        no(404, "NoSuchBucket", "The specified bucket does not exist", BucketName="golden-none"),
    ),
    *(
        (
            "GET",
            f"/golden/{key}?partNumber={number}",
            b"",
            {},
            no(
                416,
                "InvalidPartNumber",
                NO_PART,
                PartNumberRequested=number,
                ActualPartCount=count,
            ),
        )
        for key, number, count in (("ten", "2", "1"), ("parts", "10", "2"))
    ),
    (
        "GET",
        "/golden/ten",
        b"",
        {"range": "bytes=100-200"},
        no(
            416,
            "InvalidRange",
            "The requested range is not satisfiable",
            RangeRequested="bytes=100-200",
            ActualObjectSize="10",
        ),
    ),
    ("PUT", "/golden/new", b"x", OUTPOSTS, NO_CLASS),
    ("POST", "/golden/new?uploads", b"", OUTPOSTS, NO_CLASS),
    (
        "PUT",
        "/golden/new",
        b"something",
        {"content-md5": "CYketZBSTjX8czcs3cXVlg=="},
        no(
            400,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest="09891eb590524e35fc73372cddc5d596",
            CalculatedDigest="Q3uTDbhLgHnC3YBKcZNrXw==",
        ),
    ),
    (
        "PUT",
        "/golden/new",
        b"something",
        {"content-md5": "MTIz"},
        no(
            400,
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
            **{"Content-MD5": "MTIz"},
        ),
    ),
    *(
        (
            "PUT",
            PART.replace("=1&", f"={number}&"),
            b"",
            {},
            bad_argument("partNumber", number, NO_NUMBER),
        )
        for number in ("-1", "0", "10001")
    ),
    *(
        (
            "PUT",
            PART,
            b"",
            copied(wanted),
            bad_argument("x-amz-copy-source-range", wanted, RANGE_FORM),
        )
        for wanted in ("0-8", "bytes=1-0", "bytes=-1-", "bytes=0--1", "bytes=0-1,3-4", "bytes=-2")
    ),
    (
        "PUT",
        PART,
        b"",
        copied("bytes=0-100"),
        bad_argument(
            "x-amz-copy-source-range",
            "bytes=0-100",
            "Range specified is not valid for source object of size: 10",
        ),
    ),
    (
        "PUT",
        PART,
        b"",
        copied("bytes=100-200"),
        no(
            400,
            "InvalidRequest",
            "The specified copy range is invalid for the source object size",
        ),
    ),
    *(
        (method, target, body, {}, no(404, "NoSuchUpload", NO_UPLOAD, UploadId=upload))
        for method, target, body, upload in (
            ("PUT", "/golden/open?partNumber=1&uploadId=fakeid", b"x", "fakeid"),
            ("DELETE", "/golden/open?uploadId=fakeid", b"", "fakeid"),
            ("POST", "/golden/open?uploadId=fakeid", ONE_PART, "fakeid"),
            ("GET", "/golden/other?uploadId={open}", b"", "{open}"),
            ("DELETE", "/golden/other?uploadId={open}", b"", "{open}"),
            ("POST", "/golden/other?uploadId={open}", ONE_PART, "{open}"),
        )
    ),
    (
        "GET",
        "/golden?list-type=2&continuation-token=",
        b"",
        {},
        no(
            400,
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
        ),
    ),
    (
        "GET",
        "/golden?encoding-type=value",
        b"",
        {},
        bad_argument("encoding-type", "value", "Invalid Encoding Method specified in Request"),
    ),
    (
        "DELETE",
        "/golden",
        b"",
        {},
        no(
            409,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty",
            BucketName="golden",
        ),
    ),
]


@pytest.mark.parametrize(("method", "target", "body", "headers", "wanted"), REFUSALS)
def test_a_refusal_is_worded_as_on_aws(
    server: Server,
    place: dict[str, str],
    method: str,
    target: str,
    body: bytes,
    headers: dict[str, str],
    wanted: Refusal,
) -> None:
    """Status, code, message and details are those that S3 was seen to give, in its order."""
    status, detail = wanted
    detail = {tag: text.replace("{open}", place["open"]) for tag, text in detail.items()}
    reply = server.caller.ask(method, target.format(**place), body, headers)
    assert refused(reply) == (status, detail)
    assert list(refused(reply)[1]) == list(detail)


ROW_TAGS = "Key LastModified ETag ChecksumAlgorithm ChecksumType Size"
PARTS_TAGS = (
    "Bucket Key UploadId Initiator Owner StorageClass PartNumberMarker NextPartNumberMarker "
    "MaxParts IsTruncated Part Part"
)
UPLOADS_TAGS = (
    "Bucket KeyMarker UploadIdMarker NextKeyMarker NextUploadIdMarker MaxUploads IsTruncated Upload"
)


@pytest.mark.parametrize(
    ("target", "root", "tags"),
    [
        (
            "/golden?prefix=t&delimiter=/&marker=a&encoding-type=url",
            "ListBucketResult",
            "Name Prefix Marker MaxKeys Delimiter EncodingType IsTruncated Contents",
        ),
        (
            "/golden?list-type=2&delimiter=/&max-keys=1",
            "ListBucketResult",
            "Name Prefix NextContinuationToken KeyCount MaxKeys Delimiter IsTruncated Contents",
        ),
        (
            "/golden?list-type=2&start-after=a&encoding-type=url",
            "ListBucketResult",
            "Name Prefix StartAfter KeyCount MaxKeys EncodingType IsTruncated Contents Contents",
        ),
        ("/golden", "Contents", f"{ROW_TAGS} Owner StorageClass"),
        ("/golden?list-type=2", "Contents", f"{ROW_TAGS} StorageClass"),
        (
            "/golden/open?uploadId={open}",
            "ListPartsResult",
            PARTS_TAGS,
        ),
        ("/golden/open?uploadId={open}", "Part", "PartNumber LastModified ETag Size"),
        (
            "/golden?uploads",
            "ListMultipartUploadsResult",
            UPLOADS_TAGS,
        ),
        ("/golden?uploads", "Upload", "Key UploadId Initiator Owner StorageClass Initiated"),
    ],
)
def test_elements_come_in_awss_order(
    server: Server, place: dict[str, str], target: str, root: str, tags: str
) -> None:
    """Documents have the elements that S3's have, in its order."""
    reply = server.caller.ask("GET", target.format(**place))
    assert [tag for tag, _ in elements(reply.body, root)] == tags.split()


def test_headers_are_awss(server: Server, place: dict[str, Any]) -> None:
    """An object's replies carry the headers that S3's do, and none of its own making."""
    ids = {"x-amz-request-id", "x-amz-id-2", "date", "server"}
    kept = {"etag", "last-modified", "accept-ranges", "content-type", "content-length"}
    for method, target, wanted in (
        ("GET", "/golden/ten", kept),
        ("HEAD", "/golden/ten", kept),
        ("GET", "/golden/parts?partNumber=2", {*kept, "content-range", "x-amz-mp-parts-count"}),
        (
            "PUT",
            path_of("golden", "put"),
            {"etag", "x-amz-checksum-crc64nvme", "x-amz-checksum-type", "content-length"},
        ),
        ("DELETE", path_of("golden", "put"), set()),
    ):
        reply = server.caller.ask(method, target)
        assert set(reply.headers) - ids - {"connection"} == wanted, (method, target)
