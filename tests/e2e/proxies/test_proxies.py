"""S4 behind nginx and Caddy, with the files in deploy/: what is signed arrives as it was signed."""

from __future__ import annotations

import gzip
import ssl
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest
import urllib3
from botocore.config import Config

from tests.e2e.browsing import Browser
from tests.e2e.clients.installed import system
from tests.e2e.content import content
from tests.e2e.proxies.fronts import KINDS, Front, front
from tests.e2e.server import ACCESS_KEY, DOMAIN, SECRET_KEY

if TYPE_CHECKING:
    import http.cookiejar
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SETTINGS = {"trusted_proxies": "127.0.0.1"}
LARGE = 100 * 1024 * 1024
ODD_KEYS = (
    "plain",
    "a folder/with spaces and+plus",
    "double//slash/and/trailing/",
    "/leading",
    "dots/../and/./more",
    "%2F is not a slash, 100%",
    "?query=&#fragment;semi:colon@at,comma'quote\"~!*()[]{}|\\^`<>$",
    "ünï/çødé/日本/🗝",
    "x" * 1024,
)


@pytest.fixture(scope="module", params=list(KINDS))
def proxy(request: pytest.FixtureRequest, server: Server) -> Iterator[Front]:
    """Run each proxy before the module's server."""
    with front(request.param, server) as running:
        yield running


@pytest.fixture(scope="module")
def outer(proxy: Front) -> Iterator[BaseClient]:
    """Answer a client that knows the proxy alone."""
    client = client_of(proxy)
    client.create_bucket(Bucket=f"behind-{proxy.name}")
    yield client
    client.close()


@pytest.fixture
def bucket(proxy: Front, outer: BaseClient) -> str:
    """Name the bucket of this proxy's tests."""
    assert outer
    return f"behind-{proxy.name}"


def client_of(proxy: Front, style: str = "path") -> Any:
    """Make a client of the proxy."""
    return boto3.client(
        "s3",
        endpoint_url=proxy.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        verify=str(proxy.certificate),
        config=Config(
            s3={"addressing_style": style},
            signature_version="s3v4",
            retries={"total_max_attempts": 1},
        ),
    )


def curl(proxy: Front, *arguments: str, told: bytes | None = None) -> bytes:
    """Run curl with the proxy's names and certificate; it must succeed."""
    program = (system("curl"), "--silent", "--show-error", "--cacert", str(proxy.certificate))
    resolve = ("--resolve", f"{DOMAIN}:{proxy.port}:127.0.0.1")
    done = subprocess.run(
        [*program, *resolve, *arguments], input=told, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_odd_keys_and_headers_arrive_as_they_were_signed(outer: BaseClient, bucket: str) -> None:
    """Keys that a proxy would tidy, and names of metadata that it would drop, are signed for."""
    metadata = {"my_key": "underscored", "a.b": "dotted", "plain": "two words"}
    for key in ODD_KEYS:
        outer.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata=metadata)
        found = outer.get_object(Bucket=bucket, Key=key)
        assert found["Body"].read() == key.encode()
        told = found["Metadata"]  # Caddy writes all names of headers in capitals
        assert {name.lower(): value for name, value in told.items()} == metadata
    listed = outer.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == sorted(ODD_KEYS, key=str.encode)
    assert outer.list_objects_v2(Bucket=bucket, Prefix="?query=&#f")["KeyCount"] == 1


def test_a_large_body_goes_through_both_ways(outer: BaseClient, bucket: str) -> None:
    """100 MiB are put in one request and read back, and nothing on the way bounds them."""
    body = content("large", LARGE)
    outer.put_object(Bucket=bucket, Key="large", Body=body)
    assert outer.get_object(Bucket=bucket, Key="large")["Body"].read() == body
    outer.delete_object(Bucket=bucket, Key="large")


def test_what_was_stored_compressed_comes_as_it_was_stored(
    proxy: Front, outer: BaseClient, bucket: str
) -> None:
    """The proxy neither unpacks what is stored as gzip nor packs what is not."""
    packed, text = gzip.compress(b"packed " * 1000), b"<p>plain</p>" * 1000
    outer.put_object(Bucket=bucket, Key="gzip", Body=packed, ContentEncoding="gzip")
    outer.put_object(Bucket=bucket, Key="html", Body=text, ContentType="text/html")
    for key, stored in (("gzip", packed), ("html", text)):
        url = outer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
        assert curl(proxy, url) == stored
        assert curl(proxy, "--header", "Accept-Encoding: gzip", url) == stored


def test_presigned_urls_and_virtual_hosts(proxy: Front, outer: BaseClient, bucket: str) -> None:
    """A link that was signed for the proxy's name works there; a bucket may be a name of it."""
    key = ODD_KEYS[6]
    put = outer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key})
    curl(proxy, "--fail-with-body", "--request", "PUT", "--data-binary", "@-", put, told=b"by link")
    get = outer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
    assert curl(proxy, "--fail-with-body", get) == b"by link"
    if proxy.name == "nginx":  # Caddy gets no certificate for a wildcard by itself
        client = client_of(proxy, "virtual")
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"by link"
        client.close()


def test_the_proxy_speaks_http2(proxy: Front, outer: BaseClient, bucket: str) -> None:
    """Over HTTP/2 an upload and a read, signed by curl, are what they are over HTTP/1.1."""
    signed = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}")
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--fail-with-body", "--http2")
    url = f"{proxy.url}/{bucket}/{quote('over http2')}"
    curl(proxy, *signed, *unsigned, "--request", "PUT", "--data-binary", "@-", url, told=b"two")
    version = curl(proxy, *signed, *unsigned, "--write-out", " %{http_version}", url)
    assert version == b"two 2"
    assert outer.get_object(Bucket=bucket, Key="over http2")["Body"].read() == b"two"


def test_the_console_is_signed_in_to(proxy: Front, server: Server) -> None:
    """A browser signs in by https; its cookies are secure, and the audit log knows its address."""
    browser = Browser(server)
    browser.root = proxy.console
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    browser.opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(browser.cookies),
        urllib.request.HTTPSHandler(context=context),
    )
    assert "dashboard" in browser.log_in("root", server.settings["root_password"]).lower()
    kept: list[http.cookiejar.Cookie] = list(browser.cookies)
    assert {cookie.name for cookie in kept} == {"s4_session", "s4_csrf"}
    assert all(cookie.secure for cookie in kept)


def test_what_a_client_claims_to_be_is_not_believed(proxy: Front) -> None:
    """The proxy writes its own X-Forwarded-For: nobody signs in as if from elsewhere."""
    with urllib3.PoolManager(ca_certs=str(proxy.certificate), retries=False) as pool:
        reply = pool.request(
            "GET", f"{proxy.console}/login/", headers={"X-Forwarded-For": "nobody at all"}
        )
    assert reply.status == 200
