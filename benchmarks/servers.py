"""Starts the servers under test on free ports and a fresh directory, and stops them again."""

from __future__ import annotations

import http.client
import os
import random
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from signing import Signer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)  # below those of outgoing connections (ip_local_port_range)
# The same at every start, so that a store can be served again; each server listens here alone.
ACCESS_KEY = "BENCH" + secrets.token_hex(7).upper()
SECRET_KEY = secrets.token_hex(20)
PASSWORD = secrets.token_hex(12)


class ServerError(Exception):
    """A server did not start, or did not answer as it must."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `data_dir` is where it stores, None for one that does not."""

    name: str
    pid: int
    log: Path
    port: int
    access_key: str
    secret_key: str
    data_dir: Path | None
    authority: Path | None = None  # what to trust where it speaks TLS
    console_port: int = 0
    password: str = ""  # root's
    region: str = "us-east-1"

    def signer(self) -> Signer:
        """Make a signer for requests sent from now on."""
        host = f"{HOST}:{self.port}"
        return Signer.now(host, self.access_key, self.secret_key, self.region)

    def last_words(self) -> str:
        """Answer the last line the server wrote."""
        said = self.log.read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "nothing"

    def ask(self, method: str, path: str, body: bytes = b"", query: str = "") -> tuple[int, bytes]:
        """Send one signed request; the query is percent-encoded and sorted."""
        connection = self._connect()
        try:
            headers = self.signer().sign(method, path, query)
            target = f"{path}?{query}" if query else path
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self.authority is None:
            return http.client.HTTPConnection(HOST, self.port, timeout=30)
        return http.client.HTTPSConnection(HOST, self.port, timeout=30, context=self.tls())

    def tls(self) -> ssl.SSLContext | None:
        """Make what a client needs to trust it; None where it speaks no TLS."""
        if self.authority is None:
            return None
        return ssl.create_default_context(cafile=self.authority)

    def demand(self, method: str, path: str, body: bytes = b"", query: str = "") -> bytes:
        """Send one signed request that must succeed; raises ServerError."""
        status, answer = self.ask(method, path, body, query)
        if not 200 <= status < 300:
            detail = answer.decode("utf-8", "replace")[:200]
            raise ServerError(f"{self.name}: {method} {path} was answered {status} {detail}")
        return answer


def free_port() -> int:
    """Find a port nobody listens on, and which the system gives to no outgoing connection.

    One that it gave out, and that was closed, could not be bound for a minute.
    """
    while True:
        port = random.choice(PORTS)  # noqa: S311  # each run another
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            return port


@contextmanager
def s4(
    directory: Path,
    workers: int,
    prefix: list[str],
    certificates: Path | None = None,
    tree: Path = ROOT,
) -> Iterator[Server]:
    """Run S4 as its users do, `manage.py serve`, over TLS if wanted.

    On a fresh data directory, or again on one that was served before; `tree` is whose code it is.
    """
    port, console_port = free_port(), free_port()
    server_key, secret, password = ACCESS_KEY, SECRET_KEY, PASSWORD
    data_dir = directory / "data"
    environment = environment_without_settings() | {
        "S4_DATA_DIR": str(data_dir),
        "S4_BIND": f"{HOST}:{port}",
        "S4_CONSOLE_BIND": f"{HOST}:{console_port}",
        "S4_WORKERS": str(workers),
        "S4_ACCESS_KEY_ID": server_key,
        "S4_SECRET_ACCESS_KEY": secret,
        "S4_ROOT_PASSWORD": password,
        "S4_LOG_LEVEL": "warning",
        # Reading all of a new store once costs a tenth of a core for as long as that takes.
        "S4_SCRUB_INTERVAL_DAYS": "0",
    }
    authority = None
    if certificates is not None:
        authority = certificates / "authority.crt"
        environment["S4_TLS_CERT"] = str(certificates / "server.crt")
        environment["S4_TLS_KEY"] = str(certificates / "server.key")
    command = [*prefix, sys.executable, "manage.py", "serve"]
    with running("S4", command, environment, directory / "s4.log", port, tree) as pid:
        log = directory / "s4.log"
        held = (server_key, secret, data_dir, authority, console_port, password)
        yield Server("S4", pid, log, port, *held)


@contextmanager
def bare(directory: Path, workers: int, prefix: list[str]) -> Iterator[Server]:
    """Run the bare ASGI application under the same process manager and HTTP parser."""
    port = free_port()
    command = [
        *prefix,
        *(sys.executable, "-m", "gunicorn", "--pythonpath", "benchmarks", "bare:application"),
        *("--worker-class", "uvicorn_worker.UvicornWorker", "--workers", str(workers)),
        *("--bind", f"{HOST}:{port}", "--log-level", "error"),
    ]
    log = directory / "bare.log"
    with running("bare", command, environment_without_settings(), log, port) as pid:
        yield Server("bare", pid, directory / "bare.log", port, "bare", "bare", None)


def environment_without_settings() -> dict[str, str]:
    """Take over the environment, but for settings of S4 that would change what is measured."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("S4_") and name != "DATABASE_URL"
    }


@contextmanager
def running(
    name: str,
    command: list[str],
    environment: dict[str, str],
    log: Path,
    port: int,
    directory: Path = ROOT,
) -> Iterator[int]:
    """Run a server until the block ends; it answers on its port when the block begins."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that whatever is left of it can be ended as one
        )
    try:
        _wait(name, process, port, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server answers at all; raises ServerError with the last line it said."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", "/bench/0/nothing")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    said = log.read_text(errors="replace").strip().splitlines()
    raise ServerError(f"{name} did not start: {said[-1] if said else 'it said nothing'}")
