"""A real S4 server in processes of its own: started, driven, stopped and killed by the tests.

Each server has its own data directory, ports, settings and log. Nothing of the caller's own
settings reaches it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from s4project.metrics.slots import find_slots
from s4project.setting_table import SETTINGS
from tests.e2e.processes import MARK, Process, kill, marked, wait_until
from tests.e2e.signing import Signer
from tests.e2e.wire import Caller
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

ROOT: Final = Path(__file__).resolve().parents[2]
MANAGE: Final = str(ROOT / "manage.py")
HOST: Final = "127.0.0.1"
DOMAIN: Final = "s3.localhost"
ACCESS_KEY: Final = "E2EROOTACCESSKEY"
SECRET_KEY: Final = "e2e/root+secret-key/0123456789abcdef"
DATABASE: Final = "s4.sqlite3"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 40
COMMAND_SECONDS: Final = 120
LOG_TAIL_BYTES: Final = 12_000
# What must never stand in the log of a server that only met clients.
SYMPTOMS: Final = re.compile(
    r"internal_error|engine_error|reply_broken_off|Traceback \(most recent call last\)"
    r"|WORKER TIMEOUT|was sent SIG|Exception in ASGI|Task exception was never retrieved"
    r"|never awaited"
)


def clean_environment() -> dict[str, str]:
    """Copy the environment without anything that would steer the server or a client."""
    steering = ("S4_", "AWS_", "DJANGO_", "RCLONE_", "BOTO_")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(steering) and name != "DATABASE_URL"
    }


class Server:
    """One server; `settings` are S4_* variables without their prefix, in lower case."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "server.log"
        self.mark = uuid.uuid4().hex
        self.port, self.console_port = free_port(), free_port()
        self.settings = self._defaults() | settings
        self.process: subprocess.Popen[bytes] | None = None
        self.caller = Caller((HOST, self.port), Signer(ACCESS_KEY, SECRET_KEY))
        self.seen_workers: list[int] = []
        directory.mkdir(parents=True, exist_ok=True)

    def _defaults(self) -> dict[str, str]:
        return {
            "data_dir": str(self.data),
            "bind": f"{HOST}:{self.port}",
            "console_bind": f"{HOST}:{self.console_port}",
            "workers": "2",
            "region": "us-east-1",
            "domain": DOMAIN,
            "root_username": "root",
            "root_password": "e2e-root-password",
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
            "max_upload_size": "5G",
            "multipart_upload_ttl_hours": "0",
            "log_level": "info",
            "log_format": "json",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server's processes and commands; empty settings are left out."""
        named = {SETTINGS[name].variable: text for name, text in self.settings.items() if text}
        return clean_environment() | named | {MARK: self.mark, "PYTHONUNBUFFERED": "1"}

    @property
    def url(self) -> str:
        """The S3 side's address."""
        scheme = "https" if self.settings.get("tls_cert") else "http"
        return f"{scheme}://{HOST}:{self.port}"

    @property
    def domain_url(self) -> str:
        """The S3 side's address by name, under which buckets are virtual hosts."""
        return f"http://{DOMAIN}:{self.port}"

    # --- life ---

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the server's processes without waiting for them."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, MANAGE, "serve", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the server and wait until both sides answer and every worker is there."""
        assert self.process is None, "it runs already"
        self.process = self.spawn()
        wait_until(self._is_ready, "the server is ready", START_SECONDS)
        self.seen_workers = self.workers()

    def _is_ready(self) -> bool:
        assert self.process is not None, "it was started"
        assert self.process.poll() is None, f"serve ended: {self.log_tail()}"
        workers = int(self.settings["workers"])
        return answers(self.port) and answers(self.console_port) and len(self.workers()) >= workers

    def stop(self) -> None:
        """Ask the server to end, and insist that it does so well and leaves nobody behind."""
        assert self.process is not None, "it runs"
        self.process.send_signal(signal.SIGTERM)
        self.see_end()

    def see_end(self) -> None:
        """Insist that a server that was asked to end does so well and leaves nobody behind."""
        process, self.process = self.process, None
        assert process is not None, "it runs"
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process = process
            self.kill_tree()
            raise
        assert status == 0, f"serve ended with {status}: {self.log_tail()}"
        wait_until(lambda: not self.processes(), "no process is left")

    def kill_tree(self) -> None:
        """Kill every process at once, as a power switch would."""
        process, self.process = self.process, None
        if process is not None:
            kill(process.pid)  # first, so that it starts nobody anew
        while living := self.processes():
            for entry in living:
                kill(entry.pid)
            time.sleep(0.01)
        if process is not None:
            process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    # --- processes ---

    def processes(self) -> list[Process]:
        """List the server's living processes."""
        return marked(self.mark)

    def main_pid(self) -> int:
        """Name the process that was started, the parent of the others."""
        assert self.process is not None, "it runs"
        return self.process.pid

    def jobs(self) -> list[int]:
        """List the processes that run background jobs."""
        return [entry.pid for entry in self.processes() if re.search(r"\bjobs\b", entry.command)]

    def workers(self) -> list[int]:
        """List the processes that answer requests: they hold the index and run no jobs."""
        parent, jobs = self.process.pid if self.process else 0, self.jobs()
        return [
            entry.pid
            for entry in self.processes()
            if entry.parent == parent and entry.pid not in jobs and entry.maps("/index/")
        ]

    # --- the log ---

    def log_text(self, since: int = 0) -> str:
        """Read the log's whole lines from a byte offset; the last one may be on its way."""
        if not self.log.exists():
            return ""
        lines = self.log.read_bytes()[since:]
        return lines[: lines.rfind(b"\n") + 1].decode(errors="replace")

    def log_tail(self) -> str:
        """Read the end of the log."""
        return self.log_text()[-LOG_TAIL_BYTES:]

    def assert_healthy(self) -> None:
        """Insist that the log holds no symptom and that the first workers still live."""
        lines = [line for line in self.log_text().splitlines() if SYMPTOMS.search(line)]
        assert not lines, "the log tells of trouble:\n" + "\n".join(lines[:20])
        if self.process is not None:
            assert self.workers() == self.seen_workers, "a worker died"

    # --- clients and commands ---

    def client(self, style: str = "path", **options: Any) -> BaseClient:
        """Make a boto3 client that tries once; `style` is path or virtual."""
        config = Config(
            s3={"addressing_style": style},
            retries={"total_max_attempts": 1},
            max_pool_connections=32,
            read_timeout=120,
        )
        settings: dict[str, Any] = {
            "endpoint_url": self.url if style == "path" else self.domain_url,
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
            "region_name": self.settings["region"],
            "config": config.merge(options.pop("config", Config())),
        }
        return boto3.client("s3", **(settings | options))

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a management command beside the server."""
        return subprocess.run(
            [sys.executable, MANAGE, *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def manage_json(self, *arguments: str) -> Any:
        """Run a management command that must succeed, and read the JSON it prints."""
        result = self.manage(*arguments, "--json")
        assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return json.loads(result.stdout)

    def verify(self) -> None:
        """Insist that every cross-reference of the store holds."""
        result = self.manage("verify")
        assert result.returncode == 0, f"verify: {result.stdout}{result.stderr}"

    def disk_bytes(self, part: str = "") -> int:
        """Measure the blocks that the data directory, or a part of it, takes on the disk."""
        blocks = 0
        for folder, _, names in os.walk(self.data / part):
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # it went meanwhile
                    blocks += Path(folder, name).lstat().st_blocks
        return blocks * 512


def answers(port: int) -> bool:
    """Tell whether an HTTP server answers on a port, whatever it says."""
    try:
        with socket.create_connection((HOST, port), 5) as probe:
            probe.sendall(b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
            return probe.recv(8) == b"HTTP/1.1"
    except OSError:
        return False


@cache
def empty_tables() -> bytes:
    """Make an SQLite database as the migrations leave it, once for all servers of a process."""
    with tempfile.TemporaryDirectory() as directory:
        environment = clean_environment() | {"S4_DATA_DIR": directory}
        command = [sys.executable, MANAGE, "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=COMMAND_SECONDS)
        return (Path(directory) / DATABASE).read_bytes()


def lay_tables(server: Server) -> None:
    """Spare a new server the migrations, a third of its start; `Server` itself begins with nothing.

    From nothing start those of tests/s4project/test_serve.py and many beside this file.
    """
    if not server.settings.get("database_url") and not server.data.exists():
        server.data.mkdir(mode=0o700, parents=True)
        (server.data / DATABASE).write_bytes(empty_tables())


@contextlib.contextmanager
def running(directory: Path, **settings: str) -> Iterator[Server]:
    """Run a server for a block, and insist at its end that nothing went wrong in it.

    The data go when all went well: they are large, and the log stays.
    """
    server = Server(directory, **settings)
    lay_tables(server)
    try:
        server.start()
        yield server
        server.assert_healthy()
        server.stop()
        server.assert_healthy()
    finally:
        server.kill_tree()
        with contextlib.suppress(OSError):  # what a killed one could not
            find_slots(server.data, is_made=False).remove()
    shutil.rmtree(server.data, ignore_errors=True)
