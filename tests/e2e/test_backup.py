"""A backup made under load, put elsewhere and started there: nothing that was promised is missing.

The same of one that was killed, and of the moment that a snapshot of the file system has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.load import ABSENT, Client, body_of
from tests.e2e.processes import kill, standing, wait_until
from tests.e2e.server import MANAGE, ROOT, Server
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.load import State
    from tests.e2e.wire import Connection

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900 if os.environ.get("S4_TEST_LONG") else 300),
]
LONG = bool(os.environ.get("S4_TEST_LONG"))
KILLS = 25 if LONG else 1
PAUSE_SECONDS = 0 if LONG else 0.05  # of a client between two requests


class Moment(NamedTuple):
    """How far the promises about each key, and what was sent, had come."""

    kept: dict[str, int]
    sent: dict[str, int]


class Remembering(Client):
    """A client that remembers every state that a key has had."""

    def __init__(self, server: Server, bucket: str, name: str) -> None:
        super().__init__(server, bucket, name)
        self.history: dict[str, list[State]] = {}
        self.kept: dict[str, int] = {}

    def _step(self, connection: Connection, number: int) -> None:
        super()._step(connection, number)
        self._ended.wait(PAUSE_SECONDS)

    def _expect(self, key: str, state: State) -> None:
        super()._expect(key, state)
        self.history.setdefault(key, [ABSENT]).append(state)

    def _keep(self, key: str, state: State) -> None:
        super()._keep(key, state)
        self.kept[key] = len(self.history[key]) - 1

    def moment(self) -> Moment:
        """Tell how far it is."""
        sent = {key: len(states) for key, states in dict(self.history).items()}
        return Moment(dict(self.kept), sent)

    def judge_copy(self, copy: Server, before: Moment, after: Moment) -> None:
        """Insist that each key is as it was at some time between two moments."""
        with copy.caller.connect() as connection:
            for key, sent in after.sent.items():
                states = self.history[key][before.kept.get(key, 0) : sent]
                reply = copy.caller.ask("GET", path_of(self.bucket, key), over=connection)
                body = reply.body if reply.status == 200 else None
                assert body is not None or reply.code == "NoSuchKey", f"{key}: {reply}"
                assert any(body == body_of(state) for state in states), f"{key} is none of {states}"


class Buckets:
    """Somebody who makes buckets, puts something into each, and deletes most of them again."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.kept: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Buckets:  # noqa: PYI034  # nobody inherits from it
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        ask = self.server.caller.ask
        for number in count():
            if self._ended.is_set():
                return
            name = f"passing-{number}"
            assert ask("PUT", f"/{name}").status == 200
            assert ask("PUT", f"/{name}/key", name.encode()).status == 200
            if number % 3:
                assert ask("DELETE", f"/{name}/key").status == 204
                assert ask("DELETE", f"/{name}").status == 204
            else:
                self.kept.append(name)


@pytest.fixture(scope="module")
def clients(server: Server) -> Iterator[list[Remembering]]:
    """Let clients write all the time."""
    assert server.caller.ask("PUT", "/load").status == 200
    clients = [Remembering(server, "load", f"client{n}") for n in range(2)]
    for client in clients:
        client.start()
    yield clients
    for client in clients:
        client.stop()
    assert [refusal for client in clients for refusal in client.refusals] == []


