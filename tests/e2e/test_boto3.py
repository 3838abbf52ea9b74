"""Buckets and objects as boto3 sees them: what goes in comes out, and refusals are AWS's own."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

BODY = bytes(range(256)) * 40
ETAG = f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'


@pytest.fixture
def key(s3: BaseClient, bucket: str) -> str:
    """Store an object to be read."""
    s3.put_object(Bucket=bucket, Key="object", Body=BODY, ContentType="text/x-test")
    return "object"


# --- buckets ---


def test_a_bucket_lives_from_create_to_delete(s3: BaseClient) -> None:
    """A created bucket is found, listed and located until it is deleted."""
    made = s3.create_bucket(Bucket="life-of-a-bucket")
    assert made["Location"] == "/life-of-a-bucket"
    head = s3.head_bucket(Bucket="life-of-a-bucket")
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="life-of-a-bucket")["LocationConstraint"] is None
    listed = s3.list_buckets()
    row = next(row for row in listed["Buckets"] if row["Name"] == "life-of-a-bucket")
    assert abs(row["CreationDate"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert listed["Owner"]["ID"]
    deleted = s3.delete_bucket(Bucket="life-of-a-bucket")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(s3.head_bucket, Bucket="life-of-a-bucket") == (404, "404")
    names = [row["Name"] for row in s3.list_buckets()["Buckets"]]
    assert "life-of-a-bucket" not in names


def test_buckets_are_listed_in_order_and_in_pages(s3: BaseClient) -> None:
    """ListBuckets sorts by name, filters by prefix and hands out every bucket once in pages."""
    names = [f"pages-{letter}" for letter in "dacb"]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(
        Prefix="pages-", PaginationConfig={"PageSize": 3}
    )
    sizes_and_names = [[row["Name"] for row in page["Buckets"]] for page in pages]
    assert sizes_and_names == [["pages-a", "pages-b", "pages-c"], ["pages-d"]]


def test_creating_a_bucket_again_changes_nothing(s3: BaseClient, bucket: str) -> None:
    """A second CreateBucket by the owner succeeds, as in AWS's classic region; objects stay."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    assert s3.create_bucket(Bucket=bucket)["Location"] == f"/{bucket}"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
    tags = {"Tags": [{"Key": "a", "Value": "b"}]}
    told = refusal(s3.create_bucket, Bucket=bucket, CreateBucketConfiguration=tags)
    assert told == (409, "BucketAlreadyOwnedByYou")


def test_a_foreign_location_is_refused(s3: BaseClient) -> None:
    """CreateBucket takes no region but the server's own, and makes no bucket when it refuses."""
    wish = {"LocationConstraint": "eu-central-1"}
    told = refusal(s3.create_bucket, Bucket="far-away", CreateBucketConfiguration=wish)
    assert told == (400, "InvalidLocationConstraint")
    assert refusal(s3.head_bucket, Bucket="far-away") == (404, "404")


def test_a_bucket_with_an_object_is_not_deleted(s3: BaseClient, bucket: str, key: str) -> None:
    """DeleteBucket refuses while an object is there, and succeeds once it is gone."""
    assert refusal(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)


def test_a_name_can_be_used_again(s3: BaseClient, bucket: str) -> None:
    """A bucket made anew under an old name holds nothing of the old one."""
    s3.put_object(Bucket=bucket, Key="old", Body=b"old")
    s3.delete_object(Bucket=bucket, Key="old")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.put_object(Bucket=bucket, Key="new", Body=b"new")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["new"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("list_objects_v2", {}),
        ("get_object", {"Key": "k"}),
        ("put_object", {"Key": "k", "Body": b"x"}),
        ("delete_object", {"Key": "k"}),
        ("create_multipart_upload", {"Key": "k"}),
        ("delete_bucket", {}),
        ("get_bucket_location", {}),
    ],
)
def test_a_missing_bucket_is_named(
    s3: BaseClient, operation: str, arguments: dict[str, Any]
) -> None:
    """Every operation on a bucket that is not there answers NoSuchBucket."""
    call = getattr(s3, operation)
    assert refusal(call, Bucket="there-is-none", **arguments) == (404, "NoSuchBucket")


