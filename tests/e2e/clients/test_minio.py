"""minio-py, which signs every chunk it sends and composes objects on the server."""

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
    """Answer what tells a story of programs/minio_stories.py to a new bucket."""
    return lambda story: run.story("current", "minio_stories", story, bucket)


def test_objects(tell: Tell) -> None:
    """Objects of a known length and of none are put in parts, found, read by range and listed."""
    tell("objects")


def test_copies(tell: Tell) -> None:
    """Objects are copied with their metadata and with other, and composed of parts of others."""
    tell("copies")


def test_removal(tell: Tell) -> None:
    """Many objects are removed in one request, and what is not there is refused by its code."""
    tell("removal")


def test_presigned(tell: Tell) -> None:
    """Presigned URLs write and read, and a presigned form posts, without credentials."""
    tell("presigned")


def test_posted(tell: Tell) -> None:
    """A form that minio-py signs is posted without credentials, and its policy is kept."""
    tell("posted")


def test_versions(tell: Tell) -> None:
    """Versioning is switched on and off, and every version is listed, read and removed."""
    tell("versions")


def test_tags(tell: Tell) -> None:
    """Tags of an object and of its bucket are set, read and removed."""
    tell("tags")


def test_rules(tell: Tell) -> None:
    """Lifecycle rules are set, read and removed, and an object says when it will expire."""
    tell("rules")
