"""Multipart uploads as boto3 drives them: parts become one object, or nothing at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.e2e.content import content
from tests.e2e.outcome import refusal
from tests.e2e.server import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
PARTS = [content(f"part {number}", 5 * MIB + number) for number in range(3)]
LAST = b"the last part may be small"
WHOLE = b"".join((*PARTS, LAST))


def etag_of(parts: list[bytes]) -> str:
    """Compute the ETag of an object made of parts."""
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


class Upload:
    """One upload of the test's own, part by part."""

    def __init__(self, s3: BaseClient, bucket: str, key: str = "k", **options: Any) -> None:
        self.s3 = s3
        made = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)
        self.names = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
        self.has_checksums = "ChecksumAlgorithm" in options

    def part(self, number: int, body: bytes, **options: Any) -> dict[str, Any]:
        """Upload one part and answer how Complete names it."""
        made = self.s3.upload_part(**self.names, PartNumber=number, Body=body, **options)
        names = [name for name in made if name.startswith("Checksum") and self.has_checksums]
        return {"PartNumber": number, "ETag": made["ETag"], **{name: made[name] for name in names}}

    def complete(self, parts: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        """Complete the upload."""
        wanted = {"Parts": parts}
        reply: dict[str, Any] = self.s3.complete_multipart_upload(
            **self.names, MultipartUpload=wanted, **options
        )
        return reply

    def refusal(self, parts: list[dict[str, Any]], **options: Any) -> tuple[int, str]:
        """Answer what completing is refused with."""
        call, wanted = self.s3.complete_multipart_upload, {"Parts": parts}
        return refusal(call, **self.names, MultipartUpload=wanted, **options)


@pytest.fixture(scope="module")
def whole(s3: BaseClient) -> str:
    """Store an object of four parts."""
    s3.create_bucket(Bucket="whole")
    upload = Upload(s3, "whole")
    upload.complete([upload.part(n, body) for n, body in enumerate([*PARTS, LAST], 1)])
    return "whole"


def test_a_completion_tells_where_the_object_is(server: Server, bucket: str) -> None:
    """Location is the object's URL, whole and escaped, in the style the request came in."""
    for style in ("path", "virtual"):
        client = server.client(style)
        made = Upload(client, bucket, "a b/\u00e9")
        place = made.complete([made.part(1, LAST)])["Location"]
        start = server.url + f"/{bucket}" if style == "path" else f"http://{bucket}.{DOMAIN}"
        assert place.startswith(start)
        assert place.endswith("/a+b%2F%C3%A9")


def test_parts_become_the_object(s3: BaseClient, bucket: str) -> None:
    """Parts uploaded in any order become one object, with the headers given at its start."""
    upload = Upload(s3, bucket, ContentType="text/x-parts", Metadata={"a": "b"})
    last = upload.part(9000, LAST)
    rest = [upload.part(number, PARTS[number - 1]) for number in (3, 1, 2)]
    made = upload.complete(sorted([*rest, last], key=lambda part: part["PartNumber"]))
    assert made["ETag"] == etag_of([*PARTS, LAST])
    assert (made["Bucket"], made["Key"]) == (bucket, "k")
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == WHOLE
    assert (read["ETag"], read["ContentType"]) == (made["ETag"], "text/x-parts")
    assert read["Metadata"] == {"a": "b"}
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == len(WHOLE)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_part_can_be_read_alone(s3: BaseClient, bucket: str) -> None:
    """GET and HEAD with partNumber answer that part's bytes and how many parts there are."""
    upload = Upload(s3, bucket)
    upload.complete([upload.part(1, PARTS[0]), upload.part(2, PARTS[1]), upload.part(3, LAST)])
    read = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    first = len(PARTS[0])
    assert read["Body"].read() == PARTS[1]
    assert read["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert read["PartsCount"] == 3
    total = len(PARTS[0]) + len(PARTS[1]) + len(LAST)
    assert read["ContentRange"] == f"bytes {first}-{first + len(PARTS[1]) - 1}/{total}"
    head = s3.head_object(Bucket=bucket, Key="k", PartNumber=3)
    assert (head["ContentLength"], head["PartsCount"]) == (len(LAST), 3)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", PartNumber=4)
    told = caught.value.response["Error"]
    assert (told["Code"], told["PartNumberRequested"], told["ActualPartCount"]) == (
        "InvalidPartNumber",
        "4",
        "3",
    )


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, 0),
        (len(PARTS[0]) - 3, len(PARTS[0]) + 2),
        (len(PARTS[0]) - 1, len(PARTS[0]) + len(PARTS[1])),
        (len(WHOLE) - len(LAST) - 5, len(WHOLE) - 1),
        (1, len(WHOLE) - 2),
    ],
)
def test_a_range_crosses_parts(s3: BaseClient, whole: str, first: int, last: int) -> None:
    """A range over the borders of parts is answered without a seam."""
    read = s3.get_object(Bucket=whole, Key="k", Range=f"bytes={first}-{last}")
    assert read["Body"].read() == WHOLE[first : last + 1]


