"""s3fs, the file system of fsspec that pandas, dask and others read and write through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.clients.installed import Runner

    Tell = Callable[[str], str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def tell(run: Runner, bucket: str) -> Tell:
    """Answer what tells a story of programs/fsspec_stories.py to a new bucket."""
    return lambda story: run.story("current", "fsspec_stories", story, bucket)


def test_reading_and_writing(tell: Tell) -> None:
    """Files are written in blocks, read by seeking, and appended to."""
    tell("reading_and_writing")


def test_walking(tell: Tell) -> None:
    """Folders that are only prefixes are listed, found, globbed, walked and measured."""
    tell("walking")


def test_moving(tell: Tell) -> None:
    """Trees are put, copied, moved, got back and removed."""
    tell("moving")


def test_metadata(tell: Tell) -> None:
    """Metadata is set and changed in place, and a signed link is read by anyone."""
    tell("metadata")


def test_archives(tell: Tell) -> None:
    """A zip archive is written into the bucket, and one member is read from it by ranges."""
    tell("archives")


def test_exclusive(tell: Tell) -> None:
    """A file opened to be created is created once."""
    tell("exclusive")


def test_versions(tell: Tell) -> None:
    """A file system that knows versions lists them, and reads an old one."""
    tell("versions")


def test_tags(tell: Tell) -> None:
    """Tags are put, merged and read."""
    tell("tags")
