"""What a boto3 of any age does with a bucket: run by the Python that has it, told the bucket."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1024 * 1024
SMALL_PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
LARGE = hashlib.shake_128(b"boto3").digest(31 * MIB)
HARD_KEYS = [
    "a b+c%20d",
    "\u00fcml\u00e4ut/\u4f60\u597d \U0001f600",
    "a//b",
    "/leading",
    "trailing/",
    "q?x=1&y=2#z",
    "quote'\"<>&",
    "line\nbreak",
    "./dots/../dots",
]
# AWS_ENDPOINT_URL means nothing to the boto3 of old.
CONFIG = Config(
    signature_version=os.environ.get("SIGNATURE_VERSION", "s3v4"),
    s3={"addressing_style": "path"},
)
s3 = boto3.resource("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=CONFIG)
client = s3.meta.client


def refusal(call: Callable[[], object]) -> str:
    """Answer the S3 code that a call is refused with, or nothing."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def hard_keys(name: str) -> None:
    """Keys that are hard to write in URLs and XML are put, listed, read and deleted."""
    bucket = s3.Bucket(name)
    for key in HARD_KEYS:
        bucket.put_object(Key=key, Body=key.encode(), Metadata={"length": str(len(key))})
    assert sorted(row.key for row in bucket.objects.all()) == sorted(HARD_KEYS)
    for key in HARD_KEYS:
        found = bucket.Object(key).get()
        assert found["Body"].read() == key.encode(), key
        assert found["Metadata"] == {"length": str(len(key))}
        client.copy({"Bucket": name, "Key": key}, name, "copies/" + key)
    assert {row.key for row in bucket.objects.filter(Prefix="copies/")} == {
        "copies/" + key for key in HARD_KEYS
    }
    deleted = bucket.objects.delete()
    assert sum(len(reply["Deleted"]) for reply in deleted) == 2 * len(HARD_KEYS)
    assert list(bucket.objects.all()) == []


def large_objects(name: str) -> None:
    """A large object goes up in parts, is copied in parts, and comes down in parts and ranges."""
    extra = {"ContentType": "video/x-test", "Metadata": {"colour": "blue"}}
    client.upload_fileobj(io.BytesIO(LARGE), name, "large", ExtraArgs=extra, Config=SMALL_PARTS)
    head = client.head_object(Bucket=name, Key="large")
    assert head["ETag"].endswith('-7"'), head["ETag"]
    assert (head["ContentType"], head["Metadata"]) == ("video/x-test", {"colour": "blue"})
    client.copy({"Bucket": name, "Key": "large"}, name, "copy", Config=SMALL_PARTS)
    sink = io.BytesIO()
    client.download_fileobj(name, "copy", sink, Config=SMALL_PARTS)
    assert sink.getvalue() == LARGE
    for start, end in ((0, 1), (5 * MIB - 3, 5 * MIB + 3), (len(LARGE) - 5, len(LARGE))):
        asked = f"bytes={start}-{end - 1}"
        reply = client.get_object(Bucket=name, Key="large", Range=asked)
        assert reply["Body"].read() == LARGE[start:end]
        assert reply["ContentRange"] == f"bytes {start}-{end - 1}/{len(LARGE)}"
    part = client.get_object(Bucket=name, Key="large", PartNumber=2)
    assert (part["PartsCount"], part["Body"].read()) == (7, LARGE[5 * MIB : 10 * MIB])


def thousands_of_keys(name: str) -> None:
    """Listings page over more keys than one reply holds, and all go in as few requests."""
    bucket = s3.Bucket(name)
    keys = [f"{number % 7}/{number:05d}" for number in range(1050)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=name, Key=key, Body=b""), keys))
    assert [row.key for row in bucket.objects.page_size(100)] == sorted(keys)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=name, Delimiter="/", PaginationConfig={"PageSize": 3}
    )
    folders = [row["Prefix"] for page in pages for row in page.get("CommonPrefixes", [])]
    assert folders == [f"{number}/" for number in range(7)]
    assert len(bucket.objects.delete()) == 2
    assert list(bucket.objects.limit(1)) == []


def presigned_urls(name: str) -> None:
    """Presigned URLs write, read and delete an object for a client that has no credentials."""

    def call(operation: str, method: str, body: bytes | None = None, **more: str) -> bytes:
        where = {"Bucket": name, "Key": "for you + me"}
        url = client.generate_presigned_url(operation, Params=where | more, ExpiresIn=60)
        headers = {"content-type": more["ContentType"]} if "ContentType" in more else {}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request) as reply:  # noqa: S310  # the test's own server
            return reply.read()

    call("put_object", "PUT", b"presigned", ContentType="text/x-test")
    assert call("get_object", "GET", ResponseContentType="a/b") == b"presigned"
    call("delete_object", "DELETE")
    assert list(s3.Bucket(name).objects.all()) == []


