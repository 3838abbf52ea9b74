"""What S4 does not offer is refused, and never mistaken for what it does.

A sub-resource that fell through to the plain operation would overwrite or delete the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

BODY = b"the object as it was"
OF_OBJECTS = {
    "GET": ["acl", "retention", "legal-hold", "torrent", "attributes"],
    "PUT": ["acl", "retention", "legal-hold", "renameObject"],
    "POST": ["restore", "select&select-type=2"],
}
OF_BUCKETS = {
    "GET": [
        "accelerate",
        "acl",
        "analytics",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "lifecycle",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "versions",
        "website",
    ],
    "PUT": [
        "accelerate",
        "acl",
        "encryption",
        "lifecycle",
        "logging",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "website",
    ],
    "DELETE": [
        "encryption",
        "lifecycle",
        "ownershipControls",
        "policy",
        "publicAccessBlock",
        "replication",
        "website",
    ],
}
UNKNOWN = ["nonsense", "nonsense=1", "ACL", "Tagging", "x-amz-unknown=1", "upload", "uploadid=1"]


def flat(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    """List every (method, sub-resource) of a table."""
    return [(method, flag) for method, flags in table.items() for flag in flags]


@pytest.fixture
def settled(s3: BaseClient, bucket: str) -> str:
    """Answer a bucket with one object."""
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, Metadata={"kept": "yes"})
    return bucket


def assert_untouched(s3: BaseClient, bucket: str) -> None:
    """Insist that the bucket and its object are what they were."""
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == BODY
    assert read["Metadata"] == {"kept": "yes"}
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


@pytest.mark.parametrize(("method", "flag"), flat(OF_OBJECTS))
def test_what_is_not_offered_of_an_object_says_so(
    server: Server, s3: BaseClient, settled: str, method: str, flag: str
) -> None:
    """An operation of S3's on an object that S4 does not offer answers 501 NotImplemented."""
    body = b"<x/>" if method in {"PUT", "POST"} else b""
    reply = server.caller.ask(method, f"{path_of(settled, 'k')}?{flag}", body)
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert_untouched(s3, settled)


@pytest.mark.parametrize(("method", "flag"), flat(OF_BUCKETS))
def test_what_is_not_offered_of_a_bucket_says_so(
    server: Server, s3: BaseClient, settled: str, method: str, flag: str
) -> None:
    """An operation of S3's on a bucket that S4 does not offer answers 501 NotImplemented."""
    body = b"<x/>" if method == "PUT" else b""
    reply = server.caller.ask(method, f"/{settled}?{flag}", body)
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert_untouched(s3, settled)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("flag", UNKNOWN)
@pytest.mark.parametrize("key", ["k", ""])
def test_what_nobody_knows_changes_nothing(
    server: Server, s3: BaseClient, settled: str, method: str, flag: str, key: str
) -> None:
    """A writing request with a parameter that S3 does not know is refused."""
    reply = server.caller.ask(method, f"{path_of(settled, key)}?{flag}", b"other")
    assert reply.status in {400, 405, 412, 501}
    assert reply.code
    assert_untouched(s3, settled)


@pytest.mark.parametrize(
    ("method", "key"),
    [("PATCH", "k"), ("POST", "k"), ("PATCH", ""), ("BREW", "k"), ("TRACE", "k")],
)
def test_a_method_that_is_not_s3s_is_refused(
    server: Server, s3: BaseClient, settled: str, method: str, key: str
) -> None:
    """A method that means nothing here changes nothing."""
    reply = server.caller.ask(method, path_of(settled, key), b"other")
    assert reply.status in {400, 405, 412, 501}
    assert_untouched(s3, settled)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-server-side-encryption": "AES256"},
        {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"x-amz-object-lock-mode": "COMPLIANCE"},
        {"x-amz-acl": "public-read"},
        {"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
        {"x-amz-storage-class": "GLACIER"},
        {"x-amz-write-offset-bytes": "0"},
    ],
)
def test_a_promise_that_cannot_be_kept_is_not_made(
    server: Server, s3: BaseClient, settled: str, headers: dict[str, str]
) -> None:
    """A PUT that asks for encryption, locks or public access is refused, not stored plain."""
    for key in ("k", "new"):
        reply = server.caller.ask("PUT", path_of(settled, key), b"other", headers)
        assert reply.status in {400, 501}
        assert reply.code
    assert_untouched(s3, settled)
