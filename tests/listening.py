"""A webhook of the tests: a real HTTP server that takes, refuses, redirects, hangs or drips."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HANGS, DRIPS, HANGS_UP = "hangs", "drips", "hangs up"


class Webhook:
    """What came, and what to do with it: `plan` is used up first, then everything is taken.

    A plan's step is a status, or one of HANGS, DRIPS, HANGS_UP.
    """

    def __init__(self) -> None:
        self.plan: list[int | str] = []
        self.requests: list[dict[str, Any]] = []  # all, with headers
        self.taken: list[dict[str, Any]] = []  # entries of those that were answered well
        self.port = free_port()
        self.is_closing = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/s4?from=tests"

    @property
    def ids(self) -> list[int]:
        """The ids of the entries taken, in order."""
        return [entry["id"] for entry in self.taken]

    @contextmanager
    def listening(self) -> Iterator[Webhook]:
        """Listen until the block ends, on the same port each time."""
        self.is_closing.clear()
        server = _Server(("127.0.0.1", self.port), _Handler)
        server.webhook = self
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.is_closing.set()
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    webhook: Webhook


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Take a batch, by plan."""
        webhook = self.server.webhook
        body = self.rfile.read(int(self.headers["Content-Length"]))
        entries = json.loads(body)["entries"]
        webhook.requests.append(
            {"path": self.path, "headers": dict(self.headers), "entries": entries}
        )
        step = webhook.plan.pop(0) if webhook.plan else 200
        if step == HANGS_UP:
            self.close_connection = True
        elif step == HANGS:
            webhook.is_closing.wait(60)
        elif step == DRIPS:
            self._drip()
        else:
            assert isinstance(step, int), "a status"
            if step in range(200, 300):
                webhook.taken += entries
            self._answer(step)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status in range(300, 400):
            self.send_header("Location", f"http://127.0.0.1:{self.server.webhook.port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        """Send a header's byte now and then, for ever."""
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not self.server.webhook.is_closing.is_set():
                self.wfile.write(b"x")
                time.sleep(0.02)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Say nothing."""
