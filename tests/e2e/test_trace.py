"""The live trace and the figures of the past, over the processes of a real server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from botocore.config import Config

from s4project.meters.columns import FINE, Kind
from s4project.meters.ring import NAME, TIERS, read
from s4project.meters.series import column
from tests.e2e.browsing import Browser
from tests.e2e.every_worker import many
from tests.e2e.processes import wait_until
from tests.e2e.server import Server
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

REQUESTS: Final = 24
STOP_SECONDS: Final = 15  # half of what requests in progress are given


class Watching:
    """A browser that has the stream of the trace open."""

    def __init__(self, server: Server, query: str = "", browser: Browser | None = None) -> None:
        if browser is None:
            browser = Browser(server)
            browser.log_in("root", server.settings["root_password"])
        self.connection = http.client.HTTPConnection("127.0.0.1", server.console_port, timeout=30)
        cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies)
        self.connection.request("GET", f"/trace/events/?{query}", headers={"Cookie": cookie})
        self.reply = self.connection.getresponse()
        self.text = b""

    def __enter__(self) -> Self:
        if self.reply.status == HTTPStatus.OK:
            assert self.reply.headers["Content-Type"] == "text/event-stream"
            assert self.reply.readline().startswith(b"retry:")
        return self

    def __exit__(self, *error: object) -> None:
        self.reply.close()
        self.connection.close()

    def events(self, number: int) -> list[dict[str, Any]]:
        """Read so many events at least; those of one worker may come after another's later ones."""
        found: list[dict[str, Any]] = []
        while len(found) < number:
            text = self.reply.readline()
            assert text, "the stream has ended"
            self.text += text
            if text.startswith(b"data: ["):
                found += json.loads(text.removeprefix(b"data: "))
        return found


def put_over_many_connections(server: Server, bucket: str, first: int = 0) -> list[str]:
    """Put objects, each over a connection of its own, so that every worker serves some."""
    keys = [f"k{number}" for number in range(first, first + REQUESTS)]
    with many(server.caller, REQUESTS) as connections:
        for key, connection in zip(keys, connections, strict=True):
            reply = server.caller.ask("PUT", f"/{bucket}/{key}", b"body", over=connection)
            assert reply.status == 200
    return keys


def test_requests_of_all_workers_are_seen_as_they_end(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """Whoever watches sees each request once, whichever worker serves it, and no secret."""
    with Watching(server, f"bucket={bucket}") as watching:
        keys = put_over_many_connections(server, bucket)
        signer = server.client(config=Config(signature_version="s3v4"))
        url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": keys[0]})
        with urllib.request.urlopen(url) as reply:  # noqa: S310  # our own server's
            assert reply.read() == b"body"
        s3.delete_object(Bucket=bucket, Key="last")
        events = watching.events(len(keys) + 2)
    assert sorted(event["key"] for event in events) == sorted([*keys, keys[0], "last"])
    assert {event["user"] for event in events} == {"root"}
    assert {event["status"] for event in events} == {200, 204}
    put = next(event for event in events if event["operation"] == "PutObject")
    assert put["received"] == 4
    assert 0 < put["first_ms"] <= put["ms"]
    query = url.partition("?")[2]
    secrets = [pair.partition("=")[2] for pair in query.split("&") if "Signature=" in pair]
    assert secrets
    assert not any(secret.encode() in watching.text for secret in secrets)
    assert b"Signature" not in watching.text


def reader_of(server: Server) -> int:
    """Find the worker that reads the one pipe there is: it has it open for reading as well."""
    (pipe,) = (server.data / "trace").glob("*.watch")
    for pid in server.workers():
        for descriptor in Path("/proc", str(pid), "fd").iterdir():
            with suppress(FileNotFoundError):
                if not descriptor.samefile(pipe):
                    continue
                text = descriptor.parent.with_name("fdinfo") / descriptor.name
                flags = text.read_text(encoding="ascii").partition("flags:")[2].split()[0]
                if int(flags, 8) & os.O_ACCMODE == os.O_RDWR:
                    return pid
    raise AssertionError("nobody reads it")


def test_a_worker_that_takes_anothers_place_tells_too(tmp_path: Path) -> None:
    """Who watches sees what a new worker serves, no stop waits, and the past outlives kills."""
    server = Server(tmp_path / "killed")
    server.start()
    try:
        assert server.caller.ask("PUT", "/bucket").status == 200
        with Watching(server, "operation=PutObject") as watching:
            reader = reader_of(server)
            (other,) = [pid for pid in server.workers() if pid != reader]
            ears = {path.name for path in (server.data / "trace").glob("*.ear")}
            os.kill(other, signal.SIGKILL)
            wait_until(lambda: other not in server.workers(), "it is gone")
            wait_until(
                lambda: {path.name for path in (server.data / "trace").glob("*.ear")} - ears,
                "another one listens",
            )
            keys = put_over_many_connections(server, "bucket")
            assert {event["key"] for event in watching.events(len(keys))} == set(keys)
            wait_until(lambda: counted(server) == REQUESTS, "all of them are written")
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < STOP_SECONDS
        assert counted(server) == REQUESTS
    finally:
        server.kill_tree()


def test_the_trace_is_for_superusers_and_ends_with_the_right(server: Server) -> None:
    """A Writer gets none of it, and who is demoted while he watches sees no more soon after."""
    token = log_in(server)
    people = {"writer": "Writer", "boss": "SuperUser"}
    browsers = {}
    for name, role in people.items():
        user = {"username": name, "password": "correct horse battery", "role": role}
        assert call(server, "POST", "/admin/users", user, token).status == 201
        browsers[name] = Browser(server)
        browsers[name].log_in(name, user["password"])
    with Watching(server, browser=browsers["writer"]) as refused:
        assert refused.reply.status == 403
    for query in ("operation=Nothing", "status=9", "slow_ms=-1", "slow_ms=x"):
        with Watching(server, query, browsers["boss"]) as refused:
            assert refused.reply.status == 400
    with Watching(server, "bucket=none", browser=browsers["boss"]) as watching:
        users = call(server, "GET", "/admin/users", token=token).body
        boss = next(user for user in users["users"] if user["username"] == "boss")
        changed = call(server, "PUT", f"/admin/users/{boss['id']}", {"role": "Writer"}, token)
        assert changed.status == 200
        assert b"event: over" in watching.reply.read()


def counted(server: Server) -> int:
    """Count the writes of the last day, by slots of five minutes."""
    now = int(time.time())
    slots = read(server.data / NAME, TIERS[1], now - 86_400, now)
    return sum(words[column(Kind.WRITE, FINE)] for words in slots.values())
