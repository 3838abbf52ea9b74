"""Puts S4 under mixed load for long, watches what it holds, and says whether it stayed level.

Starts `manage.py serve` on a fresh directory, with clients of several kinds beside each other (see
`soak_load`), and samples the processes from /proc. Afterwards the store is verified, and what S4
costs while nobody asks for anything is measured. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import servers
from soak_load import MIB, Client, Rude, Tally, Visitor, Worker, make_buckets
from soak_plot import Panel, svg
from soak_watch import Sample, Watcher, levels, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers import Server

EVERY_SECONDS = 1.0
JOIN_SECONDS = 150
IDLE_CPU_PERCENT_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Idle:
    """What S4 costs while nobody asks for anything."""

    seconds: float
    cpu_percent: float  # of one core
    written_bytes: int
    held: Sample


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak S4 and report; the exit code is 0 only where the verdict is good."""
    options = _options().parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="s4-soak-", dir=options.directory) as directory,
        servers.s4(Path(directory), options.workers, []) as server,
    ):
        tally, samples = soak(server, options.minutes * 60, options.clients)
        sound = _verify(server)
        idle = _idle(server, options.settle, options.idle)
        log = server.log.read_text(errors="replace")
    report = _report(tally, samples, idle, sound=sound, log=log)
    report["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, {platform.release()}"
    report["minutes"], report["workers"] = options.minutes, options.workers
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    options.plot.write_text(_plot(report))
    print(_table(report))
    print(f"{options.json}, {options.plot}")
    return 0 if report["verdict"]["is_good"] else 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long the load lasts")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of the server")
    parser.add_argument("--clients", type=int, default=6, help="clients that store and read")
    parser.add_argument("--settle", type=float, default=300, help="seconds before idle is measured")
    parser.add_argument("--idle", type=float, default=60, help="seconds for which it is measured")
    parser.add_argument("--directory", type=Path, help="where the data are: the disk to use")
    parser.add_argument("--json", type=Path, default=Path("soak.json"), help="the report")
    parser.add_argument("--plot", type=Path, default=Path("soak.svg"), help="the picture")
    return parser


def soak(server: Server, seconds: float, clients: int) -> tuple[Tally, list[Sample]]:
    """Put the load on a server for so long."""
    make_buckets(server)
    tally, stop = Tally(), threading.Event()
    kinds: list[type[Client]] = [*[Worker] * clients, Visitor, Rude]
    crowd = [kind(server, tally, seed, stop) for seed, kind in enumerate(kinds)]
    watcher = Watcher(server.pid, tally.began, EVERY_SECONDS)
    for thread in (*crowd, watcher):
        thread.start()
    stop.wait(seconds)
    samples = watcher.stop()
    stop.set()
    for thread in crowd:
        thread.join(JOIN_SECONDS)
        if thread.is_alive():
            tally.note(thread.name, tally.began, 0, "never came to an end")
    return tally, samples


