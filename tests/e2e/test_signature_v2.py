"""Signature Version 2 against a server that accepts it: headers, presigned URLs and forms."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError

import pytest
from botocore.config import Config

from tests.e2e.content import content
from tests.e2e.outcome import refusal
from tests.e2e.posting import BOUNDARY, post, write_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e
SETTINGS: Final = {"signature_v2": "true"}
MIB: Final = 1024 * 1024


@pytest.fixture(scope="module")
def old(server: Server) -> Iterator[BaseClient]:
    """Answer a client that signs everything with Version 2."""
    client = server.client(config=Config(signature_version="s3"))
    yield client
    client.close()


def fetch(url: str, method: str = "GET", data: bytes | None = None) -> tuple[int, bytes]:
    """Ask for a URL as it is."""
    headers = {} if data is None else {"Content-Type": ""}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # our own
    try:
        with urllib.request.urlopen(request) as reply:  # noqa: S310
            return reply.status, reply.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_client_of_version_2_does_its_work(old: BaseClient, bucket: str) -> None:
    """Objects, listings, metadata, copies and uploads in parts, signed by header."""
    data = content("v2", 6 * MIB)
    old.put_object(Bucket=bucket, Key="a b/ü.txt", Body=data, Metadata={"colour": "blue"})
    got = old.get_object(Bucket=bucket, Key="a b/ü.txt", ResponseContentType="text/plain")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (
        data,
        {"colour": "blue"},
        "text/plain",
    )
    old.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/ü.txt"})
    upload = old.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    etag = old.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=data)[
        "ETag"
    ]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    old.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts
    )
    listed = old.list_objects_v2(Bucket=bucket, Prefix="", MaxKeys=10)["Contents"]
    assert [entry["Key"] for entry in listed] == ["a b/ü.txt", "copy", "parts"]
    old.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}, {"Key": "parts"}]})
    assert refusal(old.head_object, Bucket=bucket, Key="copy")[0] == 404


def test_virtual_hosts_are_signed(server: Server, s3: BaseClient, bucket: str) -> None:
    """The bucket of the host is part of what is signed."""
    config = Config(signature_version="s3", s3={"addressing_style": "virtual"})
    client = server.client("virtual", config=config)
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    client.close()


def test_the_default_urls_of_boto3_work(server: Server, s3: BaseClient, bucket: str) -> None:
    """boto3 presigns with Version 2 unless told otherwise: reading, writing, and not for ever."""
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert "Signature=" in put
    assert "X-Amz" not in put
    assert fetch(put, "PUT", b"data")[0] == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert fetch(get) == (200, b"data")
    status, body = fetch(get.replace("/k?", "/l?"))
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    assert fetch(get, "DELETE")[0] == 403
    late = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=-1)
    status, body = fetch(late)
    assert (status, b"Request has expired" in body) == (403, True)


def test_a_form_of_version_2_is_accepted(server: Server, s3: BaseClient, bucket: str) -> None:
    """As boto3 makes it by default, and as a client sends it that names a file in every part."""
    fields = s3.generate_presigned_post(bucket, "in/${filename}")["fields"]
    assert {"AWSAccessKeyId", "signature"} <= fields.keys()
    parts = [write_part(name, value.encode(), name, None) for name, value in fields.items()]
    parts += [write_part("file", b"data", "a.txt", None), f"--{BOUNDARY}--\r\n".encode()]
    assert post(server, f"/{bucket}", b"".join(parts)).status == 204
    assert s3.get_object(Bucket=bucket, Key="in/a.txt")["Body"].read() == b"data"


def test_a_wrong_secret_is_refused(server: Server, bucket: str) -> None:
    """Version 2 is no weaker in who may do what."""
    wrong = server.client(
        config=Config(signature_version="s3"), aws_secret_access_key="wrong/secret"
    )
    assert refusal(wrong.list_objects_v2, Bucket=bucket) == (403, "SignatureDoesNotMatch")
    stranger = server.client(config=Config(signature_version="s3"), aws_access_key_id="UNKNOWN")
    assert refusal(stranger.list_objects_v2, Bucket=bucket) == (403, "InvalidAccessKeyId")
    wrong.close()
    stranger.close()
