"""The REST API of a real server: the examples of its page, its bounds, tokens in all workers."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

import pytest

from tests.e2e.server import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

# Nothing runs by itself: the page's examples would be told that it does.
SETTINGS = {"scrub_interval_days": "0", "compaction_enabled": "false"}
PASSWORD = "e2e-root-password"
MIB = 1024 * 1024


class Told(NamedTuple):
    """An answer."""

    status: int
    body: Any


def call(
    server: Server, method: str, path: str, body: Any = None, token: str = "", **headers: str
) -> Told:
    """Send a request on a connection of its own, so that any worker may answer."""
    with closing(connect(server)) as connection:
        return call_over(connection, method, path, body, token, **headers)


def connect(server: Server) -> http.client.HTTPConnection:
    """Open a connection to the console."""
    connection = http.client.HTTPConnection("127.0.0.1", server.console_port, timeout=60)
    connection.connect()
    return connection


def call_over(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    token: str = "",
    **headers: str,
) -> Told:
    """Send a request on a connection."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, f"/api{path}", data, headers)
    with connection.getresponse() as reply:
        text = reply.read()
        status = reply.status
    return Told(status, json.loads(text) if text else None)


def call_over_many(server: Server, path: str, token: str, count: int, body: Any = None) -> set[int]:
    """GET, or POST a body, over new connections that every worker takes some of; the statuses."""
    method = "GET" if body is None else "POST"
    with ExitStack() as kept:
        connections = [kept.enter_context(closing(connect(server))) for _ in range(count)]
        return {call_over(each, method, path, body, token).status for each in connections}


def log_in(server: Server, username: str = "root", password: str = PASSWORD) -> str:
    """Sign in; answer the token."""
    told = call(server, "POST", "/admin/login", {"username": username, "password": password})
    assert told.status == 200
    token: str = told.body["token"]
    return token


def run_examples(server: Server) -> str:
    """Run every line of docs/rest.md as it stands, one after the other; answer what they say."""
    page = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    address = f"S4=http://127.0.0.1:{server.console_port}"
    script, count = re.subn(r"^S4=http://127\.0\.0\.1:9001$", address, lines, flags=re.MULTILINE)
    assert count == 1
    environment = {"PATH": os.environ["PATH"], "PASSWORD": PASSWORD}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_of_the_page_work(server: Server) -> None:
    """What people paste from docs/rest.md does what stands there."""
    said = run_examples(server)
    assert '"username":"alice"' in said
    assert "X-Amz-Signature=" in said


