"""The audit log of a real server: what clients, browsers and commands do, and how it is kept."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.e2e.outcome import refusal
from tests.e2e.processes import wait_until
from tests.e2e.server import ACCESS_KEY, SECRET_KEY, Server
from tests.listening import Webhook

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e


def entries(server: Server, *filters: str) -> list[dict[str, Any]]:
    """Search the log by the command, newest first."""
    found: list[dict[str, Any]] = server.manage_json("audit", *filters)
    return found


def awaited(server: Server, count: int, *filters: str) -> list[dict[str, Any]]:
    """Search until there are so many: what is noted beside requests is written a moment later."""
    wait_until(lambda: len(entries(server, *filters)) >= count, "the entries are written", 20)
    return entries(server, *filters)


def test_a_change_over_s3_tells_who_and_from_where(server: Server, s3: BaseClient) -> None:
    """A bucket that is made, set and deleted leaves an entry each, with the reply's request id."""
    replies = [
        s3.create_bucket(Bucket="audited"),
        s3.put_bucket_tagging(Bucket="audited", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
        s3.delete_bucket_tagging(Bucket="audited"),
        s3.delete_bucket(Bucket="audited"),
    ]
    found = list(reversed(entries(server, "--resource", "arn:aws:s3:::audited")))
    assert [entry["action"] for entry in found] == [
        "s3:CreateBucket",
        "s3:PutBucketTagging",
        "s3:DeleteBucketTagging",
        "s3:DeleteBucket",
    ]
    ids = [reply["ResponseMetadata"]["RequestId"] for reply in replies]
    assert [entry["request_id"] for entry in found] == ids
    for entry in found:
        assert (entry["actor"], entry["credential"]) == ("root", ACCESS_KEY)
        assert (entry["via"], entry["address"], entry["outcome"]) == ("s3", "127.0.0.1", "allowed")
    assert found[1]["detail"] == {"tags": {"old": {}, "new": {"a": "b"}}}


def test_who_is_denied_a_change_is_told(server: Server, s3: BaseClient, bucket: str) -> None:
    """Nobody, a Reader, and who has the wrong secret leave an entry of what they were denied."""
    server.manage_json("create_user", "rita", "--role", "Reader")
    key = server.manage_json("create_key", "rita")
    rita = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    liar = server.client(aws_access_key_id=key["access_key"], aws_secret_access_key="x" * 40)
    nobody = server.client(config=Config(signature_version=UNSIGNED))
    for client in (rita, liar, nobody):
        assert refusal(client.delete_bucket, Bucket=bucket)[0] == 403
        client.close()
    found = awaited(server, 3, "--resource", f"arn:aws:s3:::{bucket}", "--outcome", "denied")
    assert {(row["actor"], row["credential"], row["detail"]["code"]) for row in found} == {
        ("rita", key["access_key"], "AccessDenied"),
        ("", key["access_key"], "SignatureDoesNotMatch"),
        ("", "", "AccessDenied"),
    }
    assert {row["action"] for row in found} == {"s3:DeleteBucket"}
    command = entries(server, "--action", "iam:CreateUser", "--text", "rita")[0]
    assert (command["via"], command["credential"]) == ("command", "manage.py create_user")


def test_objects_are_told_of_by_setting_alone(server: Server, s3: BaseClient, bucket: str) -> None:
    """By default what is done to objects leaves no entry, not even what is denied."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    nobody = server.client(config=Config(signature_version=UNSIGNED))
    assert refusal(nobody.get_object, Bucket=bucket, Key="k")[0] == 403
    assert refusal(nobody.delete_bucket, Bucket=bucket)[0] == 403
    nobody.close()
    found = awaited(server, 2, "--resource", f"arn:aws:s3:::{bucket}")
    assert [entry["action"] for entry in found] == ["s3:DeleteBucket", "s3:CreateBucket"]


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """Entries of changes that were answered are there after the server was killed at once."""
    server = Server(tmp_path, audit_file=str(tmp_path / "audit.jsonl"))
    try:
        server.start()
        s3 = server.client()
        for number in range(5):
            s3.create_bucket(Bucket=f"killed-{number}")
        server.kill_tree()
        found = entries(server, "--resource", "arn:aws:s3:::killed-")
        assert [entry["resource"][-1] for entry in found] == ["4", "3", "2", "1", "0"]
        lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        assert [line for line in lines if "killed" in line["resource"]] == found[::-1]
        assert SECRET_KEY not in (tmp_path / "audit.jsonl").read_text()
    finally:
        server.kill_tree()


def test_data_access_is_told_with_all_that_concerns_it(tmp_path: Path) -> None:
    """With `all`, each request is an entry: operation, key, version, code, bytes, who."""
    server = Server(tmp_path, audit_data_access="all", workers="1")
    try:
        server.start()
        s3 = server.client()
        s3.create_bucket(Bucket="data")
        s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        made = s3.put_object(Bucket="data", Key="é/k", Body=b"12345")
        s3.get_object(Bucket="data", Key="é/k", VersionId=made["VersionId"])["Body"].read()
        s3.copy_object(Bucket="data", Key="copy", CopySource="data/é/k")
        assert refusal(s3.get_object, Bucket="data", Key="none") == (404, "NoSuchKey")
        nobody = server.client(config=Config(signature_version=UNSIGNED))
        assert refusal(nobody.get_object, Bucket="data", Key="é/k") == (403, "AccessDenied")
        s3.delete_objects(
            Bucket="data", Delete={"Objects": [{"Key": "copy"}, {"Key": "k", "VersionId": "no"}]}
        )
        s3.list_objects_v2(Bucket="data")
        server.stop()  # what was noted is written
        found = entries(server, "--resource", "arn:aws:s3:::data", "--limit", "1000")[::-1]
        assert [(row["action"], row["resource"][13:], row["outcome"]) for row in found] == [
            ("s3:CreateBucket", "data", "allowed"),
            ("s3:PutBucketVersioning", "data", "allowed"),
            ("s3:PutObject", "data/é/k", "allowed"),
            ("s3:GetObject", "data/é/k", "allowed"),
            ("s3:CopyObject", "data/copy", "allowed"),
            ("s3:GetObject", "data/none", "failed"),
            ("s3:GetObject", "data/é/k", "denied"),
            ("s3:DeleteObjects", "data", "failed"),
            ("s3:ListObjectsV2", "data", "allowed"),
        ]
        put, got, copied, missing, denied, deleted = found[2:8]
        version = made["VersionId"]
        assert put["detail"]["version"] == got["detail"]["asked_version"] == version
        assert put["detail"]["received_bytes"] >= 5
        assert got["detail"]["sent_bytes"] == 5
        assert copied["detail"]["source"] == "data/%C3%A9/k"
        assert missing["detail"]["code"] == "NoSuchKey"
        assert (denied["actor"], denied["detail"]["code"]) == ("", "AccessDenied")
        assert deleted["detail"]["keys"] == [
            {"key": "copy"},
            {"key": "k", "version": "no", "code": "NoSuchVersion"},
        ]
        assert {row["credential"] for row in found if row["actor"]} == {ACCESS_KEY}
        assert put["request_id"] == made["ResponseMetadata"]["RequestId"]
    finally:
        server.kill_tree()


def test_a_webhook_gets_everything_in_order(tmp_path: Path) -> None:
    """A real server delivers at once, again what was refused, and after a kill what was left."""
    hook = Webhook()
    with hook.listening():
        pass
    server = Server(
        tmp_path, workers="1", audit_webhook_url=hook.url, audit_webhook_token="the-hook-token"
    )
    try:
        server.start()
        s3 = server.client()
        s3.create_bucket(Bucket="while-away")
        with hook.listening():
            wait_until(lambda: arrived(hook, "while-away"), "what waited arrives", 40)
            hook.plan = [500]
            s3.create_bucket(Bucket="refused-once")
            wait_until(lambda: arrived(hook, "refused-once"), "it comes again", 20)
            begun = time.monotonic()
            s3.create_bucket(Bucket="at-once")
            wait_until(lambda: arrived(hook, "at-once"), "it is delivered at once", 20)
            assert time.monotonic() - begun < 10
        for number in range(5):
            s3.create_bucket(Bucket=f"before-the-kill-{number}")
        server.kill_tree()
        server.start()
        with hook.listening():
            wait_until(lambda: arrived(hook, "before-the-kill-4"), "nothing is lost", 40)
        known = [entry["id"] for entry in entries(server, "--limit", "1000")][::-1]
        assert list(dict.fromkeys(hook.ids)) == known[: len(set(hook.ids))]
        assert {request["headers"]["Authorization"] for request in hook.requests} == {
            "Bearer the-hook-token"
        }
        assert "the-hook-token" not in server.log_text()
    finally:
        server.kill_tree()


def arrived(hook: Webhook, bucket: str) -> bool:
    """Whether the entry of a bucket's making was taken."""
    return any(entry["resource"].endswith(f":{bucket}") for entry in hook.taken)
