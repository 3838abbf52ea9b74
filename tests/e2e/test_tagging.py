"""Tags of objects and of buckets: by every way of giving them, and gone by every way of taking."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.e2e.outcome import refusal
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

BODY = b"what is tagged"
TAGS = [{"Key": "tag1", "Value": "tag1"}, {"Key": "tag2", "Value": ""}]
OTHER = [{"Key": "tag3", "Value": "Ünïcode 東京 +/="}]


@pytest.fixture
def key(s3: BaseClient, bucket: str) -> str:
    """Store an object without tags."""
    s3.put_object(Bucket=bucket, Key="object", Body=BODY, Metadata={"kept": "yes"})
    return "object"


def tags_of(s3: BaseClient, bucket: str, key: str) -> list[dict[str, str]]:
    """Read an object's tags."""
    tags: list[dict[str, str]] = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return tags


def give(s3: BaseClient, bucket: str, key: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """Give an object tags."""
    answer: dict[str, Any] = s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tags})
    return answer


# --- objects ---


def test_tags_are_given_replaced_and_taken(s3: BaseClient, bucket: str, key: str) -> None:
    """An object has the tags that were put last, and none after DeleteObjectTagging."""
    assert tags_of(s3, bucket, key) == []
    assert give(s3, bucket, key, TAGS)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert tags_of(s3, bucket, key) == TAGS
    give(s3, bucket, key, OTHER)
    assert tags_of(s3, bucket, key) == OTHER
    gone = s3.delete_object_tagging(Bucket=bucket, Key=key)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags_of(s3, bucket, key) == []
    s3.delete_object_tagging(Bucket=bucket, Key=key)


def test_an_empty_set_takes_all_tags(server: Server, s3: BaseClient, bucket: str, key: str) -> None:
    """PutObjectTagging with no tag, or without a tag set, leaves none."""
    for document in (b"<Tagging><TagSet/></Tagging>", b"<Tagging/>"):
        give(s3, bucket, key, TAGS)
        digest = b64encode(md5(document, usedforsecurity=False).digest()).decode()
        reply = server.caller.ask(
            "PUT", f"{path_of(bucket, key)}?tagging", document, {"content-md5": digest}
        )
        assert reply.status == 200
        assert tags_of(s3, bucket, key) == []


def test_tagging_changes_nothing_else(s3: BaseClient, bucket: str, key: str) -> None:
    """Neither content, metadata, ETag nor time of an object change with its tags."""
    before = s3.head_object(Bucket=bucket, Key=key)
    give(s3, bucket, key, TAGS)
    after = s3.head_object(Bucket=bucket, Key=key)
    for name in ("ETag", "LastModified", "Metadata", "ContentLength", "ContentType"):
        assert after[name] == before[name]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BODY


def test_the_number_of_tags_is_told(s3: BaseClient, bucket: str, key: str) -> None:
    """GET and HEAD say how many tags an object has, and nothing when it has none."""
    for read in (s3.get_object, s3.head_object):
        assert "TagCount" not in read(Bucket=bucket, Key=key)
    give(s3, bucket, key, TAGS)
    for read in (s3.get_object, s3.head_object):
        assert read(Bucket=bucket, Key=key)["TagCount"] == 2
        assert read(Bucket=bucket, Key=key, Range="bytes=0-3")["TagCount"] == 2
    s3.delete_object_tagging(Bucket=bucket, Key=key)
    assert "TagCount" not in s3.head_object(Bucket=bucket, Key=key)


def test_tags_come_with_the_object(s3: BaseClient, bucket: str) -> None:
    """PutObject takes tags in its header, decoded as a query is, in order of their keys."""
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, Tagging="foo=bar&bar&a+b=%C3%BC%2B+c&tag=")
    assert tags_of(s3, bucket, "k") == [
        {"Key": "a b", "Value": "ü+ c"},
        {"Key": "bar", "Value": ""},
        {"Key": "foo", "Value": "bar"},
        {"Key": "tag", "Value": ""},
    ]
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    assert tags_of(s3, bucket, "k") == []


def test_tags_come_with_a_presigned_url(server: Server, s3: BaseClient, bucket: str) -> None:
    """Tags whose header is signed by a URL are the object's."""
    client = server.client(config=Config(signature_version="s3v4"))
    url = client.generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": "k", "Tagging": "a=b%20c"}
    )
    target = url.removeprefix(server.url)
    request = (
        f"PUT {target} HTTP/1.1\r\nhost: {server.caller.host}\r\ncontent-length: 1\r\n"
        "x-amz-tagging: a=b%20c\r\n\r\nx"
    )
    with server.caller.connect() as connection:
        connection.send(request.encode())
        assert connection.reply("PUT").status == 200
    assert tags_of(s3, bucket, "k") == [{"Key": "a", "Value": "b c"}]


