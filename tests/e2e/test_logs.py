"""What a running server logs of requests: the access log, ids, and no secret of any client."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from tests.e2e.browsing import Browser
from tests.e2e.processes import wait_until
from tests.e2e.server import ACCESS_KEY, HOST, Server
from tests.e2e.wire import Connection, ConnectionEnded, Reply, write_head

if TYPE_CHECKING:
    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

SETTINGS: Final = {"access_log": "true", "slow_request_ms": "1", "log_level": "debug"}


def lines(server: Server) -> list[dict[str, Any]]:
    """Read the log's lines; what `serve` says to who starts it is none."""
    return [json.loads(line) for line in server.log_text().splitlines() if line.startswith("{")]


def accesses(server: Server, request_id: str) -> list[dict[str, Any]]:
    """Wait for the access log's lines of a request."""

    def found() -> list[dict[str, Any]]:
        return [
            line
            for line in lines(server)
            if line["event"] == "access" and line["request_id"] == request_id
        ]

    wait_until(lambda: bool(found()), f"{request_id} is told")
    return found()


def send(port: int, method: str, target: str, body: bytes = b"", **headers: str) -> Reply | None:
    """Send a request as it is; None where the server ends the connection instead."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with Connection((HOST, port)) as connection:
        try:
            head = {"host": f"{HOST}:{port}"} | named
            connection.send(write_head(method, target, head, len(body) if body else None) + body)
            return connection.reply(method)
        except ConnectionEnded:
            return None


def test_a_request_has_a_line_under_the_id_of_its_reply(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """The access log tells a put and a refused get by the x-amz-request-id of each."""
    put = s3.put_object(Bucket=bucket, Key="a/b c", Body=b"x" * 1000)
    (line,) = accesses(server, put["ResponseMetadata"]["RequestId"])
    wanted = {"operation": "PutObject", "bucket": bucket, "key": "a/b c", "status": 200}
    wanted |= {"bytes_in": 1000, "bytes_out": 0, "user": "root", "access_key": ACCESS_KEY}
    wanted |= {"path": f"/{bucket}/a/b%20c", "method": "PUT", "remote": HOST}
    assert {name: line[name] for name in wanted} == wanted
    assert 0 < line["turnaround_ms"] <= line["first_byte_ms"] <= line["total_ms"]
    reply = send(server.port, "GET", f"/{bucket}/a", user_agent="curl/8")
    assert reply is not None
    (line,) = accesses(server, reply.headers["x-amz-request-id"])
    assert (line["status"], line["error_code"], line["user_agent"]) == (
        403,
        "AccessDenied",
        "curl/8",
    )
    assert "user" not in line
    (denied,) = [row for row in lines(server) if row["event"] == "access_denied"][-1:]
    assert denied["request_id"] == line["request_id"]


def test_the_console_and_rest_have_theirs(server: Server) -> None:
    """A page and a call of the API are told with who asked, under the id that the answer bears."""
    browser = Browser(server)
    browser.log_in("root", server.settings["root_password"])
    browser.get("/iam/user/")
    told = [row for row in lines(server) if row["event"] == "access" and row.get("user") == "root"]
    wait_until(
        lambda: any(row.get("operation") == "admin:iam_user_changelist" for row in lines(server)),
        "the page is told",
    )
    reply = send(server.console_port, "GET", "/api/admin/me")
    assert reply is not None
    (line,) = accesses(server, reply.headers["x-request-id"])
    assert (line["path"], line["status"]) == ("/api/admin/me", 401)
    assert all("?" not in row["path"] for row in told)


# Every place of a request where a client may put what nobody else should read.
HEADERS: Final = (
    *("authorization", "cookie", "proxy-authorization", "x-amz-security-token", "referer"),
    *("x-amz-server-side-encryption-customer-key", "x-amz-meta-password", "x-amz-tagging"),
    *(
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-csrftoken",
        "x-amz-content-sha256",
    ),
    *(
        "x-amz-date",
        "content-md5",
        "expect",
        "x-forwarded-for",
        "range",
        "if-match",
        "content-type",
    ),
)
PARAMETERS: Final = (
    *("X-Amz-Signature", "X-Amz-Security-Token", "Signature", "token", "password", "secret"),
    *("prefix", "delimiter", "uploads", "response-content-type", "X-Amz-Date", "x-amz-meta-a"),
)
FIELDS: Final = (
    *("policy", "x-amz-signature", "x-amz-security-token", "signature", "password", "acl"),
    *("x-amz-meta-secret", "success_action_redirect"),
)
SCOPE: Final = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request"
CREDENTIALS: Final = (
    *("Bearer {}", "Basic {}", "AWS AKID:{}"),
    f"{SCOPE}, SignedHeaders=host, Signature={{}}",
    f"{SCOPE},Signature={{}},x",
)


def form(boundary: str, fields: dict[str, str]) -> bytes:
    """Write a form as browsers post one."""
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return f"{parts}--{boundary}--\r\n".encode()


def forms_of(secret: str) -> tuple[str, ...]:
    """Write a secret as it may be found."""
    return secret, quote(secret), base64.b64encode(secret.encode()).decode()


def whisper(server: Server, bucket: str, hush: Any) -> None:
    """Put a fresh secret into every place there is, on both sides."""
    for port, path in ((server.port, f"/{bucket}/k"), (server.console_port, "/login/")):
        for name in HEADERS:
            send(port, "PUT" if port == server.port else "GET", path, **{name: hush()})
        for credential in CREDENTIALS:
            send(port, "GET", path, authorization=credential.format(hush()))
        for name in PARAMETERS:
            send(port, "GET", f"{path}?{name}={hush()}")
        send(port, "GET", f"{path}?" + "&".join(f"{name}={hush()}" for name in PARAMETERS))
        send(port, "GET", f"{path}%3FX-Amz-Signature%3D{hush()}")
        send(port, "GET", path, x_no_header_ends=f"{hush()}\x00")
        send(port, "POST", path, f"<Secret>{hush()}</Secret>".encode())
    kind = "multipart/form-data; boundary=b"
    for name in FIELDS:
        body = form("b", {"key": "k", name: hush(), "file": "x"})
        send(server.port, "POST", f"/{bucket}", body, content_type=kind)
    fields = {name: hush() for name in FIELDS} | {"key": "k", "file": "x"}
    fields["policy"] = base64.b64encode(json.dumps({"conditions": [hush()]}).encode()).decode()
    send(server.port, "POST", f"/{bucket}", form("b", fields), content_type=kind)
    json_kind = "application/json"
    for body in ({"username": "root", "password": hush()}, {"password": hush()}, [hush()]):
        data = json.dumps(body).encode()
        send(server.console_port, "POST", "/api/admin/login", data, content_type=json_kind)
    data = f"username=root&password={hush()}&csrfmiddlewaretoken={hush()}".encode()
    kind = "application/x-www-form-urlencoded"
    send(server.console_port, "POST", "/login/?next=/", data, content_type=kind)


def test_no_secret_of_a_client_is_in_the_log(server: Server, bucket: str) -> None:
    """Whatever secret is put wherever a client can put one, no line holds it in any form."""
    hidden: list[str] = []

    def hush() -> str:
        hidden.append("Hushed" + secrets.token_urlsafe(24))
        return hidden[-1]

    whisper(server, bucket, hush)
    reply = send(server.port, "GET", "/last")
    assert reply is not None
    accesses(server, reply.headers["x-amz-request-id"])
    text = server.log_text()
    assert len(hidden) > 100
    found = [secret for secret in hidden if any(form in text for form in forms_of(secret))]
    assert not found, [line for line in text.splitlines() if any(one in line for one in found)]


def test_nobody_reads_the_log_and_requests_go_on(tmp_path: Any) -> None:
    """A pipe that is full because its reader hangs holds no request up, and costs lines alone."""
    server = Server(tmp_path / "server", **SETTINGS | {"log_level": "info"})
    reading, writing = os.pipe()
    server.log.parent.mkdir(parents=True, exist_ok=True)
    server.log.symlink_to(f"/proc/{os.getpid()}/fd/{writing}")
    try:
        server.start()
        client = server.client()
        client.create_bucket(Bucket="loud")
        began = time.monotonic()
        for number in range(400):  # each is two lines, of 500 bytes and more
            client.put_object(Bucket="loud", Key=f"{number}" + "k" * 500, Body=b"")
        assert time.monotonic() - began < 60
        assert client.list_objects_v2(Bucket="loud")["KeyCount"] == 400
        client.close()
        server.stop()  # with nobody reading to the end
    finally:
        server.kill_tree()
        os.close(writing)
    text = b""
    while piece := os.read(reading, 1 << 16):
        text += piece
    os.close(reading)
    assert re.search(rb'"event": "access"', text)
