"""A store of an older S4 is brought up to date, whatever cuts that off; one of a newer is refused.

The older S4 is a commit of this repository's history, with fewer tables in SQL and in the index.
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from s4project.meters.ring import HEADER
from tests.e2e.content import content
from tests.e2e.processes import kill
from tests.e2e.server import ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

OLD = "d3887db9"  # no audit log, no tasks, no lock, no quotas, no lifecycle
KILLS = 20 if os.environ.get("S4_TEST_LONG") else 1
SIZES = {"empty": 0, "inline": 100, "a/b/blob": 50_000, "large": 3_000_000}


def old_tree(place: Path) -> Path:
    """Unpack the older S4, where the history has it."""
    found = subprocess.run(["git", "-C", ROOT, "archive", OLD], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"the repository's history does not reach back to {OLD}")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place


class OldServer(Server):
    """A server of the older S4."""

    tree: Path

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start its processes."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "serve", *arguments],
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def old_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Fill a store with the older S4, in each way it had."""
    place = tmp_path_factory.mktemp("old")
    server = OldServer(place / "server")
    server.tree = old_tree(place / "tree")
    try:
        server.start()
        s3 = server.client()
        s3.create_bucket(Bucket="olden")
        s3.create_bucket(Bucket="versions")
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        for key, size in SIZES.items():
            body = content(key, size)
            s3.put_object(Bucket="olden", Key=key, Body=body, Metadata={"key": "kept"})
            s3.put_object(Bucket="versions", Key=key, Body=b"old")
            s3.put_object(Bucket="versions", Key=key, Body=body)
        s3.delete_object(Bucket="versions", Key="inline")
        s3.create_multipart_upload(Bucket="olden", Key="open")
        s3.close()
        server.kill_tree()  # what it had not written out is replayed by the new one
        yield server.data
    finally:
        server.kill_tree()
    shutil.rmtree(place)


def judge(server: Server) -> None:
    """Insist that all the older S4 took is there, and that what is new works on it."""
    s3 = server.client()
    for key, size in SIZES.items():
        reply = s3.get_object(Bucket="olden", Key=key)
        assert (reply["Body"].read(), reply["Metadata"]) == (content(key, size), {"key": "kept"})
    listed = s3.list_object_versions(Bucket="versions")
    assert len(listed["Versions"]) == 2 * len(SIZES)
    assert [row["Key"] for row in listed["DeleteMarkers"]] == ["inline"]
    assert [row["Key"] for row in s3.list_multipart_uploads(Bucket="olden")["Uploads"]] == ["open"]
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket="olden", LifecycleConfiguration={"Rules": [rule]})
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket="locked", Key="k", Body=b"new", ObjectLockLegalHoldStatus="ON")
    s3.close()
    server.verify()


def test_a_store_of_an_older_s4_is_brought_up_to_date_whatever_cuts_it_off(
    old_data: Path, tmp_path: Path
) -> None:
    """Killed again and again in its first start, the new one goes on, and has everything."""
    server = Server(tmp_path / "server")
    shutil.copytree(old_data, server.data, ignore=shutil.ignore_patterns("*.socket"))
    for number in range(KILLS):
        process = server.spawn()
        time.sleep(0.8 + (number * 0.618) % 1.6)
        kill(process.pid)
        server.kill_tree()
        process.wait()
    try:
        server.start()
        judge(server)
        server.stop()
        server.assert_healthy()
    finally:
        server.kill_tree()


def newer_format(data: Path) -> None:
    """Have the marker say so."""
    marker = data / "FORMAT"
    marker.write_text(marker.read_text().replace('"version":2', '"version":3'))


def newer_schema(data: Path) -> None:
    """Have the database have had a migration of the future."""
    with closing(sqlite3.connect(data / "s4.sqlite3")) as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('buckets', '9999_of_the_future', '2099-01-01')"
        )
        database.commit()


def newer_meters(data: Path) -> None:
    """Have the figures over time be of another form."""
    (data / "meters").write_bytes(HEADER[:8] + (99).to_bytes(4, "little"))


NEWER: dict[str, tuple[Callable[[Path], None], str]] = {
    "format": (newer_format, "has format 3"),
    "schema": (newer_schema, "buckets.9999_of_the_future"),
    "meters": (newer_meters, "figures over time"),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Make a store that nobody has open."""
    server = Server(tmp_path_factory.mktemp("newer"))
    server.manage_json("create_bucket", "some")
    (server.data / "serve.lock").touch()  # as after a server
    return server


def everything(data: Path) -> dict[str, bytes]:
    """Read every file of a data directory."""
    return {str(path): path.read_bytes() for path in data.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", list(NEWER))
def test_a_store_of_a_newer_s4_is_refused_and_not_touched(
    stopped: Server, tmp_path: Path, kind: str
) -> None:
    """One line that says what is newer, exit code 2, and not a byte is another."""
    server = Server(tmp_path / "server")
    shutil.copytree(stopped.data, server.data, ignore=shutil.ignore_patterns("*.socket"))
    make_newer, words = NEWER[kind]
    make_newer(server.data)
    before = everything(server.data)
    refused = server.manage("list_users" if kind == "schema" else "serve")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert everything(server.data) == before
