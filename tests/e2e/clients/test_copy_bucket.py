"""The program that moves a bucket here from another store, with versions, locks and settings."""

from __future__ import annotations

import datetime as dt
import runpy
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.e2e.server import ACCESS_KEY, ROOT, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

PROGRAM: Final = str(ROOT / "deploy" / "copy_bucket.py")
PART: Final = bytes(5 * 1024 * 1024)
RULE: Final = {
    "ID": "old",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 30},
}


class Outcome(NamedTuple):
    """How the program ended and what it said."""

    code: Any
    stdout: str
    stderr: str


@pytest.fixture
def copy(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Outcome]:
    """Answer what runs the program, from the server to itself."""
    keys = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    where = f"region = us-east-1\nendpoint_url = {server.url}\n"
    config = tmp_path / "config"
    config.write_text(f"[profile old]\n{keys}{where}[profile new]\n{keys}{where}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    def run(*arguments: str) -> Outcome:
        command = [PROGRAM, *arguments, "--source", "old", "--target", "new"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            runpy.run_path(PROGRAM, run_name="__main__")
        return Outcome(end.value.code, *capsys.readouterr())

    return run


def fill(s3: BaseClient, bucket: str) -> dt.datetime:
    """Make a bucket with a bit of everything; tell until when one version is retained."""
    until = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=2)
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=bucket, Key="a b+ü/1", Body=b"first", Metadata={"who": "me"})
    s3.delete_object(Bucket=bucket, Key="a b+ü/1")
    s3.put_object(Bucket=bucket, Key="a b+ü/1", Body=b"second", Tagging="k+1=v%C3%BC&empty=")
    s3.put_object(Bucket=bucket, Key="a b+ü/10", Body=b"gone", CacheControl="no-store")
    s3.delete_object(Bucket=bucket, Key="a b+ü/10")
    s3.put_object(
        Bucket=bucket,
        Key="kept",
        Body=b"kept",
        ContentType="text/plain",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
    )
    upload = {"Bucket": bucket, "Key": "large"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate((PART, b"end"), 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [RULE]})
    return until


def history(s3: BaseClient, bucket: str) -> list[tuple[Any, ...]]:
    """List what both sides must have alike; markers of a key lie in the order of its versions."""
    listing = s3.list_object_versions(Bucket=bucket)
    versions = [
        (row["Key"], row["ETag"], row["Size"], row["IsLatest"]) for row in listing["Versions"]
    ]
    markers = [(row["Key"], row["IsLatest"]) for row in listing["DeleteMarkers"]]
    return [*versions, *markers]


def test_a_bucket_moves_with_its_versions_and_settings(
    copy: Callable[..., Outcome], s3: BaseClient
) -> None:
    """Versions, markers, ETags of parts, metadata, tags, locks and settings arrive, and once."""
    until = fill(s3, "move-old")
    done = copy("move-old", "--as", "move-new")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == "7 versions sent, 0 were there\n"
    assert history(s3, "move-new") == history(s3, "move-old")
    first = s3.list_object_versions(Bucket="move-new", Prefix="a b+ü/1")["Versions"][-2]
    old = s3.get_object(Bucket="move-new", Key="a b+ü/1", VersionId=first["VersionId"])
    assert (old["Body"].read(), old["Metadata"]) == (b"first", {"who": "me"})
    tags = s3.get_object_tagging(Bucket="move-new", Key="a b+ü/1")["TagSet"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("empty", ""), ("k 1", "vü")]
    kept = s3.head_object(Bucket="move-new", Key="kept")
    assert (kept["ContentType"], kept["ObjectLockMode"]) == ("text/plain", "GOVERNANCE")
    assert (kept["ObjectLockRetainUntilDate"], kept["ObjectLockLegalHoldStatus"]) == (until, "ON")
    assert s3.get_bucket_tagging(Bucket="move-new")["TagSet"][0]["Value"] == "blue"
    assert s3.get_bucket_lifecycle_configuration(Bucket="move-new")["Rules"] == [RULE]

    s3.put_object(Bucket="move-old", Key="kept", Body=b"newer")
    s3.put_object(Bucket="move-new", Key="large", Body=b"another's")
    again = copy("move-old", "--as", "move-new")
    assert again.stdout == "1 versions sent, 6 were there\n"
    assert (again.code, again.stderr) == (1, "large: has other versions in the target\n")


def test_a_bucket_without_versions_is_brought_up_to_date(
    copy: Callable[..., Outcome], s3: BaseClient
) -> None:
    """Where no versions are kept, what was overwritten at the source is put again, the rest not."""
    s3.create_bucket(Bucket="plain-old")
    for key in ("one", "two"):
        s3.put_object(Bucket="plain-old", Key=key, Body=key.encode())
    assert copy("plain-old", "--as", "plain-new").code == 0
    s3.put_object(Bucket="plain-old", Key="two", Body=b"new")
    again = copy("plain-old", "--as", "plain-new", "--no-settings")
    assert (again.stdout, again.stderr) == ("1 versions sent, 1 were there\n", "")
    assert s3.get_object(Bucket="plain-new", Key="two")["Body"].read() == b"new"
    assert "Status" not in s3.get_bucket_versioning(Bucket="plain-new")


def test_a_source_that_is_not_there_makes_nothing(
    copy: Callable[..., Outcome], s3: BaseClient
) -> None:
    """The program ends with what the store said, and with no bucket of that name."""
    assert "NoSuchBucket" in copy("move-none", "--as", "move-nothing").code
    assert "move-nothing" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
