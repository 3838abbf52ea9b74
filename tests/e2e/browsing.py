"""A browser without a window: the console's pages and forms as a person's browser asks for them."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.server import Server


class Browser:
    """A browser's session with the console: cookies kept, redirects followed, no foreign host."""

    def __init__(self, server: Server) -> None:
        self.root = f"http://127.0.0.1:{server.console_port}"
        self.cookies = http.cookiejar.CookieJar()
        handler = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(handler)

    def open(self, request: urllib.request.Request) -> tuple[str, str]:
        """Send a request; answer the page its redirects end at, and that page's URL."""
        with self.opener.open(request, timeout=30) as reply:
            return reply.read().decode(), reply.geturl()

    def get(self, path: str) -> tuple[str, str]:
        """Open a page."""
        return self.open(urllib.request.Request(self.root + path))  # noqa: S310  # our own server's

    def log_in(self, username: str, password: str) -> str:
        """Fill in the form that a stranger is sent to; answer the page behind it."""
        return self.fill_in("/", username=username, password=password)

    def fill_in(self, path: str, **fields: str) -> str:
        """Send the form of a page; answer the page behind it."""
        return self.send(path, "", **fields)

    def send(self, path: str, target: str, **fields: str) -> str:
        """Send a form of a page to where it goes (empty: the page); answer the page behind it."""
        page, url = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        to = self.root + target if target else url
        request = urllib.request.Request(to, body, {"Referer": url})  # noqa: S310  # as above
        return self.open(request)[0]
