"""Backup tools on a bucket that retains what it is given: thinned, robbed, and restored.

restic and duplicity as Debian has them. Neither knows of Object Lock: the bucket's default
retention does all. The way back is that of docs/governance.md, run as it stands there.
"""

from __future__ import annotations

import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from tests.e2e.clients.aws_cli import CURRENT as CURRENT_AWS
from tests.e2e.clients.aws_cli import aws
from tests.e2e.clients.aws_cli import command as command_of_aws
from tests.e2e.clients.installed import LONG, system
from tests.e2e.clients.rclone import CURRENT, command, settings
from tests.e2e.clients.trees import digests, write_tree
from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "governance.md"
DENIED: Final = (403, "AccessDenied")


class Tool(Protocol):
    """What both tools can do, to a repository in a bucket."""

    def __init__(self, run: Runner, source: Path) -> None:
        """Back up this tree."""

    def backup(self, bucket: str) -> None:
        """Back the tree up, whole if the repository is new."""

    def check(self, bucket: str) -> None:
        """Prove that all that was stored can be read."""

    def thin(self, bucket: str) -> None:
        """Remove all but the last backup."""

    def restore(self, bucket: str, target: Path) -> None:
        """Restore the last backup, knowing nothing but the repository."""


class Restic:
    """restic, whose every backup leans on the ones before."""

    def __init__(self, run: Runner, source: Path) -> None:
        self.run, self.source = run, source
        self.program = system("restic")

    def _settings(self, bucket: str) -> dict[str, str]:
        repository = f"s3:{self.run.server.url}/{bucket}/a repository"
        return {"RESTIC_REPOSITORY": repository, "RESTIC_PASSWORD": "of the repository"}

    def _restic(self, bucket: str, *arguments: str) -> str:
        return self.run(self.program, "--no-cache", *arguments, **self._settings(bucket))

    def backup(self, bucket: str) -> None:
        """Back the tree up; the first time, begin."""
        if self.run.attempt(self.program, "cat", "config", **self._settings(bucket)).returncode:
            self._restic(bucket, "init")
        self._restic(bucket, "backup", str(self.source))

    def check(self, bucket: str) -> None:
        """Read all data."""
        assert "no errors were found" in self._restic(bucket, "check", "--read-data")

    def thin(self, bucket: str) -> None:
        """Forget, and prune."""
        self._restic(bucket, "forget", "--keep-last", "1", "--prune")

    def restore(self, bucket: str, target: Path) -> None:
        """Restore the latest snapshot, as if the tree had been there.

        A lock of restic's own that was there for less than a second may be back.
        """
        self._restic(bucket, "unlock")
        self._restic(bucket, "restore", "latest", "--target", str(target / "all"))
        (target / "all" / self.source.relative_to("/")).rename(target / "tree")


class Duplicity:
    """duplicity, which writes volumes of encrypted archives, full or incremental."""

    def __init__(self, run: Runner, source: Path) -> None:
        self.run, self.source = run, source
        self.program = system("duplicity")
        self.turns = 0

    def _duplicity(self, *arguments: str, is_new: bool = False) -> str:
        self.turns += is_new
        return self.run(
            *(self.program, *arguments),
            *("--s3-endpoint-url", self.run.server.url, "--s3-use-new-style"),
            *("--archive-dir", str(self.run.home / f"archive-{self.turns}")),
            PASSPHRASE="of the repository",
            LC_ALL="C.UTF-8",
        )

    def _url(self, bucket: str) -> str:
        return f"boto3+s3://{bucket}/a-repository"

    def backup(self, bucket: str) -> None:
        """Write a full backup, of several volumes."""
        self._duplicity("full", "--volsize", "5", str(self.source), self._url(bucket))

    def check(self, bucket: str) -> None:
        """Compare the last backup with the tree."""
        where = (self._url(bucket), str(self.source))
        self._duplicity("verify", "--compare-data", *where)

    def thin(self, bucket: str) -> None:
        """Remove all but the last full backup."""
        self._duplicity("remove-all-but-n-full", "1", "--force", self._url(bucket))

    def restore(self, bucket: str, target: Path) -> None:
        """Restore from what lies in the bucket alone."""
        where = (self._url(bucket), str(target / "tree"))
        target.mkdir(exist_ok=True)
        self._duplicity("restore", *where, is_new=True)


def pages(s3: BaseClient, bucket: str) -> Iterator[dict[str, Any]]:
    """Walk the pages of a bucket's versions."""
    paginator = s3.get_paginator("list_object_versions")
    yield from paginator.paginate(Bucket=bucket)


def versions(s3: BaseClient, bucket: str) -> set[tuple[str, str, str]]:
    """List key, id and ETag of every version that is no marker."""
    return {
        (row["Key"], row["VersionId"], row["ETag"])
        for page in pages(s3, bucket)
        for row in page.get("Versions", [])
    }


