"""Replies about locks as S3 itself was seen to give them: recorded and quoted as in `bad_input`."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.golden import bad_argument, elements, no, refused

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.golden import Refusal
    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

MODE, UNTIL, HOLD = (
    f"x-amz-object-lock-{name}" for name in ("mode", "retain-until-date", "legal-hold")
)
DATE = "2099-01-01T00:00:00.007Z"
BOTH = f"{UNTIL} and {MODE} must both be supplied"
BYPASS = "x-amz-bypass-governance-retention"
KEPT = f"<Mode>GOVERNANCE</Mode><RetainUntilDate>{DATE}</RetainUntilDate>"
RETENTION = f"<Retention>{KEPT}</Retention>".encode()
PAST = RETENTION.replace(b"2099", b"2020")
NEVER = no(
    404,
    "NoSuchObjectLockConfiguration",
    "The specified object does not have a ObjectLock configuration",
)
PROTECTED = no(403, "AccessDenied", "Access Denied because object protected by object lock.")
WITHOUT = no(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")


def md5(body: bytes) -> dict[str, str]:
    """Write the checksum of a body."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"content-md5": b64encode(digest).decode()}


def put(server: Server, target: str, body: bytes, headers: dict[str, str] | None = None) -> Reply:
    """Send a PUT with the checksum of its body."""
    reply = server.caller.ask("PUT", target, body, (headers or {}) | md5(body))
    assert reply.status == 200, reply.body
    return reply


@pytest.fixture(scope="module")
def words(server: Server, s3: BaseClient) -> dict[str, str]:
    """Make a bucket with Object Lock, one without, and objects in both."""
    s3.create_bucket(Bucket="golden-locks", ObjectLockEnabledForBucket=True)
    s3.create_bucket(Bucket="golden-plain")
    for bucket, key in (
        ("golden-plain", "k"),
        ("golden-locks", "free"),
        ("golden-locks", "kept"),
        ("golden-locks", "gone"),
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    put(server, "/golden-locks/kept?retention", RETENTION)
    put(server, "/golden-locks/kept?legal-hold", b"<LegalHold><Status>ON</Status></LegalHold>")
    marker = s3.delete_object(Bucket="golden-locks", Key="gone")["VersionId"]
    kept = s3.head_object(Bucket="golden-locks", Key="kept")["VersionId"]
    return {"marker": marker, "kept": kept}


def of_marker(method: str) -> Refusal:
    """Write the refusal of what is asked of a delete marker."""
    message = "The specified method is not allowed against this resource."
    return no(405, "MethodNotAllowed", message, Method=method, ResourceType="DeleteMarker")


REFUSALS: list[tuple[str, str, bytes, dict[str, str], Refusal]] = [
    ("GET", "/golden-locks/free?retention", b"", {}, NEVER),
    ("GET", "/golden-locks/free?legal-hold", b"", {}, NEVER),
    ("GET", "/golden-plain/k?retention", b"", {}, WITHOUT),
    ("PUT", "/golden-plain/k?retention", RETENTION, {}, WITHOUT),
    ("GET", "/golden-locks/gone?retention&versionId={marker}", b"", {}, of_marker("GET")),
    (
        "PUT",
        "/golden-locks/gone?retention&versionId={marker}",
        RETENTION,
        {},
        of_marker("PUT"),
    ),
    ("DELETE", "/golden-locks/kept?versionId={kept}", b"", {}, PROTECTED),
    ("DELETE", "/golden-locks/kept?versionId={kept}", b"", {BYPASS: "true"}, PROTECTED),
    ("PUT", "/golden-locks/kept?retention", b"<Retention/>", {}, PROTECTED),
    (
        "PUT",
        "/golden-locks/kept?retention",
        PAST,
        {},
        bad_argument(
            "RetainUntilDate",
            "Wed Jan 01 00:00:00 UTC 2020",
            "The retain until date must be in the future!",
        ),
    ),
    (
        "PUT",
        "/golden-locks/new",
        b"x",
        {MODE: "GOVERNANCE"},
        no(400, "InvalidArgument", BOTH, ArgumentName=UNTIL),
    ),
    (
        "PUT",
        "/golden-locks/new",
        b"x",
        {MODE: "abc", UNTIL: DATE},
        bad_argument(MODE, "abc", "Unknown wormMode directive."),
    ),
    (
        "PUT",
        "/golden-locks/new",
        b"x",
        {MODE: "GOVERNANCE", UNTIL: "abc"},
        bad_argument(UNTIL, "abc", "The retain until date must be provided in ISO 8601 format"),
    ),
    (
        "GET",
        "/golden-plain?object-lock",
        b"",
        {},
        no(
            404,
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
            BucketName="golden-plain",
        ),
    ),
    (
        "DELETE",
        "/golden-plain/k",
        b"",
        {BYPASS: "false"},
        no(
            400,
            "InvalidArgument",
            f"{BYPASS} is only applicable to Object Lock enabled buckets.",
            ArgumentName=BYPASS,
        ),
    ),
]


@pytest.mark.parametrize(("method", "target", "body", "headers", "wanted"), REFUSALS)
def test_a_refusal_is_worded_as_on_aws(
    server: Server,
    words: dict[str, str],
    method: str,
    target: str,
    body: bytes,
    headers: dict[str, str],
    wanted: Refusal,
) -> None:
    """Status, code, message and details are those that S3 was seen to give, in its order."""
    reply = server.caller.ask(method, target.format(**words), body, headers | md5(body))
    assert refused(reply) == wanted
    assert list(refused(reply)[1]) == list(wanted[1])


@pytest.mark.parametrize(
    ("target", "root", "inner"),
    [
        (
            "/golden-locks/kept?retention",
            "Retention",
            [("Mode", "GOVERNANCE"), ("RetainUntilDate", DATE)],
        ),
        ("/golden-locks/kept?legal-hold", "LegalHold", [("Status", "ON")]),
        (
            "/golden-locks?object-lock",
            "ObjectLockConfiguration",
            [("ObjectLockEnabled", "Enabled")],
        ),
    ],
)
@pytest.mark.usefixtures("words")
def test_documents_are_awss(
    server: Server, target: str, root: str, inner: list[tuple[str, str]]
) -> None:
    """Documents have the elements that S3's have; a retention ends at its millisecond."""
    reply = server.caller.ask("GET", target)
    assert elements(reply.body, root) == inner


def test_headers_tell_of_a_lock(server: Server, words: dict[str, Any]) -> None:
    """GET and HEAD tell of it in S3's headers, of no lock in none, and a PUT answers no more."""
    told = {MODE: "GOVERNANCE", UNTIL: DATE, HOLD: "ON"}
    for method in ("GET", "HEAD"):
        reply = server.caller.ask(method, f"/golden-locks/kept?versionId={words['kept']}")
        assert {name: reply.headers.get(name) for name in told} == told
        plain = server.caller.ask(method, "/golden-locks/free")
        assert not any(name.startswith("x-amz-object-lock") for name in plain.headers)
    made = put(server, "/golden-locks/new", b"x", {MODE: "GOVERNANCE", UNTIL: DATE})
    assert not any(name.startswith("x-amz-object-lock") for name in made.headers)