def test_tags_come_with_an_upload(s3: BaseClient, bucket: str) -> None:
    """Tags given when a multipart upload begins are the object's when it is completed."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging="Hello=World&foo=bar")
    names: dict[str, Any] = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**names, PartNumber=1, Body=BODY)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert tags_of(s3, bucket, "k") == [
        {"Key": "Hello", "Value": "World"},
        {"Key": "foo", "Value": "bar"},
    ]
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2


@pytest.mark.parametrize(
    ("directive", "sent", "expected"),
    [
        (None, None, TAGS),
        (None, "a=b", TAGS),
        ("COPY", "a=b", TAGS),
        ("REPLACE", "a=b", [{"Key": "a", "Value": "b"}]),
        ("REPLACE", None, []),
    ],
)
def test_a_copy_has_the_tags_it_was_told_to(
    s3: BaseClient,
    bucket: str,
    key: str,
    directive: str | None,
    sent: str | None,
    expected: list[dict[str, str]],
) -> None:
    """The source's tags come along unless they are to be replaced; only then are new ones taken."""
    give(s3, bucket, key, TAGS)
    options: dict[str, Any] = {}
    if directive is not None:
        options["TaggingDirective"] = directive
    if sent is not None:
        options["Tagging"] = sent
    source = {"Bucket": bucket, "Key": key}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **options)
    assert tags_of(s3, bucket, "copy") == expected
    assert tags_of(s3, bucket, key) == TAGS


def test_an_unknown_directive_is_refused(server: Server, bucket: str, key: str) -> None:
    """A tagging directive that is neither COPY nor REPLACE is InvalidArgument."""
    reply = server.caller.ask(
        "PUT",
        path_of(bucket, "copy"),
        headers={"x-amz-copy-source": f"{bucket}/{key}", "x-amz-tagging-directive": "MERGE"},
    )
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert b"Unknown tagging directive." in reply.body


def test_tags_that_are_refused_leave_the_old_ones(s3: BaseClient, bucket: str, key: str) -> None:
    """PutObjectTagging with a wrong tag or too many of them changes nothing."""
    give(s3, bucket, key, TAGS)
    eleven = [{"Key": str(number), "Value": ""} for number in range(11)]
    for tags, code in [
        (eleven, "BadRequest"),
        ([{"Key": "k" * 129, "Value": ""}], "InvalidTag"),
        ([{"Key": "k", "Value": "v" * 257}], "InvalidTag"),
        ([{"Key": "aws:k", "Value": "v"}], "InvalidTag"),
        ([*TAGS, *TAGS], "InvalidTag"),
    ]:
        outcome = refusal(s3.put_object_tagging, Bucket=bucket, Key=key, Tagging={"TagSet": tags})
        assert outcome == (400, code)
    assert tags_of(s3, bucket, key) == TAGS


@pytest.mark.parametrize(
    ("header", "code"),
    [("a=b&a=c", "InvalidArgument"), ("a=%zz", "InvalidArgument"), ("a!=b", "InvalidTag")],
)
def test_an_object_with_wrong_tags_is_not_stored(
    s3: BaseClient, bucket: str, header: str, code: str
) -> None:
    """PutObject, CreateMultipartUpload and CopyObject with wrong tags leave nothing."""
    s3.put_object(Bucket=bucket, Key="source", Body=BODY)
    names = {"Bucket": bucket, "Key": "k", "Tagging": header}
    assert refusal(s3.put_object, **names, Body=BODY) == (400, code)
    assert refusal(s3.create_multipart_upload, **names) == (400, code)
    assert refusal(
        s3.copy_object, **names, CopySource=f"{bucket}/source", TaggingDirective="REPLACE"
    ) == (400, code)
    assert refusal(s3.head_object, Bucket=bucket, Key="k") == (404, "404")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_what_is_not_there_has_no_tags(s3: BaseClient, bucket: str) -> None:
    """Each of the three operations refuses a key or a bucket that does not exist."""
    tagging = {"TagSet": TAGS}
    for place, code in [
        ({"Bucket": bucket, "Key": "none"}, "NoSuchKey"),
        ({"Bucket": "no-such-bucket", "Key": "none"}, "NoSuchBucket"),
    ]:
        assert refusal(s3.get_object_tagging, **place) == (404, code)
        assert refusal(s3.put_object_tagging, **place, Tagging=tagging) == (404, code)
        assert refusal(s3.delete_object_tagging, **place) == (404, code)


