"""Measures S4 by one command: every kind of work, what it costs, and what it is measured against.

Starts servers on fresh directories, puts the same work on each of them in turn, there and back
(A B B A), and prints a table. See benchmarks/README.md for how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import charts
import contenders
import felt
import limits
import processes
import rivals
import servers
import shares
import tables
import works
from load import BODY_BYTES_MIN, LoadError
from measuring import Subject
from works import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from contenders import Contender
    from measuring import Figures
    from works import Work

GROUPS = [*(group.value for group in Group), "workers"]
LISTED = 100_000
LISTED_QUICK = 3000


@dataclass(slots=True, kw_only=True)
class Bench:
    """A run: who is measured, on what, and what came out so far."""

    options: argparse.Namespace
    directory: Path
    cores: list[int]
    report: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Print at once."""
        print(text, flush=True)

    def run(self) -> dict[str, Any]:
        """Measure everything; answer the report."""
        options = self.options
        with ExitStack() as stack:
            measured = self._contenders(stack)
            self.report |= {
                "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "commit": contenders.this_commit(),
                "machine": {
                    "python": platform.python_version(),
                    "kernel": platform.release(),
                    "cores": len(self.cores),
                    "filesystem": processes.filesystem(self.directory),
                    "load": round(os.getloadavg()[0], 1),  # of others, when it began
                },
                "seconds_per_stage": options.seconds,
                "limits": limits.measure(self.directory, self._served()),
                "durability": {each.name: each.durability for each in measured},
                "sections": [],
            }
            self.say(tables.heading(self.report))
            plan = works.works(options.only, options.sizes, options.connections)
            is_pinned = self._is_pinned()
            title = f"{options.workers} worker(s), " + (
                "servers and clients on cores of their own" if is_pinned else "not pinned"
            )
            self.section(title, measured, plan, is_pinned=is_pinned)
            if "workers" in options.only and len(self.cores) > 1:
                self._workers()
            if Group.FELT in options.only:
                self._felt(measured)
        return self.report

    def _is_pinned(self) -> bool:
        return len(self.cores) > 1 and not self.options.unpinned

    def _served(self) -> list[int]:
        """Tell which cores the servers get."""
        return self.cores[:-1] if self._is_pinned() else self.cores

    def _contenders(self, stack: ExitStack) -> list[Contender]:
        """Decide who is measured; the first is what the others are compared with."""
        options = self.options
        found = [contenders.s4("S4", options.workers)]
        for commit in options.against:
            name, tree = stack.enter_context(contenders.checked_out(commit, self.directory))
            found.append(contenders.s4(name, options.workers, tree))
        found += [rivals.contender(name, binary) for name, binary in options.rival]
        if options.bare:
            found.append(contenders.bare(options.workers))
        return found

    def _workers(self) -> None:
        """Measure one worker against one for each core: nobody pinned, then each with its share."""
        counts = [1, len(self.cores)]
        measured = [contenders.s4(f"{count} worker(s)", count) for count in counts]
        options = self.options
        plan = works.shared_cores(options.only, options.sizes, options.connections)
        self.section("workers, not pinned", measured, plan, is_pinned=False)
        found = shares.controller()
        if found is None:
            self.say(f"\n{shares.TITLE}: not measured, no control group may be made here")
            return
        limited = [
            contenders.shared(each, count, found)
            for each, count in zip(measured, counts, strict=True)
        ]
        usual = works.usual_connections(options.connections)
        plan = works.shared_cores([], options.sizes, [usual])
        self.section(shares.TITLE, limited, plan, is_pinned=False)

    def section(
        self, title: str, measured: Sequence[Contender], plan: Sequence[Work], *, is_pinned: bool
    ) -> None:
        """Run servers side by side and put each work on them in turn."""
        if not plan:
            return
        rows: list[dict[str, Any]] = []
        self.report["sections"].append({"title": title, "is_pinned": is_pinned, "rows": rows})
        self.say(f"\n{title}\n{tables.HEADING}")
        with ExitStack() as stack:
            subjects = [
                self._start(stack, each, len(self.report["sections"]), is_pinned=is_pinned)
                for each in measured
            ]
            for work in plan:
                rows.append(self.row(work, subjects))
                for line in tables.lines(rows[-1]):
                    self.say(line)
                self.write()

    def _start(
        self, stack: ExitStack, contender: Contender, section: int, *, is_pinned: bool
    ) -> Subject:
        directory = self.directory / f"{section}-{contender.name}"
        directory.mkdir()
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        served = ",".join(map(str, self.cores[:-1]))
        prefix = ["taskset", "-c", served] if is_pinned else []
        os.sched_setaffinity(0, self.cores)
        server = stack.enter_context(contender.start(directory, prefix))
        os.sched_setaffinity(0, self.cores[-1:] if is_pinned else self.cores)
        subject = Subject(contender, server, directory, self.options.seconds, self.options.listed)
        subject.prepare()
        return subject

    def row(self, work: Work, subjects: Sequence[Subject]) -> dict[str, Any]:
        """Measure a work on all that can do it, there and back, and answer the medians.

        What a section does once more is not counted once more.
        """
        has_syncs = len(self.report["sections"]) == 1
        able = [each for each in subjects if each.can(work)]
        is_twice = len(able) > 1 or work.group is Group.LARGE  # of which one turn is one object
        order = [*able, *reversed(able)] if is_twice else able
        turns: dict[str, list[Figures]] = {each.contender.name: [] for each in able}
        for subject in order * self.options.rounds:
            taken = turns[subject.contender.name]
            taken.append(subject.measure(work, subjects, counts_syncs=has_syncs and not taken))
        return {
            "group": work.group,
            "operation": work.operation,
            "work": work.name,
            "size": work.size,
            "connections": work.connections,
            "payload": work.payload,
            "alike": work.alike,
            "measured": {name: medians(taken) for name, taken in turns.items()},
        }

    def _felt(self, measured: Sequence[Contender]) -> None:
        """Time the programs that people use, each alone with a fresh server."""
        self.say("\nprograms, not pinned")
        os.sched_setaffinity(0, self.cores)
        found: dict[str, dict[str, Figures]] = {}
        self.report["felt"] = found
        for contender in measured:
            if contender.is_bare:
                continue
            with tempfile.TemporaryDirectory(dir=self.directory) as name:
                directory = Path(name)
                with contender.start(directory, []) as server:
                    found[contender.name] = felt.measure(
                        server, directory, is_quick=self.options.quick
                    )
        tables.felt(found, self.say)

    def write(self) -> None:
        """Write down what is known so far."""
        if self.options.json:
            self.options.json.write_text(json.dumps(self.report, indent=2) + "\n")
        if self.options.plots:
            charts.write(self.report, self.options.plots)


