"""s3cmd, which sends Content-MD5 and compares ETags, and has a command for every sub-resource."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.s3cmd import s3cmd_of
from tests.e2e.clients.trees import HARD_NAMES, LARGE, digests
from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner

    S3cmd = Callable[..., str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def s3cmd(run: Runner) -> S3cmd:
    """Answer what runs s3cmd."""
    return s3cmd_of(run)


def test_a_tree_is_synced_both_ways(s3cmd: S3cmd, bucket: str, files: Path, tmp_path: Path) -> None:
    """`sync` carries files with hard names, an empty one and one of parts up and down unchanged."""
    s3cmd("sync", f"{files}/", f"s3://{bucket}/a tree/")
    s3cmd("sync", f"s3://{bucket}/a tree/", f"{tmp_path}/down/")
    assert digests(tmp_path / "down") == digests(files)
    assert "upload:" not in s3cmd("sync", f"{files}/", f"s3://{bucket}/a tree/")
    extra = s3cmd(
        "sync",
        "--delete-removed",
        "--exclude",
        "*large*",
        f"{files}/sub dir/",
        f"s3://{bucket}/a tree/",
    )
    assert extra.count("delete:") >= 1


def test_buckets_and_listings(s3cmd: S3cmd, files: Path) -> None:
    """Buckets are made, listed, measured and removed with all that is in them."""
    s3cmd("mb", "s3://made-by-s3cmd")
    s3cmd("put", "--recursive", f"{files}/sub dir", "s3://made-by-s3cmd/")
    assert "s3://made-by-s3cmd" in s3cmd("ls")
    assert "DIR" in s3cmd("ls", "s3://made-by-s3cmd")
    assert "DIR  s3://made-by-s3cmd/sub dir/" in s3cmd("la")
    assert "~tilde" in s3cmd("ls", "--recursive", "s3://made-by-s3cmd")
    assert re.match(r"\s*4000\s+2 objects", s3cmd("du", "s3://made-by-s3cmd"))
    assert "Location:  us-east-1" in s3cmd("info", "s3://made-by-s3cmd")
    s3cmd("del", "--recursive", "--force", "s3://made-by-s3cmd")
    s3cmd("rb", "s3://made-by-s3cmd")
    assert "made-by-s3cmd" not in s3cmd("ls")


def test_copies_moves_and_metadata(s3cmd: S3cmd, bucket: str, s3: BaseClient, files: Path) -> None:
    """Objects, also of several parts, are copied, moved, and given other headers in place."""
    target = f"s3://{bucket}/{HARD_NAMES[3]}"
    s3cmd("put", "--add-header", "x-amz-meta-colour:blue", str(files / LARGE), target)
    s3cmd("cp", target, f"s3://{bucket}/copy")
    s3cmd("mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
    s3cmd("modify", "--add-header", "Cache-Control:max-age=7", f"s3://{bucket}/moved")
    info = s3cmd("info", f"s3://{bucket}/moved")
    assert "x-amz-meta-colour: blue" in info
    assert s3.head_object(Bucket=bucket, Key="moved")["CacheControl"] == "max-age=7"
    assert f"MD5 sum:   {md5(files / LARGE)}" in info
    s3cmd("get", f"s3://{bucket}/moved", str(files.parent / "got"))
    assert (files.parent / "got").read_bytes() == (files / LARGE).read_bytes()


def md5(path: Path) -> str:
    """Hash a file as s3cmd notes it in an object's metadata."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_unfinished_uploads_are_listed_and_aborted(
    s3cmd: S3cmd, bucket: str, s3: BaseClient
) -> None:
    """`multipart`, `listmp` and `abortmp` see an upload that somebody began."""
    begun = s3.create_multipart_upload(Bucket=bucket, Key="begun")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="begun", UploadId=begun, PartNumber=1, Body=b"part")
    assert begun in s3cmd("multipart", f"s3://{bucket}")
    assert "4" in s3cmd("listmp", f"s3://{bucket}/begun", begun)
    s3cmd("abortmp", f"s3://{bucket}/begun", begun)
    assert begun not in s3cmd("multipart", f"s3://{bucket}")


def test_rules_for_browsers(s3cmd: S3cmd, bucket: str, tmp_path: Path) -> None:
    """`setcors` and `delcors` write and remove rules."""
    rules = tmp_path / "cors.xml"
    rules.write_text(
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
        "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
    )
    s3cmd("setcors", str(rules), f"s3://{bucket}")
    assert "<AllowedMethod>GET</AllowedMethod>" in s3cmd("info", f"s3://{bucket}")
    s3cmd("delcors", f"s3://{bucket}")
    assert "CORS:      none" in s3cmd("info", f"s3://{bucket}")


