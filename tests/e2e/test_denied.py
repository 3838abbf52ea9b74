"""Every operation that is offered is denied to strangers, whatever the bucket's ownership.

The requests are made from the table of what is offered, so an operation that is added is tested
too, and one that forgets to ask what its object allows is found here.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from s3api.http.query import Query
from s3api.operations.registry import HANDLERS
from s3api.protocol import Level, route
from s3api.protocol.model import load_operations
from tests.e2e.signing import Signer
from tests.e2e.wire import path_of, write_head

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from s3api.protocol.model import OperationModel
    from tests.e2e.server import Server
    from tests.e2e.wire import Caller, Reply

pytestmark = pytest.mark.e2e

SETTINGS = {"default_public_access_block": "false"}
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
KEY, BODY = "k", b"the object as it was"
TAGGING = b"<Tagging><TagSet/></Tagging>"
OF_UPLOADS: Final = {
    *("UploadPart", "UploadPartCopy", "ListParts"),
    *("CompleteMultipartUpload", "AbortMultipartUpload"),
}
NAMED = ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
# What no stranger is asked for: the list of one's own buckets, a bucket of one's own, a preflight;
# and a form, which carries its signature in itself.
OTHERS: Final = {"ListBuckets", "CreateBucket", "OptionsObject", "PostObject"}
MODELS: Final = {
    model.name: model
    for model in load_operations()
    if model.name in HANDLERS and model.name not in OTHERS
}


class Given(NamedTuple):
    """What a test is about: a bucket with an object, an upload in it, and a stranger."""

    bucket: str
    upload_id: str
    stranger: Caller


@pytest.fixture(scope="module")
def stranger(server: Server) -> Caller:
    """Make a Writer who has nothing to do with the buckets here."""
    server.manage_json("create_user", "stranger")
    key = server.manage_json("create_key", "stranger")
    return replace(server.caller, signer=Signer(key["access_key"], key["secret_key"]))


@pytest.fixture(scope="module", params=OWNERSHIPS)
def given(s3: BaseClient, stranger: Caller, request: pytest.FixtureRequest) -> Given:
    """Make a bucket of each ownership with an object and an open upload."""
    ownership = str(request.param)
    bucket = ownership.lower()
    s3.create_bucket(Bucket=bucket, ObjectOwnership=ownership)
    s3.put_object(Bucket=bucket, Key=KEY, Body=BODY)
    upload = s3.create_multipart_upload(Bucket=bucket, Key=KEY)
    return Given(bucket, upload["UploadId"], stranger)


def parameters(model: OperationModel, given: Given) -> str:
    """Write the query that selects an operation."""
    pairs = [*model.flags, *(f"{name}={value}" for name, value in model.values)]
    if model.name in OF_UPLOADS:
        pairs.append(f"uploadId={given.upload_id}")
    if model.name.startswith("UploadPart"):
        pairs.append("partNumber=1")
    if any(name in model.name for name in NAMED) and not model.name.startswith("List"):
        pairs.append("id=any")
    return "&".join(pairs)


def headers_and_body(model: OperationModel, given: Given) -> tuple[dict[str, str], bytes]:
    """Write what an operation needs beside its query to be well-formed."""
    headers: dict[str, str] = {}
    if "Copy" in model.name:
        headers["x-amz-copy-source"] = f"{given.bucket}/{KEY}"
    if model.name == "RenameObject":
        headers["x-amz-rename-source"] = f"{given.bucket}/{KEY}"
    if model.name == "PutObjectAcl":
        headers["x-amz-acl"] = "private"
    if model.name == "GetObjectAttributes":
        headers["x-amz-object-attributes"] = "ETag"
    if model.name == "PutObjectTagging":
        digest = hashlib.md5(TAGGING, usedforsecurity=False).digest()
        headers["content-md5"] = base64.b64encode(digest).decode()
        return headers, TAGGING
    return headers, b""


def ask(given: Given, model: OperationModel, *, is_signed: bool) -> Reply:
    """Send one operation's request as the stranger, or as nobody."""
    query = parameters(model, given)
    headers, body = headers_and_body(model, given)
    sent = {name.encode(): value.encode() for name, value in headers.items()}
    found = route(model.method, model.level, Query(query.encode()), Headers(sent))
    assert found.name == model.name, "the request is another's"
    path = path_of(given.bucket, "" if model.level is Level.BUCKET else KEY)
    target = f"{path}?{query}" if query else path
    caller = given.stranger
    if is_signed:
        return caller.ask(model.method, target, body, headers)
    length = len(body) if model.method in {"PUT", "POST"} else None
    with caller.connect() as connection:
        lines = {"host": caller.host, **headers}
        connection.send(write_head(model.method, target, lines, length) + body)
        return connection.reply(model.method)


