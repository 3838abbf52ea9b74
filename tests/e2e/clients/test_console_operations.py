"""Operations and Settings by hand in a real browser: tasks, uploads, the map, health, settings."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("story", ["tasks", "uploads", "reading"])
def test_operations_are_done_by_hand(
    run: Runner, server: Server, s3: BaseClient, bucket: str, story: str
) -> None:
    """Tasks are started, watched and stopped, uploads aborted, and all of it is to be read."""
    for number in range(30):
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=os.urandom(100_000))
    for key in ("<b>\r\n//..", "a/../b", "plain"):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        part = {"PartNumber": 1, "Body": b"x" * 100_000}
        s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, **part)
    environment = {
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    node_story(run, "operations_stories", story, **environment)
