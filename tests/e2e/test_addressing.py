"""The ways to name a bucket, and URLs that carry their signature."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from tests.e2e.server import DOMAIN
from tests.e2e.wire import Connection, Reply, write_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

BODY = b"presigned content"
KEY = "folder/a name + 100%"


def follow(server: Server, method: str, url: str, body: bytes = b"", **headers: str) -> Reply:
    """Send a request to a URL as a browser would, with no signature but the URL's own."""
    parts = urlsplit(url)
    lines = {"host": parts.netloc, **{n.replace("_", "-"): v for n, v in headers.items()}}
    target = f"{parts.path}?{parts.query}"
    length = len(body) if method == "PUT" else None
    with Connection(("127.0.0.1", server.port)) as connection:
        connection.send(write_head(method, target, lines, length) + body)
        return connection.reply(method)


@pytest.fixture(params=["path", "virtual"])
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[BaseClient]:
    """Answer a SigV4 client of each addressing style."""
    client = server.client(request.param, config=Config(signature_version="s3v4"))
    yield client
    client.close()


def sign_url(client: BaseClient, operation: str, seconds: int = 60, **arguments: Any) -> str:
    """Make a presigned URL."""
    url: str = client.generate_presigned_url(operation, Params=arguments, ExpiresIn=seconds)
    return url


def test_both_styles_mean_the_same(server: Server, s3: BaseClient, bucket: str) -> None:
    """Under S4_DOMAIN the bucket's name in the host means the same as in the path."""
    client = server.client("virtual")
    try:
        client.put_object(Bucket=bucket, Key=KEY, Body=BODY)
        assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == BODY
        assert [row["Key"] for row in client.list_objects_v2(Bucket=bucket)["Contents"]] == [KEY]
        client.create_bucket(Bucket=f"{bucket}-hosted")
        client.head_bucket(Bucket=f"{bucket}-hosted")
        names = [row["Name"] for row in client.list_buckets()["Buckets"]]
    finally:
        client.close()
    assert f"{bucket}-hosted" in names
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == BODY
    s3.delete_bucket(Bucket=f"{bucket}-hosted")


def test_a_host_of_another_name_is_path_style(server: Server, s3: BaseClient, bucket: str) -> None:
    """A Host that S4_DOMAIN does not cover changes nothing: the path names the bucket."""
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    for host in ("localhost", f"x{DOMAIN}:{server.port}", "[::1]:9000", "s3.example.org."):
        with server.caller.connect() as connection:
            target = f"/{bucket}/k"
            signed = server.caller.signer.sign("GET", target, {"host": host}, "UNSIGNED-PAYLOAD")
            connection.send(write_head("GET", target, signed.headers, None))
            assert connection.reply().body == BODY


def test_a_bucket_is_found_with_and_without_a_slash(server: Server, bucket: str) -> None:
    """`/bucket` and `/bucket/` are the same bucket."""
    for target in (f"/{bucket}?list-type=2", f"/{bucket}/?list-type=2"):
        reply = server.caller.ask("GET", target)
        assert reply.status == 200
        assert f"<Name>{bucket}</Name>".encode() in reply.body


def test_a_presigned_url_reads(server: Server, client: BaseClient, bucket: str) -> None:
    """Whoever has a presigned GET reads the object, with the overrides signed into it."""
    client.put_object(Bucket=bucket, Key=KEY, Body=BODY)
    url = sign_url(
        client, "get_object", Bucket=bucket, Key=KEY, ResponseContentType="text/x-shared"
    )
    reply = follow(server, "GET", url)
    assert (reply.status, reply.body) == (200, BODY)
    assert reply.headers["content-type"] == "text/x-shared"
    part = follow(server, "GET", url, range="bytes=0-2")
    assert (part.status, part.body) == (206, BODY[:3])