# --- objects ---


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 32_769, 1_048_576, 5_000_001])
def test_bytes_come_back(s3: BaseClient, bucket: str, size: int) -> None:
    """An object of any size is read back byte for byte, with its MD5 as ETag."""
    body = (b"%08d" % size * (size // 8 + 1))[:size]
    stored = s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert stored["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["ContentLength"] == size
    assert read["ETag"] == stored["ETag"]
    assert read["Body"].read() == body
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"]) == (size, stored["ETag"])


def test_empty_bodies_do_not_upset_the_connection(s3: BaseClient, bucket: str) -> None:
    """A client that announces each body (Expect) stores empty ones and others in turn."""
    for number in range(12):
        body = b"" if number % 3 else b"content"
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=body)
        assert s3.get_object(Bucket=bucket, Key=f"k{number}")["Body"].read() == body


def test_headers_and_metadata_are_kept(s3: BaseClient, bucket: str) -> None:
    """All content headers, Expires and user metadata come back as they were given."""
    given = {
        "CacheControl": "max-age=60, private",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "deflate, gzip",
        "ContentLanguage": "de, en",
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": {"colour": "green", "empty": "", "mixed-case": "Some Text = 1;2"},
        "WebsiteRedirectLocation": "/elsewhere",
    }
    expires = datetime(2037, 1, 2, 3, 4, 5, tzinfo=UTC)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **given)
    for read in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {name: read[name] for name in given} == given
        headers = read["ResponseMetadata"]["HTTPHeaders"]
        assert headers["expires"] == "Fri, 02 Jan 2037 03:04:05 GMT"


def test_an_object_without_a_type_has_awss_default(s3: BaseClient, bucket: str) -> None:
    """An object stored without Content-Type is binary/octet-stream."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_an_overwrite_replaces_everything(s3: BaseClient, bucket: str, key: str) -> None:
    """A second PutObject leaves nothing of the first: not its bytes, type or metadata."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"new")
    read = s3.get_object(Bucket=bucket, Key=key)
    assert read["Body"].read() == b"new"
    assert (read["ContentType"], read["Metadata"]) == ("binary/octet-stream", {})


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=10000-", 10_000, len(BODY) - 1),
        ("bytes=-7", len(BODY) - 7, len(BODY) - 1),
        ("bytes=-999999", 0, len(BODY) - 1),
        ("bytes=10000-999999", 10_000, len(BODY) - 1),
    ],
)
def test_a_range_is_answered_exactly(
    s3: BaseClient, bucket: str, key: str, asked: str, first: int, last: int
) -> None:
    """A Range gets the bytes it names, status 206 and the right Content-Range."""
    read = s3.get_object(Bucket=bucket, Key=key, Range=asked)
    assert read["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert read["ContentRange"] == f"bytes {first}-{last}/{len(BODY)}"
    assert read["Body"].read() == BODY[first : last + 1]


@pytest.mark.parametrize("asked", [f"bytes={len(BODY)}-", "bytes=-0"])
def test_a_range_outside_the_object_is_refused(
    s3: BaseClient, bucket: str, key: str, asked: str
) -> None:
    """A Range that names no byte of the object answers InvalidRange."""
    assert refusal(s3.get_object, Bucket=bucket, Key=key, Range=asked) == (416, "InvalidRange")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=9-1", "lines=0-1", "bytes=a-b"])
def test_a_range_s3_does_not_serve_gets_the_whole(
    s3: BaseClient, bucket: str, key: str, asked: str
) -> None:
    """Several ranges, and what is no byte range, are answered with the whole object."""
    read = s3.get_object(Bucket=bucket, Key=key, Range=asked)
    assert read["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert read["Body"].read() == BODY


def test_conditions_of_a_read_are_obeyed(s3: BaseClient, bucket: str, key: str) -> None:
    """If-Match, If-None-Match and the two dates decide between 200, 304 and 412."""
    modified = s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    before, after = modified - timedelta(hours=1), modified
    other = '"00000000000000000000000000000000"'
    for call in (s3.get_object, s3.head_object):
        for fine in (
            {"IfMatch": ETAG},
            {"IfMatch": "*"},
            {"IfNoneMatch": other},
            {"IfModifiedSince": before},
            {"IfUnmodifiedSince": after},
            {"IfMatch": ETAG, "IfUnmodifiedSince": before},
        ):
            assert call(Bucket=bucket, Key=key, **fine)["ETag"] == ETAG
        for same in ({"IfNoneMatch": ETAG}, {"IfNoneMatch": "*"}, {"IfModifiedSince": after}):
            assert refusal(call, Bucket=bucket, Key=key, **same) == (304, "304")
        for failed in ({"IfMatch": other}, {"IfUnmodifiedSince": before}):
            assert refusal(call, Bucket=bucket, Key=key, **failed)[0] == 412


def test_response_headers_can_be_overridden(s3: BaseClient, bucket: str, key: str) -> None:
    """The six response-* parameters change the reply's headers and not the object."""
    overrides = {
        "ResponseCacheControl": "no-store",
        "ResponseContentDisposition": "inline; filename=x",
        "ResponseContentEncoding": "identity",
        "ResponseContentLanguage": "fr",
        "ResponseContentType": "application/x-other",
    }
    expires = datetime(2036, 5, 6, 7, 8, 9, tzinfo=UTC)
    read = s3.get_object(Bucket=bucket, Key=key, ResponseExpires=expires, **overrides)
    assert {f"Response{n}": read[n] for n in ("CacheControl", "ContentType")} == {
        name: overrides[name] for name in ("ResponseCacheControl", "ResponseContentType")
    }
    assert read["ContentDisposition"] == "inline; filename=x"
    assert (read["ContentEncoding"], read["ContentLanguage"]) == ("identity", "fr")
    assert read["ResponseMetadata"]["HTTPHeaders"]["expires"].startswith("Tue, 06 May 2036")
    assert s3.head_object(Bucket=bucket, Key=key)["ContentType"] == "text/x-test"


def test_a_missing_key_is_refused_and_its_delete_is_not(s3: BaseClient, bucket: str) -> None:
    """Reading what is not there answers NoSuchKey; deleting it succeeds."""
    assert refusal(s3.get_object, Bucket=bucket, Key="none") == (404, "NoSuchKey")
    assert refusal(s3.head_object, Bucket=bucket, Key="none") == (404, "404")
    deleted = s3.delete_object(Bucket=bucket, Key="none")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_deleted_object_is_gone(s3: BaseClient, bucket: str, key: str) -> None:
    """A deleted object is neither read nor listed again."""
    s3.delete_object(Bucket=bucket, Key=key)
    assert refusal(s3.get_object, Bucket=bucket, Key=key) == (404, "NoSuchKey")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_many_objects_are_deleted_at_once(s3: BaseClient, bucket: str) -> None:
    """DeleteObjects deletes a thousand keys, absent ones too, and tells each of them."""
    for number in range(10):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    wanted = [f"k{number}" for number in range(1000)]
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in wanted]})
    assert [row["Key"] for row in reply["Deleted"]] == wanted
    assert "Errors" not in reply
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_quiet_delete_tells_only_errors(s3: BaseClient, bucket: str, key: str) -> None:
    """DeleteObjects with Quiet reports no deleted key."""
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}], "Quiet": True})
    assert "Deleted" not in reply
    assert refusal(s3.head_object, Bucket=bucket, Key=key) == (404, "404")


