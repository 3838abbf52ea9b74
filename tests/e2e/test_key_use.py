"""When access keys were last used, as a running server tells: truly, and at no cost in rest."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import wait_until
from tests.e2e.server import Server, running
from tests.e2e.signing import Signer
from tests.e2e.wire import Caller

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

LONG = bool(os.environ.get("S4_TEST_LONG"))
MINUTE = 60
_numbers = count(1)


class Key:
    """An access key of a user of its own, at one server."""

    def __init__(self, server: Server, *options: str) -> None:
        self.server = server
        self.username = f"user{next(_numbers)}"
        server.manage_json("create_user", self.username, "--role", "Writer")
        made = server.manage_json("create_key", self.username, *options)
        signer = Signer(made["access_key"], made["secret_key"])
        self.caller = Caller(server.caller.address, signer)

    def use(self, times: int = 1) -> float:
        """List buckets; answer when that was done last."""
        for _ in range(times):
            assert self.caller.ask("GET", "/").status == 200
        return time.time()

    def used_at(self) -> float | None:
        """Read when the key was last used, as S4 tells it."""
        (row,) = self.server.manage_json("list_keys", self.username)
        moment = row["last_used_at"]
        return None if moment is None else datetime.fromisoformat(moment).timestamp()


def database_files(server: Server) -> dict[str, tuple[int, int]]:
    """Read when each file of the database was written, and how large it is."""
    return {
        path.name: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in server.data.glob("s4.sqlite3*")
        if not path.name.endswith("-shm")  # readers' marks, in memory
    }


def test_the_first_use_is_told_within_seconds_and_then_there_is_rest(tmp_path: Path) -> None:
    """The first use after a rest is written at once, an unused key has none, then nothing is."""
    with running(tmp_path, workers="1") as server:
        key, other = Key(server), Key(server)
        before = time.time()
        used = key.use(20)
        wait_until(key.used_at, "the use is written")
        moment = key.used_at()
        assert moment is not None
        assert before - 0.01 <= moment <= used
        assert other.used_at() is None

        def rests() -> bool:
            files = database_files(server)
            time.sleep(3)
            return database_files(server) == files

        wait_until(rests, "nothing is written")  # once the connection that wrote it is closed


def test_a_refused_request_is_no_use_and_a_denied_one_is(server: Server) -> None:
    """Who has not the secret or comes too late leaves no trace; who may not, but is he, does."""
    key, other = Key(server), Key(server)
    signer = key.caller.signer
    for wrong in (replace(signer, secret_key="x" * 40), replace(signer, clock_offset=-3600)):
        assert replace(key.caller, signer=wrong).ask("GET", "/").status == 403
    root = server.caller
    assert root.ask("PUT", "/of-root").status == 200
    assert other.caller.ask("GET", "/of-root").status == 403
    server.restart()  # which writes what is noted
    assert key.used_at() is None
    assert other.used_at() is not None


def test_an_orderly_end_writes_the_last_use(tmp_path: Path) -> None:
    """A use seconds before the server ends is there afterwards."""
    with running(tmp_path, workers="1") as server:
        key = Key(server)
        key.use()
        wait_until(key.used_at, "the use is written")
        first, before = key.used_at(), time.time()
        used = key.use()
        assert key.used_at() == first, "it is not yet written"
        server.stop()
        moment = key.used_at()
        assert moment is not None
        assert before - 0.01 <= moment <= used
        server.start()


def test_a_killed_worker_loses_no_more_than_its_last_minute(tmp_path: Path) -> None:
    """After SIGKILL what was written stands, and it is less than a minute old."""
    with running(tmp_path, workers="1") as server:
        key = Key(server)
        key.use()
        wait_until(key.used_at, "the use is written")
        used = key.use()
        server.kill_tree()
        moment = key.used_at()
        assert moment is not None
        assert used - MINUTE < moment <= used
        server.start()


@pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-long watches for two minutes")
def test_a_key_in_constant_use_is_written_every_minute(tmp_path: Path) -> None:
    """Through minutes of use the last one written is at most a minute old, and nothing else is."""
    server = Server(tmp_path, workers="1")
    try:
        server.start()
        key = Key(server)
        key.use()
        wait_until(key.used_at, "the use is written")
        changes, files, end = 0, database_files(server), time.time() + 2.2 * MINUTE
        while time.time() < end:
            used = key.use()
            if (now := database_files(server)) != files:
                changes, files = changes + 1, now
            time.sleep(0.5)
        server.kill_tree()
        moment = key.used_at()
        assert moment is not None
        assert used - MINUTE - 1 < moment <= used
        assert changes <= 3
    finally:
        server.kill_tree()