def test_a_presigned_url_writes(server: Server, client: BaseClient, bucket: str) -> None:
    """Whoever has a presigned PUT stores the object, with the headers signed into it."""
    url = sign_url(
        client,
        "put_object",
        Bucket=bucket,
        Key=KEY,
        ContentType="text/x-shared",
        Metadata={"from": "afar"},
    )
    reply = follow(
        server, "PUT", url, BODY, **{"content-type": "text/x-shared", "x-amz-meta-from": "afar"}
    )
    assert reply.status == 200, reply.body
    read = client.get_object(Bucket=bucket, Key=KEY)
    assert read["Body"].read() == BODY
    assert (read["ContentType"], read["Metadata"]) == ("text/x-shared", {"from": "afar"})


def test_a_presigned_url_means_one_request(server: Server, client: BaseClient, bucket: str) -> None:
    """A presigned GET neither writes, deletes nor reads another key, or with another parameter."""
    client.put_object(Bucket=bucket, Key="k", Body=BODY)
    client.put_object(Bucket=bucket, Key="other", Body=BODY)
    url = sign_url(client, "get_object", Bucket=bucket, Key="k")
    assert follow(server, "PUT", url, b"overwritten").code == "SignatureDoesNotMatch"
    assert follow(server, "DELETE", url).code == "SignatureDoesNotMatch"
    assert follow(server, "GET", url.replace("/k?", "/other?")).code == "SignatureDoesNotMatch"
    assert follow(server, "GET", f"{url}&partNumber=1").code == "SignatureDoesNotMatch"
    assert follow(server, "GET", url).body == BODY


def test_a_presigned_url_expires(server: Server, client: BaseClient, bucket: str) -> None:
    """A presigned URL works until its last second and answers AccessDenied afterwards."""
    client.put_object(Bucket=bucket, Key="k", Body=BODY)
    url = sign_url(client, "get_object", 1, Bucket=bucket, Key="k")
    time.sleep(2.1)
    late = follow(server, "GET", url)
    assert (late.status, late.code) == (403, "AccessDenied")
    assert b"Request has expired" in late.body


@pytest.mark.parametrize("seconds", ["0x10", "-1", "604801"])
def test_a_presigned_url_lives_a_week_at_most(
    server: Server, client: BaseClient, bucket: str, seconds: str
) -> None:
    """A lifetime that is no number of seconds in a week is refused."""
    url = sign_url(client, "get_object", 60, Bucket=bucket, Key="k")
    reply = follow(server, "GET", url.replace("X-Amz-Expires=60", f"X-Amz-Expires={seconds}"))
    assert (reply.status, reply.code) == (400, "AuthorizationQueryParametersError")


def test_a_foreign_presigned_url_is_refused(server: Server, bucket: str) -> None:
    """A presigned URL made with a wrong secret or an unknown key opens nothing."""
    for changed, code in (
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"aws_access_key_id": "AKIAUNKNOWN"}, "InvalidAccessKeyId"),
    ):
        client = server.client(config=Config(signature_version="s3v4"), **changed)
        url = sign_url(client, "get_object", Bucket=bucket, Key="k")
        client.close()
        reply = follow(server, "GET", url)
        assert (reply.status, reply.code) == (403, code)


def test_nobody_gets_in_without_a_signature(server: Server, s3: BaseClient, bucket: str) -> None:
    """A request that nobody signed is answered AccessDenied, whatever it asks for."""
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    for method, target in (
        ("GET", "/"),
        ("GET", f"/{bucket}"),
        ("GET", f"/{bucket}/k"),
        ("PUT", f"/{bucket}/k"),
        ("DELETE", f"/{bucket}/k"),
        ("POST", f"/{bucket}/k?uploads"),
    ):
        with server.caller.connect() as connection:
            length = 0 if method in {"PUT", "POST"} else None
            head = {"host": server.caller.host}
            connection.send(write_head(method, target, head, length))
            reply = connection.reply()
            assert (reply.status, reply.code) == (403, "AccessDenied"), (method, target)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


def test_the_region_is_told_to_who_signs_for_another(server: Server) -> None:
    """A signature for another region is refused with the right one in the reply."""
    caller = replace(server.caller, signer=replace(server.caller.signer, region="eu-west-3"))
    reply = caller.ask("GET", "/")
    assert (reply.status, reply.code) == (400, "AuthorizationHeaderMalformed")
    assert b"<Region>us-east-1</Region>" in reply.body