def test_a_body_is_bounded_before_it_is_kept(server: Server) -> None:
    """Ten megabytes are 413, declared or not, and the bound itself still passes."""
    large = b'"' + b"x" * (10 * MIB) + b'"'
    told = call(server, "POST", "/admin/login", large)
    assert (told.status, set(told.body)) == (413, {"error"})
    connection = http.client.HTTPConnection("127.0.0.1", server.console_port, timeout=60)
    pieces = iter([b"x" * MIB] * 2)
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    connection.request("POST", "/api/admin/login", pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    passing = b'{"username": "' + b"x" * (MIB - 100) + b'"}'
    assert call(server, "POST", "/admin/login", passing).status == 400


def test_every_worker_refuses_a_token_at_once(server: Server) -> None:
    """A token dies everywhere with the answer to what ended it."""
    root = log_in(server)
    user = {"username": "mallory", "password": "correct horse battery", "role": "SuperUser"}
    made = call(server, "POST", "/admin/users", user, root)
    assert made.status == 201
    path = f"/admin/users/{made.body['id']}"
    changes: tuple[dict[str, Any], ...] = (
        {"role": "Reader"},
        {"password": "another horse battery"},
        {"is_active": False},
    )
    for change in changes:
        password = "another horse battery" if "is_active" in change else user["password"]
        token = log_in(server, "mallory", password)
        assert call(server, "GET", "/admin/me", token=token).status == 200
        assert call(server, "PUT", path, change, root).status == 200
        assert call_over_many(server, "/admin/me", token, 8) == {401}
    assert call(server, "DELETE", path, token=root).status == 204


def test_changes_of_different_fields_at_once_are_all_kept(server: Server) -> None:
    """Who changes one field takes back nothing that another changes meanwhile."""
    token = log_in(server)
    key = call(server, "POST", "/admin/users/1/keys", {"name": "at-once"}, token).body
    paths: dict[str, tuple[str, Callable[[int], Any]]] = {
        "/admin/policies/at-once": ("document", policy),
        "/admin/groups/at-once": ("policies", lambda number: ["at-once"] * (number % 2)),
        "/admin/roles/at-once": ("policies", lambda number: ["at-once"] * (number % 2)),
        f"/admin/users/1/keys/{key['access_key']}": (
            "expires_at",
            lambda number: f"2099-01-{number + 1:02}T00:00:00Z",
        ),
    }
    made = {"name": "at-once", "document": policy(0)}
    assert call(server, "POST", "/admin/policies", made, token).status == 201
    for kind in ("groups", "roles"):
        assert call(server, "POST", f"/admin/{kind}", {"name": "at-once"}, token).status == 201

    def describe(number: int) -> None:
        for path in paths:
            field = "name" if "/keys/" in path else "description"
            assert call(server, "PUT", path, {field: str(number)}, token).status == 200

    with ThreadPoolExecutor(3) as pool:
        describing = [pool.submit(describe, number) for number in range(30)]
        for number in range(10):
            for path, (field, value) in paths.items():
                assert call(server, "PUT", path, {field: value(number)}, token).status == 200
                assert call(server, "GET", path, token=token).body[field] == value(number)
        for each in describing:
            each.result()


def policy(number: int) -> dict[str, Any]:
    """Write a policy that differs from others."""
    statement = {"Sid": f"N{number}", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_link_puts_and_gets_without_a_key(server: Server) -> None:
    """Who has the link needs nothing else; another method, key or day is refused."""
    root = log_in(server)
    assert call(server, "PUT", "/admin/buckets/linked", token=root).status == 201
    path = "/admin/buckets/linked/presign"
    key = "a folder/ü & more.txt"
    asked = {"key": key, "method": "PUT", "content_type": "text/plain"}
    put = call(server, "POST", path, asked, root).body["url"]
    get = call(server, "POST", path, {"key": key}, root).body["url"]
    plain = ["curl", "-sS", "-o", "-", "-w", "\n%{http_code}"]
    upload = [*plain, "-X", "PUT", "-H", "Content-Type: text/plain", "--data-binary", "shared"]
    for arguments, wanted in (
        ([*upload, put], "\n200"),
        ([*plain, get], "shared\n200"),
        ([*upload, get], "403"),
    ):
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.endswith(wanted)


def test_tokens_stay_out_of_the_log(server: Server) -> None:
    """Neither a token nor a password is written down, whatever happens to the request."""
    token = log_in(server)
    call(server, "GET", "/admin/me", token=token)
    call(server, "GET", "/admin/me", token=token + "x")
    call(server, "GET", f"/admin/users?token={token}", token=token)
    call(server, "POST", "/admin/login", {"username": "root", "password": "wrong-and-secret"})
    log = server.log_text()
    assert token not in log
    assert token.rpartition(".")[2] not in log
    assert PASSWORD not in log
    assert "wrong-and-secret" not in log


def test_the_api_is_on_the_consoles_port_alone(server: Server) -> None:
    """On the port of S3 its addresses are a bucket that nobody may see."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/api/stats")
    reply = connection.getresponse()
    assert reply.status in {403, 404}
    assert b"<Error>" in reply.read()
    connection.close()


@pytest.mark.parametrize("key", ["a/../b", "../up", "a//b", ".", "/", "a/.", "ü/./%2e"])
def test_a_link_says_what_no_browser_shortens(
    server: Server, s3: BaseClient, bucket: str, key: str
) -> None:
    """A link to a key of dots and slashes opens, and has no part that is taken out on its way."""
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    body = {"key": key}
    told = call(server, "POST", f"/admin/buckets/{bucket}/presign", body, log_in(server))
    link = urlsplit(told.body["url"])
    assert urljoin(told.body["url"], link.path) == f"{server.url}{link.path}"
    assert not {"", ".", ".."} & set(link.path.split("/")[1:-1])
    with urlopen(told.body["url"], timeout=30) as reply:  # noqa: S310  # our own server's
        assert reply.read() == key.encode()
