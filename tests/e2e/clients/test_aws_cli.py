"""The AWS CLI, in versions from before and after default checksums, does all that people do."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.clients.aws_cli import AGES, CURRENT, VERSIONS, aws, command
from tests.e2e.clients.installed import LONG
from tests.e2e.clients.trees import HARD_NAMES, LARGE, MIB, digests
from tests.e2e.content import content

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner

pytestmark = pytest.mark.e2e
in_all_ages = pytest.mark.parametrize("cli", AGES, indirect=True)
ALGORITHMS = ("CRC64NVME", "SHA256", "CRC32", "CRC32C", "SHA1")


class Cli:
    """One version of the AWS CLI."""

    def __init__(self, run: Runner, version: str) -> None:
        self.run = run
        self.version = version

    def __call__(self, *arguments: str, told: bytes | None = None) -> str:
        """Run it."""
        return aws(self.run, *arguments, version=self.version, told=told)

    def api(self, operation: str, *arguments: str) -> Any:
        """Call one operation, and answer its reply."""
        return json.loads(self("s3api", operation, *arguments, "--output", "json") or "null")


@pytest.fixture(params=VERSIONS)
def cli(run: Runner, request: pytest.FixtureRequest) -> Cli:
    """Answer each version of the AWS CLI in turn."""
    command(request.param)
    return Cli(run, request.param)


@in_all_ages
def test_a_tree_goes_up_and_comes_down_unchanged(
    cli: Cli, bucket: str, files: Path, tmp_path: Path
) -> None:
    """Files with hard names, an empty one and one of several parts survive `sync` both ways."""
    cli("s3", "sync", str(files), f"s3://{bucket}/a tree", "--no-progress")
    cli("s3", "sync", f"s3://{bucket}/a tree", str(tmp_path / "down"), "--no-progress")
    assert digests(tmp_path / "down") == digests(files)
    assert "upload" not in cli("s3", "sync", str(files), f"s3://{bucket}/a tree", "--no-progress")


def test_sync_with_delete_removes_what_is_gone(cli: Cli, bucket: str, tmp_path: Path) -> None:
    """`sync --delete` removes from the bucket what is no longer in the folder, and no more."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("stays", "goes", "goes too + more"):
        (source / name).write_text(name)
    cli("s3", "sync", str(source), f"s3://{bucket}")
    (source / "goes").unlink()
    (source / "goes too + more").unlink()
    said = cli("s3", "sync", str(source), f"s3://{bucket}", "--delete")
    assert said.count("delete:") == 2
    assert cli("s3", "ls", f"s3://{bucket}", "--recursive").split()[3:] == ["stays"]


def test_streams_moves_and_listings(cli: Cli, bucket: str) -> None:
    """What was streamed in is copied, moved, listed by folder and in all, and streamed out."""
    text = content("from standard input", 9 * MIB).hex()
    cli("s3", "cp", "-", f"s3://{bucket}/from stdin", told=text.encode())
    assert cli("s3", "cp", f"s3://{bucket}/from stdin", "-") == text
    cli("s3", "cp", f"s3://{bucket}/from stdin", f"s3://{bucket}/a/copy", "--acl", "private")
    cli("s3", "mv", f"s3://{bucket}/a/copy", f"s3://{bucket}/a/b/moved+.txt")
    listed = cli("s3", "ls", f"s3://{bucket}", "--recursive", "--summarize")
    assert "a/b/moved+.txt" in listed
    assert "Total Objects: 2" in listed
    assert "PRE a/" in cli("s3", "ls", f"s3://{bucket}/")


def test_a_bucket_is_made_emptied_and_removed(cli: Cli, s3: BaseClient) -> None:
    """`mb`, `rm --recursive` and `rb --force` make and remove a bucket with what is in it."""
    name = f"made-by-{cli.version.replace('.', '-')}"
    cli("s3", "mb", f"s3://{name}")
    for key in HARD_NAMES:
        s3.put_object(Bucket=name, Key=key, Body=b"")
    assert cli("s3", "rm", f"s3://{name}", "--recursive", "--exclude", "*.txt").count("delete:") > 1
    cli("s3", "rb", f"s3://{name}", "--force")
    assert name not in cli("s3", "ls")


