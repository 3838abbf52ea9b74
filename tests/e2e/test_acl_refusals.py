"""Wrong ACLs are refused in S3's words, on buckets and objects, and leave the old one in force.

The table is what S3 was recorded to answer: github.com/localstack/localstack,
tests/aws/services/s3/test_s3.snapshot.json, test_s3_bucket_acl_exceptions and
test_s3_object_acl_exceptions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.server import running
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

SETTINGS = {"default_object_ownership": "none", "default_public_access_block": "false"}
FAKE_GROUP = "http://acs.amazonaws.com/groups/s3/FakeGroup"
LOGS = "http://acs.amazonaws.com/groups/s3/LogDelivery"
MALFORMED = (400, "MalformedACLError", {})
NO_ID = (400, "InvalidArgument", {"ArgumentName": "CanonicalUser/ID", "ArgumentValue": "wrong-id"})
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def document(owner: str, kind: str, inner: str, permission: str) -> bytes:
    """Write an ACL of one grant; `owner` is an element or nothing."""
    grantee = f'<Grantee xmlns:xsi="{XSI}" xsi:type="{kind}">{inner}</Grantee>'
    grant = f"<Grant>{grantee}<Permission>{permission}</Permission></Grant>"
    grants = f"<AccessControlList>{grant}</AccessControlList>"
    return f"<AccessControlPolicy>{owner}{grants}</AccessControlPolicy>".encode()


def named(name: str, value: str) -> dict[str, str]:
    """Say which argument a refusal is about."""
    return {"ArgumentName": name, "ArgumentValue": value}


# headers -> status, code, details
HEADERS: list[tuple[dict[str, str], tuple[int, str, dict[str, str]]]] = [
    ({"x-amz-acl": "fake-acl"}, (400, "InvalidArgument", named("x-amz-acl", "fake-acl"))),
    ({"x-amz-acl": ""}, (400, "InvalidArgument", named("x-amz-acl", ""))),
    (
        {"x-amz-grant-write": f'uri="{FAKE_GROUP}"'},
        (400, "InvalidArgument", {"Message": "Invalid group uri"} | named("uri", FAKE_GROUP)),
    ),
    (
        {"x-amz-grant-write": 'fakekey="1234"'},
        (
            400,
            "InvalidArgument",
            {"Message": "Argument format not recognized"}
            | named("x-amz-grant-write", "fakekey=&quot;1234&quot;"),
        ),
    ),
    (
        {"x-amz-grant-write": 'id="wrong-id"'},
        (400, "InvalidArgument", {"Message": "Invalid id"} | named("id", "wrong-id")),
    ),
    ({}, (400, "MissingSecurityHeader", {"MissingHeaderName": "x-amz-acl"})),
    (
        {"x-amz-acl": "private", "x-amz-grant-read": f'uri="{LOGS}"'},
        (
            400,
            "InvalidRequest",
            {"Message": "Specifying both Canned ACLs and Header Grants is not allowed"},
        ),
    ),
    (
        {"x-amz-grant-read": 'emailAddress="nobody@example.org"'},
        (400, "UnresolvableGrantByEmailAddress", {}),
    ),
]


@pytest.fixture(params=["", "k"])
def target(s3: BaseClient, bucket: str, request: pytest.FixtureRequest) -> str:
    """Answer the path of a bucket, then of an object in it."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    return path_of(bucket, str(request.param)) + "?acl"


def assert_refused(reply: Reply, status: int, code: str, details: dict[str, str]) -> None:
    """Insist on a refusal and the elements it carries."""
    assert (reply.status, reply.code) == (status, code)
    for name, text in details.items():
        found = re.search(f"<{name}>([^<]*)</{name}>|<{name}/>", reply.body.decode())
        assert found is not None, name
        assert (found[1] or "") == text


@pytest.mark.parametrize(("headers", "expected"), HEADERS)
def test_wrong_headers(
    server: Server,
    target: str,
    headers: dict[str, str],
    expected: tuple[int, str, dict[str, str]],
) -> None:
    """A canned ACL that is none, grants that cannot be read, both at once, or nothing at all."""
    before = server.caller.ask("GET", target).body
    assert_refused(server.caller.ask("PUT", target, b"", headers), *expected)
    assert server.caller.ask("GET", target).body == before


