"""A whole life of a server, and then a search for every secret in all that it wrote and answered.

What is searched for: passwords (right, wrong, and typed into the wrong field), secrets of access
keys, the server's keys and what is derived from them, tokens, session cookies, signatures. Each in
the clear, in hexadecimal, in Base64 and percent-encoded.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import urllib.error
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import boto3
import pytest
from botocore.config import Config

from s4project.signing_key import secret_key
from tests.e2e.browsing import Browser
from tests.e2e.content import files_below
from tests.e2e.processes import GONE, PROC, wait_until
from tests.e2e.server import HOST, SECRET_KEY, Server
from tests.e2e.wire import Connection, Reply, write_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

ROOT_PASSWORD: Final = "Hushed-root-Password-1"
PASSWORD: Final = "Hushed-ada-Password-2"
NEXT_PASSWORD: Final = "Hushed-ada-Password-3"
WRONG: Final = ("Hushed-wrong-Password-4", "Hushed-wrong-Password-5")
MISPLACED: Final = "Hushed-misplaced-Password-6"  # typed where the name belongs
SESSION_TOKEN: Final = "Hushed-security-token-7"
# What AWS tells the sender of a request again, for him to compare: the signature he gave.
ECHOES: Final = re.compile(rb"<(SignatureProvided|ArgumentValue)>[^<]*</\1>")
SHORTEST: Final = 12  # what is shorter is found by chance


class Life:
    """One server's life: what must not be found, and where it is looked for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.secrets: dict[str, bytes] = {}
        self.replies: list[bytes] = []
        self.titles: set[bytes] = set()
        self.environments: set[bytes] = set()
        for name, text in (
            ("root's password", ROOT_PASSWORD),
            ("root's secret key", SECRET_KEY),
            ("ada's password", PASSWORD),
            ("ada's next password", NEXT_PASSWORD),
            ("a wrong password", WRONG[0]),
            ("another wrong password", WRONG[1]),
            ("a misplaced password", MISPLACED),
            ("a security token", SESSION_TOKEN),
        ):
            self.hush(name, text)

    def hush(self, name: str, secret: str | bytes) -> None:
        """Note a secret."""
        value = secret.encode() if isinstance(secret, str) else secret
        assert len(value) >= SHORTEST, f"{name} is found by chance"
        self.secrets[f"{name} ({len(self.secrets)})"] = value

    def hush_server_key(self) -> None:
        """Note the server key as it is now, and Django's signing key."""
        self.hush("the server key", (self.server.data / "server.key").read_bytes())
        self.hush("the signing key", secret_key(self.server.data))
        self.hush("the metrics' token", (self.server.data / "metrics.token").read_bytes())

    def look_at_processes(self) -> None:
        """Note how processes call themselves, which all can read, and what they were given.

        Secrets that settings give are in the environment, which only S4's own user can read.
        """
        given = [value.encode() for value in (ROOT_PASSWORD, SECRET_KEY)]
        for process in self.server.processes():
            with suppress(*GONE):
                environment = (PROC / str(process.pid) / "environ").read_bytes()
                for value in given:
                    environment = environment.replace(value, b"")
                self.environments.add(environment)
                for name in ("cmdline", "comm"):
                    self.titles.add((PROC / str(process.pid) / name).read_bytes())

    def files(self, moment: str) -> dict[str, bytes]:
        """Read all files there are, but those that a secret has of its own."""
        directory = self.server.directory
        return {
            f"{path.relative_to(directory)}, {moment}": kept
            for path, kept in files_below(directory).items()
            if path.name not in {"server.key", "metrics.token"}
        }

    # --- what a life is made of ---

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Reply:
        """Send a request to the API."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"host": "console", "content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        with Connection((HOST, self.server.console_port)) as connection:
            connection.send(write_head(method, f"/api/admin{path}", headers, len(data)) + data)
            return connection.reply(method)

    def refused(self, reply: Reply, *statuses: int) -> None:
        """Keep a reply that must tell no secret; it is one of these statuses."""
        assert reply.status in statuses, reply.body
        self.replies += [ECHOES.sub(b"", reply.body), repr(reply.headers).encode()]

    def sign_in(self, name: str, password: str) -> str:
        """Take a token."""
        reply = self.call("POST", "/login", {"username": name, "password": password})
        assert reply.status == 200, reply.body
        token: str = json.loads(reply.body)["token"]
        self.hush("a token", token)
        self.hush("a token's signature", token.rpartition(".")[2])
        return token

    def ask(self, target: str, method: str = "GET", **headers: str) -> Reply:
        """Send a bare request to the S3 side."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with Connection((HOST, self.server.port)) as connection:
            host = {"host": f"{HOST}:{self.server.port}"}
            connection.send(write_head(method, target, host | named, None))
            return connection.reply(method)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """Run a server that says as much as it can, and end it before the search."""
    settings = {
        "log_level": "debug",
        "root_password": ROOT_PASSWORD,
        "signature_v2": "true",
        "audit_data_access": "all",
        "audit_file": str(tmp_path / "server" / "data-audit.jsonl"),
    }
    server = Server(tmp_path / "server", **settings)
    try:
        server.start()
        yield Life(server)
    finally:
        server.kill_tree()


