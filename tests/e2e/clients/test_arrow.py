"""pyarrow, whose S3 client is AWS's SDK for C++."""

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
    """Answer what tells a story of programs/arrow_stories.py to a new bucket."""
    return lambda story: run.story("current", "arrow_stories", story, bucket)


def test_streams(tell: Tell) -> None:
    """A large stream is written in parts with metadata, and read whole and by seeking."""
    tell("streams")


def test_folders(tell: Tell) -> None:
    """Folders are made, listed, copied, moved and removed with all that is in them."""
    tell("folders")


def test_datasets(tell: Tell) -> None:
    """A partitioned data set is written with odd values, and read with filters as it was."""
    tell("datasets")


def test_buckets(tell: Tell) -> None:
    """Buckets are made and removed as folders at the top."""
    tell("buckets")