def presigned_posts(name: str) -> None:
    """A presigned form, posted by a client without credentials, makes the object."""
    fields = {"Content-Type": "text/x-test", "x-amz-meta-colour": "blue"}
    conditions = [{field: value} for field, value in fields.items()]
    conditions.append(["content-length-range", 1, 100])
    form = client.generate_presigned_post(
        name, "posted/${filename}", Fields=fields, Conditions=conditions, ExpiresIn=60
    )
    boundary = "boundary-of-the-form"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in form["fields"].items()
    ]
    file = 'Content-Disposition: form-data; name="file"; filename="a file.txt"'
    parts.append(f"--{boundary}\r\n{file}\r\n\r\nposted\r\n--{boundary}--\r\n")
    request = urllib.request.Request(  # noqa: S310  # the test's own server
        form["url"],
        "".join(parts).encode(),
        {"content-type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request) as reply:  # noqa: S310
        assert reply.status == 204
    found = client.get_object(Bucket=name, Key="posted/a file.txt")
    assert found["Body"].read() == b"posted"
    assert (found["ContentType"], found["Metadata"]) == ("text/x-test", {"colour": "blue"})


def errors(name: str) -> None:
    """Refusals are the exceptions that programs catch."""
    with contextlib.suppress(client.exceptions.NoSuchKey):
        client.get_object(Bucket=name, Key="none")
        raise AssertionError("it is not there")
    for refused, wanted in (
        (lambda: client.head_object(Bucket=name, Key="none"), "404"),
        (lambda: client.get_object(Bucket="no-such-bucket", Key="none"), "NoSuchBucket"),
        (lambda: client.create_bucket(Bucket="No_Such_Name"), "InvalidBucketName"),
        (lambda: client.upload_part(**upload(name), PartNumber=10001), "InvalidArgument"),
        (lambda: client.get_object(Bucket=name, Key="x", IfMatch='"0"'), "PreconditionFailed"),
    ):
        client.put_object(Bucket=name, Key="x", Body=b"x")
        assert refusal(refused) == wanted


def upload(name: str) -> dict[str, str]:
    """Begin an upload that no part belongs to."""
    begun = client.create_multipart_upload(Bucket=name, Key="upload")
    return {"Bucket": name, "Key": "upload", "UploadId": begun["UploadId"]}


def waiters(name: str) -> None:
    """The waiters see an object come and go."""
    client.put_object(Bucket=name, Key="here", Body=io.BytesIO(b""))
    client.get_waiter("bucket_exists").wait(Bucket=name)
    client.get_waiter("object_exists").wait(Bucket=name, Key="here")
    client.delete_object(Bucket=name, Key="here")
    client.get_waiter("object_not_exists").wait(Bucket=name, Key="here")


def versions(name: str) -> None:
    """Versions pile up, are listed and read, and an older one is brought back by a copy."""
    bucket = s3.Bucket(name)
    bucket.Versioning().enable()
    assert bucket.Versioning().status == "Enabled"
    made = [bucket.put_object(Key="k", Body=text).version_id for text in (b"1", b"2", b"3")]
    assert [row.id for row in bucket.object_versions.filter(Prefix="k")] == made[::-1]
    marker = client.delete_object(Bucket=name, Key="k")
    assert marker["DeleteMarker"]
    assert list(bucket.objects.all()) == []
    assert s3.ObjectVersion(name, "k", made[0]).get()["Body"].read() == b"1"
    source = {"Bucket": name, "Key": "k", "VersionId": made[1]}
    client.copy_object(Bucket=name, Key="k", CopySource=source)
    assert bucket.Object("k").get()["Body"].read() == b"2"
    client.delete_object(Bucket=name, Key="k", VersionId=marker["VersionId"])
    bucket.Versioning().suspend()
    assert bucket.put_object(Key="k", Body=b"null").version_id in {"null", None}
    assert s3.ObjectVersion(name, "k", "null").get()["Body"].read() == b"null"
    bucket.object_versions.delete()
    assert list(bucket.object_versions.all()) == []


def tags(name: str) -> None:
    """Tags given at the upload and later are the object's, and are counted when it is read."""
    client.put_object(Bucket=name, Key="k", Body=b"", Tagging="colour=blue&a%20b=c%2Bd")
    found = client.get_object_tagging(Bucket=name, Key="k")["TagSet"]
    assert sorted((row["Key"], row["Value"]) for row in found) == [
        ("a b", "c+d"),
        ("colour", "blue"),
    ]
    assert client.get_object(Bucket=name, Key="k")["TagCount"] == 2
    client.copy({"Bucket": name, "Key": "k"}, name, "copy")
    assert len(client.get_object_tagging(Bucket=name, Key="copy")["TagSet"]) == 2
    client.put_object_tagging(
        Bucket=name, Key="k", Tagging={"TagSet": [{"Key": "size", "Value": "\u00fc"}]}
    )
    found = client.get_object_tagging(Bucket=name, Key="k")["TagSet"]
    assert found == [{"Key": "size", "Value": "\u00fc"}]
    client.delete_object_tagging(Bucket=name, Key="k")
    assert client.get_object_tagging(Bucket=name, Key="k")["TagSet"] == []
    s3.BucketTagging(name).put(Tagging={"TagSet": [{"Key": "team", "Value": "one"}]})
    assert s3.BucketTagging(name).tag_set == [{"Key": "team", "Value": "one"}]
    s3.BucketTagging(name).delete()


def cors(name: str) -> None:
    """Rules for browsers are written, read and removed."""
    rules = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.org"]}]
    s3.BucketCors(name).put(CORSConfiguration={"CORSRules": rules})
    assert s3.BucketCors(name).cors_rules == rules
    s3.BucketCors(name).delete()
    assert refusal(lambda: client.get_bucket_cors(Bucket=name)) == "NoSuchCORSConfiguration"


def acls(name: str) -> None:
    """The owner reads the ACLs of a bucket and an object: it is his, and he has full control."""
    client.put_object(Bucket=name, Key="k", Body=b"", ACL="private")
    for acl in (s3.BucketAcl(name), s3.ObjectAcl(name, "k")):
        assert [row["Permission"] for row in acl.grants] == ["FULL_CONTROL"]
        assert acl.grants[0]["Grantee"]["ID"] == acl.owner["ID"]
