"""Measures what a store of many objects costs: ten million, unless told otherwise.

Fills a fresh store through the engine's facade, without HTTP, then starts, lists, reads, renames,
kills and verifies it, each in a process of its own, and prints a table. With `--check` it fails
when a figure leaves its bounds. See docs/scale.md for what came out and how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
import scale_report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
STAGES = ROOT / "benchmarks" / "scale_stages.py"
OBJECTS = 10_000_000
DISK_BYTES_PER_OBJECT = 1500  # index, pages that wait to be reused, a snapshot beside it
DISK_BYTES_BESIDES = 4 << 30  # journal, and what random puts make the index grow
MEMORY_SHARE_TO_WARM = 0.5
KILL_SECONDS = [4.5, 6.5, 8.5]


class ScaleError(Exception):
    """A stage did not do its work, or there is no room for it."""


@dataclass(slots=True)
class Run:
    """One store, and what is known of it so far."""

    store: Path
    options: argparse.Namespace
    report: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Tell which stage begins."""
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    # --- stages, each a process ----------------------------------------------------------------

    def begin(self, stage: str, **options: Any) -> subprocess.Popen[str]:
        """Start a stage."""
        command = [sys.executable, str(STAGES), stage, str(self.store), json.dumps(options)]
        return subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], seconds_max: float | None = None) -> Any:
        """Wait for a stage; return what it measured, None when it took too long."""
        try:
            output, _ = process.communicate(timeout=seconds_max)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        if process.returncode:
            raise ScaleError(f"a stage ended with {process.returncode}")
        return json.loads(output)

    def stage(self, stage: str, seconds_max: float | None = None, **options: Any) -> Any:
        """Run a stage to its end."""
        return self.finish(self.begin(stage, **options), seconds_max)

    # --- the page cache ------------------------------------------------------------------------

    def chill(self) -> None:
        """Have no page of the store in memory; whoever maps a file must have ended."""
        for path in self.store.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def warm(self) -> bool:
        """Have the index in memory, if it leaves room for others."""
        data = self.store / "index" / "data.mdb"
        if data.stat().st_size > memory_available() * MEMORY_SHARE_TO_WARM:
            return False
        with data.open("rb") as file:
            while file.read(1 << 22):
                pass
        return True

    # --- what is measured ----------------------------------------------------------------------

    def fill(self) -> None:
        """Load the objects, by one or more processes."""
        total, shares = self.options.objects, self.options.loaders
        self.say(f"loading {total:,} objects")
        began = time.monotonic()
        tender = self.begin("tend")
        loaders = [
            self.begin(
                "load", total=total, in_flight=self.options.in_flight, share=share, shares=shares
            )
            for share in range(shares)
        ]
        loads = [self.finish(loader) for loader in loaders]
        seconds = time.monotonic() - began
        self.report |= self.finish(tender)
        cpu = sum(load["cpu_seconds"] for load in loads)
        self.report["load"] = {
            "seconds": round(seconds, 1),
            "rate": round(total / seconds),
            "cpu_us": round(cpu / total * 1e6, 1),
            "in_flight": self.options.in_flight,
            "loaders": shares,
            "written_bytes_per_object": round(sum(one["written_bytes"] for one in loads) / total),
            "anonymous_bytes": max(load["anonymous_bytes"] for load in loads),
            "resident_bytes": max(load["resident_bytes"] for load in loads),
            "checkpoint_s": max(
                (one["checkpoint_s"] for one in loads), key=lambda found: found["count"]
            ),
        }
        self.report["disk"] = self.stage("inspect")

    def start(self, name: str, seed: int, *, is_cold: bool) -> None:
        """Measure a start of the store as it lies there."""
        if is_cold:
            self.chill()
        spawned = time.monotonic()
        found = self.stage("start", total=self.options.objects, seed=seed, spawned=spawned)
        self.report.setdefault("starts", {})[name] = found

    def starts(self) -> None:
        """Measure starts after an orderly end."""
        self.say("starting after an orderly end")
        for turn in range(3):
            self.start(f"orderly end, cold, {turn + 1}", turn, is_cold=True)
        for turn in range(3):
            self.start(f"orderly end, warm, {turn + 1}", turn + 3, is_cold=False)

    def kills(self) -> None:
        """Measure starts after SIGKILL under full load, each with what had to be replayed."""
        for turn, seconds in enumerate(self.options.kill_seconds):
            self.say(f"killing a process that has written for {seconds} s")
            process = self.begin(
                "press", first=(turn + 2) * 10**9, seconds=600, in_flight=self.options.in_flight
            )
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            found = self.stage("distance")
            is_cold = turn == 0
            name = f"kill -9, {'cold' if is_cold else 'warm'}, {turn + 1}"
            self.start(name, turn + 6, is_cold=is_cold)
            self.report["starts"][name] |= found

    def reads(self) -> None:
        """Measure listings and lookups, cold and warm."""
        total = self.options.objects
        self.say("listing and reading, cold")
        self.chill()
        self.report["lists_cold"] = self.stage("lists", total=total, pages=20, seed=11)
        self.chill()
        self.report["lookups_cold"] = self.stage("lookups", total=total, count=2000, seed=12)
        self.say("listing and reading, warm")
        self.report["is_warm"] = self.warm()
        self.report["lists"] = self.stage("lists", total=total, pages=200, seed=13)
        self.report["lookups"] = self.stage("lookups", total=total, count=50_000, seed=14)

    def changes(self) -> None:
        """Measure renames, snapshots, and puts beside checkpoints, warm and cold."""
        self.say("renaming, making a snapshot")
        self.report["renames"] = self.stage("renames", total=self.options.objects, count=50)
        self.report["snapshot"] = self.stage("snapshot")
        seconds = self.options.press_seconds
        self.say("putting new keys in no order, warm")
        pressed = self.stage("press", first=0, seconds=seconds, in_flight=32)
        self.say("putting new keys in no order, cold")
        self.chill()
        cold = self.stage("press", first=10**9, seconds=seconds, in_flight=32)
        self.report["puts"], self.report["puts_cold"] = pressed, cold
        self.report["disk_after_puts"] = self.stage("inspect")

    def verify(self) -> None:
        """Verify everything, if time and memory allow."""
        self.say("verifying")
        memory_bytes = int(memory_available() * MEMORY_SHARE_TO_WARM)
        seconds_max = self.options.verify_seconds
        found = self.stage("verify", seconds_max, memory_bytes=memory_bytes)
        reason = f"not done within {seconds_max} s"
        self.report["verify"] = found or {"is_whole": False, "reason": reason}

    def carry_out(self) -> dict[str, Any]:
        """Run every stage; answer the report."""
        self.report |= {
            "objects": self.options.objects,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "filesystem": processes.filesystem(self.store.parent),
            "memory_available_bytes": memory_available(),
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        for part in (self.fill, self.starts, self.reads, self.changes, self.kills, self.verify):
            part()
            self.write()
        return self.report

    def write(self) -> None:
        """Write down what is known so far."""
        if self.options.json:
            self.options.json.write_text(json.dumps(self.report, indent=2) + "\n")


def memory_available() -> int:
    """Tell how much memory could be used without anything being swapped out (proc(5))."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise ScaleError("/proc/meminfo does not tell how much memory is available")


def check_room(directory: Path, objects: int) -> None:
    """Refuse to begin what the disk cannot hold; raises ScaleError."""
    needed = objects * DISK_BYTES_PER_OBJECT + DISK_BYTES_BESIDES
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise ScaleError(
            f"{objects:,} objects need about {needed / 1e9:.0f} GB in {directory}, "
            f"which has {free / 1e9:.0f} GB free"
        )


@contextmanager
def store_in(options: argparse.Namespace) -> Iterator[Path]:
    """Yield where the store is to be made: a directory to keep, or one that will be removed."""
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        if any(options.keep.iterdir()):
            raise ScaleError(f"{options.keep} is not empty")
        yield options.keep
        return
    with tempfile.TemporaryDirectory(prefix="s4-scale-", dir=options.directory) as name:
        yield Path(name) / "store"


def seconds(text: str) -> list[float]:
    """Read numbers separated by commas."""
    return [float(number) for number in text.split(",")]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Measure what many objects cost: disk, memory, start, lists, lookups, renames."
    )
    parser.add_argument("--objects", type=int, default=OBJECTS, help=f"how many ({OBJECTS:,})")
    parser.add_argument("--loaders", type=int, default=1, help="processes that load (1)")
    parser.add_argument("--in-flight", type=int, default=512, help="puts each has waiting (512)")
    parser.add_argument("--press-seconds", type=int, default=30, help="length of put stages (30)")
    parser.add_argument("--verify-seconds", type=int, default=1200, help="when to give up (1200)")
    parser.add_argument(
        "--kill-seconds",
        type=seconds,
        default=KILL_SECONDS,
        metavar="4.5,6.5,8.5",
        help="after how many seconds of writing to kill",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the store there; keep it")
    parser.add_argument("--check", action="store_true", help="fail when a bound is not met")
    parser.add_argument(
        "--directory", type=Path, help="where the fresh directory is made (the disk to measure)"
    )
    options = parser.parse_args(arguments)
    if options.objects < 1000:
        parser.error("fewer than 1,000 objects fill no page")
    return options


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Measure; answer a line of complaint when something is not as it must be."""
    options = parse(arguments)
    try:
        with store_in(options) as store:
            check_room(store if store.exists() else store.parent, options.objects)
            report = Run(store, options).carry_out()
    except (ScaleError, OSError) as error:
        return f"scale: {error}"
    print(scale_report.table(report))
    broken = scale_report.broken_bounds(report)
    for line in broken:
        print(f"out of bounds: {line}")
    return f"scale: {len(broken)} figure(s) out of bounds" if broken and options.check else None


if __name__ == "__main__":
    sys.exit(main())