def test_wrong_documents(server: Server, s3: BaseClient, target: str) -> None:
    """No owner, a wrong permission, owner, group, user or kind, an empty document, one too many."""
    ask, me = server.caller.ask, f"<Owner><ID>{s3.list_buckets()['Owner']['ID']}</ID></Owner>"
    before = ask("GET", target).body
    user = "<ID>wrong-id</ID>"
    group, fake = f"<URI>{LOGS}</URI>", f"<URI>{FAKE_GROUP}</URI>"
    unknown = (400, "InvalidArgument", named("Group/URI", FAKE_GROUP))
    for body, expected in (
        (document("", "Group", group, "WRITE"), MALFORMED),
        (document(me, "Group", group, "WRONG-PERMISSION"), MALFORMED),
        (document("<Owner><ID>wrong-id</ID></Owner>", "Group", group, "FULL_CONTROL"), NO_ID),
        (document(me, "Group", fake, "FULL_CONTROL"), unknown),
        (document(me, "CanonicalUser", user, "FULL_CONTROL"), NO_ID),
        (document(me, "BadType", user, "FULL_CONTROL"), MALFORMED),
        (b"<AccessControlPolicy/>", MALFORMED),
        (b"<AccessControlPolicy>", MALFORMED),
        (b"no document", MALFORMED),
    ):
        assert_refused(ask("PUT", target, body), *expected)
    fine = document(me, "Group", group, "READ")
    both = ask("PUT", target, fine, {"x-amz-acl": "private"})
    assert_refused(both, 400, "UnexpectedContent", {})
    assert ask("GET", target).body == before
    assert ask("PUT", target, fine).status == 200
    assert LOGS.encode() in ask("GET", target).body


def test_nobody_gives_away_what_he_owns(server: Server, target: str) -> None:
    """An ACL that calls another user the owner is denied."""
    user = server.manage_json("create_user", f"heir-{abs(hash(target)) % 10**9}")
    owner = f"<Owner><ID>{user['canonical_id']}</ID></Owner>"
    body = document(owner, "Group", f"<URI>{LOGS}</URI>", "READ")
    assert_refused(server.caller.ask("PUT", target, body), 403, "AccessDenied", {})


def test_wrong_acls_of_new_things_make_nothing(server: Server, s3: BaseClient, bucket: str) -> None:
    """A PUT of an object or a bucket with an ACL that is refused leaves neither."""
    for headers, (status, code, _) in HEADERS:
        if headers:
            for path in (f"/{bucket}/new", f"/{bucket}/new?uploads", f"/{bucket}-new"):
                method = "POST" if path.endswith("?uploads") else "PUT"
                reply = server.caller.ask(method, path, b"", headers)
                assert (reply.status, reply.code) == (status, code)
    assert server.caller.ask("GET", f"/{bucket}/new").status == 404
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert server.caller.ask("GET", f"/{bucket}-new").status == 404


@pytest.mark.parametrize("value", ["RandomValue", ""])
def test_a_wrong_ownership_makes_no_bucket(server: Server, value: str) -> None:
    """CreateBucket with an ownership that is none is refused, as S3 was recorded to."""
    reply = server.caller.ask("PUT", "/odd", b"", {"x-amz-object-ownership": value})
    message = f"Invalid x-amz-object-ownership header: {value}"
    details = {"Message": message, "ArgumentName": "x-amz-object-ownership"}
    assert_refused(reply, 400, "InvalidArgument", details)
    assert server.caller.ask("HEAD", "/odd").status == 404


def test_wrong_ownership_controls(server: Server, bucket: str) -> None:
    """No rule, two rules, and a rule of no meaning are MalformedXML."""
    rule = "<Rule><ObjectOwnership>{}</ObjectOwnership></Rule>"
    for rules in ("", rule.format("ObjectWriter") * 2, rule.format("RandomValue"), "<Rule/>"):
        body = f"<OwnershipControls>{rules}</OwnershipControls>".encode()
        reply = server.caller.ask("PUT", f"/{bucket}?ownershipControls", body)
        assert_refused(reply, 400, "MalformedXML", {})
    assert server.caller.ask("GET", f"/{bucket}?ownershipControls").status == 404


def test_new_buckets_are_closed_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    """Without settings a new bucket has ACLs off and public access blocked, however it is made."""
    with running(tmp_path, workers="1") as server:
        s3 = server.client()
        s3.create_bucket(Bucket="by-client")
        server.manage_json("create_bucket", "by-command")
        for name in ("by-client", "by-command"):
            controls = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
            assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
            block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
            assert list(block.values()) == [True] * 4
        for headers, code in (
            ({"x-amz-acl": "public-read"}, "InvalidBucketAclWithObjectOwnership"),
            (
                {"x-amz-acl": "public-read", "x-amz-object-ownership": "ObjectWriter"},
                "InvalidBucketAclWithBlockPublicAccessError",
            ),
        ):
            reply = server.caller.ask("PUT", "/refused", b"", headers)
            assert (reply.status, reply.code) == (400, code)
        assert server.caller.ask("HEAD", "/refused").status == 404
