"""Behind a proxy whose word counts: whom policies see, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.wire import Connection, Reply, write_head

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SETTINGS = {"trusted_proxies": "127.0.0.1, 10.0.0.0/8", "default_public_access_block": "false"}


def ask(port: int, target: str, **headers: str) -> Reply:
    """Ask without a signature, with headers given by their names in Python."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with Connection(("127.0.0.1", port)) as connection:
        connection.send(write_head("GET", target, {"host": f"127.0.0.1:{port}", **named}, None))
        return connection.reply("GET")


@pytest.fixture
def inner(s3: BaseClient, bucket: str) -> str:
    """Make an object that only one network may read, and only by https."""
    condition = {
        "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": condition,
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    s3.put_object(Bucket=bucket, Key="k", Body=b"inner")
    return f"/{bucket}/k"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "https"}, 200),
        ({"x_forwarded_for": "6.6.6.6, 203.0.113.7, 10.1.1.1", "x_forwarded_proto": "https"}, 200),
        ({"forwarded": "for=203.0.113.7;proto=https"}, 200),
        ({"x_forwarded_for": "203.0.113.7, 6.6.6.6", "x_forwarded_proto": "https"}, 403),
        ({"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "http"}, 403),
        ({"x_forwarded_for": "203.0.113.7"}, 403),
        ({"x_real_ip": "203.0.113.7", "x_forwarded_proto": "https"}, 403),
        ({}, 403),
        ({"x_forwarded_for": "203.0.113.7, nobody"}, 400),
        ({"x_forwarded_proto": "gopher"}, 400),
    ],
)
def test_policies_see_the_client_behind_the_proxy(
    server: Server, inner: str, headers: dict[str, str], status: int
) -> None:
    """Address and scheme are those that the trusted proxy tells of; nonsense is refused."""
    assert ask(server.port, inner, **headers).status == status


def test_the_console_hears_its_proxy(server: Server) -> None:
    """What cannot be read is refused on the console's port as well."""
    assert ask(server.console_port, "/login/", x_forwarded_for="203.0.113.7").status == 200
    assert ask(server.console_port, "/login/", x_forwarded_for="nobody").status == 400
    for scheme, is_secure in (("https", True), ("http", False)):
        reply = ask(server.console_port, "/login/", x_forwarded_proto=scheme)
        assert ("Secure" in reply.headers["set-cookie"]) is is_secure
        assert ("strict-transport-security" in reply.headers) is is_secure
