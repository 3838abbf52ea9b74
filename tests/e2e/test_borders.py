"""What a server may want for itself is the client's: names, metadata, words of its own.

Each of these was wrong in another store: keys cut at a separator, metadata that wrote into the
server's own, buckets named like routes, a new bucket that inherited from the one of its name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

OTHER_SHA256 = hashlib.sha256(b"what was signed").hexdigest()
SEPARATORS = [
    "k",
    "k#",
    "k#1",
    "k#null",
    "k?versionId=1",
    "k\x00",
    "k\x01",
    "_k",
    "__system__",
    "k/",
]
RULES = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}


@pytest.mark.parametrize("name", ["metrics", "health", "api", "minio", "admin", "static", "login"])
def test_a_bucket_may_be_named_like_a_route(server: Server, s3: BaseClient, name: str) -> None:
    """No name that AWS allows is kept back, and none leads elsewhere than to its bucket."""
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="live", Body=b"x")
    assert s3.get_object(Bucket=name, Key="live")["Body"].read() == b"x"
    reply = server.caller.ask("GET", f"/{name}")
    assert b"<Key>live</Key>" in reply.body
    with server.caller.connect() as connection:
        connection.send(f"GET /{name}/live HTTP/1.1\r\nHost: {server.caller.host}\r\n\r\n".encode())
        assert connection.reply().code == "AccessDenied", "a stranger is refused there as anywhere"


def test_metadata_of_any_name_is_the_clients(s3: BaseClient, bucket: str) -> None:
    """Names that look internal are kept, given back, copied, and mean nothing."""
    metadata = {"_tags": "a=b", "_storage_class": "GLACIER", "_": "1", "etag": "x", "owner": "me"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    for key in ("k", "copy"):
        head = s3.head_object(Bucket=bucket, Key=key)
        assert head["Metadata"] == metadata
        assert (head["ETag"], "StorageClass" in head) == (
            '"9dd4e461268c8034f5c8564e155c67a6"',
            False,
        )
        assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []


@pytest.mark.parametrize("status", ["", "Enabled", "Suspended"])
def test_no_character_of_a_key_separates(s3: BaseClient, bucket: str, status: str) -> None:
    """Keys that begin alike stay apart, whatever the bucket does with versions."""
    if status:
        versioning = {"Status": status}
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    for key in SEPARATORS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [row["Key"] for row in listed] == sorted(SEPARATORS)
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [row["Key"] for row in versions] == sorted(SEPARATORS)
    s3.delete_object(Bucket=bucket, Key="k")
    for key in SEPARATORS[1:]:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


def test_an_override_is_not_for_refusals(server: Server, bucket: str) -> None:
    """The headers that a reader asks for stand on the object, never on an error document."""
    query = "response-content-type=text/html&response-cache-control=public"
    reply = server.caller.ask("GET", f"{path_of(bucket, 'none')}?{query}")
    assert (reply.status, reply.code) == (404, "NoSuchKey")
    assert reply.headers["content-type"] == "application/xml"
    assert "cache-control" not in reply.headers


def test_a_bucket_made_anew_inherits_nothing(s3: BaseClient, bucket: str) -> None:
    """What was set for a bucket is gone with it."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=RULES)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    assert refusal(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    assert refusal(s3.list_parts, **names) == (404, "NoSuchUpload")


def test_a_body_is_held_against_its_digest_everywhere(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """A SHA-256 that was signed binds parts and documents as it does objects."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="up")["UploadId"]
    place = f"{path_of(bucket, 'up')}?uploadId={upload}"
    etag = s3.upload_part(Bucket=bucket, Key="up", UploadId=upload, PartNumber=1, Body=b"part")[
        "ETag"
    ]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    for method, target, body in (
        ("PUT", path_of(bucket, "k"), "other"),
        ("PUT", f"{path_of(bucket, 'up')}?partNumber=1&uploadId={upload}", "other"),
        ("POST", place, f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"),
        ("POST", f"/{bucket}?delete", "<Delete><Object><Key>k</Key></Object></Delete>"),
        ("PUT", f"/{bucket}?versioning", "<VersioningConfiguration><Status>Enabled</Status>"),
        ("PUT", "/never-made", "<CreateBucketConfiguration/>"),
    ):
        head = server.caller.head(method, target, len(body), None, OTHER_SHA256)
        with server.caller.connect() as connection:
            connection.send(head + body.encode())
            reply = connection.reply(method)
        assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch"), target
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    (kept,) = s3.list_parts(Bucket=bucket, Key="up", UploadId=upload)["Parts"]
    assert (kept["ETag"], kept["Size"]) == (etag, 4)
    assert refusal(s3.head_bucket, Bucket="never-made") == (404, "404")
    assert refusal(s3.head_object, Bucket=bucket, Key="up") == (404, "404")


@pytest.mark.parametrize("key", ["a+b", "a b", "é/ü", "e\u0301", "%2F", "100%", "a?b&c", "#", "𝄞"])
def test_a_source_is_found_however_it_is_spelled(s3: BaseClient, bucket: str, key: str) -> None:
    """Copies, whole and in parts, read the key that the client means, in UTF-8."""
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    source = {"Bucket": bucket, "Key": key}
    s3.copy_object(Bucket=bucket, Key=f"copy of {key}", CopySource=source)
    assert s3.get_object(Bucket=bucket, Key=f"copy of {key}")["Body"].read() == key.encode()
    names = {"Bucket": bucket, "Key": f"parts of {key}"}
    upload = s3.create_multipart_upload(**names)["UploadId"]
    copied = s3.upload_part_copy(**names, UploadId=upload, PartNumber=1, CopySource=source)
    parts = [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**names, UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**names)["Body"].read() == key.encode()
    with pytest.raises(ClientError):
        s3.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": key + "-"})
