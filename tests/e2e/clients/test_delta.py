"""deltalake, whose tables are whole only if of several conditional puts exactly one succeeds."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import CLIENT_SECONDS, LEAVE, PROGRAMS, interpreter

if TYPE_CHECKING:
    from tests.e2e.clients.installed import Runner

pytestmark = pytest.mark.e2e

WRITERS = 4


def test_every_concurrent_commit_is_in_the_table_exactly_once(run: Runner, bucket: str) -> None:
    """Several processes append to one table at once, and none of their commits is lost or twice."""
    uri = f"s3://{bucket}/a table"
    run.story("current", "delta_stories", "create", uri)
    code = f"import sys, delta_stories; delta_stories.append(*sys.argv[1:]); {LEAVE}"
    writers = [
        subprocess.Popen(
            [interpreter("current"), "-c", code, uri, str(number)],
            env=run.environment | {"PYTHONPATH": str(PROGRAMS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for number in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None, "it is a pipe"
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None, "it is a pipe"
        writer.stdin.close()
        writer.stdin = None
    said = [writer.communicate(timeout=CLIENT_SECONDS)[0].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS, "\n".join(said)
    run.story("current", "delta_stories", "judge", uri, str(WRITERS))


def test_a_table_lives(run: Runner, bucket: str) -> None:
    """A table is appended to, deleted from, merged into, compacted, vacuumed and read as it was."""
    run.story("current", "delta_stories", "life", f"s3://{bucket}/a table")