def test_a_part_can_be_replaced(s3: BaseClient, bucket: str) -> None:
    """A part uploaded again replaces the earlier one, whose ETag completes nothing."""
    upload = Upload(s3, bucket)
    old = upload.part(1, PARTS[0])
    new = upload.part(1, PARTS[1])
    assert upload.refusal([old]) == (400, "InvalidPart")
    upload.complete([new])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == PARTS[1]


def test_completing_twice_answers_the_same(s3: BaseClient, bucket: str) -> None:
    """A repeated Complete, as a client sends that lost the reply, succeeds again."""
    upload = Upload(s3, bucket)
    parts = [upload.part(1, LAST)]
    first, second = upload.complete(parts), upload.complete(parts)
    assert first["ETag"] == second["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == LAST


def test_wrong_lists_of_parts_complete_nothing(s3: BaseClient, bucket: str) -> None:
    """Unknown, reordered, too small or no parts are refused, and the upload stays open."""
    upload = Upload(s3, bucket)
    small, large = upload.part(1, b"small"), upload.part(2, LAST)
    assert upload.refusal([{**small, "ETag": f'"{"0" * 32}"'}]) == (400, "InvalidPart")
    assert upload.refusal([{**small, "PartNumber": 3}]) == (400, "InvalidPart")
    assert upload.refusal([large, small]) == (400, "InvalidPartOrder")
    assert upload.refusal([small, small]) == (400, "InvalidPartOrder")
    assert upload.refusal([small, large]) == (400, "EntityTooSmall")
    assert upload.refusal([]) == (400, "MalformedXML")
    assert refusal(s3.complete_multipart_upload, **upload.names) == (400, "MalformedXML")
    unknown = upload.names | {"UploadId": "unknown"}
    assert refusal(s3.complete_multipart_upload, **unknown) == (404, "NoSuchUpload")
    assert refusal(s3.head_object, Bucket=bucket, Key="k") == (404, "404")
    upload.complete([small])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"small"


def test_an_aborted_upload_is_gone(s3: BaseClient, bucket: str) -> None:
    """After Abort the upload takes no part, lists none and completes nothing."""
    upload = Upload(s3, bucket)
    part = upload.part(1, LAST)
    s3.abort_multipart_upload(**upload.names)
    gone = (404, "NoSuchUpload")
    assert refusal(s3.upload_part, **upload.names, PartNumber=2, Body=LAST) == gone
    assert refusal(s3.list_parts, **upload.names) == gone
    assert upload.refusal([part]) == gone
    assert refusal(s3.abort_multipart_upload, **upload.names) == gone
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_upload_belongs_to_its_key(s3: BaseClient, bucket: str) -> None:
    """An upload id works for the bucket and key it was made for and for no other."""
    upload = Upload(s3, bucket)
    s3.create_bucket(Bucket=f"{bucket}-other")
    for other in ({"Key": "other"}, {"Bucket": f"{bucket}-other"}):
        names = {**upload.names, **other}
        assert refusal(s3.upload_part, **names, PartNumber=1, Body=b"x") == (404, "NoSuchUpload")
        assert refusal(s3.abort_multipart_upload, **names) == (404, "NoSuchUpload")


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_a_part_number_has_bounds(s3: BaseClient, bucket: str, number: int) -> None:
    """A part number outside 1 to 10,000 answers InvalidArgument."""
    upload = Upload(s3, bucket)
    wish = {**upload.names, "PartNumber": number, "Body": b"x"}
    assert refusal(s3.upload_part, **wish) == (400, "InvalidArgument")


def test_parts_are_listed_in_pages(s3: BaseClient, bucket: str) -> None:
    """ListParts shows each part once, by number, with its size and ETag."""
    upload = Upload(s3, bucket)
    made = [upload.part(number, b"%d" % number * number) for number in range(1, 8)]
    pages = s3.get_paginator("list_parts").paginate(
        **upload.names, PaginationConfig={"PageSize": 3}
    )
    rows = [row for page in pages for row in page["Parts"]]
    assert [(row["PartNumber"], row["ETag"], row["Size"]) for row in rows] == [
        (part["PartNumber"], part["ETag"], number) for number, part in enumerate(made, 1)
    ]
    tail = s3.list_parts(**upload.names, PartNumberMarker=6)
    assert [row["PartNumber"] for row in tail["Parts"]] == [7]
    assert tail["StorageClass"] == "STANDARD"
    assert s3.list_parts(**upload.names, PartNumberMarker=7)["NextPartNumberMarker"] == 0


def test_uploads_are_listed_in_pages(s3: BaseClient, bucket: str) -> None:
    """ListMultipartUploads shows each open upload once, by key and then by age."""
    keys = ["b/1", "a", "b/2", "a", "c", "a"]
    made = [Upload(s3, bucket, key).names["UploadId"] for key in keys]
    wanted = [(keys[place], made[place]) for place in (1, 3, 5, 0, 2, 4)]
    for size in (1, 2, 1000):
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}
        )
        rows = [row for page in pages for row in page.get("Uploads", [])]
        assert [(row["Key"], row["UploadId"]) for row in rows] == wanted
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [row["Prefix"] for row in page["CommonPrefixes"]] == ["b/"]
    assert [row["Key"] for row in page["Uploads"]] == ["a", "a", "a", "c"]
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", KeyMarker="b/1")
    assert "CommonPrefixes" not in page  # inside it is behind it, as recorded from S3
    assert [row["Key"] for row in page["Uploads"]] == ["c"]
    page = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")
    assert [row["Key"] for row in page["Uploads"]] == ["b/1", "b/2"]
    assert (page["NextKeyMarker"], page["NextUploadIdMarker"]) == ("b/2", made[2])
    markers = {"KeyMarker": "a", "UploadIdMarker": "junk"}
    call = s3.list_multipart_uploads
    assert refusal(call, Bucket=bucket, **markers) == (400, "InvalidArgument")
    page = s3.list_multipart_uploads(Bucket=bucket, Prefix="none")
    assert (page["NextKeyMarker"], page["NextUploadIdMarker"]) == ("", "")


