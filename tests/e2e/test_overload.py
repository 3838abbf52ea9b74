"""Too much at once, or too slowly: who holds on is cut, who asks too much is told so.

The rest is served. That drips are cut is seen here in the long form alone: test_edge.py has it
with less patience.
"""

from __future__ import annotations

import itertools
import os
import selectors
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import MemoryWatch, wait_until
from tests.e2e.server import ACCESS_KEY, HOST
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e
DRIPS = 200
LONG = bool(os.environ.get("S4_TEST_LONG"))
HEAD_SECONDS, BODY_SECONDS = 20, 150  # of Limits
MIB = 1024 * 1024
LIMIT = 20
SETTINGS = {"requests_max": "260", "rate_limit_per_bucket": str(LIMIT)}


class Drippers:
    """Connections that send a byte a second each, in one thread, until they are cut."""

    def __init__(self, server: Server, heads: list[bytes]) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self.cut = 0
        for head in heads:
            wire = socket.create_connection((HOST, server.port))
            wire.sendall(head)
            self._sockets.append(wire)
            self._selector.register(wire, selectors.EVENT_READ)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    @contextmanager
    def dripping(self) -> Iterator[Drippers]:
        """Drip while a block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._thread.join()
            for wire in self._sockets:
                wire.close()

    def _drip(self) -> None:
        while not self._ended.wait(1):
            for ready, _ in self._selector.select(0):
                wire = ready.fileobj
                assert isinstance(wire, socket.socket)
                with suppress(ConnectionResetError):
                    if wire.recv(4096):
                        continue
                self._selector.unregister(wire)
                self.cut += 1
            for wire in self._sockets:
                with suppress(OSError):
                    wire.send(b"x")


def latencies(ask: Callable[[], None], seconds: float) -> list[float]:
    """Ask again and again; measure each time."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        ask()
        found.append(time.monotonic() - begin)
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Sign in to the REST API."""
    return log_in(server)


def limit(server: Server, token: str, path: str, rate: int | None) -> None:
    """Set a limit of its own, or take it off."""
    method, body = ("DELETE", None) if rate is None else ("PUT", {"requests_per_second": rate})
    address = f"/admin/{path}/rate-limit"
    assert call(server, method, address, body, token).status == 204
    assert call(server, "GET", address, token=token).body == {"requests_per_second": rate}


def make(server: Server, token: str, name: str, rate: int | None = 0) -> None:
    """Make a bucket without a limit, or with one."""
    assert server.caller.ask("PUT", f"/{name}").status == 200
    limit(server, token, f"buckets/{name}", rate)


def test_two_hundred_that_drip_do_not_disturb_the_rest(
    server: Server, token: str, record_property: Callable[[str, object], None]
) -> None:
    """Beside 200 heads and 200 bodies that drip, every request is answered; they are cut."""
    caller = server.caller
    make(server, token, "drips")
    numbers = itertools.count()

    def ask() -> None:
        path = f"/drips/{next(numbers)}"
        assert caller.ask("PUT", path, b"d" * 5000).status == 200
        assert caller.ask("GET", path).body == b"d" * 5000
        assert caller.ask("GET", "/drips?list-type=2&max-keys=10").status == 200

    before = latencies(ask, 2)
    heads = [b"GET /drips HTTP/1.1\r\nHost: drip\r\nX-Drip: "] * DRIPS
    bodies = [caller.head("PUT", f"/drips/slow-{at}", 100 * MIB) for at in range(DRIPS)]
    with ExitStack() as stack:
        cut = stack.enter_context(Drippers(server, heads).dripping())
        late = stack.enter_context(Drippers(server, bodies).dripping())
        beside = latencies(ask, 3)
        ratio = median(beside) / median(before)
        record_property("latency beside 400 drippers, as a multiple", round(ratio, 2))
        if LONG:
            wait_until(lambda: cut.cut == DRIPS, "dripping heads are cut", HEAD_SECONDS + 20)
            wait_until(lambda: late.cut == DRIPS, "dripping bodies are cut", BODY_SECONDS + 30)
        ask()


def test_too_many_at_once_are_told_to_slow_down(server: Server, token: str) -> None:
    """Beyond the bound requests get a whole 503 SlowDown; those let in, and health, go on."""
    caller = server.caller
    make(server, token, "crowd")
    bound = int(SETTINGS["requests_max"]) * int(server.settings["workers"])
    with ExitStack() as stack, MemoryWatch(server.workers()) as memory:
        crowd = [stack.enter_context(caller.connect()) for _ in range(bound + 40)]
        for at, wire in enumerate(crowd):
            wire.send(caller.head("PUT", f"/crowd/{at}", 10, {"expect": "100-continue"}))
        inside = []
        for wire in crowd:
            status, headers = wire._head()
            if status == 100:
                inside.append(wire)
                continue
            assert (status, headers["retry-after"]) == (503, "1")
            assert b"<Code>SlowDown</Code>" in wire._body("PUT", status, headers)
        assert len(inside) <= bound
        assert get(server, "/minio/health/live") == 200
        for wire in inside:
            wire.send(b"0123456789")
            assert wire.reply("PUT").status == 200
    assert max(memory.growth.values()) < 200 * MIB
    assert caller.ask("GET", "/crowd?list-type=2").status == 200


def get(server: Server, path: str) -> int:
    """Ask without a signature."""
    connection = HTTPConnection(HOST, server.port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def ask_at_once(server: Server, path: str, asked: int) -> Counter[int]:
    """Ask so often, over connections of any worker's; count statuses."""
    caller = server.caller

    def ask(_: int) -> int:
        with caller.connect() as wire:
            return caller.ask("GET", path, over=wire).status

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(ask, range(asked)))


@pytest.mark.parametrize("whose", ["setting", "bucket", "key"])
def test_a_limit_holds_over_all_workers(server: Server, token: str, whose: str) -> None:
    """All workers together let so many requests a second through, by setting, bucket or key."""
    name, asked = f"limited-by-{whose}", 200
    own = {"setting": None, "bucket": LIMIT // 2, "key": 0}[whose]
    make(server, token, name, own)
    (me,) = call(server, "GET", "/admin/users", token=token).body["users"]
    key = f"users/{me['id']}/keys/{ACCESS_KEY}"
    if whose == "key":
        limit(server, token, key, LIMIT)
    try:
        begin = time.monotonic()
        told = ask_at_once(server, f"/{name}", asked)
        seconds = int(time.monotonic()) - int(begin) + 1
    finally:
        limit(server, token, key, None)
    limited = own or LIMIT
    assert told.keys() == {200, 503}
    assert limited <= told[200] <= seconds * (limited + int(server.settings["workers"]) - 1)
    limit(server, token, f"buckets/{name}", 0)
    assert ask_at_once(server, f"/{name}", asked) == {200: asked}