def test_acls_are_read_and_set(s3cmd: S3cmd, run: Runner, bucket: str, files: Path) -> None:
    """The owner has full control, and opens an object to everybody once the bucket has ACLs."""
    target = f"s3://{bucket}/mine"
    s3cmd("put", str(files / HARD_NAMES[0]), target)
    for place in (f"s3://{bucket}", target):
        assert re.search(r"ACL:\s+\S+: FULL_CONTROL", s3cmd("info", place))
    s3cmd("setownership", f"s3://{bucket}", "ObjectWriter")
    s3cmd("setblockpublicaccess", f"s3://{bucket}", "")
    assert "Ownership: ObjectWriter" in s3cmd("info", f"s3://{bucket}")
    assert status(f"{run.server.url}/{bucket}/mine") == 403
    s3cmd("setacl", "--acl-public", target)
    assert "*anon*: READ" in s3cmd("info", target)
    assert status(f"{run.server.url}/{bucket}/mine") == 200
    s3cmd("setacl", "--acl-private", target)
    assert status(f"{run.server.url}/{bucket}/mine") == 403
    s3cmd("put", "--acl-public", str(files / LARGE), f"s3://{bucket}/large")
    assert status(f"{run.server.url}/{bucket}/large") == 200


def status(url: str) -> int:
    """Answer the status that somebody without credentials gets."""
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:  # noqa: S310  # our own server's
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_tags_are_set_read_and_removed(
    s3cmd: S3cmd, bucket: str, s3: BaseClient, files: Path
) -> None:
    """`settagging`, `gettagging` and `deltagging` work on a bucket and on an object."""
    s3cmd("put", str(files / HARD_NAMES[0]), f"s3://{bucket}/tagged")
    for place in (f"s3://{bucket}", f"s3://{bucket}/tagged"):
        s3cmd("settagging", place, "colour=blue&shape=round")
        assert "colour:\tblue" in s3cmd("gettagging", place)
        s3cmd("deltagging", place)
    assert "colour" not in s3cmd("gettagging", f"s3://{bucket}/tagged")
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


def test_a_policy_opens_a_bucket(
    s3cmd: S3cmd, run: Runner, bucket: str, files: Path, tmp_path: Path
) -> None:
    """`setpolicy` lets everybody read what a policy names, until `delpolicy`."""
    s3cmd("put", str(files / HARD_NAMES[0]), f"s3://{bucket}/open/read me")
    url = f"{run.server.url}/{bucket}/open/read%20me"
    policy = tmp_path / "policy.json"
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement = allow | {"Resource": f"arn:aws:s3:::{bucket}/open/*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3cmd("setblockpublicaccess", f"s3://{bucket}", "")
    assert status(url) == 403
    s3cmd("setpolicy", str(policy), f"s3://{bucket}")
    assert f"arn:aws:s3:::{bucket}/open/*" in s3cmd("info", f"s3://{bucket}")
    assert status(url) == 200
    s3cmd("delpolicy", f"s3://{bucket}")
    assert status(url) == 403


def test_versioning_is_switched(s3cmd: S3cmd, bucket: str, s3: BaseClient) -> None:
    """`setversioning` switches versioning on and off."""
    s3cmd("setversioning", f"s3://{bucket}", "enable")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    s3cmd("setversioning", f"s3://{bucket}", "disable")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"


def test_lifecycle_rules_are_set_read_and_removed(
    s3cmd: S3cmd, bucket: str, s3: BaseClient, tmp_path: Path
) -> None:
    """`setlifecycle`, `getlifecycle`, `dellifecycle` and `expire` write and read rules."""
    rules = tmp_path / "rules.xml"
    rules.write_text(
        "<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>a/</Prefix></Filter>"
        "<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>"
        "</LifecycleConfiguration>"
    )
    s3cmd("setlifecycle", str(rules), f"s3://{bucket}")
    said = s3cmd("getlifecycle", f"s3://{bucket}")
    assert "<ID>old</ID>" in said
    assert "<Days>30</Days>" in said
    s3cmd("dellifecycle", f"s3://{bucket}")
    s3cmd("expire", f"s3://{bucket}", "--expiry-days=7", "--expiry-prefix=b/")
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Expiration"], rule["Status"]) == ({"Days": 7}, "Enabled")
    assert "b/" in s3cmd("info", f"s3://{bucket}")
