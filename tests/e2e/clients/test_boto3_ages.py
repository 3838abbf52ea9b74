"""boto3 of 2023 and of today: the same stories, with Content-MD5 then and CRC trailers now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import interpreter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.clients.installed import Runner

    Tell = Callable[[str], str]

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["boto3-old", "own"], ids=["1.26", "1.44"])
def tell(run: Runner, bucket: str, request: pytest.FixtureRequest) -> Tell:
    """Answer what tells a story of programs/boto3_stories.py with each boto3, to a new bucket."""
    interpreter(request.param)
    return lambda story: run.story(request.param, "boto3_stories", story, bucket)


def test_hard_keys(tell: Tell) -> None:
    """Keys that are hard to write in URLs and XML are put, listed, copied, read and deleted."""
    tell("hard_keys")


def test_large_objects(tell: Tell) -> None:
    """A large object goes up in parts, is copied in parts, and comes down in parts and ranges."""
    tell("large_objects")


def test_thousands_of_keys(tell: Tell) -> None:
    """Listings page over more keys than one reply holds, and all go in as few requests."""
    tell("thousands_of_keys")


def test_presigned_urls(tell: Tell) -> None:
    """Presigned URLs write, read and delete an object for a client that has no credentials."""
    tell("presigned_urls")


def test_presigned_posts(tell: Tell) -> None:
    """A presigned form, posted by a client without credentials, makes the object."""
    tell("presigned_posts")


def test_errors(tell: Tell) -> None:
    """Refusals are the exceptions that programs catch."""
    tell("errors")


def test_waiters(tell: Tell) -> None:
    """The waiters see an object come and go."""
    tell("waiters")


def test_versions(tell: Tell) -> None:
    """Versions pile up, are listed and read, and an older one is brought back by a copy."""
    tell("versions")


def test_tags(tell: Tell) -> None:
    """Tags given at the upload and later are the object's, and are counted when it is read."""
    tell("tags")


def test_cors(tell: Tell) -> None:
    """Rules for browsers are written, read and removed."""
    tell("cors")


def test_acls(tell: Tell) -> None:
    """The owner reads the ACLs of a bucket and an object: it is his, and he has full control."""
    tell("acls")
