"""A real tree of files, carried there and back by aws s3 sync and rclone.

The tree is taken from the installed packages: thousands of real files of all sizes, and some with
names that clients find hard.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.e2e.clients.aws_cli import aws
from tests.e2e.clients.installed import LONG
from tests.e2e.clients.rclone import rclone
from tests.e2e.clients.trees import digests, write_hard_names
from tests.e2e.content import content
from tests.e2e.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.clients.installed import Runner

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
]

MIB = 1024 * 1024
FILES_MIN = 5000 if LONG else 1500
BYTES_MIN = 200_000_000 if LONG else 60_000_000
SITE_PACKAGES = Path(boto3.__file__).parents[1]


def real_files() -> list[Path]:
    """Choose real files: the largest until there are bytes enough, then others, some thousands."""
    sizes = {
        path: path.stat().st_size
        for path in sorted(SITE_PACKAGES.rglob("*"))
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
    }
    chosen: dict[Path, None] = {}
    total = 0
    for path in sorted(sizes, key=lambda path: -sizes[path]):
        if total >= BYTES_MIN:
            break
        chosen[path] = None
        total += sizes[path]
    for path in sizes:
        if len(chosen) >= FILES_MIN:
            break
        chosen[path] = None
    return list(chosen)


def copy_file(source: Path, target: Path) -> None:
    """Put a file into the tree, as a link where that is possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that nobody else fills."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a tree of so many files and bytes at least."""
    root = tmp_path_factory.mktemp("tree")
    files = real_files()
    for path in files:
        copy_file(path, root / path.relative_to(SITE_PACKAGES))
    write_hard_names(root / "hard names")
    missing = max(0, BYTES_MIN - sum(path.stat().st_size for path in files))
    for number in range(missing // MIB + 1):
        (root / f"made{number}").write_bytes(content(f"made {number}", MIB))
    for number in range(FILES_MIN - len(files)):
        (root / f"small{number}").write_bytes(content(f"small {number}", number % 5000))
    return root


def test_aws_sync_up_and_down_is_the_same(run: Runner, tree: Path, tmp_path: Path) -> None:
    """A tree that `aws s3 sync` uploads and downloads again is the same to the byte."""
    wanted = digests(tree)
    assert len(wanted) >= FILES_MIN
    aws(run, "s3", "mb", "s3://synced")
    aws(run, "s3", "sync", str(tree), "s3://synced/a prefix", "--only-show-errors")
    target = tmp_path / "down"
    aws(run, "s3", "sync", "s3://synced/a prefix", str(target), "--only-show-errors")
    assert digests(target) == wanted
    shutil.rmtree(target)
    again = aws(run, "s3", "sync", str(tree), "s3://synced/a prefix", "--no-progress")
    assert "upload:" not in again, "what is there already is uploaded again"


def test_rclone_sync_finds_no_difference(run: Runner, tree: Path) -> None:
    """A tree that `rclone sync` uploads is found identical by `rclone check --download`."""
    rclone(run, "mkdir", "s4:cloned")
    rclone(run, "sync", str(tree), "s4:cloned/a prefix", "--transfers", "8", "--checkers", "16")
    check = ("check", "--download", str(tree), "s4:cloned/a prefix", "--checkers", "16")
    assert "0 differences found" in rclone(run, *check)
    again = rclone(run, "sync", str(tree), "s4:cloned/a prefix", "-v", "--checkers", "16")
    assert "Copied (" not in again, "what is there already is uploaded again"


def test_the_trees_take_few_files_and_little_disk(server: Server, tree: Path) -> None:
    """Thousands of objects lie in a handful of files, at no more than what they weigh."""
    s3 = server.client()
    rows = [
        row
        for bucket in s3.list_buckets()["Buckets"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
        for row in page.get("Contents", [])
    ]
    s3.close()
    assert len(rows) >= FILES_MIN, "the syncs have filled it"
    stored = sum(row["Size"] for row in rows)
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert len(files) < 60
    payloads = server.disk_bytes("volumes")
    assert payloads < 1.05 * stored + 16 * MIB, "what is equal is kept once, the rest as it is"
    # Journal and index are bounded by time and use, not by what is stored: some segments of 32 MiB,
    # and the pages replaced since the last checkpoints.
    assert server.disk_bytes() - payloads < 384 * MIB
    assert server.log.stat().st_size < MIB