def rob(s3: BaseClient, bucket: str) -> None:
    """Do what a thief of the keys would: hide all, write rubbish over all, delete all for good."""
    there = versions(s3, bucket)
    for key in sorted({key for key, _, _ in there}):
        s3.delete_object(Bucket=bucket, Key=key)
        s3.put_object(Bucket=bucket, Key=key, Body=b"pay")
        s3.delete_object(Bucket=bucket, Key=key)
    for key, version_id, _ in sorted(there):
        doomed = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        assert refusal(s3.delete_object, **doomed) == DENIED
        assert refusal(s3.delete_object, **doomed, BypassGovernanceRetention=True) == DENIED
        less = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=1)}
        for retention in ({}, less):
            assert refusal(s3.put_object_retention, **doomed, Retention=retention) == DENIED
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    suspended = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **suspended) == (409, "InvalidBucketState")
    assert refusal(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    assert versions(s3, bucket) >= there


def bring_back(s3: BaseClient, source: str, target: str, moment: datetime) -> None:
    """Do what the page says: copy each key as it was at a moment to another bucket."""
    (example,) = re.findall(
        r"```python\n(def bring_back.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    room: dict[str, Any] = {}
    exec(example, room)  # noqa: S102  # as the reader runs it
    s3.create_bucket(Bucket=target)
    room["bring_back"](s3, source, target, moment)


@pytest.mark.parametrize("tool_kind", [Restic, Duplicity] if LONG else [Restic])
def test_a_locked_backup_outlives_the_theft_of_its_keys(
    run: Runner, s3: BaseClient, bucket: str, tmp_path: Path, tool_kind: type[Tool]
) -> None:
    """The tool works as on any bucket; what it wrote stays, and comes back as it was before."""
    locked, rescued = f"{bucket}-locked", f"{bucket}-rescued"
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    default = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": default}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=lock)
    source = tmp_path / "source"
    source.mkdir()
    write_tree(source)
    tool = tool_kind(run, source)
    tool.backup(locked)
    (source / "large").write_bytes(b"another" * 10_000)
    tool.backup(locked)
    tool.check(locked)
    before = versions(s3, locked)
    tool.thin(locked)
    tool.check(locked)
    assert versions(s3, locked) >= before, "a tool that thins hides, and removes nothing"
    current = s3.list_objects_v2(Bucket=locked)["Contents"]
    assert len(current) < len({key for key, _, _ in before}), "it did hide something"
    wanted = digests(source)
    time.sleep(1.1)  # times are told to the second
    moment = datetime.now(UTC)
    time.sleep(1.1)
    rob(s3, locked)
    bring_back(s3, locked, rescued, moment)
    tool.restore(rescued, tmp_path / "restored")
    assert digests(tmp_path / "restored" / "tree") == wanted
    tool.check(rescued)


def test_rclone_locks_what_it_copies(run: Runner, s3: BaseClient, tmp_path: Path) -> None:
    """It makes the bucket, locks each object, part by part too, and reads what was at a time."""
    locked = "rclone-locked"
    lock = ("--s3-object-lock-mode", "COMPLIANCE", "--s3-object-lock-retain-until-date", "24h")

    def rclone(*arguments: str) -> str:
        flags = (*lock, "--s3-bucket-object-lock-enabled", "--s3-upload-cutoff", "5M")
        return run(command(CURRENT), *flags, *arguments, **settings(run))

    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    write_tree(source)
    rclone("sync", str(source), f"s4:{locked}/files")
    rclone("check", "--download", str(source), f"s4:{locked}/files")
    before, wanted = versions(s3, locked), digests(source)
    for key, version_id, _ in sorted(before):
        head = s3.head_object(Bucket=locked, Key=key, VersionId=version_id)
        hours = (head["ObjectLockRetainUntilDate"] - datetime.now(UTC)) / timedelta(hours=1)
        assert (head["ObjectLockMode"], round(hours)) == ("COMPLIANCE", 24)
    time.sleep(1.1)  # times are told to the second
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    time.sleep(1.1)
    shutil.rmtree(source / "sub dir")
    (source / "large").write_bytes(b"pay")
    rclone("sync", str(source), f"s4:{locked}/files")
    rclone("delete", f"s4:{locked}/files")
    run.attempt(command(CURRENT), "backend", "cleanup-hidden", f"s4:{locked}", **settings(run))
    assert versions(s3, locked) >= before
    rob(s3, locked)
    rclone("copy", "--s3-version-at", moment, f"s4:{locked}/files", str(target))
    assert digests(target) == wanted
    assert versions(s3, locked) >= before


def test_the_aws_cli_locks_what_it_puts(run: Runner, s3: BaseClient, bucket: str) -> None:
    """It asks for retention and hold with the put itself."""
    locked = f"{bucket}-locked"
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    (run.home / "file").write_bytes(b"x" * 5000)
    aws(
        run,
        *("s3api", "put-object", "--bucket", locked, "--key", "k", "--body", "file"),
        *("--object-lock-mode", "GOVERNANCE", "--object-lock-retain-until-date", until),
        *("--object-lock-legal-hold-status", "ON"),
    )
    head = s3.head_object(Bucket=locked, Key="k")
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
    assert f"{head['ObjectLockRetainUntilDate']:%Y-%m-%dT%H:%M:%SZ}" == until
    doomed = {"Bucket": locked, "Key": "k", "VersionId": head["VersionId"]}
    assert refusal(s3.delete_object, **doomed) == DENIED


def test_the_lines_of_the_page_do_what_they_say(run: Runner, s3: BaseClient) -> None:
    """The page's commands make a bucket that retains for 30 days, and lets go of what is hidden."""
    program = run.home / "aws"
    words = " ".join([*command_of_aws(CURRENT_AWS), "--endpoint-url", run.server.url])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{run.home}:{run.environment['PATH']}"
    for lines in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        run("sh", "-ec", lines, PATH=path)
    s3.put_object(Bucket="vault", Key="k", Body=b"x")
    head = s3.head_object(Bucket="vault", Key="k")
    days = (head["ObjectLockRetainUntilDate"] - datetime.now(UTC)) / timedelta(days=1)
    assert (head["ObjectLockMode"], round(days)) == ("COMPLIANCE", 30)
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="vault")["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
