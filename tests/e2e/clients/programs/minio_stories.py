"""What minio-py does with a bucket: signed streams, compositions, posts, versions and tags."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import (
    DISABLED,
    ENABLED,
    REPLACE,
    ComposeSource,
    CopySource,
    Filter,
    Tags,
)
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import (
    AbortIncompleteMultipartUpload,
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)
from minio.versioningconfig import SUSPENDED, VersioningConfig

MIB = 1024 * 1024
LARGE = hashlib.shake_128(b"minio").digest(21 * MIB)
KEY = "a folder/\u00fcml\u00e4ut + 100%.txt"
client = Minio(
    urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc,
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    secure=os.environ["AWS_ENDPOINT_URL"].startswith("https"),
)


def read(bucket: str, key: str, **more: object) -> bytes:
    """Read an object whole, or a range of it."""
    reply = client.get_object(bucket, key, **more)
    try:
        return reply.data
    finally:
        reply.close()
        reply.release_conn()


def objects(bucket: str) -> None:
    """Objects of a known length and of none are put in parts, found, read by range and listed."""
    meta = {"colour": "blue"}
    put = client.put_object(bucket, KEY, io.BytesIO(LARGE), len(LARGE), "a/b", metadata=meta)
    client.put_object(bucket, "stream", io.BytesIO(LARGE), -1, part_size=5 * MIB)
    client.put_object(bucket, "empty", io.BytesIO(b""), 0)
    stat = client.stat_object(bucket, KEY)
    assert (stat.etag, stat.size, stat.content_type) == (put.etag, len(LARGE), "a/b")
    assert stat.metadata["x-amz-meta-colour"] == "blue"
    assert read(bucket, KEY) == read(bucket, "stream") == LARGE
    assert read(bucket, KEY, offset=5 * MIB - 1, length=7) == LARGE[5 * MIB - 1 : 5 * MIB + 6]
    folders = client.list_objects(bucket)
    assert sorted(row.object_name for row in folders) == ["a folder/", "empty", "stream"]
    rows = client.list_objects(bucket, recursive=True, include_user_meta=True)
    assert [row.object_name for row in rows] == [KEY, "empty", "stream"]


def copies(bucket: str) -> None:
    """Objects are copied with their metadata and with other, and composed of parts of others."""
    client.put_object(bucket, KEY, io.BytesIO(LARGE), len(LARGE), metadata={"colour": "blue"})
    client.copy_object(bucket, "copy", CopySource(bucket, KEY))
    assert client.stat_object(bucket, "copy").metadata["x-amz-meta-colour"] == "blue"
    other = {"shape": "round"}
    source = CopySource(bucket, KEY)
    client.copy_object(bucket, KEY, source, metadata=other, metadata_directive=REPLACE)
    found = client.stat_object(bucket, KEY).metadata
    assert "x-amz-meta-colour" not in found
    assert found["x-amz-meta-shape"] == "round"
    halves = [
        ComposeSource(bucket, KEY, offset=0, length=6 * MIB),
        ComposeSource(bucket, "copy", offset=6 * MIB, length=len(LARGE) - 6 * MIB),
    ]
    client.compose_object(bucket, "composed", halves)
    assert read(bucket, "composed") == LARGE


def removal(bucket: str) -> None:
    """Many objects are removed in one request, and what is not there is refused by its code."""
    for number in range(30):
        client.put_object(bucket, f"{KEY}{number}", io.BytesIO(b"x"), 1)
    doomed = [DeleteObject(row.object_name) for row in client.list_objects(bucket, recursive=True)]
    assert len(doomed) == 30
    assert list(client.remove_objects(bucket, doomed)) == []
    assert list(client.list_objects(bucket, recursive=True)) == []
    try:
        client.stat_object(bucket, KEY)
    except S3Error as error:
        code = error.code
    assert code == "NoSuchKey"


def presigned(bucket: str) -> None:
    """Presigned URLs write and read, and a presigned form posts, without credentials."""
    plain = urllib3.PoolManager()
    put = plain.request("PUT", client.presigned_put_object(bucket, KEY), body=b"by url")
    assert put.status == 200
    got = plain.request("GET", client.presigned_get_object(bucket, KEY))
    assert got.data == b"by url"


def posted(bucket: str) -> None:
    """A form that minio-py signs is posted without credentials, and its policy is kept."""
    policy = PostPolicy(bucket, datetime.now(UTC) + timedelta(minutes=5))
    policy.add_starts_with_condition("key", "in/")
    policy.add_content_length_range_condition(1, 10)
    fields = client.presigned_post_policy(policy)
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}"
    plain = urllib3.PoolManager()
    for key, body, status in (
        ("in/k", b"posted", 204),
        ("out", b"", 403),
        ("in/k", b"x" * 11, 400),
    ):
        form = fields | {"key": key, "file": ("k", body)}
        assert plain.request("POST", url, fields=form).status == status, key
    assert read(bucket, "in/k") == b"posted"


def versions(bucket: str) -> None:
    """Versioning is switched on and off, and every version is listed, read and removed."""
    client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    assert client.get_bucket_versioning(bucket).status == ENABLED
    ids = [
        client.put_object(bucket, KEY, io.BytesIO(body), len(body)).version_id
        for body in (b"one", b"two")
    ]
    client.remove_object(bucket, KEY)
    rows = list(client.list_objects(bucket, recursive=True, include_version=True))
    assert [row.version_id for row in rows if not row.is_delete_marker] == ids[::-1]
    assert [row.is_latest for row in rows if row.is_delete_marker] == ["true"]
    assert read(bucket, KEY, version_id=ids[0]) == b"one"
    for row in rows:
        client.remove_object(bucket, KEY, version_id=row.version_id)
    client.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED))
    assert list(client.list_objects(bucket, include_version=True)) == []


def tags(bucket: str) -> None:
    """Tags of an object and of its bucket are set, read and removed."""
    given = Tags.new_object_tags()
    given["a b"] = "c+d"
    client.put_object(bucket, KEY, io.BytesIO(b""), 0, tags=given)
    assert client.get_object_tags(bucket, KEY) == given
    client.delete_object_tags(bucket, KEY)
    assert client.get_object_tags(bucket, KEY) is None
    given = Tags.new_bucket_tags()
    given["team"] = "one"
    client.set_bucket_tags(bucket, given)
    assert client.get_bucket_tags(bucket) == given
    client.delete_bucket_tags(bucket)
    assert client.get_bucket_tags(bucket) is None


def rules(bucket: str) -> None:
    """Lifecycle rules are set, read and removed, and an object says when it will expire."""
    given = LifecycleConfig(
        [
            Rule(
                ENABLED,
                rule_filter=Filter(prefix="a folder/"),
                rule_id="old",
                expiration=Expiration(days=30),
            ),
            Rule(
                DISABLED,
                rule_filter=Filter(prefix=""),
                rule_id="parts",
                abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(7),
                noncurrent_version_expiration=NoncurrentVersionExpiration(3),
            ),
        ]
    )
    client.set_bucket_lifecycle(bucket, given)
    read_back = client.get_bucket_lifecycle(bucket)
    assert [(rule.rule_id, rule.status) for rule in read_back.rules] == [
        ("old", ENABLED),
        ("parts", DISABLED),
    ]
    assert read_back.rules[0].expiration.days == 30
    client.put_object(bucket, KEY, io.BytesIO(b""), 0)
    headers = client.stat_object(bucket, KEY).metadata
    assert headers["x-amz-expiration"].endswith('rule-id="old"')
    client.delete_bucket_lifecycle(bucket)
    assert client.get_bucket_lifecycle(bucket) is None
