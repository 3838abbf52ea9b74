"""Counts the disk's syncs as the kernel sees them: for each commit, and for each PUT under load.

Runs the engine, then the real server with wrk, under strace, which tells every sync of the whole
process tree and which file it was for. Needs strace and wrk. See docs/scale.md for what came out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
import servers
from load import LoadError, Stage, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
SYNCS = "fdatasync,fsync,msync,sync,syncfs"
STRACE = ("strace", "-f", "--seccomp-bpf", "-y", "-e", f"trace={SYNCS}", "-o")
CALL = re.compile(r"(\w+)\((?:\d+<([^>]*)>)?")
COMMITS = 20
BUCKET = "syncs"
SYNCS_PER_PUT_MAX = 0.2
PATIENCE_SECONDS = 60

# Puts objects one after the other, each in a commit of its own; each starts when told to.
PUTS = """
import sys
from pathlib import Path
from storage_engine import ObjectAttributes, open_engine

with open_engine(Path(sys.argv[1])) as engine:
    size = int(sys.argv[2])
    print("ready", flush=True)
    for number, _ in enumerate(sys.stdin):
        payload = b"%08d" % number + bytes(size - 8)
        attributes = ObjectAttributes(etag="0" * 32, headers={})
        engine.put_object(1, f"key-{number}", engine.stage_bytes(payload), attributes).result()
        print("durable", flush=True)
"""


class Trace:
    """A file that strace writes to, read as it grows; `store` is the data directory."""

    def __init__(self, path: Path, store: Path) -> None:
        self.path = path
        self._store = str(store.resolve())
        self._read = 0

    def since(self) -> Counter[str]:
        """Count the syncs since the last call, by kind of file."""
        with self.path.open() as file:
            file.seek(self._read)
            text = file.read()
        whole = text.rpartition("\n")[0]
        self._read += len(whole)
        calls = (CALL.search(line) for line in whole.splitlines() if "resumed" not in line)
        found = ((call[1], (call[2] or "").removeprefix(self._store)) for call in calls if call)
        return Counter(kind(*each) for each in found)


def kind(call: str, name: str) -> str:
    """Name what a sync was for; `name` is the file's in the data directory."""
    _, part, *rest = [*name.split("/"), ""]
    if part == "journal":  # else it is room for frames to come: its filling, its name
        return "journal" if rest[0].endswith(".segment") else "segments"
    if part in {"volumes", "index"}:
        return part
    # SQLite makes the names of its files durable by the directory itself.
    return "sqlite" if not name or part.startswith("s4.sqlite3") else f"{call} {name}"