def test_each_version_has_tags_of_its_own(s3: BaseClient, bucket: str) -> None:
    """Tags belong to a version, the current one or the one named, and the answer names it."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (
        s3.put_object(Bucket=bucket, Key="k", Body=BODY, Tagging=tags)["VersionId"]
        for tags in ("test=v1", "")
    )
    assert give(s3, bucket, "k", OTHER)["VersionId"] == second
    old = {"Bucket": bucket, "Key": "k", "VersionId": first}
    read = s3.get_object_tagging(**old)
    assert (read["VersionId"], read["TagSet"]) == (first, [{"Key": "test", "Value": "v1"}])
    assert s3.put_object_tagging(**old, Tagging={"TagSet": TAGS})["VersionId"] == first
    assert s3.get_object_tagging(**old)["TagSet"] == TAGS
    assert s3.head_object(**old)["TagCount"] == 2
    assert tags_of(s3, bucket, "k") == OTHER
    assert s3.delete_object_tagging(**old)["VersionId"] == first
    assert s3.get_object_tagging(**old)["TagSet"] == []
    assert tags_of(s3, bucket, "k") == OTHER
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert tags_of(s3, bucket, "copy") == OTHER
    never = {"Bucket": bucket, "Key": "k", "VersionId": "no version can have this id"}
    assert refusal(s3.get_object_tagging, **never) == (400, "InvalidArgument")


def test_a_delete_marker_has_no_tags(s3: BaseClient, bucket: str, key: str) -> None:
    """A delete marker refuses tags, named or as the current version."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
    not_allowed = (405, "MethodNotAllowed")
    for version in ({}, {"VersionId": marker}):
        names: dict[str, Any] = {"Bucket": bucket, "Key": key, **version}
        assert refusal(s3.get_object_tagging, **names) == not_allowed
        assert refusal(s3.put_object_tagging, **names, Tagging={"TagSet": TAGS}) == not_allowed
        assert refusal(s3.delete_object_tagging, **names) == not_allowed


def put_document(server: Server, target: str, document: bytes) -> Reply:
    """Put a document with its digest."""
    digest = b64encode(md5(document, usedforsecurity=False).digest()).decode()
    return server.caller.ask("PUT", target, document, {"content-md5": digest})


@pytest.mark.parametrize(
    "document",
    [
        b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
        b"<Tags><TagSet/></Tags>",
        b"<Tagging><Tag><Key>k</Key><Value>v</Value></Tag></Tagging>",
        b"<!DOCTYPE x><Tagging/>",
        b"no document",
    ],
)
@pytest.mark.parametrize("of_object", [True, False])
def test_a_malformed_document_is_refused(
    server: Server, s3: BaseClient, bucket: str, key: str, document: bytes, of_object: bool
) -> None:
    """What is no tag set is MalformedXML and changes nothing."""
    target = f"{path_of(bucket, key if of_object else '')}?tagging"
    reply = put_document(server, target, document)
    assert (reply.status, reply.code) == (400, "MalformedXML")
    assert tags_of(s3, bucket, key) == []
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


@pytest.mark.parametrize("of_object", [True, False])
def test_tags_need_a_digest(server: Server, bucket: str, key: str, of_object: bool) -> None:
    """A tag set without Content-MD5 or a checksum is refused, and so is one with a wrong one."""
    target = f"{path_of(bucket, key if of_object else '')}?tagging"
    document = b"<Tagging><TagSet/></Tagging>"
    reply = server.caller.ask("PUT", target, document)
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert b"Content-MD5 OR x-amz-checksum-*" in reply.body
    wrong = b64encode(bytes(16)).decode()
    reply = server.caller.ask("PUT", target, document, {"content-md5": wrong})
    assert (reply.status, reply.code) == (400, "BadDigest")


# --- buckets ---


def test_a_bucket_is_tagged_and_untagged(s3: BaseClient, bucket: str) -> None:
    """A bucket has the tags that were put last; without any, it has no tag set."""
    nothing = (404, "NoSuchTagSet")
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == nothing
    for tags in (TAGS, OTHER):
        put = s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        assert put["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    for _ in range(2):
        gone = s3.delete_bucket_tagging(Bucket=bucket)
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert refusal(s3.get_bucket_tagging, Bucket=bucket) == nothing
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": []})
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == nothing


def test_a_bucket_takes_fifty_tags(s3: BaseClient, bucket: str) -> None:
    """Fifty tags are kept, and fifty-one refused without a trace."""
    tags = [{"Key": f"key-{number:02}", "Value": str(number)} for number in range(51)]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags[:50]})
    too_many = {"TagSet": tags}
    assert refusal(s3.put_bucket_tagging, Bucket=bucket, Tagging=too_many) == (400, "BadRequest")
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags[:50]


def test_a_bucket_is_made_with_tags(s3: BaseClient) -> None:
    """CreateBucket takes tags, and makes no bucket when one of them is wrong."""
    s3.create_bucket(Bucket="born-tagged", CreateBucketConfiguration={"Tags": TAGS})
    assert s3.get_bucket_tagging(Bucket="born-tagged")["TagSet"] == TAGS
    wrong = {"Tags": [{"Key": "aws:k", "Value": "v"}]}
    outcome = refusal(s3.create_bucket, Bucket="never-born", CreateBucketConfiguration=wrong)
    assert outcome == (400, "InvalidTag")
    assert refusal(s3.head_bucket, Bucket="never-born") == (404, "404")