def _verify(server: Server) -> bool:
    """Prove every cross-reference of the store, beside the running server."""
    assert server.data_dir is not None, "S4 stores"
    run = subprocess.run(
        [sys.executable, "manage.py", "verify"],
        cwd=servers.ROOT,
        env=os.environ | {"S4_DATA_DIR": str(server.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        print(run.stdout, run.stderr, sep="\n")
    return run.returncode == 0


def _idle(server: Server, settle_seconds: float, seconds: float) -> Idle:
    """Wait until what follows the load is done, and measure what is done for nobody."""
    time.sleep(settle_seconds)
    began = time.monotonic()
    before = sample(server.pid, began)
    time.sleep(seconds)
    after = sample(server.pid, began)
    spent = after.at - before.at
    return Idle(
        seconds=spent,
        cpu_percent=100 * (after.cpu_seconds - before.cpu_seconds) / spent,
        written_bytes=after.written_bytes - before.written_bytes,
        held=after,
    )


def _report(
    tally: Tally, samples: list[Sample], idle: Idle, *, sound: bool, log: str
) -> dict[str, Any]:
    """Gather everything, and judge."""
    found = {name: asdict(one) | {"is_flat": one.is_flat} for name, one in levels(samples).items()}
    errors = [line for line in log.splitlines() if '"level": "error"' in line]
    verdict = {
        "memory_is_flat": found["anonymous_bytes"]["is_flat"],
        "descriptors_are_flat": found["descriptors"]["is_flat"],
        "threads_are_flat": found["threads"]["is_flat"],
        "no_process_was_replaced": found["processes"]["is_flat"],
        "nothing_failed": not tally.trouble,
        "log_tells_of_no_error": not errors,
        "store_is_sound": sound,
        "idle_is_quiet": idle.cpu_percent < IDLE_CPU_PERCENT_MAX,
    }
    return {
        "verdict": {"is_good": all(verdict.values()), **verdict},
        "levels": found,
        "requests": sum(map(len, tally.seconds.values())),
        "operations": {name: _spread(took) for name, took in sorted(tally.operations.items())},
        "statuses": dict(sorted(tally.statuses.items())),
        "trouble": tally.trouble[:100],
        "errors": errors[:100],
        "idle": asdict(idle),
        "seconds": [{"at": at, **_spread(took)} for at, took in sorted(tally.seconds.items())],
        "samples": [asdict(one) for one in samples],
    }


def _spread(took: list[float]) -> dict[str, float]:
    """Say how long things took, in milliseconds."""
    ordered = sorted(took)
    return {
        "count": len(ordered),
        "p50_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
        "max_ms": round(ordered[-1], 2),
    }


def _table(report: dict[str, Any]) -> str:
    """Write what a person wants to read."""
    rows = [f"{'operation':<20}{'count':>9}{'p50 ms':>9}{'p99 ms':>10}{'max ms':>10}"]
    for name, one in report["operations"].items():
        figures = f"{one['count']:>9,}{one['p50_ms']:>9.1f}{one['p99_ms']:>10.1f}"
        rows.append(f"{name:<20}{figures}{one['max_ms']:>10.1f}")
    rows.append("")
    for name, one in report["levels"].items():
        scale, unit = (MIB, " MiB") if name.endswith("_bytes") else (1, "")
        rows.append(
            f"{name:<20}{one['early'] / scale:>9.1f} -> {one['late'] / scale:.1f}{unit}"
            f" (at most {one['bound'] / scale:.1f})"
        )
    idle = report["idle"]
    rows.append(
        f"idle: {idle['cpu_percent']:.2f} % of a core, {idle['written_bytes']:,} bytes written in "
        f"{idle['seconds']:.0f} s, {idle['held']['pss_bytes'] / MIB:.0f} MiB"
    )
    rows += [f"{report['requests']:,} requests", *report["trouble"][:20], *report["errors"][:5]]
    words = {True: "yes", False: "NO"}
    rows += [
        f"{name.replace('_', ' ')}: {words[is_so]}" for name, is_so in report["verdict"].items()
    ]
    return "\n".join(rows)


def _plot(report: dict[str, Any]) -> str:
    samples, seconds = report["samples"], report["seconds"]

    def line(rows: list[dict[str, Any]], name: str, scale: float = 1) -> list[tuple[float, float]]:
        return [(row["at"], row[name] / scale) for row in rows]

    panels = [
        Panel(
            "Memory of all processes, MiB",
            [
                ("resident", line(samples, "rss_bytes", MIB)),
                ("proportional", line(samples, "pss_bytes", MIB)),
                ("anonymous", line(samples, "anonymous_bytes", MIB)),
            ],
        ),
        Panel(
            "Open files and threads",
            [("open files", line(samples, "descriptors")), ("threads", line(samples, "threads"))],
        ),
        Panel("Answers a second", [("answers", line(seconds, "count"))]),
        Panel(
            "Latency, ms",
            [("p99", line(seconds, "p99_ms")), ("p50", line(seconds, "p50_ms"))],
        ),
    ]
    return svg(f"S4 under mixed load for {report['minutes']:g} minutes", panels)


if __name__ == "__main__":
    sys.exit(main())
