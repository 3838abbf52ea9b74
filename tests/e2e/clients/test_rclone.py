"""rclone, the system's and today's: streams, server-side moves, hashes, links and versions."""

from __future__ import annotations

import hashlib
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.rclone import VERSIONS, command, rclone
from tests.e2e.clients.trees import LARGE, digests
from tests.e2e.content import content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.clients.installed import Runner

    Rclone = Callable[..., str]

pytestmark = pytest.mark.e2e

SMALL_PARTS = ("--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", "--s3-copy-cutoff", "6M")


@pytest.fixture(params=VERSIONS)
def do(run: Runner, request: pytest.FixtureRequest) -> Rclone:
    """Answer what runs each rclone in turn."""
    command(request.param)
    return lambda *arguments, told=None: rclone(
        run, *arguments, *SMALL_PARTS, version=request.param, told=told
    )


def test_a_tree_is_synced_both_ways(do: Rclone, bucket: str, files: Path, tmp_path: Path) -> None:
    """Files with hard names, an empty one and one of parts survive `sync` up, across and down."""
    do("sync", str(files), f"s4:{bucket}/a tree", "--checksum")
    do("sync", f"s4:{bucket}/a tree", f"s4:{bucket}/another tree")
    do("sync", f"s4:{bucket}/another tree", str(tmp_path / "down"))
    assert digests(tmp_path / "down") == digests(files)
    said = do("check", str(files), f"s4:{bucket}/another tree")
    assert "0 differences found" in said
    assert "hashes could not be checked" not in said, "each object has its MD5"


def test_streams_moves_and_reads(do: Rclone, bucket: str, files: Path) -> None:
    """A stream of unknown length goes up, moves on the server, and is read in part."""
    text = content("rclone", 6_000_000).hex()
    do("rcat", f"s4:{bucket}/a stream", told=text.encode())
    do("moveto", f"s4:{bucket}/a stream", f"s4:{bucket}/folder/moved")
    assert do("lsf", "-R", "--files-only", f"s4:{bucket}") == "folder/moved\n"
    assert do("cat", f"s4:{bucket}/folder/moved") == text
    assert do("cat", "--offset", "-10", f"s4:{bucket}/folder/moved") == text[-10:]
    do("copyto", str(files / LARGE), f"s4:{bucket}/large")
    md5 = hashlib.md5((files / LARGE).read_bytes(), usedforsecurity=False).hexdigest()
    assert do("md5sum", f"s4:{bucket}/large").split() == [md5, "large"]


def test_times_and_metadata(do: Rclone, bucket: str, files: Path, tmp_path: Path) -> None:
    """Modification times are kept, changed in place, and given back."""
    source = tmp_path / "dated"
    source.write_bytes(b"dated")
    do("copyto", str(source), f"s4:{bucket}/dated", "--header-upload", "Cache-Control: max-age=7")
    do("touch", "--timestamp", "2001-02-03T04:05:06", f"s4:{bucket}/dated")
    assert "2001-02-03 04:05:06" in do("lsl", f"s4:{bucket}")
    do("copyto", f"s4:{bucket}/dated", str(tmp_path / "back"))
    assert (tmp_path / "back").stat().st_mtime == 981173106


def test_a_link_is_read_by_anyone(do: Rclone, bucket: str) -> None:
    """`link` presigns a URL that a client without credentials reads."""
    do("rcat", f"s4:{bucket}/for + you", told=b"here")
    link = do("link", "--expire", "1m", f"s4:{bucket}/for + you").split()[0]
    with urllib.request.urlopen(link, timeout=30) as reply:  # noqa: S310  # our own server's
        assert reply.read() == b"here"


def test_buckets_are_made_and_purged(do: Rclone, bucket: str, files: Path) -> None:
    """Buckets are made by copying into them, and purged with all that is in them."""
    do("copy", str(files / "sub dir"), f"s4:{bucket}-made/deep/er")
    assert f"{bucket}-made" in do("lsd", "s4:")
    assert '"count":2' in do("size", "--json", f"s4:{bucket}-made")
    do("purge", f"s4:{bucket}-made")
    assert f"{bucket}-made" not in do("lsd", "s4:")


def test_versions(do: Rclone, bucket: str) -> None:
    """Old versions are listed with their times, read, and removed by `cleanup-hidden`."""
    do("backend", "versioning", f"s4:{bucket}", "Enabled")
    for text in (b"old", b"newer"):
        do("rcat", f"s4:{bucket}/k.txt", told=text)
    rows = do("lsf", "--s3-versions", f"s4:{bucket}").split()
    assert len(rows) == 2
    old = next(row for row in rows if row != "k.txt")
    assert do("cat", "--s3-versions", f"s4:{bucket}/{old}") == "old"
    do("deletefile", f"s4:{bucket}/k.txt")
    assert do("lsf", f"s4:{bucket}") == ""
    do("backend", "cleanup-hidden", f"s4:{bucket}")
    assert do("lsf", "--s3-versions", f"s4:{bucket}") == ""
