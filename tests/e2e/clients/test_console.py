"""The console in a real browser, under its security policy, which blocks nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import LONG, node_story, system

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner
    from tests.e2e.server import Server

    Tell = Callable[..., str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def tell(run: Runner, server: Server, bucket: str) -> Tell:
    """Answer what tells a story of programs/console_stories.cjs, or of another program."""
    environment = {
        "BUCKET": bucket,
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    return lambda story, program="console_stories": node_story(run, program, story, **environment)


def test_every_control_works(tell: Tell) -> None:
    """Menus, themes, search, filters, date pickers, choices, windows and actions do their work."""
    tell("controls")


@pytest.mark.parametrize("story", ["policy", "phone", *(["user", "simulator"] if LONG else [])])
def test_identity_pages_help_and_fit(tell: Tell, story: str) -> None:
    """Policies are written with help, a user's rights are told, and all of it fits a phone."""
    tell(story, "identity_stories")


@pytest.mark.parametrize("story", ["lock", "lifecycle", *(["quota", "phone"] if LONG else [])])
def test_governance_is_done_by_hand(tell: Tell, s3: BaseClient, bucket: str, story: str) -> None:
    """Versions, locks, lifecycle rules and quotas are set, tried and told in a bucket's pages."""
    for key in ("kept.txt", "logs/a.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"text")
    tell(story, "governance_stories")
