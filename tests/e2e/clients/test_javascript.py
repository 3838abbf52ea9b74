"""AWS's SDK for JavaScript, whose uploads carry their checksums as trailers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import node_story

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.clients.installed import Runner

    Tell = Callable[..., str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def tell(run: Runner, bucket: str) -> Tell:
    """Answer what tells a story of programs/sdk_stories.cjs to a new bucket."""
    return lambda story, *more: node_story(run, "sdk_stories", story, bucket, *more)


def test_objects(tell: Tell) -> None:
    """A buffer, a string and nothing are put with the CRC that the SDK adds, and read back."""
    tell("objects")


def test_streams(tell: Tell) -> None:
    """A stream goes up in chunks with its checksum as a trailer, by each algorithm."""
    tell("streams")


def test_uploads(tell: Tell) -> None:
    """A stream of unknown length is uploaded in parts at the same time, read and copied."""
    tell("uploads")


def test_listings(tell: Tell) -> None:
    """Keys are listed in pages and deleted in one request."""
    tell("listings")


def test_conditions(tell: Tell) -> None:
    """Of several writers who all want to be the first, one is."""
    tell("conditions")


def test_presigned_urls(tell: Tell) -> None:
    """Presigned URLs put and get for anyone, with what was signed into them."""
    tell("presigned")


def test_presigned_posts(tell: Tell) -> None:
    """A presigned form is submitted for anyone, and refused when it breaks its own policy."""
    tell("posts")


def test_versions(tell: Tell) -> None:
    """Versions are kept, listed and read by their ids."""
    tell("versions")


def test_virtual_hosts(tell: Tell, run: Runner) -> None:
    """A bucket is reached as a host name as well as by path."""
    tell("hosts", run.server.domain_url)
