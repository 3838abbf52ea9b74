"""s5cmd, which does everything with many workers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import installed
from tests.e2e.clients.trees import digests
from tests.e2e.content import content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner

    S5cmd = Callable[..., str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def s5cmd(run: Runner) -> S5cmd:
    """Answer what runs s5cmd."""
    program = ("--endpoint-url", run.server.url, "--retry-count", "0")
    return lambda *arguments, told=None: run(installed("s5cmd"), *program, *arguments, told=told)


def test_a_tree_is_synced_both_ways(s5cmd: S5cmd, bucket: str, files: Path, tmp_path: Path) -> None:
    """`sync` carries a tree up and down unchanged, and then finds nothing to do."""
    s5cmd("sync", "--part-size", "5", f"{files}/", f"s3://{bucket}/a tree/")
    s5cmd("sync", f"s3://{bucket}/a tree/*", f"{tmp_path}/down/")
    assert digests(tmp_path / "down") == digests(files)
    assert s5cmd("sync", "--size-only", f"{files}/", f"s3://{bucket}/a tree/") == ""


def test_many_small_objects_at_once(s5cmd: S5cmd, bucket: str, tmp_path: Path) -> None:
    """A thousand objects go up, are listed, measured, copied and removed by wildcard."""
    for number in range(1100):
        target = tmp_path / "many" / str(number % 10) / f"{number}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content(str(number), 100))
    s5cmd("cp", f"{tmp_path}/many/", f"s3://{bucket}/")
    assert len(s5cmd("ls", f"s3://{bucket}/*").splitlines()) == 1100
    assert s5cmd("du", f"s3://{bucket}/*").startswith("110000 bytes in 1100 objects")
    s5cmd("cp", f"s3://{bucket}/3/*", f"s3://{bucket}/copies/")
    assert len(s5cmd("ls", f"s3://{bucket}/copies/*").splitlines()) == 110
    assert len(s5cmd("rm", f"s3://{bucket}/*").splitlines()) == 1210
    assert "DIR" not in s5cmd("ls", f"s3://{bucket}/")


def test_streams_moves_and_metadata(s5cmd: S5cmd, bucket: str, s3: BaseClient) -> None:
    """A stream is piped in, moved with its metadata, and read out."""
    text = content("s5cmd", 6_000_000).hex()
    given = ("--metadata", "colour=blue", "--content-type", "text/x-test")
    s5cmd("pipe", *given, f"s3://{bucket}/a stream+", told=text.encode())
    assert s3.head_object(Bucket=bucket, Key="a stream+")["Metadata"] == {"colour": "blue"}
    s5cmd("mv", f"s3://{bucket}/a stream+", f"s3://{bucket}/moved/here")
    assert s5cmd("cat", f"s3://{bucket}/moved/here") == text
    assert "moved/here" in s5cmd("--json", "head", f"s3://{bucket}/moved/here")


def test_buckets(s5cmd: S5cmd) -> None:
    """Buckets are made, listed and removed."""
    s5cmd("mb", "s3://made-by-s5cmd")
    assert "s3://made-by-s5cmd" in s5cmd("ls")
    s5cmd("rb", "s3://made-by-s5cmd")
    assert "s3://made-by-s5cmd" not in s5cmd("ls")


def test_versions(s5cmd: S5cmd, bucket: str, s3: BaseClient) -> None:
    """All versions are listed, one is read by its id, and all are removed."""
    s5cmd("bucket-version", "--set", "Enabled", f"s3://{bucket}")
    for text in (b"old", b"newer"):
        s5cmd("pipe", f"s3://{bucket}/versioned", told=text)
    rows = s5cmd("ls", "--all-versions", f"s3://{bucket}/versioned").splitlines()
    assert len(rows) == 2
    old = next(row.split()[-1] for row in rows if " 3 " in row)
    assert s5cmd("cat", "--version-id", old, f"s3://{bucket}/versioned") == "old"
    s5cmd("rm", "--all-versions", f"s3://{bucket}/versioned")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)