def of_commits(directory: Path, size: int) -> dict[str, int]:
    """Count the syncs of commits of one object each, of so many bytes."""
    trace = directory / f"trace-{size}"
    store = directory / f"store-{size}"
    process = subprocess.Popen(
        [*STRACE, str(trace), sys.executable, "-c", PUTS, str(store), str(size)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    syncs = Trace(trace, store)
    counts = []
    for _ in range(1 + COMMITS):
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        counts.append(syncs.since())
    process.stdin.close()
    process.wait()
    process.stdout.close()
    # The first put of a process opens its volume and the journal's first segment.
    return dict(sum(counts[1:], Counter()))


def of_puts(directory: Path, connections: int, seconds: int) -> dict[str, Any]:
    """Count the syncs of the whole server while wrk puts objects of 1 KiB.

    Where the disk was so busy that none was answered, they are put once more, for longer.
    """
    trace, workers = directory / "trace-server", os.cpu_count() or 1
    with _traced_server(directory, trace, workers) as server:
        server.demand("PUT", f"/{BUCKET}")
        server.demand("PUT", f"/{BUCKET}/first", b"x" * 1024)
        assert server.data_dir is not None
        syncs = Trace(trace, server.data_dir)
        syncs.since()
        paths = [f"/{BUCKET}/{number:08d}" for number in range(seconds * 15_000)]
        stage = Stage(
            number=1,
            method="PUT",
            paths=paths,
            size=1024,
            connections=connections,
            seconds=seconds,
        )
        load, runs = run(stage, server.signer(), directory), 1
        if not load.requests:
            stage = replace(stage, number=2, seconds=PATIENCE_SECONDS)
            load, runs = run(stage, server.signer(), directory), 2
        counted = syncs.since()
    if load.refused or load.broken or not load.requests:
        raise LoadError(f"{load.refused + load.broken} of {load.requests} requests went wrong")
    return {
        "connections": connections,
        "workers": workers,
        "requests": load.requests,
        "unanswered_max": runs * connections,
        "rate": round(load.rate),
        "syncs": dict(counted),
        "syncs_per_put": round(sum(counted.values()) / load.requests, 4),
    }


@contextmanager
def _traced_server(directory: Path, trace: Path, workers: int) -> Iterator[servers.Server]:
    with servers.s4(directory, workers, [*STRACE, str(trace)]) as server:
        try:
            yield server
        finally:  # strace itself takes no notice of signals; it ends with what it watches
            os.kill(processes.tree(server.pid)[1], signal.SIGTERM)
            os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)


def measure(directory: Path, connections: list[int], seconds: int) -> dict[str, Any]:
    """Count everything."""
    return {
        "commits": COMMITS,
        "tiny": of_commits(directory, 100),
        "blob": of_commits(directory, 100_000),
        "puts": [
            of_puts(Path(tempfile.mkdtemp(dir=directory)), count, seconds) for count in connections
        ],
    }


def table(report: dict[str, Any]) -> str:
    """Write what was counted."""
    lines = [
        f"{report['commits']} commits of one {name} object each: {_listed(report[name])}"
        for name in ("tiny", "blob")
    ]
    lines += [
        f"{puts['requests']:,} PUTs of 1 KiB over {puts['connections']} connections, "
        f"{puts['rate']:,}/s: {puts['syncs_per_put']} syncs for each ({_listed(puts['syncs'])})"
        for puts in report["puts"]
    ]
    return "\n".join(lines)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def broken_bounds(report: dict[str, Any]) -> list[str]:
    """List what is not as it must be; that a checkpoint came between is no fault.

    How many puts share a sync is a matter of how long the disk takes for one and how fast puts
    come: on a machine that does other things too, fewer do.
    """
    commits = report["commits"]
    broken = [
        f"{commits} commits of one {name} object each: {report[name].get(part, 0)} of {part}"
        for name, part, wanted in (
            ("tiny", "journal", commits),
            ("tiny", "volumes", 0),
            ("blob", "journal", commits),
            ("blob", "volumes", commits),
        )
        if report[name].get(part, 0) != wanted
    ]
    broken += [
        f"{puts['syncs_per_put']} syncs for each PUT over {puts['connections']} connections, "
        f"{SYNCS_PER_PUT_MAX} allowed"
        for puts in report["puts"]
        if puts["connections"] >= 32 and puts["syncs_per_put"] > SYNCS_PER_PUT_MAX
    ]
    return broken


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Measure; answer a line of complaint when something is not as it must be."""
    parser = argparse.ArgumentParser(description="Count syncs for each commit and each PUT.")
    parser.add_argument("--seconds", type=int, default=5, help="length of each load (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--check", action="store_true", help="fail when a bound is not met")
    parser.add_argument("--directory", type=Path, help="where the fresh directory is made")
    options = parser.parse_args(arguments)
    missing = [tool for tool in ("strace", "wrk") if shutil.which(tool) is None]
    if missing:
        return f"syncs: {' and '.join(missing)} not found (Debian: apt install strace wrk)"
    try:
        with tempfile.TemporaryDirectory(prefix="s4-syncs-", dir=options.directory) as name:
            report = measure(Path(name), [1, 32], options.seconds)
    except (LoadError, servers.ServerError, OSError) as error:
        return f"syncs: {error}"
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    broken = broken_bounds(report)
    for line in broken:
        print(f"out of bounds: {line}")
    return f"syncs: {len(broken)} figure(s) out of bounds" if broken and options.check else None


if __name__ == "__main__":
    sys.exit(main())
