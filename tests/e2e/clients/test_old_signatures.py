"""Clients that sign as AWS did first, against a server whose settings let them."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.aws_cli import aws
from tests.e2e.clients.s3cmd import s3cmd_of
from tests.e2e.clients.trees import HARD_NAMES, digests
from tests.e2e.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.clients.installed import Runner

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that accepts Signature Version 2."""
    with running(tmp_path_factory.mktemp("server"), signature_v2="true") as server:
        yield server


def read(link: str) -> bytes:
    """Read a link as anyone can."""
    with urllib.request.urlopen(link.strip(), timeout=30) as reply:  # noqa: S310  # our own server's
        return reply.read()


def test_s3cmd_syncs_a_tree_and_signs_links(
    run: Runner, bucket: str, files: Path, tmp_path: Path
) -> None:
    """With `signature_v2`, s3cmd carries a tree both ways, and `signurl` makes links."""
    s3cmd = s3cmd_of(run, "signature_v2 = True")
    s3cmd("sync", f"{files}/", f"s3://{bucket}/a tree/")
    s3cmd("sync", f"s3://{bucket}/a tree/", f"{tmp_path}/down/")
    assert digests(tmp_path / "down") == digests(files)
    for name in HARD_NAMES[:4]:
        link = s3cmd("signurl", f"s3://{bucket}/a tree/{name}", "+60")
        assert read(link) == (files / name).read_bytes()
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")


def test_the_cli_presigns_without_a_setting(run: Runner, bucket: str) -> None:
    """Version 1 of the AWS CLI presigns by Signature Version 2 where nothing tells it otherwise."""
    run.config.write_text("[default]\n")
    aws(run, "s3", "cp", "-", f"s3://{bucket}/for + you.txt", told=b"here")
    link = aws(run, "s3", "presign", f"s3://{bucket}/for + you.txt")
    assert "AWSAccessKeyId=" in link
    assert read(link) == b"here"


def test_boto3_of_old_posts_and_presigns(run: Runner, bucket: str) -> None:
    """The forms and URLs of a boto3 that is told nothing are accepted."""
    for story in ("presigned_urls", "presigned_posts"):
        run.story("boto3-old", "boto3_stories", story, bucket, SIGNATURE_VERSION="s3")