def start(server: Server, *arguments: str) -> subprocess.Popen[str]:
    """Start a backup beside a server."""
    return subprocess.Popen(
        [sys.executable, MANAGE, "backup", *arguments],
        cwd=ROOT,
        env=server.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def newest(target: Path) -> Path:
    """Return the newest whole backup."""
    return max(path.parent for path in target.glob("2*/backup.json"))


def started_elsewhere(source: Path, place: Path) -> Server:
    """Put a copy of a data directory somewhere else, and start S4 on it."""
    copy = Server(place, workers="1")
    subprocess.run(["cp", "--archive", "--sparse=always", source, copy.data], check=True)
    copy.start()
    return copy


def end(copy: Server) -> None:
    """Stop it, healthy, and remove what it was started on."""
    try:
        copy.verify()
        copy.stop()
        copy.assert_healthy()
    finally:
        copy.kill_tree()
    shutil.rmtree(copy.data)


def wait_for_promises(clients: list[Remembering], promises: int) -> None:
    """Let the clients write."""
    before = sum(client.promises for client in clients)
    wait_until(lambda: sum(client.promises for client in clients) > before + promises, "writes", 60)


def test_a_backup_under_load_starts_elsewhere_and_lacks_nothing(
    server: Server, clients: list[Remembering], tmp_path: Path
) -> None:
    """Behind one, and several that were killed: sound, with all that was promised before it."""
    # The first stays whole whatever is killed; buckets that come and go never have another's keys.
    target = tmp_path / "target"
    target.mkdir()
    wait_for_promises(clients, 25)
    with Buckets(server) as buckets:
        assert server.manage_json("backup", str(target))["ok"]
        killed_backups(server, target)
        wait_for_promises(clients, 25)
        buckets_before = list(buckets.kept)
        before = [client.moment() for client in clients]
        report = server.manage_json("backup", str(target))
        after = [client.moment() for client in clients]
    assert (report["problems"], report["sql"]) == ([], "sqlite")
    checked = server.manage_json("backup", "--verify", str(target))
    assert checked["backups"] == [path.name for path in sorted(target.glob("2*"))]
    copy = started_elsewhere(newest(target), tmp_path / "elsewhere")
    try:
        for client, first, last in zip(clients, before, after, strict=True):
            client.judge_copy(copy, first, last)
        judge_buckets(copy, {"load", *buckets_before})
    finally:
        end(copy)


def is_begun(process: subprocess.Popen[str], target: Path) -> bool:
    """Tell whether a backup is under way, or has even ended since the last look."""
    code = process.poll()
    assert code in (None, 0), "a backup failed"
    return (target / "unfinished").exists() or code == 0


def killed_backups(server: Server, target: Path) -> None:
    """Kill backups at any moment; insist that the one before is the same to the byte."""
    first = newest(target)
    kept = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    for number in range(KILLS):
        process = start(server, str(target), "--rate", "20M")
        wait_until(partial(is_begun, process, target), "it has begun", 60)
        time.sleep((number * 0.618) % 1.0)
        kill(process.pid)
        process.communicate()
        assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == kept


def judge_buckets(copy: Server, wanted: set[str]) -> None:
    """Insist that buckets are there with what is theirs, and that new ones are empty."""
    s3 = copy.client()
    names = {row["Name"] for row in s3.list_buckets()["Buckets"]}
    assert names >= wanted
    for name in sorted(names - {"load"}):
        keys = [row["Key"] for row in s3.list_objects_v2(Bucket=name).get("Contents", [])]
        assert keys in ([], ["key"])
        if keys:
            assert s3.get_object(Bucket=name, Key="key")["Body"].read() == name.encode()
    for number in range(5):  # numbers that were given since are given again
        s3.create_bucket(Bucket=f"new-{number}")
        assert "Contents" not in s3.list_objects_v2(Bucket=f"new-{number}")
    s3.close()


@pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-long copies stopped processes too")
def test_the_moment_of_a_file_system_snapshot_is_a_store(
    server: Server, clients: list[Remembering], tmp_path: Path
) -> None:
    """Everything at one moment, as a snapshot of the file system has it, starts elsewhere."""
    wait_for_promises(clients, 10)
    before = [client.moment() for client in clients]
    copy = Server(tmp_path / "elsewhere")
    with standing(*(process.pid for process in server.processes())):
        subprocess.run(["cp", "--archive", server.data, copy.data], check=True)
    after = [client.moment() for client in clients]
    try:
        copy.start()
        for client, first, last in zip(clients, before, after, strict=True):
            client.judge_copy(copy, first, last)
    finally:
        end(copy)
