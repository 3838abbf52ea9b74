"""Drives a probe server from outside: its processes by signals, its sockets by raw bytes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
TCP_ESTABLISHED: Final = "01"  # net/tcp_states.h
PROGRAM: Final = str(Path(__file__).with_name("probe_server.py"))


class Reply(NamedTuple):
    """One reply as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until `condition` is true and return its value.

    Of a look that takes long, or before which this process got no turn, a second counts: so long
    the others may have had none either.
    """
    looked_at = time.monotonic()
    while not (value := condition()):
        assert seconds > 0, "it did not happen in time"
        time.sleep(0.02)
        before, looked_at = looked_at, time.monotonic()
        seconds -= min(looked_at - before, 1.0)
    return value


class Wire:
    """A client's connection that sends what it is told and reads replies one by one."""

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        seconds: float = 30,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.create_connection((host, port), timeout=seconds)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self.socket.sendall(data)
        except ssl.SSLEOFError as error:  # what TLS makes of a connection that was reset
            raise BrokenPipeError from error

    def _more(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError(self.unread)
        self.unread += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.unread:
            self._more()
        found, _, self.unread = self.unread.partition(mark)
        return found

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        while len(self.unread) < size:
            self._more()
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def reply(self, *, has_body: bool = True) -> Reply:
        """Read one reply; raises EOFError when the server closes before its end."""
        status_line, *lines = self._until(b"\r\n\r\n").decode().split("\r\n")
        version, status, *_ = status_line.split(" ")
        assert version == "HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header came twice"
        body = self._body(headers) if has_body and status not in {"100", "204", "304"} else b""
        return Reply(int(status), headers, body)

    def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self.take(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        return self.rest()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n"), 16):
            yield self.take(size)
            assert self.take(2) == b"\r\n"
        assert self.take(2) == b"\r\n"

    def rest(self) -> bytes:
        """Read until the server closes."""
        with contextlib.suppress(EOFError):
            while True:
                self._more()
        taken, self.unread = self.unread, b""
        return taken

    def is_cut(self) -> bool:
        """Tell whether the server has closed; nothing is read for that.

        What waits to be read keeps the client from being told: the server's end is looked at.
        """
        ends = [f":{end[1]:04X}" for end in (self.socket.getpeername(), self.socket.getsockname())]
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
        states = [row[3] for row in rows if [each[-5:] for each in row[1:3]] == ends]
        return TCP_ESTABLISHED not in states

    def is_closed(self) -> bool:
        """Tell whether the server closes now, having sent nothing more."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True


def request(
    target: str, body: bytes = b"", method: str = "GET", *headers: str, host: str = "probe"
) -> bytes:
    """Write a request; a body comes with its length."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Probe:
    """A running probe server."""

    def __init__(self, log: Path, environment: dict[str, str] | None = None, **plan: Any) -> None:
        self.host = plan.get("host", "127.0.0.1")
        self.log = log
        self.tls = ssl.create_default_context(cafile=plan["tls"][0]) if "tls" in plan else None
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, json.dumps(plan)],
                cwd=ROOT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self.port, self.other_port = json.loads(self.line())

    def line(self) -> str:
        """Read a line of what the server says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def wire(self, *, other: bool = False, seconds: float = 30) -> Wire:
        """Connect."""
        return Wire(self.other_port if other else self.port, self.host, seconds, self.tls)

    def ask(self, target: str, *, other: bool = False) -> Reply:
        """Ask on a connection of its own."""
        with self.wire(other=other) as wire:
            wire.send(request(target, b"", "GET", "Connection: close"))
            return wire.reply()

    def said(self) -> str:
        """Read the log."""
        return self.log.read_text()

    def processes(self) -> list[int]:
        """List the living processes of the server: those of its session."""
        return [pid for pid in all_pids() if session_of(pid) == self.process.pid]

    def children(self) -> list[int]:
        """List the workers and other children that live."""
        return [pid for pid in self.processes() if pid != self.process.pid]

    def end(self, number: int = signal.SIGTERM, seconds: float = 25) -> int:
        """End the server by a signal and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def clean_up(self) -> None:
        """Leave nothing behind, whatever happened."""
        for pid in (self.process.pid, *self.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def all_pids() -> list[int]:
    """List the processes of the machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def session_of(pid: int) -> int:
    """Name the session of a process; -1 when it is gone or a zombie.

    A zombie of which a thread still runs is none yet: files and locks are open until that ends.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return -1
    threads = int(fields[17])
    return -1 if fields[0] == "Z" and threads <= 1 else int(fields[3])


def memory_bytes(pid: int) -> int:
    """Measure the memory a process has to itself and with others."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def probe(log: Path, environment: dict[str, str] | None = None, **plan: Any) -> Iterator[Probe]:
    """Run a probe server until the block ends."""
    server = Probe(log, environment, **plan)
    try:
        assert server.line() == "ready", server.said()
        yield server
    finally:
        server.clean_up()