def medians(turns: Sequence[Figures]) -> Figures:
    """Take the median of each figure; what went wrong is added up."""
    names = dict.fromkeys(name for figures in turns for name in figures)
    found = {
        name: statistics.median(figures[name] for figures in turns if name in figures)
        for name in names
    }
    summed = ("refused", "broken", "unrested")
    return found | {name: sum(figures[name] for figures in turns) for name in summed}


def troubles(report: dict[str, Any]) -> Iterator[str]:
    """Name the works with answers that were not as they must be."""
    for section in report["sections"]:
        for row in section["rows"]:
            for name, figures in row["measured"].items():
                if figures["refused"] + figures["broken"]:
                    yield f"{row['work']} of {name}"


def numbers(text: str) -> list[int]:
    """Read whole numbers separated by commas."""
    values = [int(number) for number in text.split(",")]
    if min(values) < 1:
        raise ValueError(text)
    return values


def groups(text: str) -> list[str]:
    """Read names of groups separated by commas."""
    chosen = text.split(",")
    if not {*chosen} <= {*GROUPS}:
        raise ValueError(text)
    return chosen


def rival(text: str) -> tuple[str, Path]:
    """Read a rival's name and the path of its binary."""
    name, _, path = text.partition("=")
    if name not in rivals.RIVALS or not Path(path).is_file():
        raise ValueError(text)
    return name, Path(path).resolve()


groups.__name__, rival.__name__ = "group", f"rival (NAME=PATH; {', '.join(rivals.RIVALS)})"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure S4: speed, and what it costs.")
    add = parser.add_argument
    add("--quick", action="store_true", help="PUT and GET of 1 KiB over 32 connections, seconds")
    add("--only", type=groups, metavar="small,lists", help=f"among {', '.join(GROUPS)}")
    add("--against", action="append", default=[], metavar="COMMIT", help="measure it beside")
    add("--rival", type=rival, action="append", default=[], metavar="NAME=PATH")
    add("--bare", action="store_true", help="measure a bare ASGI application beside")
    add("--rounds", type=int, default=1, help="how often there and back (1)")
    add("--seconds", type=int, help="length of each stage (3; quick: 1)")
    add("--sizes", type=numbers, metavar="1024,65536", help="in bytes")
    add("--connections", type=numbers, metavar="1,16,32,64")
    add("--workers", type=int, default=1, help="worker processes of S4 (1)")
    add("--unpinned", action="store_true", help="share all cores among servers and clients")
    add("--listed", type=int, help=f"keys to list among ({LISTED:,})")
    add("--json", type=Path, metavar="FILE", help="write the report there too")
    add("--plots", type=Path, metavar="DIR", help="draw the report as SVG there")
    add("--directory", type=Path, help="where fresh directories are made: the disk to measure")
    options = parser.parse_args(arguments)
    options.only = options.only or ([Group.SMALL] if options.quick else GROUPS)
    options.sizes = options.sizes or ([1024] if options.quick else list(works.SIZES))
    options.connections = options.connections or ([32] if options.quick else [*works.CONNECTIONS])
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.listed = options.listed or (LISTED_QUICK if options.quick else LISTED)
    if min(options.sizes) < BODY_BYTES_MIN:
        parser.error(f"sizes start at {BODY_BYTES_MIN} bytes")
    return options


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Measure; answer a line of complaint when something was not as it must be."""
    options = parse(arguments)
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        return f"bench: {' and '.join(missing)} not found (Debian: apt install wrk util-linux)"
    try:
        with tempfile.TemporaryDirectory(prefix="s4-bench-", dir=options.directory) as name:
            cores = sorted(os.sched_getaffinity(0))
            bench = Bench(options=options, directory=Path(name), cores=cores)
            report = bench.run()
            bench.write()
    except (LoadError, servers.ServerError, felt.FeltError, OSError) as error:
        return f"bench: {error}"
    wrong = list(troubles(report))
    return f"bench: answers that were not 2xx: {', '.join(wrong)}" if wrong else None


if __name__ == "__main__":
    # The servers are no children of the terminal's: who ends the program ends them too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    sys.exit(main())