def test_more_than_a_thousand_deletes_are_refused(s3: BaseClient, bucket: str, key: str) -> None:
    """DeleteObjects of 1,001 keys answers MalformedXML and deletes none."""
    entries = [{"Key": key}, *({"Key": f"k{number}"} for number in range(1000))]
    wanted = {"Objects": entries}
    assert refusal(s3.delete_objects, Bucket=bucket, Delete=wanted) == (400, "MalformedXML")
    assert s3.head_object(Bucket=bucket, Key=key)["ETag"] == ETAG


def test_writes_obey_conditions(s3: BaseClient, bucket: str, key: str) -> None:
    """If-None-Match: * writes only what is absent, If-Match only over what was read."""
    new = {"Bucket": bucket, "Key": "new", "Body": b"x"}
    old = {"Bucket": bucket, "Key": key, "Body": b"x"}
    assert refusal(s3.put_object, **old, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(s3.put_object, **new, IfMatch=ETAG) == (404, "NoSuchKey")
    s3.put_object(**new, IfNoneMatch="*")
    assert refusal(s3.put_object, **old, IfMatch='"0"') == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY
    s3.put_object(**old, IfMatch=ETAG)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


def test_content_md5_is_checked(s3: BaseClient, bucket: str) -> None:
    """A right Content-MD5 is accepted, and a wrong one stores nothing."""
    right = b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()
    wrong = b64encode(bytes(16)).decode()
    s3.put_object(Bucket=bucket, Key="right", Body=BODY, ContentMD5=right)
    assert refusal(s3.put_object, Bucket=bucket, Key="wrong", Body=BODY, ContentMD5=wrong) == (
        400,
        "BadDigest",
    )
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["right"]


# --- copies ---


def test_a_copy_is_the_object_with_its_metadata(s3: BaseClient, bucket: str) -> None:
    """CopyObject carries bytes, headers and metadata over, between buckets too."""
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, ContentType="text/x-a", Metadata={"one": "1"})
    s3.create_bucket(Bucket=f"{bucket}-other")
    for target in (bucket, f"{bucket}-other"):
        made = s3.copy_object(Bucket=target, Key="b", CopySource=f"{bucket}/a")
        assert made["CopyObjectResult"]["ETag"] == ETAG
        read = s3.get_object(Bucket=target, Key="b")
        assert read["Body"].read() == BODY
        assert (read["ContentType"], read["Metadata"]) == ("text/x-a", {"one": "1"})
    s3.delete_object(Bucket=bucket, Key="a")
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == BODY


