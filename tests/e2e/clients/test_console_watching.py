"""The charts of the first page and the live trace by hand in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import LONG, node_story, system

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner
    from tests.e2e.server import Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-console tells these stories"),
]


@pytest.mark.parametrize("story", ["charts", "trace", "phone"])
def test_what_happens_is_watched(
    run: Runner, server: Server, s3: BaseClient, bucket: str, story: str
) -> None:
    """Charts tell what was done in lines, words and tables, and the trace what is being done."""
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=b"x" * 10_000)
    environment = {
        "BUCKET": bucket,
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    node_story(run, "watching_stories", story, **environment)