class Headers:
    """Headers as the router asks for them."""

    def __init__(self, lines: dict[bytes, bytes]) -> None:
        self._lines = lines

    def header(self, name: str) -> str | None:
        """Answer a header."""
        value = self._lines.get(name.encode())
        return None if value is None else value.decode()


def assert_untouched(s3: BaseClient, given: Given) -> None:
    """Insist that bucket, object and upload are what they were."""
    assert s3.get_object(Bucket=given.bucket, Key=KEY)["Body"].read() == BODY
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=given.bucket)["Contents"]] == [KEY]
    uploads = s3.list_multipart_uploads(Bucket=given.bucket)["Uploads"]
    assert [row["UploadId"] for row in uploads] == [given.upload_id]
    parts = s3.list_parts(Bucket=given.bucket, Key=KEY, UploadId=given.upload_id)
    assert "Parts" not in parts


@pytest.mark.parametrize("name", sorted(MODELS))
def test_strangers_are_denied(s3: BaseClient, given: Given, name: str) -> None:
    """A stranger and nobody get 403 from every operation, and change nothing by it."""
    for is_signed in (True, False):
        reply = ask(given, MODELS[name], is_signed=is_signed)
        assert reply.status == 403
        if MODELS[name].method != "HEAD":
            assert reply.code == "AccessDenied"
    assert_untouched(s3, given)


@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        *(("GET", suffix) for suffix in ("", "?versionId=null", "?acl", "?tagging")),
        *(("DELETE", suffix) for suffix in ("", "?versionId=null", "?tagging")),
        *(("PUT", suffix) for suffix in ("", "?acl")),
    ],
)
def test_an_absent_object_is_not_told_of(given: Given, method: str, suffix: str) -> None:
    """A stranger cannot tell an object that is not there from one that is."""
    headers = {"x-amz-acl": "private"} if (method, suffix) == ("PUT", "?acl") else {}
    replies = [
        given.stranger.ask(method, path_of(given.bucket, key) + suffix, b"", headers)
        for key in (KEY, "absent")
    ]
    assert [(reply.status, reply.code) for reply in replies] == [(403, "AccessDenied")] * 2


def test_a_body_is_not_asked_for_in_vain(given: Given) -> None:
    """A stranger who waits for 100 Continue gets his 403 instead, signed or not."""
    caller, target = given.stranger, path_of(given.bucket, "new")
    signed = caller.sign("PUT", target, {"expect": "100-continue"}, "UNSIGNED-PAYLOAD").headers
    for headers in (signed, {"host": caller.host, "expect": "100-continue"}):
        with caller.connect() as connection:
            connection.send(write_head("PUT", target, headers, 1 << 20))
            status, _ = connection._head()  # an interim reply would be skipped
            assert status == 403


def test_the_owner_that_is_expected_may_be_named_by_either_id(server: Server) -> None:
    """A bucket's owner is expected by account id, as in AWS, or by canonical id."""
    user = server.manage_json("create_user", "expected")
    server.manage_json("create_bucket", "expecting", "--owner", "expected")
    for owner in (user["account_id"], user["canonical_id"]):
        headers = {"x-amz-expected-bucket-owner": owner}
        assert server.caller.ask("PUT", "/expecting/k", b"x", headers).status == 200
        copy = {"x-amz-copy-source": "expecting/k", "x-amz-source-expected-bucket-owner": owner}
        assert server.caller.ask("PUT", "/expecting/copy", b"", copy | headers).status == 200


def test_another_owner_than_expected_is_denied(server: Server, given: Given) -> None:
    """Who names another owner of the bucket, or of a copy's source, than it has is denied."""
    target = path_of(given.bucket, KEY)
    wrong = {"x-amz-expected-bucket-owner": "f" * 64}
    for method in ("GET", "PUT", "DELETE"):
        reply = server.caller.ask(method, target, b"", wrong)
        assert (reply.status, reply.code) == (403, "AccessDenied")
    copy = {"x-amz-copy-source": target, "x-amz-source-expected-bucket-owner": "f" * 64}
    reply = server.caller.ask("PUT", path_of(given.bucket, "copy"), b"", copy)
    assert (reply.status, reply.code) == (403, "AccessDenied")
