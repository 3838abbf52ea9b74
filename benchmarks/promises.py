"""Shows what a server has on the disk when it answers, as the kernel sees it.

Sends a few requests one after the other and reads from strace how many answers had a sync before
them that ended since the request came, and what was synced. Needs strace and no load generator.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import contenders
import processes
import servers
from bench import rival
from rivals import contender

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from servers import Server

BUCKET = "promises"
COUNT = 20
WORKS = (("PUT", 1024), ("PUT", 65_536), ("PUT", 2_097_152), ("DELETE", 1024))
SYNCS = ("fdatasync", "fsync", "msync", "sync", "syncfs", "sync_file_range")
SENDING = ("write", "writev", "sendto", "sendmsg")
ATTACH_SECONDS_MAX = 10
# A call as one line, or its end where other threads came between; -yy names files and sockets.
CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
FILE = re.compile(r"\d+<([^>]*)>")
OPENED = re.compile(r'"([^"]*)", \S*O_D?SYNC\S*.*= \d+<')
NAMED_BY_CHANCE = re.compile(r"[0-9a-f-]{8,}|(?<=[_/])\d+|\d{3,}")


@dataclass(slots=True)
class Promise:
    """What was seen of requests of one kind: how many answers came after a sync, and of what."""

    method: str
    size: int
    answered: int = 0
    synced: int = 0
    files: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Write it as two lines."""
        files = (
            ", ".join(f"{count} {name}" for name, count in self.files.most_common(8)) or "nothing"
        )
        kind = f"{self.method} of {self.size:,} bytes"
        return f"{kind:<24}{self.synced} of {self.answered} answers after a sync\n    {files}"


def read(lines: Iterable[str], promise: Promise, data: Path, port: int) -> None:
    """Add what a trace says of requests that went one after the other."""
    began: dict[str, str] = {}  # what a thread's unfinished sync is of
    is_synced = False
    answer = re.compile(rf'TCP:\[{re.escape(servers.HOST)}:{port}->.*"HTTP/1\.1 2')
    for line in lines:
        match = CALL.match(line)
        if match is None:
            continue
        thread, call, rest = match.groups()
        if call in SYNCS or call == "openat":
            told = began.pop(thread, "") + rest
            if rest.endswith("<unfinished ...>"):
                began[thread] = told
                continue
            name = _named(call, told, data)
            is_synced |= bool(name)
            promise.files.update([name] if name else [])
        elif answer.search(rest):
            promise.answered += 1
            promise.synced += is_synced
            is_synced = False


def _named(call: str, told: str, data: Path) -> str:
    """Name a sync by its call and file; answer nothing where a file was opened without one."""
    found = (OPENED if call == "openat" else FILE).search(told)
    if call == "openat" and found is None:
        return ""
    path = (found[1] if found else "").removeprefix(str(data))
    name = NAMED_BY_CHANCE.sub("*", path.lstrip("/")) or "the data directory"
    return f"{'O_DSYNC' if call == 'openat' else call} {name}"


def watch(server: Server, directory: Path) -> list[Promise]:
    """Send requests of each kind and see what is synced."""
    server.demand("PUT", f"/{BUCKET}")
    assert server.data_dir is not None
    promises = []
    for number, (method, size) in enumerate(WORKS):
        promise = Promise(method, size)
        first = number if method == "PUT" else 0  # what was put first is deleted
        paths = [f"/{BUCKET}/{first}/{index}" for index in range(COUNT)]
        if method == "PUT":
            server.demand("PUT", f"/{BUCKET}/{first}/before", os.urandom(size))
        trace = directory / f"trace-{number}"
        process = _attached(server.pid, trace)
        try:
            for path in paths:
                server.demand(method, path, os.urandom(size) if method == "PUT" else b"")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
        with trace.open(errors="replace") as lines:
            read(lines, promise, server.data_dir, server.port)
        promises.append(promise)
    return promises


def _attached(pid: int, trace: Path) -> subprocess.Popen[bytes]:
    """Start strace on all threads of a tree of processes."""
    pids = processes.tree(pid)
    calls = ",".join((*SYNCS, *SENDING, "openat"))
    watched = [word for one in pids for word in ("-p", str(one))]
    process = subprocess.Popen(
        ["strace", "-f", "-yy", "-s", "16", "-e", f"trace={calls}", "-o", str(trace), *watched],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + ATTACH_SECONDS_MAX
    threads = [each for one in pids for each in Path(f"/proc/{one}/task").glob("*/status")]
    while any("\nTracerPid:\t0\n" in each.read_text() for each in threads if each.exists()):
        if time.monotonic() > deadline or process.poll() is not None:
            raise servers.ServerError("strace may not watch the server")
        time.sleep(0.05)
    return process


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Show what S4, or a rival, has synced when it answers."""
    parser = argparse.ArgumentParser(description="What is on the disk when a server answers.")
    parser.add_argument("rival", type=rival, nargs="?", metavar="NAME=PATH", help="instead of S4")
    parser.add_argument("--directory", type=Path, help="where the fresh directory is made")
    options = parser.parse_args(arguments)
    if shutil.which("strace") is None:
        return "promises: strace not found (Debian: apt install strace)"
    chosen = contender(*options.rival) if options.rival else contenders.s4("S4", 1)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="s4-promises-", dir=options.directory) as name,
            chosen.start(Path(name), []) as server,
        ):
            for promise in watch(server, Path(name)):
                print(promise)
    except (servers.ServerError, OSError) as error:
        return f"promises: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
