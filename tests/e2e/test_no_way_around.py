"""Ways around a policy that a request might try: none of them gives more than the policy does."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.e2e.outcome import refusal
from tests.e2e.posting import Upload, post, write_form
from tests.e2e.signing import Signer
from tests.e2e.wire import Caller, path_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SETTINGS = {"workers": "1"}
OK, DENIED = (200, ""), (403, "AccessDenied")
BUCKET = "around"
ARN = f"arn:aws:s3:::{BUCKET}"


def document(*statements: dict[str, Any]) -> str:
    """Write a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(actions: str | list[str], resource: str, **more: Any) -> dict[str, Any]:
    """Write a statement that allows something."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


@pytest.fixture(scope="module")
def user(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], BaseClient]:
    """Answer the maker of users who have one policy and no role."""
    path: Path = tmp_path_factory.mktemp("policies") / "policy.json"

    def make(name: str, policy: str) -> BaseClient:
        server.manage_json("create_user", name, "--no-role")
        path.write_text(policy, encoding="utf-8")
        server.manage_json("put_inline_policy", "own", str(path), "--user", name)
        key = server.manage_json("create_key", name)
        secrets = {"aws_access_key_id": key["access_key"]}
        config = Config(signature_version="s3v4")  # boto3 signs forms by version 2 else
        return server.client(aws_secret_access_key=key["secret_key"], config=config, **secrets)

    return make


@pytest.fixture(scope="module")
def s3(server: Server) -> BaseClient:
    """Answer the client of the bucket's owner."""
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    return client


def test_a_deletion_of_many_is_decided_though_its_policy_goes_meanwhile(
    server: Server, s3: BaseClient
) -> None:
    """A bucket's policy that is taken off while the list comes leaves nobody with more rights."""
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"")
    server.manage_json("create_user", "eve")
    key = server.manage_json("create_key", "eve")
    eve = Caller(server.caller.address, Signer(key["access_key"], key["secret_key"]))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{ARN}/*"}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=document(deny))
    body = b"<Delete><Object><Key>kept</Key></Object></Delete>"
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    with eve.connect() as connection:
        head = eve.head("POST", f"/{BUCKET}?delete", len(body), {"content-md5": digest})
        connection.send(head + body[:10])
        time.sleep(0.3)
        s3.delete_bucket_policy(Bucket=BUCKET)
        connection.send(body[10:])
        reply = connection.reply("POST")
    assert refusal(s3.head_object, Bucket=BUCKET, Key="kept") == OK
    assert (reply.status, reply.code) == DENIED


def test_who_may_not_delete_replaces_no_prefix(
    s3: BaseClient, user: Callable[[str, str], BaseClient]
) -> None:
    """What lies below the target of a rename is deleted by it, so that must be allowed, too."""
    everything = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    rules = allow(everything, f"{ARN}/draft/*"), allow("s3:PutObject", f"{ARN}/archive/*")
    mover = user("mover", document(*rules))
    s3.put_object(Bucket=BUCKET, Key="archive/old", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="draft/new", Body=b"")
    asked = {"Bucket": BUCKET, "Key": "archive/", "RenameSource": f"{BUCKET}/draft/"}
    assert refusal(mover.rename_object, **asked, DestinationIfMatch="*") == DENIED
    assert refusal(s3.head_object, Bucket=BUCKET, Key="archive/old") == OK
    s3.delete_object(Bucket=BUCKET, Key="archive/old")
    assert refusal(mover.rename_object, **asked) == OK


def test_tags_that_are_not_kept_meet_no_condition(
    s3: BaseClient, user: Callable[[str, str], BaseClient]
) -> None:
    """A copy that keeps its source's tags is not judged by those in its header."""
    tag = {"StringEquals": {"s3:RequestObjectTag/state": "checked"}}
    tagger = user(
        "tagger",
        document(
            allow(["s3:GetObject", "s3:GetObjectTagging"], f"{ARN}/*"),
            allow(["s3:PutObject", "s3:PutObjectTagging"], f"{ARN}/*", Condition=tag),
        ),
    )
    s3.put_object(Bucket=BUCKET, Key="raw", Body=b"", Tagging="state=raw")
    copy = {"Bucket": BUCKET, "Key": "copied", "CopySource": f"{BUCKET}/raw"}
    said = {"Tagging": "state=checked"}
    assert refusal(tagger.copy_object, **copy, **said) == DENIED
    assert refusal(tagger.copy_object, **copy, **said, TaggingDirective="REPLACE") == OK


def test_only_a_copy_has_a_source(
    server: Server, s3: BaseClient, user: Callable[[str, str], BaseClient]
) -> None:
    """Who may only copy gets nothing in by naming a source where none is read."""
    source = {"StringLike": {"s3:x-amz-copy-source": f"{BUCKET}/raw*"}}
    copier = user(
        "copier",
        document(
            allow("s3:GetObject", f"{ARN}/*"), allow("s3:PutObject", f"{ARN}/*", Condition=source)
        ),
    )
    s3.put_object(Bucket=BUCKET, Key="raw", Body=b"")
    copy = {"Bucket": BUCKET, "Key": "copied", "CopySource": f"{BUCKET}/raw"}
    assert refusal(copier.copy_object, **copy) == OK
    field = {"x-amz-copy-source": f"{BUCKET}/raw"}
    form = copier.generate_presigned_post(
        BUCKET, "posted", Fields=dict(field), Conditions=[dict(field)]
    )
    assert post(server, f"/{BUCKET}", write_form(form["fields"], Upload(b"x"))).status == 403


def test_a_directive_that_is_said_twice_is_judged_as_it_is_obeyed(
    server: Server, s3: BaseClient
) -> None:
    """Of several lines of a header that is one word the first counts, for policies as well."""
    s3.put_object(Bucket=BUCKET, Key="raw", Body=b"")
    name = "x-amz-metadata-directive"
    said = {"StringEquals": {f"s3:{name}": "REPLACE"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{ARN}/*"}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=document(deny | {"Condition": said}))
    for words, status in (("REPLACE,REPLACE", 403), ("REPLACE,COPY", 403), ("COPY,REPLACE", 200)):
        headers = {name: words, "x-amz-copy-source": f"{BUCKET}/raw"}
        head = server.caller.head("PUT", path_of(BUCKET, "copy"), 0, headers)
        lines = "".join(f"{name}: {word}\r\n" for word in words.split(","))
        with server.caller.connect() as connection:
            connection.send(head.replace(f"{name}: {words}\r\n".encode(), lines.encode()))
            assert connection.reply("PUT").status == status, words
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_a_bucket_that_is_made_again_keeps_its_acl_where_that_is_denied(s3: BaseClient) -> None:
    """CreateBucket changes no ACL of a bucket that is there, where its policy denies that."""
    made = {"Bucket": "around-again", "ObjectOwnership": "ObjectWriter"}
    granted = {"ACL": "log-delivery-write"}
    s3.create_bucket(**made)
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutBucketAcl",
        "Resource": "arn:aws:s3:::around-again",
    }
    s3.put_bucket_policy(Bucket="around-again", Policy=document(deny))
    assert refusal(s3.put_bucket_acl, Bucket="around-again", **granted) == DENIED
    assert refusal(s3.create_bucket, **made, **granted) == DENIED
    assert refusal(s3.create_bucket, Bucket="around-again") == OK
