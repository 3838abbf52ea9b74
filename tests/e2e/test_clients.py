"""Clients that people use, unmodified, on a real tree of files: aws s3 sync and rclone.

The tree is taken from the installed packages: thousands of real files of all sizes, and some with
names that clients find hard.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.e2e.content import content
from tests.e2e.server import ACCESS_KEY, SECRET_KEY, clean_environment

if TYPE_CHECKING:
    from tests.e2e.server import Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
]

MIB = 1024 * 1024
FILES_MIN = 5000
BYTES_MIN = 200_000_000
CLIENT_SECONDS = 600
SITE_PACKAGES = Path(boto3.__file__).parents[1]
HARD_NAMES = (
    "with space.txt",
    "plus+plus.txt",
    "per%20cent%.txt",
    "\u00fcml\u00e4ut \u4f60\u597d \U0001f600.txt",
    "quote'quote\"quote.txt",
    "semi;colon,comma=equals&and#hash?.txt",
    "...dots...",
    "sub dir/deeper dir/~tilde",
    "empty",
)


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
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a tree of at least 5,000 files and 200 MB."""
    root = tmp_path_factory.mktemp("tree")
    files = real_files()
    for path in files:
        copy_file(path, root / path.relative_to(SITE_PACKAGES))
    for name in HARD_NAMES:
        target = root / "hard names" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"" if name == "empty" else name.encode())
    missing = max(0, BYTES_MIN - sum(path.stat().st_size for path in files))
    for number in range(missing // MIB + 1):
        (root / f"made{number}").write_bytes(content(f"made {number}", MIB))
    for number in range(FILES_MIN - len(files)):
        (root / f"small{number}").write_bytes(content(f"small {number}", number % 5000))
    return root


def digests(root: Path) -> dict[str, str]:
    """Hash every file of a tree, by its path."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(root))] = digest
    return found


def run(arguments: list[str], environment: dict[str, str], told: bytes | None = None) -> str:
    """Run a client, which must succeed; answer what it said."""
    result = subprocess.run(
        arguments,
        env=clean_environment() | environment,
        input=told,
        capture_output=True,
        timeout=CLIENT_SECONDS,
        check=False,
    )
    said = (result.stdout + result.stderr).decode()
    assert result.returncode == 0, f"{arguments}: {said[-4000:]}"
    return said


def aws(server: Server, *arguments: str, told: bytes | None = None) -> str:
    """Run the AWS command line, perhaps with something on its standard input.

    Without the setting it would presign by Signature Version 2, as it does for old buckets of AWS.
    """
    config = server.directory / "aws-config"
    config.write_text("[default]\ns3 =\n    signature_version = s3v4\n")
    return run(
        [sys.executable, "-m", "awscli", "--endpoint-url", server.url, *arguments],
        {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": server.settings["region"],
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(config),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "PYTHONWARNINGS": "ignore",
        },
        told,
    )


def rclone(server: Server, *arguments: str) -> str:
    """Run rclone with a remote called s4."""
    config = server.directory / "rclone.conf"
    config.touch()
    program = shutil.which("rclone")
    assert program, "rclone is needed: apt-get install rclone, or https://rclone.org/install/"
    return run(
        [program, *arguments, "--retries", "1", "--low-level-retries", "1"],
        {
            "RCLONE_CONFIG": str(config),
            "RCLONE_CONFIG_S4_TYPE": "s3",
            "RCLONE_CONFIG_S4_PROVIDER": "Other",
            "RCLONE_CONFIG_S4_ENDPOINT": server.url,
            "RCLONE_CONFIG_S4_ACCESS_KEY_ID": ACCESS_KEY,
            "RCLONE_CONFIG_S4_SECRET_ACCESS_KEY": SECRET_KEY,
            "RCLONE_CONFIG_S4_REGION": server.settings["region"],
        },
    )


def test_aws_sync_up_and_down_is_the_same(server: Server, tree: Path, tmp_path: Path) -> None:
    """A tree that `aws s3 sync` uploads and downloads again is the same to the byte."""
    wanted = digests(tree)
    assert len(wanted) >= FILES_MIN
    aws(server, "s3", "mb", "s3://synced")
    aws(server, "s3", "sync", str(tree), "s3://synced/a prefix", "--only-show-errors")
    target = tmp_path / "down"
    aws(server, "s3", "sync", "s3://synced/a prefix", str(target), "--only-show-errors")
    assert digests(target) == wanted
    shutil.rmtree(target)
    again = aws(server, "s3", "sync", str(tree), "s3://synced/a prefix", "--no-progress")
    assert "upload:" not in again, "what is there already is uploaded again"


@pytest.mark.skipif(
    shutil.which("rclone") is None and "CI" not in os.environ,
    reason="rclone is not on this machine: apt-get install rclone, or rclone.org/install",
)
def test_rclone_sync_finds_no_difference(server: Server, tree: Path) -> None:
    """A tree that `rclone sync` uploads is found identical by `rclone check --download`."""
    rclone(server, "mkdir", "s4:cloned")
    rclone(server, "sync", str(tree), "s4:cloned/a prefix", "--transfers", "8", "--checkers", "16")
    said = rclone(
        server, "check", "--download", str(tree), "s4:cloned/a prefix", "--checkers", "16"
    )
    assert "0 differences found" in said
    again = rclone(server, "sync", str(tree), "s4:cloned/a prefix", "-v", "--checkers", "16")
    assert "Copied (" not in again, "what is there already is uploaded again"


def test_the_aws_command_line_does_the_rest(server: Server, tmp_path: Path) -> None:
    """Buckets, streams, moves, listings, presigned links and deletes work from `aws s3`."""
    text = content("from standard input", 9 * MIB).hex()
    aws(server, "s3", "mb", "s3://toured")
    aws(server, "s3", "cp", "-", "s3://toured/from stdin", told=text.encode())
    assert aws(server, "s3", "cp", "s3://toured/from stdin", "-") == text
    aws(server, "s3", "cp", "s3://toured/from stdin", "s3://toured/a/copy", "--acl", "private")
    aws(server, "s3", "mv", "s3://toured/a/copy", "s3://toured/a/b/moved+.txt")
    listed = aws(server, "s3", "ls", "s3://toured", "--recursive", "--summarize")
    assert "a/b/moved+.txt" in listed
    assert "Total Objects: 2" in listed
    assert "PRE a/" in aws(server, "s3", "ls", "s3://toured/")
    link = aws(server, "s3", "presign", "s3://toured/a/b/moved+.txt").strip()
    with urllib.request.urlopen(link, timeout=30) as reply:  # noqa: S310  # our own server's
        assert reply.read().decode() == text
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        source = tmp_path / algorithm
        source.write_bytes(content(algorithm, 9 * MIB))
        target = f"s3://toured/sums/{algorithm}"
        aws(server, "s3", "cp", str(source), target, "--checksum-algorithm", algorithm)
    aws(server, "s3", "rm", "s3://toured", "--recursive", "--only-show-errors")
    aws(server, "s3", "rb", "s3://toured")
    assert "toured" not in aws(server, "s3", "ls")


def test_rclone_does_the_rest(server: Server, tmp_path: Path) -> None:
    """Streams, listings, server-side moves and deletes work from rclone."""
    source = tmp_path / "large"
    source.write_bytes(content("rclone", 20 * MIB))
    small_parts = ("--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    rclone(server, "copyto", str(source), "s4:explored/a b/large", *small_parts)
    rclone(server, "moveto", "s4:explored/a b/large", "s4:explored/c/d", "--s3-copy-cutoff", "6M")
    assert rclone(server, "lsf", "-R", "--files-only", "s4:explored") == "c/d\n"
    rclone(server, "copyto", "s4:explored/c/d", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    rclone(server, "purge", "s4:explored")
    assert "explored" not in rclone(server, "lsd", "s4:")


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