def test_parts_are_copied_from_objects(s3: BaseClient, bucket: str) -> None:
    """UploadPartCopy takes a whole object or a range of it as a part."""
    s3.put_object(Bucket=bucket, Key="source", Body=WHOLE)
    upload = Upload(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    spans = [None, f"bytes=100-{6 * MIB}", f"bytes={len(WHOLE) - 10}-{len(WHOLE) - 1}"]
    parts = []
    for number, span in enumerate(spans, 1):
        wish = {"CopySourceRange": span} if span else {}
        made = s3.upload_part_copy(**upload.names, PartNumber=number, CopySource=source, **wish)
        parts.append({"PartNumber": number, "ETag": made["CopyPartResult"]["ETag"]})
    upload.complete(parts)
    wanted = WHOLE + WHOLE[100 : 6 * MIB + 1] + WHOLE[-10:]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == wanted


@pytest.mark.parametrize(
    "span", ["bytes=0-99999999999", "bytes=-5", "bytes=5-", "0-5", "bytes=5-4"]
)
def test_a_bad_span_of_a_copy_is_refused(s3: BaseClient, bucket: str, span: str) -> None:
    """UploadPartCopy refuses a range that is not first-last within the source."""
    s3.put_object(Bucket=bucket, Key="source", Body=LAST)
    upload = Upload(s3, bucket)
    source = {"CopySource": f"{bucket}/source", "CopySourceRange": span}
    status, code = refusal(s3.upload_part_copy, **upload.names, PartNumber=1, **source)
    assert (status, code) in {(400, "InvalidArgument"), (416, "InvalidRange")}
    assert "Parts" not in s3.list_parts(**upload.names)


def test_a_copied_upload_outlives_its_source(s3: BaseClient, bucket: str) -> None:
    """A multipart object is copied whole, and the copy stays when the first is gone."""
    upload = Upload(s3, bucket)
    made = upload.complete([upload.part(1, PARTS[0]), upload.part(2, LAST)])
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    s3.delete_object(Bucket=bucket, Key="k")
    read = s3.get_object(Bucket=bucket, Key="copy")
    assert read["Body"].read() == PARTS[0] + LAST
    assert made["ETag"] == etag_of([PARTS[0], LAST])


def test_completing_obeys_conditions(s3: BaseClient, bucket: str) -> None:
    """Complete with If-None-Match: * is refused when the key exists, and may be tried again."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    upload = Upload(s3, bucket)
    parts = [upload.part(1, LAST)]
    assert upload.refusal(parts, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    upload.complete(parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == LAST


def test_a_bucket_with_open_uploads_can_go(s3: BaseClient, bucket: str) -> None:
    """An open upload is no object: the bucket is deleted with it, as AWS does."""
    upload = Upload(s3, bucket)
    upload.part(1, LAST)
    s3.delete_bucket(Bucket=bucket)
    assert refusal(s3.list_parts, **upload.names) == (404, "NoSuchBucket")


def test_the_transfer_manager_moves_files(s3: BaseClient, bucket: str, tmp_path: Path) -> None:
    """boto3's own transfer manager uploads and downloads a file in concurrent parts."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(WHOLE * 2)
    config = TransferConfig(multipart_threshold=MIB, multipart_chunksize=5 * MIB, max_concurrency=6)
    s3.upload_file(str(source), bucket, "file", Config=config)
    assert s3.head_object(Bucket=bucket, Key="file")["ETag"].endswith('-7"')
    s3.download_file(bucket, "file", str(target), Config=config)
    assert target.read_bytes() == WHOLE * 2
