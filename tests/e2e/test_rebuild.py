"""The index lost under a real server: the commands bring it back, and what was put is served."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.content import content

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SIZES = {"empty": 0, "inline": 100, "a/b/c/blob": 50_000, "large": 3_000_000}


def fill(s3: BaseClient, bucket: str) -> None:
    """Put an object of each kind, overwrite one and delete one."""
    s3.create_bucket(Bucket=bucket)
    for key, size in SIZES.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content(f"{bucket} old {key}", size))
        s3.put_object(
            Bucket=bucket, Key=key, Body=content(f"{bucket} {key}", size), Metadata={"k": key}
        )
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")


def read(s3: BaseClient, bucket: str) -> dict[str, Any]:
    """Read everything that is listed."""
    found = {}
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        reply = s3.get_object(Bucket=bucket, Key=entry["Key"])
        found[entry["Key"]] = (reply["Body"].read(), reply["Metadata"], entry["ETag"])
    return found


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_a_lost_index_comes_back_whole(server: Server, s3: BaseClient, with_snapshot: bool) -> None:
    """Killed, without its index: rebuilt from snapshot and journal it serves the same."""
    bucket = f"rebuild-{with_snapshot}".lower()
    fill(s3, bucket)
    if with_snapshot:
        made = server.manage_json("snapshot")
        assert made["ok"]
        assert (server.data / "snapshots" / made["name"]).stat().st_size == made["bytes"]
    s3.put_object(Bucket=bucket, Key="after", Body=b"the snapshot")
    before = read(s3, bucket)
    assert sorted(before) == sorted([*SIZES, "after"])
    refused = server.manage("rebuild_index")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "in use" in refused.stderr
    server.kill_tree()
    shutil.rmtree(server.data / "index")
    report = server.manage_json("rebuild_index")
    assert report["ok"]
    assert report["frames"]
    server.start()
    assert read(s3, bucket) == before
    server.verify()


def test_a_server_without_its_index_says_what_helps(server: Server, s3: BaseClient) -> None:
    """Without an index nothing starts and nothing is made anew: one line names the command."""
    s3.create_bucket(Bucket="helpless")
    server.stop()
    (server.data / "index").rename(server.data / "elsewhere")
    verified = server.manage("verify")
    assert verified.returncode == 2
    assert "rebuild_index" in verified.stderr
    assert verified.stderr.count("\n") == 1
    assert not (server.data / "index").exists()
    (server.data / "elsewhere").rename(server.data / "index")
    server.start()
    server.verify()


def test_volumes_alone_are_salvaged_by_the_command(server: Server, s3: BaseClient) -> None:
    """With index, journal and snapshots gone, what lies in volumes is served again, and told."""
    fill(s3, "salvaged")
    before = read(s3, "salvaged")
    server.stop()
    for name in ("index", "journal", "snapshots"):
        shutil.rmtree(server.data / name)
    refused = server.manage("rebuild_index")
    assert refused.returncode == 2
    assert "--salvage" in refused.stderr
    found = json.loads(server.manage("rebuild_index", "--salvage", "--dry-run", "--json").stdout)
    assert not (server.data / "index").exists()
    report = server.manage_json("rebuild_index", "--salvage")
    assert report["ok"]
    assert report["records"] == found["records"]
    server.start()
    kept = ("a/b/c/blob", "large")
    after = read(s3, "salvaged")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    released = server.manage("rebuild_index", "--release")
    assert released.returncode == 0
    assert "held no longer" in released.stdout
    server.verify()