def identities(life: Life) -> dict[str, str]:
    """Make a user and keys through commands and API; answer his key."""
    token = life.sign_in("root", ROOT_PASSWORD)
    ada = {"username": "ada", "password": PASSWORD, "role": "Writer"}
    assert life.call("POST", "/users", ada, token).status == 201
    made: dict[str, str] = life.server.manage_json("create_key", "ada")
    life.hush("a key's secret", made["secret_key"])
    reply = life.call("POST", "/users/1/keys", {"name": "by API"}, token)
    assert reply.status == 201
    life.hush("a key's secret", json.loads(reply.body)["secret_key"])
    change = {"current_password": PASSWORD, "new_password": NEXT_PASSWORD}
    assert life.call("PUT", "/me/password", change, life.sign_in("ada", PASSWORD)).status == 204
    weak = {"username": "eve", "password": "password", "role": "Writer"}
    life.refused(life.call("POST", "/users", weak, token), 400)
    life.refused(life.call("POST", "/users", {"password": PASSWORD, "x": 1}, token), 400)
    return made


def wrong_ways_in(life: Life) -> None:
    """Sign in wrongly in every way, and use tokens that are none."""
    for name, password in (
        ("root", WRONG[0]),
        ("ada", WRONG[1]),
        (MISPLACED, WRONG[0]),
        ("ada", PASSWORD),
    ):
        reply = life.call("POST", "/login", {"username": name, "password": password})
        life.refused(reply, 401)
    token = life.sign_in("ada", NEXT_PASSWORD)
    forged = token[:-8] + "AAAAAAAA"
    life.hush("a forged token", forged)
    life.refused(life.call("GET", "/me", token=forged), 401)
    life.refused(life.call("POST", "/users", {"username": "eve", "role": "Writer"}, token), 403)
    browser = Browser(life.server)
    life.replies.append(browser.log_in("root", WRONG[0]).encode())
    browser.log_in(MISPLACED, WRONG[1])  # the form comes back to him who filled it in


def pages(life: Life) -> None:
    """Use the console, its errors too."""
    browser = Browser(life.server)
    browser.log_in("root", ROOT_PASSWORD)
    for cookie in browser.cookies:
        life.hush(f"the cookie {cookie.name}", cookie.value or "")
    for path in ("/", "/iam/user/", "/iam/accesskey/", "/buckets/bucket/", "/iam/user/1/change/"):
        life.replies.append(browser.get(path)[0].encode())
    shown = browser.fill_in("/iam/accesskey/add/", user="1", name="by console")
    secret = re.search(r'id="secret-key"[^>]*>([^<]+)<', shown)
    assert secret is not None
    life.hush("a key's secret", secret[1])
    for path in ("/nothing", "/iam/user/99/change/?password=" + quote(WRONG[0]), "/search/?s=x"):
        try:
            browser.get(path)
        except urllib.error.HTTPError as error:
            life.replies.append(error.read())
    stranger = {"old_password": WRONG[0], "new_password1": WRONG[1], "new_password2": WRONG[1]}
    life.replies.append(browser.fill_in("/password_change/", **stranger).encode())