def test_metadata_is_kept_and_replaced(cli: Cli, bucket: str, files: Path) -> None:
    """Headers and metadata given to `cp` are the object's, and a copy onto itself replaces them."""
    target = f"s3://{bucket}/page"
    given = ("--content-type", "text/x-page", "--cache-control", "max-age=60")
    cli("s3", "cp", str(files / LARGE), target, *given, "--metadata", "colour=blue,shape=round")
    head = cli.api("head-object", "--bucket", bucket, "--key", "page")
    assert (head["ContentType"], head["CacheControl"]) == ("text/x-page", "max-age=60")
    assert head["Metadata"] == {"colour": "blue", "shape": "round"}
    replace = ("--metadata-directive", "REPLACE", "--metadata", "colour=red")
    cli("s3", "cp", target, target, *replace, "--content-type", "text/plain")
    head = cli.api("head-object", "--bucket", bucket, "--key", "page")
    assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"colour": "red"})
    assert head["ContentLength"] == (files / LARGE).stat().st_size


@in_all_ages
def test_uploads_carry_the_checksum_of_their_age(
    cli: Cli, bucket: str, s3: BaseClient, files: Path
) -> None:
    """Today's CLI sends a CRC32 with each object; for those of old S4 makes a CRC64NVME."""
    for key in ("empty", LARGE):
        cli("s3", "cp", str(files / key), f"s3://{bucket}/{key}")
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert ("ChecksumCRC32" in head) == (cli.version == CURRENT)
        assert ("ChecksumCRC64NVME" in head) == (cli.version != CURRENT)


@in_all_ages
def test_a_presigned_link_is_read_by_anyone(cli: Cli, bucket: str) -> None:
    """`presign` makes a link that a client without credentials reads."""
    cli("s3", "cp", "-", f"s3://{bucket}/for + you.txt", told=b"here")
    link = cli("s3", "presign", f"s3://{bucket}/for + you.txt", "--expires-in", "60").strip()
    with urllib.request.urlopen(link, timeout=30) as reply:  # noqa: S310  # our own server's
        assert reply.read() == b"here"


