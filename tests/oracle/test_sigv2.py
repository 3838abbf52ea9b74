"""Signature Version 2, judged by botocore: what its signers sign, S4 accepts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from s3api.auth import authenticate_form, check_policy, identify
from s3api.http.target import parse_target
from tests.s3api.auth.clients import ACCESS_KEY, CREDENTIAL, KEYRING, SECRET_KEY
from tests.s3api.http.requests import make_request

if TYPE_CHECKING:
    from botocore.client import BaseClient

DOMAIN = "s3.example.org"


def client(version: str, style: str = "path") -> BaseClient:
    """Make a client that never calls anybody."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://{DOMAIN}:9000",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version=version, s3={"addressing_style": style}),
    )


def accepted(method: str, url: str, headers: dict[str, str]) -> bool:
    """Tell whether a request would be the owner's."""
    parts = urlsplit(url)
    headers = {"host": parts.netloc} | headers
    request = make_request(method, parts.path.encode(), parts.query.encode(), headers)
    target = parse_target(parts.netloc, request.raw_path, DOMAIN)
    identity = identify(
        request, target, KEYRING, region="us-east-1", now=time.time(), allows_version_2=True
    )
    return identity.credential is CREDENTIAL


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "get_object", {"Bucket": "bucket", "Key": "a b/ü+~.txt"}),
    ("GET", "get_object", {"Bucket": "bucket", "Key": "k", "VersionId": "v/1", "PartNumber": 2}),
    ("GET", "get_object", {"Bucket": "bucket", "Key": "k", "ResponseContentType": "a/b; c"}),
    ("PUT", "put_object", {"Bucket": "bucket", "Key": "k", "ACL": "public-read"}),
    ("PUT", "put_object", {"Bucket": "bucket", "Key": "k", "Metadata": {"Colour": "blue"}}),
    ("GET", "list_objects_v2", {"Bucket": "bucket", "Prefix": "p q"}),
    ("GET", "get_bucket_acl", {"Bucket": "bucket"}),
    ("GET", "list_buckets", {}),
]


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize(("method", "operation", "parameters"), CALLS)
def test_presigned_urls_pass(
    method: str, operation: str, parameters: dict[str, Any], style: str
) -> None:
    """A URL presigned by botocore with Version 2 is accepted as it is."""
    url = client("s3", style).generate_presigned_url(operation, Params=parameters)
    assert "Signature=" in url
    assert accepted(method, url, {})


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize(("method", "operation", "parameters"), CALLS)
def test_signed_headers_pass(
    method: str, operation: str, parameters: dict[str, Any], style: str
) -> None:
    """A request signed by botocore with Version 2 is accepted as it is."""
    sent: list[Any] = []
    s3 = client("s3", style)

    def catch(request: Any, **_: Any) -> Any:
        sent.append(request)
        raise RuntimeError

    s3.meta.events.register("before-send.s3", catch)
    with pytest.raises(RuntimeError):
        getattr(s3, operation)(**parameters)
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in sent[0].headers.items()
    }
    assert headers["authorization"].startswith("AWS ")
    assert accepted(method, sent[0].url, headers)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_posts_pass(version: str) -> None:
    """A form made by botocore is signed by its maker, and its policy allows what it says."""
    post = client(version).generate_presigned_post(
        "bucket",
        "in/${filename}",
        Fields={"acl": "private"},
        Conditions=[{"acl": "private"}, ["content-length-range", 1, 10]],
    )
    fields = {name.lower(): value for name, value in post["fields"].items()}
    now = time.time()
    identity = authenticate_form(
        fields, KEYRING, region="us-east-1", now=now, allows_version_2=version == "s3"
    )
    assert identity.credential is CREDENTIAL
    assert check_policy(fields["policy"], fields, "bucket", now) == (1, 10)
