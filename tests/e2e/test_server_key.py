"""The server key is replaced beside a running server, killed at every step, and never half-way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import postgresql
from tests.e2e.server import ROOT, SECRET_KEY, running
from tests.e2e.test_rest import call_over_many
from tests.e2e.test_session_gateway import Page
from tests.e2e.wire import Connection, write_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

PROGRAM = str(Path(__file__).with_name("dying_rotation.py"))
STEPS_MAX = 30
BOTH = ["sqlite", "postgresql"]
IS_LONG = "S4_TEST_LONG" in os.environ
STRIDE = 1 if IS_LONG else 3  # before each step, or before every third
REPLACED = 5 if IS_LONG else 2


@pytest.fixture(params=BOTH)
def rotating(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Run a server on either database."""
    if request.param == "sqlite":
        with running(tmp_path / "server") as server:
            yield server
        return
    if not postgresql.IS_INSTALLED:
        pytest.skip("PostgreSQL is not installed")
    with (
        postgresql.cluster() as cluster,
        running(tmp_path / "server", database_url=cluster.database()) as server,
    ):
        yield server


class Keys:
    """Access keys that were made so far, each of which must open what it opened."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.made: dict[str, str] = {server.settings["access_key_id"]: SECRET_KEY}

    def add(self, answer: dict[str, Any]) -> None:
        """Remember a key."""
        self.made[answer["access_key"]] = answer["secret_key"]

    def check(self) -> None:
        """Insist that the running server takes the newest keys, sealed before and after."""
        for access_key, secret_key in (*self.made.items(),)[-4:]:
            client = self.server.client(
                aws_access_key_id=access_key, aws_secret_access_key=secret_key
            )
            client.list_buckets()
            client.close()


def call(server: Server, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    """Send a POST to the API of the running server."""
    data = json.dumps(body).encode()
    headers = {"host": "console", "content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    with Connection(("127.0.0.1", server.console_port)) as connection:
        connection.send(write_head("POST", f"/api/admin{path}", headers, len(data)) + data)
        reply = connection.reply("POST")
    assert reply.status in {200, 201}, reply.body
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


def make_key_by_worker(server: Server) -> dict[str, Any]:
    """Have a worker of the running server make an access key."""
    root = {"username": "root", "password": server.settings["root_password"]}
    token = call(server, "/login", root)["token"]
    return call(server, "/users/1/keys", {"name": "by a worker"}, token)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rotating", BOTH if IS_LONG else BOTH[:1], indirect=True)
def test_the_key_is_replaced_at_every_step_or_not(rotating: Server) -> None:
    """Killed before any step, all keys work at once, new ones too; the next command settles it."""
    keys = Keys(rotating)
    files = rotating.data / "server.key", rotating.data / "server.key.next"
    replaced = set()
    for step in range(1, STEPS_MAX, STRIDE):
        before = files[0].read_bytes()
        ended = subprocess.run(
            [sys.executable, PROGRAM, str(step)],
            cwd=ROOT,
            env=rotating.environment | {"DJANGO_SETTINGS_MODULE": "s4project.settings"},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode in {0, -9}, ended.stderr.decode()
        keys.check()
        keys.add(make_key_by_worker(rotating))
        keys.add(rotating.manage_json("create_key", "root"))  # its start settles what is open
        assert not files[1].exists()
        replaced.add(files[0].read_bytes() != before)
        keys.check()
        if ended.returncode == 0:
            break
    assert step > 6
    assert replaced == {True, False}
    rotating.restart()
    keys.check()


@pytest.mark.parametrize("rotating", BOTH if IS_LONG else BOTH[1:], indirect=True)
def test_requests_go_on_while_the_key_is_replaced(rotating: Server) -> None:
    """Replaced again and again under load, no request fails."""
    s3 = rotating.client()
    s3.create_bucket(Bucket="load")
    for _ in range(3):
        rotating.manage_json("create_key", "root")
    is_over = threading.Event()
    failures: list[str] = []

    def load() -> None:
        client = rotating.client()
        while not is_over.is_set():
            try:
                client.put_object(Bucket="load", Key="k", Body=b"x")
                client.list_buckets()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told
                failures.append(repr(error))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        seen = set()
        for _ in range(REPLACED):
            answer = rotating.manage_json("rotate_server_key")
            assert answer["secrets"] == 4
            seen.add((rotating.data / "server.key").read_bytes())
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(seen) == REPLACED
    assert (rotating.data / "server.key").stat().st_mode & 0o777 == 0o600


def test_what_hangs_on_the_key_ends_with_it(rotating: Server) -> None:
    """Tokens are worth nothing under another key; one of the new key is good at every worker."""
    root = {"username": "root", "password": rotating.settings["root_password"]}
    token = call(rotating, "/login", root)["token"]
    rotating.manage_json("rotate_server_key")
    with pytest.raises(AssertionError, match="not valid"):
        call(rotating, "/users/1/keys", {"name": "x"}, token)
    token = call(rotating, "/login", root)["token"]
    assert call_over_many(rotating, "/admin/users/1/keys", token, 6, {"name": "x"}) == {201}


@pytest.mark.parametrize("rotating", BOTH[:1], indirect=True)
def test_sessions_end_at_every_door(rotating: Server) -> None:
    """S3 for who is signed in knows no session of the key before, and the first one of the new."""
    page = Page(rotating)
    assert page.ask("GET", "/")[0] == 200
    rotating.manage_json("rotate_server_key")
    assert page.ask("GET", "/")[0] == 401
    assert Page(rotating).ask("GET", "/")[0] == 200
