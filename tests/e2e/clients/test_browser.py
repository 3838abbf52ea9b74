"""A real browser on a page of another origin: forms that people submit, and fetches by CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import node_story, system

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.clients.installed import Runner

    Tell = Callable[[str], str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def tell(run: Runner, bucket: str) -> Tell:
    """Answer what tells a story of programs/browser_stories.cjs to a new bucket."""
    chromium = system("chromium")
    return lambda story: node_story(run, "browser_stories", story, bucket, CHROMIUM=chromium)


def test_a_form_is_submitted(tell: Tell) -> None:
    """A person picks a file, submits a presigned form, and is sent on to a page told the key."""
    tell("form")


def test_a_form_too_late_is_refused(tell: Tell) -> None:
    """A form whose policy has run out shows the browser an error, and nothing is stored."""
    tell("expired")


def test_a_page_puts_and_gets_by_fetch(tell: Tell) -> None:
    """A page of another origin puts and gets once the bucket's rules let it, and not before."""
    tell("fetches")