@in_all_ages
def test_many_objects_are_deleted_in_one_request(cli: Cli, bucket: str, s3: BaseClient) -> None:
    """DeleteObjects works with the Content-MD5 of old and with the CRC of today."""
    keys = [f"{name} {number}" for name in HARD_NAMES for number in range(3)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wanted = json.dumps({"Objects": [{"Key": key} for key in keys[:-1]]})
    reply = cli.api("delete-objects", "--bucket", bucket, "--delete", wanted)
    assert [row["Key"] for row in reply["Deleted"]] == keys[:-1]
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == keys[-1:]


def test_a_multipart_upload_by_hand(cli: Cli, bucket: str, tmp_path: Path) -> None:
    """Parts uploaded one by one are listed, and completed to an object that ranges are read of."""
    where = ("--bucket", bucket, "--key", "by hand")
    upload = (*where, "--upload-id", cli.api("create-multipart-upload", *where)["UploadId"])
    parts = []
    for number, size in enumerate((5 * MIB, 5 * MIB, 17), start=1):
        body = tmp_path / f"part{number}"
        body.write_bytes(content(f"part {number}", size))
        numbered = ("--part-number", str(number), "--body", str(body))
        parts.append(
            {"PartNumber": number, "ETag": cli.api("upload-part", *upload, *numbered)["ETag"]}
        )
    listed = cli.api("list-parts", *upload)["Parts"]
    assert [(row["PartNumber"], row["ETag"]) for row in listed] == [
        (part["PartNumber"], part["ETag"]) for part in parts
    ]
    uploads = cli.api("list-multipart-uploads", "--bucket", bucket)["Uploads"]
    assert [row["Key"] for row in uploads] == ["by hand"]
    done = json.dumps({"Parts": parts})
    cli.api("complete-multipart-upload", *upload, "--multipart-upload", done)
    target = tmp_path / "range"
    reply = cli.api("get-object", *where, "--range", f"bytes={10 * MIB}-", str(target))
    assert reply["ContentRange"] == f"bytes {10 * MIB}-{10 * MIB + 16}/{10 * MIB + 17}"
    assert target.read_bytes() == content("part 3", 17)


def test_errors_are_told_as_the_cli_tells_them(cli: Cli, bucket: str) -> None:
    """What is not there is refused with the code and words that scripts look for."""
    endpoint = ("--endpoint-url", cli.run.server.url)
    missing = ("s3api", "get-object", "--bucket", bucket, "--key", "none", "/dev/null")
    said = cli.run.refusal(*command(cli.version), *endpoint, *missing)
    assert "(NoSuchKey) when calling the GetObject operation" in said
    said = cli.run.refusal(*command(cli.version), *endpoint, "s3", "ls", "s3://no-such-bucket")
    assert "(NoSuchBucket) when calling the ListObjectsV2 operation" in said


def test_versions_are_listed_read_and_brought_back(cli: Cli, bucket: str, tmp_path: Path) -> None:
    """Versioning is switched on, old versions are read by their ids, and a marker is taken away."""
    cli.api(
        "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled"
    )
    where = ("--bucket", bucket, "--key", "versioned")
    for text in ("old", "new"):
        (tmp_path / text).write_text(text)
        cli("s3", "cp", str(tmp_path / text), f"s3://{bucket}/versioned")
    marker = cli.api("delete-object", *where)
    listed = cli.api("list-object-versions", "--bucket", bucket)
    assert [row["VersionId"] for row in listed["DeleteMarkers"]] == [marker["VersionId"]]
    old = listed["Versions"][1]["VersionId"]
    cli.api("get-object", *where, "--version-id", old, str(tmp_path / "got"))
    assert (tmp_path / "got").read_text() == "old"
    cli.api("delete-object", *where, "--version-id", marker["VersionId"])
    assert cli("s3", "cp", f"s3://{bucket}/versioned", "-") == "new"


def test_tags_acls_and_rules(cli: Cli, bucket: str, s3: BaseClient) -> None:
    """Sub-resources of objects and buckets are written in the CLI's short forms, and read."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    where = ("--bucket", bucket, "--key", "k")
    cli.api("put-object-tagging", *where, "--tagging", "TagSet=[{Key=colour,Value=blue}]")
    tags = cli.api("get-object-tagging", *where)["TagSet"]
    assert tags == [{"Key": "colour", "Value": "blue"}]
    owner = cli.api("get-object-acl", *where)
    assert owner["Grants"][0]["Grantee"]["ID"] == owner["Owner"]["ID"]
    rules = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    cli.api("put-bucket-cors", "--bucket", bucket, "--cors-configuration", json.dumps(rules))
    assert cli.api("get-bucket-cors", "--bucket", bucket) == rules


@pytest.mark.parametrize("algorithm", ALGORITHMS if LONG else ALGORITHMS[:2])
def test_every_checksum_that_cp_offers_is_kept(
    run: Runner, bucket: str, s3: BaseClient, files: Path, algorithm: str
) -> None:
    """`cp --checksum-algorithm` uploads in parts with each algorithm, and downloads verify it."""
    target = f"s3://{bucket}/{algorithm}"
    aws(run, "s3", "cp", str(files / LARGE), target, "--checksum-algorithm", algorithm)
    head = s3.head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"]
    aws(run, "s3", "cp", target, str(run.home / "back"), "--checksum-mode", "ENABLED")
    assert (run.home / "back").read_bytes() == (files / LARGE).read_bytes()


def test_a_conditional_put_has_one_winner(run: Runner, bucket: str, files: Path) -> None:
    """`put-object --if-none-match` writes once, and is refused the second time."""
    put = ("s3api", "put-object", "--bucket", bucket, "--key", "lock", "--if-none-match", "*")
    aws(run, *put, "--body", str(files / HARD_NAMES[0]))
    endpoint = ("--endpoint-url", run.server.url)
    assert "(PreconditionFailed)" in run.refusal(*command(CURRENT), *endpoint, *put)


@in_all_ages
def test_lifecycle_rules(cli: Cli, bucket: str) -> None:
    """Rules are put as JSON, come back as they were, and are told in the answers about objects."""
    rules = {
        "Rules": [
            {
                "ID": "old logs",
                "Filter": {"Prefix": "logs/"},
                "Status": "Enabled",
                "Expiration": {"Days": 30},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            }
        ]
    }
    place = ("--bucket", bucket)
    put = ("--lifecycle-configuration", json.dumps(rules))
    cli.api("put-bucket-lifecycle-configuration", *place, *put)
    assert cli.api("get-bucket-lifecycle-configuration", *place)["Rules"] == rules["Rules"]
    told = cli.api("put-object", *place, "--key", "logs/one")["Expiration"]
    assert told.endswith('rule-id="old logs"')
    cli.api("delete-bucket-lifecycle", *place)
    assert "Expiration" not in cli.api("head-object", *place, "--key", "logs/one")
