"""Measures S4 from 1 KiB up: requests a second, latency, and CPU per operation.

Starts `manage.py serve` on a fresh directory beside a bare ASGI application, puts the same signed
requests on both in turn, and prints a table. See benchmarks/README.md for how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
import servers
from load import BODY_BYTES_MIN, Load, LoadError, Stage, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processes import Cost
    from servers import Server

BUCKET = "ladder"
LIST_ROWS = 1000
EMPTY_OBJECTS = 100
HEADING = (
    f"{'':<5}{'size':>7}{'conn':>5} |{'req/s':>8}{'MB/s':>7}{'p50 ms':>8}{'p99 ms':>8}"
    f"{'CPU s/1k':>9}{'disk B/op':>11} |{'bare req/s':>11}{'CPU s/1k':>9} |{'speed':>6}{'CPU':>6}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured, and where."""

    sizes: list[int]
    connections: list[int]
    seconds: int
    workers: int
    extras: bool  # HEAD and LIST too
    server_prefix: list[str]
    client_prefix: list[str]
    directory: Path


@dataclass(slots=True)
class Row:
    """One rung: what the client saw and what the server paid, for S4 and for the bare server."""

    operation: str
    size: int
    connections: int
    s4: dict[str, float]
    bare: dict[str, float] | None = None

    @property
    def trouble(self) -> float:
        """How many answers were not as they must be."""
        sides = [self.s4] if self.bare is None else [self.s4, self.bare]
        return sum(side["refused"] + side["broken"] for side in sides)