def test_a_plus_in_a_copy_source_is_a_space(server: Server, s3: BaseClient, bucket: str) -> None:
    """x-amz-copy-source is encoded like a form: `+` names a space and %2B a plus."""
    s3.put_object(Bucket=bucket, Key="a b+c", Body=BODY)
    source = {"x-amz-copy-source": f"{bucket}/a+b%2Bc"}
    assert server.caller.ask("PUT", f"/{bucket}/copied", headers=source).status == 200
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == BODY


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("only-a-bucket", "Invalid copy source object key"),
        ("/", "Invalid copy source bucket name"),
        ("bucket/%ff", "Invalid copy source encoding"),
    ],
)
def test_a_bad_copy_source_is_named(server: Server, bucket: str, source: str, message: str) -> None:
    """A copy source without bucket or key, or that is no UTF-8, is refused in AWS's words."""
    reply = server.caller.ask("PUT", f"/{bucket}/k", headers={"x-amz-copy-source": source})
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert reply.text("Message") == message


def test_a_copy_can_replace_metadata(s3: BaseClient, bucket: str, key: str) -> None:
    """CopyObject with REPLACE takes the new headers, also onto the object itself."""
    s3.copy_object(
        Bucket=bucket,
        Key=key,
        CopySource={"Bucket": bucket, "Key": key},
        MetadataDirective="REPLACE",
        Metadata={"two": "2"},
        CacheControl="no-cache",
    )
    read = s3.get_object(Bucket=bucket, Key=key)
    assert read["Body"].read() == BODY
    assert (read["Metadata"], read["CacheControl"]) == ({"two": "2"}, "no-cache")


def test_a_copy_onto_itself_must_change_something(s3: BaseClient, bucket: str, key: str) -> None:
    """CopyObject of an object onto itself with nothing new answers InvalidRequest."""
    source = {"Bucket": bucket, "Key": key}
    assert refusal(s3.copy_object, Bucket=bucket, Key=key, CopySource=source) == (
        400,
        "InvalidRequest",
    )


def test_a_copy_obeys_its_sources_conditions(s3: BaseClient, bucket: str, key: str) -> None:
    """CopyObject refuses a source that is not the one meant, or not there."""
    wish = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/{key}"}
    s3.copy_object(**wish, CopySourceIfMatch=ETAG)
    for failing in ({"CopySourceIfMatch": '"0"'}, {"CopySourceIfNoneMatch": ETAG}):
        assert refusal(s3.copy_object, **wish, **failing) == (412, "PreconditionFailed")
    absent = wish | {"CopySource": f"{bucket}/none"}
    assert refusal(s3.copy_object, **absent) == (404, "NoSuchKey")


def test_every_reply_carries_request_ids(s3: BaseClient, bucket: str) -> None:
    """Successes and refusals name their request, each another one."""
    first = s3.list_objects_v2(Bucket=bucket)["ResponseMetadata"]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="none")
    second = refused.value.response["ResponseMetadata"]
    assert first["RequestId"]
    assert first["RequestId"] != second["RequestId"]
    assert second["HostId"]
