"""Health over the wire: live, ready, MinIO's paths, and the command that containers run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.e2e.server import DOMAIN, HOST, MANAGE
from tests.e2e.tls import TlsFront

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e
MINIO = ("live", "ready", "cluster", "cluster/read")


def ask(
    port: int, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Ask without a signature."""
    connection = HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request(method, path, headers={"Host": host} if host else {})
        reply = connection.getresponse()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        return reply.status, headers, reply.read()
    finally:
        connection.close()


def test_live_and_ready_answer_anybody(server: Server) -> None:
    """Both answer GET and HEAD without a session, a host name or a cookie."""
    port = server.console_port
    assert ask(port, "/health/live")[::2] == (200, b"ok")
    status, headers, body = ask(port, "/health/ready", host="10.9.8.7:1")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert "set-cookie" not in headers
    assert headers["cache-control"] == "no-store"
    told = json.loads(body)
    assert (told["status"], told["failing"]) == ("ready", {})
    for path in ("live", "ready"):
        status, headers, body = ask(port, f"/health/{path}", "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0
    assert ask(port, "/health/ready", "POST")[0] == 405
    assert ask(port, "/health/other")[0] == 404


def test_minio_s_paths_are_health_until_a_bucket_has_their_name(server: Server) -> None:
    """A load balancer made for MinIO finds what it asks for, on S3's port, and takes no object."""
    for path in MINIO:
        for method in ("GET", "HEAD"):
            status, headers, body = ask(server.port, f"/minio/health/{path}", method)
            assert (status, headers["content-length"], body) == (200, "0", b"")
    assert ask(server.port, "/minio/health/cluster?maintenance=true")[0] == 412
    assert ask(server.port, "/minio/health/other")[0] == 404
    assert ask(server.port, "/minio/health/live", "PUT")[0] in {403, 404}
    assert ask(server.port, "/minio/health/live", host=f"some.{DOMAIN}")[0] in {403, 404}
    assert server.caller.ask("PUT", "/minio").status == 200
    try:
        assert ask(server.port, "/minio/health/live")[0] == 403
        body = b"an object"
        assert server.caller.ask("PUT", "/minio/health/live", body).status == 200
        assert server.caller.ask("GET", "/minio/health/live").body == body
        assert server.caller.ask("DELETE", "/minio/health/live").status == 204
    finally:
        assert server.caller.ask("DELETE", "/minio").status == 204
    assert ask(server.port, "/minio/health/live")[0] == 200


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py healthcheck` as a container does: with hardly an environment."""
    return subprocess.run(
        [sys.executable, "-X", "importtime", MANAGE, "healthcheck", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Leave out what Python says of imports."""
    return [line for line in result.stderr.splitlines() if not line.startswith("import time:")]


def test_the_command_asks_where_the_console_listens(server: Server) -> None:
    """It is 0 when all is well, 1 with a line when nobody answers, and needs no library at all."""
    bind = {"S4_CONSOLE_BIND": f"0.0.0.0:{server.console_port}"}
    for arguments in ((), ("--live",)):
        result = check(*arguments, **bind)
        assert (result.returncode, result.stdout, said(result)) == (0, "", [])
        assert "django" not in result.stderr
        assert "site-packages" not in result.stderr
    result = check("--console-bind", f"{HOST}:{server.console_port}", S4_CONSOLE_BIND="wrong")
    assert result.returncode == 0
    nobody = check("--console-bind", f"{HOST}:1")
    assert nobody.returncode == 1
    assert said(nobody) == ["S4 does not answer on 127.0.0.1:1: [Errno 111] Connection refused"]


@pytest.mark.parametrize("bind", ["wrong", f"{HOST}:0", f"{HOST}:99999"])
def test_an_address_that_cannot_be_is_told(bind: str) -> None:
    """A wrong setting is one line and code 1: 2 is not a container's to use."""
    result = check(S4_CONSOLE_BIND=bind)
    assert result.returncode == 1
    (line,) = said(result)
    assert "S4_CONSOLE_BIND" in line


def test_the_command_asks_over_tls(server: Server, tmp_path: Path) -> None:
    """With a certificate set it speaks TLS, whomever that names; else it says so."""
    with TlsFront((HOST, server.console_port), tmp_path) as front:
        told = {"S4_TLS_CERT": str(front.certificate)}
        address = front.url.removeprefix("https://")
        assert check(S4_CONSOLE_BIND=address, **told).returncode == 0
    plain = check(S4_CONSOLE_BIND=f"{HOST}:{server.console_port}", **told)
    assert plain.returncode == 1
    assert len(said(plain)) == 1