def signatures(life: Life, key: dict[str, str]) -> None:
    """Send signed requests of all kinds, right and wrong, and presigned URLs and forms."""
    client = life.server.client()
    client.create_bucket(Bucket="quiet")
    client.put_object(Bucket="quiet", Key="k", Body=b"said aloud" * 1000)
    signed = life.server.caller.sign("GET", "/quiet/k", None, "UNSIGNED-PAYLOAD")
    life.hush("a signature", signed.signature)
    assert life.ask("/quiet/k", **signed.headers).status == 200
    life.refused(life.ask("/quiet/other", **signed.headers), 403)
    for version in ("s3v4", "s3"):
        signer = boto3.client(
            "s3",
            endpoint_url=life.server.url,
            aws_access_key_id=key["access_key"],
            aws_secret_access_key=key["secret_key"],
            region_name="us-east-1",
            config=Config(signature_version=version, s3={"addressing_style": "path"}),
        )
        url = urlsplit(signer.generate_presigned_url("get_object", {"Bucket": "quiet", "Key": "k"}))
        signature = re.search(r"Signature=([^&]+)", url.query)
        assert signature is not None
        life.hush("a presigned signature", signature[1])
        life.refused(life.ask(f"{url.path}?{url.query}"), 403)  # signed well, and not allowed
        life.refused(life.ask(f"{url.path}2?{url.query}"), 403)
        form = signer.generate_presigned_post("quiet", "posted")["fields"]
        life.hush("a form's signature", form.get("x-amz-signature") or form["signature"])
        signer.close()
    form["x-amz-security-token"] = SESSION_TOKEN
    query = "&".join(f"{name}={quote(value)}" for name, value in form.items())
    life.refused(life.ask(f"/quiet?{query}", x_amz_security_token=SESSION_TOKEN), 400, 403)
    life.refused(life.ask("/quiet", authorization=f"Bearer {SESSION_TOKEN}"), 400, 403)
    client.close()


def turmoil(life: Life) -> None:
    """Kill a worker, replace the server key, start anew."""
    life.look_at_processes()
    victim = life.server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(life.server.workers()) == 2, "another worker is there", 30)
    life.server.manage_json("rotate_server_key")
    life.hush_server_key()
    life.sign_in("root", ROOT_PASSWORD)
    life.look_at_processes()


def forms_of(secret: bytes) -> set[bytes]:
    """Write a secret in every way it might be written down."""
    texts = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    texts.add(quote(secret).encode())
    for start in range(3):  # Base64 differs by where in a group of three the secret begins
        for encoded in (base64.b64encode, base64.urlsafe_b64encode):
            inner = encoded(bytes(start) + secret)[4 if start else 0 :].rstrip(b"=")
            texts.add(inner[: len(inner) - len(inner) % 4 - 4] or inner)
    return texts


def test_nothing_secret_is_found_in_all_that_a_life_leaves(life: Life) -> None:
    """No secret stands in logs, SQL, index, volumes, audit file, replies or process titles."""
    server = life.server
    life.hush_server_key()
    key = identities(life)
    wrong_ways_in(life)
    pages(life)
    signatures(life, key)
    turmoil(life)
    haystacks = life.files("running")
    server.stop()
    haystacks |= life.files("stopped")
    haystacks |= {
        "the replies": b"\n".join(life.replies),
        "the titles": b"\n".join(life.titles),
        "the environments": b"\n".join(life.environments),
    }
    for name in ("data/s4.sqlite3", "data/s4.sqlite3-wal", "data-audit.jsonl", "server.log"):
        assert haystacks[f"{name}, running"], name
    assert len(haystacks["the replies"]) > 50_000
    found = [
        f"{name} in {place}"
        for name, secret in life.secrets.items()
        for place, hay in haystacks.items()
        if any(form in hay for form in forms_of(secret))
    ]
    assert found == []
