"""Two ports, two worlds: S3 on one, the console on the other, and neither answers for the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browsing import Browser
from tests.e2e.wire import Connection, Reply, write_head

if TYPE_CHECKING:
    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e


def ask(port: int, target: str, method: str = "GET") -> Reply:
    """Ask for a path without a signature."""
    with Connection(("127.0.0.1", port)) as connection:
        connection.send(write_head(method, target, {"host": f"127.0.0.1:{port}"}, None))
        return connection.reply(method)


def test_the_s3_port_knows_no_console(server: Server) -> None:
    """On the S3 port the console's paths are buckets that nobody may see."""
    for target in ("/", "/admin/", "/login/", "/static/admin/css/base.css"):
        reply = ask(server.port, target)
        assert (reply.status, reply.code) in {(403, "AccessDenied"), (404, "NoSuchBucket")}
        assert reply.headers["content-type"] == "application/xml"


def test_the_console_port_knows_no_s3(server: Server) -> None:
    """On the console port even a rightly signed S3 request finds no bucket."""
    assert server.caller.ask("PUT", "/two-sides").status == 200
    port = server.console_port
    signer = server.caller.signer
    for method, target in (
        ("GET", "/two-sides"),
        ("PUT", "/two-sides/k"),
        ("GET", "/?list-type=2"),
    ):
        host = {"host": f"127.0.0.1:{port}"}
        signed = signer.sign(method, target, host, "UNSIGNED-PAYLOAD")
        length = 0 if method == "PUT" else None
        with Connection(("127.0.0.1", port)) as connection:
            connection.send(write_head(method, target, signed.headers, length))
            reply = connection.reply(method)
        assert reply.status in {302, 403, 404}
        assert b"ListBucketResult" not in reply.body
    assert server.caller.ask("GET", "/two-sides/k").code == "NoSuchKey"


def test_the_administrator_logs_in(server: Server) -> None:
    """The root user logs in with the password of the settings and finds users, keys, buckets."""
    browser = Browser(server)
    page = browser.log_in("root", server.settings["root_password"])
    assert "csrfmiddlewaretoken" in page
    for word in ("Users", "Buckets", "Access keys"):
        assert word.lower() in page.lower()


def test_a_wrong_password_does_not(server: Server) -> None:
    """A wrong password leaves one at the login page, and nothing of it in the log."""
    page = Browser(server).log_in("root", "a wrong password")
    assert 'name="password"' in page
    assert "a wrong password" not in server.log_text()


def test_the_console_needs_no_foreign_host(server: Server) -> None:
    """Every script, style and font of the console comes from the console itself."""
    browser = Browser(server)
    page = browser.log_in("root", server.settings["root_password"])
    sources = re.findall(r'(?:src|href)="([^"]+\.(?:js|css|woff2?|svg|png|ico))[^"]*"', page)
    assert sources
    for source in sources:
        assert source.startswith("/"), f"{source} comes from elsewhere"
        assert not source.startswith("//")
        if source.endswith((".js", ".css")):
            assert browser.get(source)[0]