@dataclass(slots=True)
class Ladder:
    """A run in progress."""

    plan: Plan
    s4: Server
    bare: Server
    rows: list[Row] = field(default_factory=list)
    stages: int = 0
    stored: dict[int, list[str]] = field(default_factory=dict)  # size -> paths surely there
    objects: int = 0
    logical_bytes: int = 0

    def climb(self) -> Iterator[Row]:
        """Measure rung after rung."""
        for size in self.plan.sizes:
            for connections in self.plan.connections:
                yield self._put(size, connections)
            for connections in self.plan.connections:
                yield self._rung("GET", size, connections, self.stored[size])
        if self.plan.extras:
            yield from self._extras()

    def _put(self, size: int, connections: int) -> Row:
        """Measure PUT of ever new keys, and note which of them later stages may ask for."""
        count = self.plan.seconds * max(1500, min(15_000, 2**30 // size))
        paths = [f"/{BUCKET}/{size}/{connections}-{index:08d}" for index in range(count)]
        row = self._rung("PUT", size, connections, paths)
        finished = int(row.s4["requests"])
        self.objects += min(finished, count)
        self.logical_bytes += min(finished, count) * size
        # wrk asks for one request before it begins and never sends it; the last ones may have been
        # under way when the time was up.
        self.stored[size] = paths[1 : max(min(finished, count) // 2, 2)]
        return row

    def _extras(self) -> Iterator[Row]:
        """Measure HEAD, of empty objects because wrk waits for a body, and a full page of LIST."""
        empty = [f"/{BUCKET}/0/{index}" for index in range(EMPTY_OBJECTS)]
        for path in empty:
            self.s4.demand("PUT", path)
        for connections in self.plan.connections:
            yield self._rung("HEAD", 0, connections, empty)
        size = self.plan.sizes[0]
        if len(self.stored[size]) < LIST_ROWS:
            return
        query = f"list-type=2&max-keys={LIST_ROWS}&prefix={size}%2F"
        for connections in self.plan.connections:
            stage = self._stage("GET", connections, [f"/{BUCKET}"], query=query)
            yield self._keep(Row("LIST", LIST_ROWS, connections, self._measure(self.s4, stage)))

    def _rung(self, method: str, size: int, connections: int, paths: list[str]) -> Row:
        stage = self._stage(method, connections, paths, size=size)
        bare = self._measure(self.bare, stage)
        return self._keep(Row(method, size, connections, self._measure(self.s4, stage), bare))

    def _keep(self, row: Row) -> Row:
        self.rows.append(row)
        return row

    def _stage(
        self, method: str, connections: int, paths: list[str], *, size: int = 0, query: str = ""
    ) -> Stage:
        self.stages += 1
        return Stage(self.stages, method, paths, query, size, connections, self.plan.seconds)

    def _measure(self, server: Server, stage: Stage) -> dict[str, float]:
        before = processes.cost(server.pid)
        try:
            load = run(stage, server.signer(), self.plan.directory, self.plan.client_prefix)
        except LoadError as error:
            raise LoadError(f"{error}; {server.name} last said: {server.last_words()}") from error
        if not load.requests:
            raise LoadError(f"{server.name} answered no {stage.method} in {stage.seconds} s")
        return figures(load, processes.cost(server.pid).since(before))


def figures(load: Load, cost: Cost) -> dict[str, float]:
    """Bring what client and server measured into one row of numbers."""
    return {
        "requests": load.requests,
        "requests_per_second": round(load.rate, 1),
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "cpu_seconds_per_1000": round(cost.cpu_seconds / load.requests * 1000, 4),
        "written_bytes_per_request": round(cost.written_bytes / load.requests),
        "resident_bytes": cost.resident_bytes,
        "anonymous_bytes": cost.anonymous_bytes,
        "refused": load.refused,
        "broken": load.broken,
    }


def shown(row: Row) -> str:
    """Write one line of the table."""
    s4 = row.s4
    size = f"{row.size} keys" if row.operation == "LIST" else human(row.size)
    moved = row.operation in {"PUT", "GET"}
    throughput = f"{s4['requests_per_second'] * row.size / 1e6:.0f}" if moved else ""
    line = (
        f"{row.operation:<5}{size.removesuffix(' keys'):>7}{row.connections:>5} |"
        f"{s4['requests_per_second']:>8.0f}{throughput:>7}{s4['p50_ms']:>8.2f}{s4['p99_ms']:>8.2f}"
        f"{s4['cpu_seconds_per_1000']:>9.3f}{s4['written_bytes_per_request']:>11.0f} |"
    )
    if row.bare:
        speed = s4["requests_per_second"] / row.bare["requests_per_second"]
        bare_cpu = row.bare["cpu_seconds_per_1000"]
        cpu = f"{s4['cpu_seconds_per_1000'] / bare_cpu:.1f}x" if bare_cpu else ""
        line += f"{row.bare['requests_per_second']:>11.0f}{bare_cpu:>9.3f} |{speed:>6.2f}{cpu:>6}"
    return line + (f"  NOT 2xx: {row.trouble:.0f}" if row.trouble else "")


def human(size: int) -> str:
    """Write a size in the largest unit that divides it."""
    for unit, name in ((2**20, "M"), (2**10, "K")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def check_store(server: Server) -> None:
    """Prove that the server keeps and refuses what it must, before anything is measured."""
    server.demand("PUT", f"/{BUCKET}")
    server.demand("PUT", f"/{BUCKET}/probe", b"what was put")
    if server.demand("GET", f"/{BUCKET}/probe") != b"what was put":
        raise servers.ServerError("S4 answered other bytes than were put")
    if server.ask("GET", f"/{BUCKET}/missing")[0] != 404:
        raise servers.ServerError("S4 did not answer 404 for a key that is not there")


def climb(plan: Plan) -> dict[str, Any]:
    """Run the whole ladder, printing each rung; answer the report."""
    with ExitStack() as stack:
        s4 = stack.enter_context(servers.s4(plan.directory, plan.workers, plan.server_prefix))
        bare = stack.enter_context(servers.bare(plan.directory, plan.workers, plan.server_prefix))
        check_store(s4)
        ladder = Ladder(plan, s4, bare)
        print(HEADING)
        for row in ladder.climb():
            print(shown(row), flush=True)
        cost = processes.cost(s4.pid)
        assert s4.data_dir is not None
        files, occupied = processes.disk_use(s4.data_dir)
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "filesystem": processes.filesystem(plan.directory),
        "is_pinned": bool(plan.server_prefix),
        "workers": plan.workers,
        "seconds_per_stage": plan.seconds,
        "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "rows": [asdict(row) for row in ladder.rows],
        "troubled_stages": sum(row.trouble > 0 for row in ladder.rows),
        "memory": {
            "processes": cost.processes,
            "resident_bytes": cost.resident_bytes,
            "anonymous_bytes": cost.anonymous_bytes,
        },
        "disk": {
            "objects": ladder.objects,
            "logical_bytes": ladder.logical_bytes,
            "files": files,
            "occupied_bytes": occupied,
        },
    }


def summary(report: dict[str, Any]) -> str:
    """Write what stands below the table."""
    memory, disk = report["memory"], report["disk"]
    return (
        f"{report['workers']} worker(s), {report['cores']} cores"
        f"{', pinned' if report['is_pinned'] else ''}, {report['filesystem']}, "
        f"Python {report['python']}\n"
        f"memory of {memory['processes']} processes: {memory['resident_bytes'] / 1e6:.0f} MB "
        f"resident, {memory['anonymous_bytes'] / 1e6:.0f} MB of it not backed by a file\n"
        f"disk: {disk['objects']:,} objects, {disk['logical_bytes'] / 1e6:.0f} MB put, "
        f"{disk['occupied_bytes'] / 1e6:.0f} MB occupied in {disk['files']} files"
    )


def numbers(text: str) -> list[int]:
    """Read whole numbers separated by commas."""
    values = [int(number) for number in text.split(",")]
    if min(values) < 1:
        raise ValueError(text)
    return values


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Measure S4 with wrk: PUT, GET, HEAD and LIST, beside a bare ASGI server."
    )
    parser.add_argument("--quick", action="store_true", help="PUT and GET of 1 KiB, ten seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--connections", type=numbers, default=[1, 32], metavar="1,32")
    parser.add_argument("--sizes", type=numbers, metavar="1024,65536,1048576", help="in bytes")
    parser.add_argument("--seconds", type=int, help="length of each stage (5; quick: 1)")
    parser.add_argument("--workers", type=int, help="worker processes (one for each core served)")
    parser.add_argument("--pin", action="store_true", help="last core for wrk, the others for S4")
    parser.add_argument(
        "--directory", type=Path, help="where the fresh directory is made (the disk to measure)"
    )
    options = parser.parse_args(arguments)
    options.sizes = options.sizes or ([1024] if options.quick else [1024, 65_536, 1_048_576])
    options.seconds = options.seconds or (1 if options.quick else 5)
    if min(options.sizes) < BODY_BYTES_MIN:
        parser.error(f"sizes start at {BODY_BYTES_MIN} bytes")
    return options


def make_plan(options: argparse.Namespace, directory: Path) -> Plan:
    """Decide who runs where."""
    cores = sorted(os.sched_getaffinity(0))
    served = cores[:-1] if options.pin and len(cores) > 1 else cores
    return Plan(
        sizes=options.sizes,
        connections=options.connections,
        seconds=options.seconds,
        workers=options.workers or len(served),
        extras=not options.quick,
        server_prefix=["taskset", "-c", ",".join(map(str, served))] if options.pin else [],
        client_prefix=["taskset", "-c", str(cores[-1])] if options.pin else [],
        directory=directory,
    )


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Measure; answer a line of complaint when something was not as it must be."""
    options = parse(arguments)
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        return f"ladder: {' and '.join(missing)} not found (Debian: apt install wrk util-linux)"
    try:
        with tempfile.TemporaryDirectory(prefix="s4-ladder-", dir=options.directory) as name:
            report = climb(make_plan(options, Path(name)))
    except (LoadError, servers.ServerError, OSError) as error:
        return f"ladder: {error}"
    print(summary(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if report["troubled_stages"]:
        return f"ladder: {report['troubled_stages']} stage(s) with answers that were not 2xx"
    return None


if __name__ == "__main__":
    sys.exit(main())
