"""What S4 does not offer is refused, and never mistaken for what it does.

A sub-resource that fell through to the plain operation would overwrite or delete the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.outcome import refusal
from tests.e2e.wire import path_of, write_head

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
BODY = b"the object as it was"
OF_OBJECTS = {
    "GET": ["torrent"],
    "POST": ["restore", "select&select-type=2"],
}
OF_BUCKETS = {
    "PUT": [
        "accelerate",
        "encryption",
        "logging",
        "notification",
        "replication",
        "website",
    ],
}
# Sub-resource of a bucket -> the answer where nothing of the kind is configured: the root of an
# empty document, or a code.
EMPTY = {
    "accelerate": "AccelerateConfiguration",
    "logging": "BucketLoggingStatus",
    "notification": "NotificationConfiguration",
}
PAGES = {
    "analytics": "ListBucketAnalyticsConfigurationsResult",
    "intelligent-tiering": "ListIntelligentTieringConfigurationsResult",
    "inventory": "ListInventoryConfigurationsResult",
    "metrics": "ListMetricsConfigurationsResult",
}
MISSING = {
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "policy": "NoSuchBucketPolicy",
    "policyStatus": "NoSuchBucketPolicy",
    "object-lock": "ObjectLockConfigurationNotFoundError",
    "replication": "ReplicationConfigurationNotFoundError",
    "website": "NoSuchWebsiteConfiguration",
}
DELETABLE = ["encryption", "lifecycle", "policy", "replication", "website"]
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


# --- what is looked at, and not there ---


@pytest.mark.parametrize(("flag", "root"), EMPTY.items())
def test_what_is_off_is_an_empty_document(
    server: Server, settled: str, flag: str, root: str
) -> None:
    """Settings that every AWS bucket has answer as in a bucket where nobody set them."""
    reply = server.caller.ask("GET", f"/{settled}?{flag}")
    assert reply.status == 200
    assert reply.body.endswith(f'<{root} xmlns="{NAMESPACE}"></{root}>'.encode())


@pytest.mark.parametrize(("flag", "root"), PAGES.items())
def test_what_may_be_many_is_an_empty_page(
    server: Server, settled: str, flag: str, root: str
) -> None:
    """Lists of configurations are empty and whole; each that is named does not exist."""
    reply = server.caller.ask("GET", f"/{settled}?{flag}")
    assert reply.status == 200
    page = f'<{root} xmlns="{NAMESPACE}"><IsTruncated>false</IsTruncated></{root}>'
    assert reply.body.endswith(page.encode())
    for method in ("GET", "DELETE"):
        named = server.caller.ask(method, f"/{settled}?{flag}&id=name")
        assert (named.status, named.code) == (404, "NoSuchConfiguration")


@pytest.mark.parametrize(("flag", "code"), MISSING.items())
def test_what_was_never_configured_is_not_found(
    server: Server, settled: str, flag: str, code: str
) -> None:
    """Settings that a bucket may be without answer 404, each with its code and the bucket."""
    reply = server.caller.ask("GET", f"/{settled}?{flag}")
    assert (reply.status, reply.code) == (404, code)
    assert f"<BucketName>{settled}</BucketName>".encode() in reply.body


@pytest.mark.parametrize("flag", DELETABLE)
def test_what_was_never_configured_can_be_deleted(
    server: Server, s3: BaseClient, settled: str, flag: str
) -> None:
    """Deleting a setting that is not there succeeds, and deletes nothing else."""
    reply = server.caller.ask("DELETE", f"/{settled}?{flag}")
    assert (reply.status, reply.body) == (204, b"")
    assert_untouched(s3, settled)


@pytest.mark.parametrize("flag", ["retention", "legal-hold"])
def test_nothing_is_locked_in_a_bucket_without_locks(
    server: Server, settled: str, flag: str
) -> None:
    """Retention and legal hold are questions that such a bucket does not understand."""
    reply = server.caller.ask("GET", f"{path_of(settled, 'k')}?{flag}")
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert b"Bucket is missing Object Lock Configuration" in reply.body


def test_the_owner_pays_and_nobody_else(s3: BaseClient, bucket: str) -> None:
    """That the owner pays can be said and read; that the requester pays is refused."""
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    owner, requester = {"Payer": "BucketOwner"}, {"Payer": "Requester"}
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration=owner)
    outcome = refusal(
        s3.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration=requester
    )
    assert outcome == (501, "NotImplemented")
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"


@pytest.mark.parametrize("flag", [*EMPTY, *PAGES, *MISSING, "requestPayment"])
def test_who_may_not_look_is_told_nothing(server: Server, settled: str, flag: str) -> None:
    """A setting is answered only to those who may read it, and only of a bucket that is there."""
    request = write_head("GET", f"/{settled}?{flag}", {"host": server.caller.host}, None)
    with server.caller.connect() as connection:
        connection.send(request)
        reply = connection.reply()
    assert (reply.status, reply.code) == (403, "AccessDenied")
    reply = server.caller.ask("GET", f"/no-such-bucket?{flag}")
    assert (reply.status, reply.code) == (404, "NoSuchBucket")


# --- what nobody knows ---


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
