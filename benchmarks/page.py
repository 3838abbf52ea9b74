"""Writes the figures of the last runs into docs/performance.md, and its pictures beside.

Each part of the page between `<!-- NAME -->` and `<!-- end -->` is made of a report; what is said
about the figures around it is written by hand, and to be read again when they change.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import charts
import growth
import servers
import works as works_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = servers.ROOT / "docs" / "performance.md"
IMAGES = servers.ROOT / "docs" / "images"
USUAL = works_list.USUAL_CONNECTIONS
LONE = "PUT 1 KiB over 1 connection, median"
LARGE_BYTES = 1 << 16  # of a body whose hashes and writing bind it
SHARED = 2  # the section in which each worker has a share of a core
TIMES_WANTED = 1.7  # by a second worker, on GET 1 KiB
PART = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Report = dict[str, Any]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What one kind of work was to reach: a figure of a row, and how much of it."""

    text: str
    work: str
    figure: str
    wanted: float
    unit: str
    connections: int = USUAL
    scale: float = 1
    is_most: bool = False  # not at least but at most
    is_of_all_cores: bool = False  # one worker for each core is to reach it

    def is_met(self, value: float) -> bool:
        """Tell whether a figure is enough."""
        return value <= self.wanted if self.is_most else value >= self.wanted

    def say(self, value: float) -> str:
        """Write a figure with its unit."""
        digits = 0 if not self.is_most else 1 if self.wanted >= 10 else 2
        return f"{number(value, digits)}{self.unit}"


def _rate(work: str, wanted: float, connections: int = USUAL, text: str = "") -> Floor:
    figure = "requests_per_second"
    return Floor(
        text=text or work,
        work=work,
        figure=figure,
        wanted=wanted,
        unit="/s",
        connections=connections,
    )


def _bytes(work: str, wanted: float, connections: int = USUAL, text: str = "") -> Floor:
    return Floor(
        text=text or work,
        work=work,
        figure="bytes_per_second",
        wanted=wanted,
        unit=" MB/s",
        connections=connections,
        scale=1e6,
    )


def _time(work: str, figure: str, wanted: float, connections: int, text: str) -> Floor:
    return Floor(
        text=text,
        work=work,
        figure=figure,
        wanted=wanted,
        unit=" ms",
        connections=connections,
        is_most=True,
    )


def floors_of(report: Report) -> list[Floor]:
    """List the floors; one of them is made of this machine's own syncs."""
    lone = 2 * report["limits"]["fdatasync_p50_ms"] + 0.3
    of_all = _bytes("PUT 1 MiB", 450, text="PUT 1 MiB, a worker for each core")
    return [
        _rate("GET 1 KiB", 8000),
        _time("GET 1 KiB", "p99_ms", 10, USUAL, "GET 1 KiB, p99"),
        _rate("PUT 1 KiB", 6000),
        _time("PUT 1 KiB", "p50_ms", lone, 1, LONE),
        _rate("HEAD 1 KiB", 9000, text="HEAD"),
        _rate("DELETE 1 KiB", 6000, text="DELETE"),
        _rate("PUT 64 KiB", 1800),
        _bytes("PUT 1 MiB", 300),
        replace(of_all, is_of_all_cores=True),
        _rate("GET 64 KiB", 8000),
        _bytes("GET 1 MiB", 1500),
        _rate("LIST", 250, 8, "LIST 1,000 of 100,000"),
        _time("LIST", "first_byte_ms", 10, 1, "LIST, first byte"),
        _bytes("PUT 1 stream 1 GiB", 400, 1, "one PUT of 1 GiB"),
        _bytes("GET 1 stream 1 GiB", 1200, 1, "one GET of 1 GiB"),
    ]


def rows_of(report: Report, section: int = 0) -> list[Report]:
    """List the rows of a section."""
    sections = report["sections"]
    return list(sections[section]["rows"]) if len(sections) > section else []


def table(heading: list[str], rows: list[list[str]]) -> str:
    """Write a table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def number(value: float | None, digits: int = 0) -> str:
    """Write a figure, or that there is none."""
    return "" if value is None else f"{value:,.{digits}f}"


def machine(report: Report) -> str:
    """Say where and when, and what the machine itself can do."""
    found, limits = report["machine"], report["limits"]
    return (
        f"Commit `{report['commit']}`, {report['began'][:10]}: {found['cores']} cores, "
        f"Linux {found['kernel'].partition('-')[0]}, {found['filesystem']}, Python "
        f"{found['python']}; {report['seconds_per_stage']} s for each kind of work. One "
        f"`fdatasync` of 4 KiB that were written before took {limits['fdatasync_p50_ms']:.2f} ms "
        f"(p99 {limits['fdatasync_p99_ms']:.2f} ms{_paced(limits)}), "
        "a gibibyte was written and synced at "
        f"{limits['sequential_bytes_per_second'] / 1e6:,.0f} MB/s, and one core hashed MD5 at "
        f"{limits['md5_bytes_per_second'] / 1e6:,.0f} and SHA-256 at "
        f"{limits['sha256_bytes_per_second'] / 1e6:,.0f} MB/s.{_company(found)}\n"
    )


def _company(found: Report) -> str:
    """Say so where the machine was not this program's alone."""
    if found["load"] <= found["cores"] / 2:
        return ""
    return (
        f" **Other work wanted the cores too** (a load of {found['load']:.0f} when it began): "
        f"rates are less and times more than they would be alone; CPU is what to compare by."
    )


def floors(report: Report) -> str:
    """Hold the figures against what they were to reach: pinned, and with all cores shared."""
    rows = [row for floor in floors_of(report) if (row := _held(report, floor))]
    rows += _lists_of_many(report)
    heading = ["Work", "To reach", "One core", "Not pinned", "A worker for each core", "Reached"]
    heading += ["A core's CPU is enough for", "The machine's own limit"]
    filled = [[*row, "", ""][: len(heading)] for row in [*rows, *_times(report)]]
    return table(heading, filled)


def _held(report: Report, floor: Floor) -> list[str]:
    """Write the row of a floor; none where nothing of it was measured."""
    alone = _figures(report, floor, 0, 0)
    shared, of_all = _figures(report, floor, 1, 0), _figures(report, floor, 1, 1)
    found = [
        figures[floor.figure] / floor.scale if floor.figure in figures else None
        for figures in (alone, shared, of_all)
    ]
    judged = found[2:] if floor.is_of_all_cores else found[:2]
    verdicts = [floor.is_met(value) for value in judged if value is not None]
    if not verdicts:
        return []
    shown = ["", "", found[2]] if floor.is_of_all_cores else found
    return [
        floor.text,
        f"{'under ' if floor.is_most else ''}{round(floor.wanted, 2):,g}{floor.unit}",
        *(value if isinstance(value, str) else _said(floor, value) for value in shown),
        _verdict(verdicts),
        _a_core(alone, floor, report),
        _limit(report, floor),
    ]


def _said(floor: Floor, value: float | None) -> str:
    return "" if value is None else floor.say(value)


def _verdict(verdicts: list[bool]) -> str:
    """Say whether all, some or none of the figures were enough."""
    if len(set(verdicts)) == 1:
        return "yes" if verdicts[0] else "**no**"
    return "on one core" if verdicts[0] else "where not pinned"


def _figures(report: Report, floor: Floor, section: int, who: int) -> Figures:
    """Find what was measured of a floor's work in a section, of the first there or the second."""
    for row in rows_of(report, section):
        if (row["work"], row["connections"]) == (floor.work, floor.connections):
            measured: list[Figures] = list(row["measured"].values())
            return measured[who] if who < len(measured) else {}
    return {}


def _a_core(figures: Figures, floor: Floor, report: Report) -> str:
    """Compute what a core could do that did nothing else: what no neighbour takes away."""
    spent = figures.get("cpu_seconds_per_1000")
    if floor.is_most or floor.is_of_all_cores or not spent:
        return ""
    return floor.say(1000 / spent * _unit_bytes(report, floor) / floor.scale)


def _paced(limits: dict[str, float]) -> str:
    """Say how long a sync takes that a server over one connection waits for, if that was asked."""
    paced = limits.get("fdatasync_paced_p50_ms")
    return "" if paced is None else f"; after a pause, on the cores of servers: {paced:.2f} ms"


def _unit_bytes(report: Report, floor: Floor) -> float:
    """Tell how many bytes an operation moves where the floor counts bytes, else 1."""
    if floor.figure != "bytes_per_second":
        return 1
    return next(float(row["size"]) for row in rows_of(report) if row["work"] == floor.work)


def _limit(report: Report, floor: Floor) -> str:
    """Say what the machine's disk and cores leave for a PUT, whoever stores it."""
    limits = report["limits"]
    if floor.text == LONE:
        once = f"one `fdatasync`: {limits['fdatasync_p50_ms']:.2f} ms"
        return f"{once}; two and 0.3 ms are allowed{_paced(limits)}"
    size = next((row["size"] for row in rows_of(report) if row["work"] == floor.work), 0)
    if not floor.work.startswith("PUT") or size < LARGE_BYTES:
        return ""
    each = 1 if floor.figure == "bytes_per_second" else size
    cores = report["machine"]["cores"] if floor.is_of_all_cores else 1
    hashed = cores / (1 / limits["md5_bytes_per_second"] + 1 / limits["sha256_bytes_per_second"])
    written = limits["sequential_bytes_per_second"]
    said = [floor.say(value / each / floor.scale) for value in (hashed, written)]
    of = "the cores'" if floor.is_of_all_cores else "a core's"
    return f"{of} hashes {said[0]}, the disk {said[1]}"


def _lists_of_many(report: Report) -> list[list[str]]:
    """Hold the lists among ten million objects against their floor, where growth was measured."""
    for case, methods in report.get("growth", {"cases": {}})["cases"].items():
        if "LIST" in methods:
            found = methods["LIST"]["large"]
            among = f"LIST 1,000 of {case.partition(' and ')[2].removesuffix(' objects')}"
            rate, first = 1e6 / found["CPU us"], found["first byte ms"]
            a_core = ["", "", "", "yes" if rate >= 250 else "**no**", f"{number(rate)}/s"]
            verdict = "yes" if first <= 10 else "**no**"
            return [
                [among, "250/s", *a_core],
                [
                    f"{among}, first byte",
                    "under 10.0 ms",
                    f"{number(first, 1)} ms",
                    "",
                    "",
                    verdict,
                ],
            ]
    return []


def _times(report: Report) -> list[list[str]]:
    """Hold a second worker against the first, where all share the cores and where cores allow."""
    found = []
    texts = {1: "GET 1 KiB, workers for all cores to one", SHARED: "the same, where cores allow"}
    for section, text in texts.items():
        for row in rows_of(report, section):
            if row["work"] == "GET 1 KiB":
                one, many = row["measured"].values()
                times = many["requests_per_second"] / one["requests_per_second"]
                verdict = "yes" if times >= TIMES_WANTED else "**no**"
                limit = f"{_room(report, one, many):.2f}x beside the client"
                said = ["", "", f"{times:.2f}x", verdict, "", limit if section == 1 else ""]
                found.append([text, f"{TIMES_WANTED}x", *said])
    return found


def _room(report: Report, one: Figures, many: Figures) -> float:
    """Compute how many times one worker's rate the cores could do, less what the client takes.

    As if each operation cost the server what it costs one worker, and the client what it did.
    """
    client = many["client_cores"] / many["requests_per_second"]
    server = one["cpu_seconds_per_1000"] / 1000
    cores: int = report["machine"]["cores"]
    return cores / (server + client) / one["requests_per_second"]


def works(report: Report) -> str:
    """List every kind of work over one and over many connections."""
    cells = [
        [row["work"], str(row["connections"]), *_cells(row["measured"]["S4"])]
        for row in rows_of(report)
        if row["connections"] in {1, 4, 8, USUAL}
    ]
    return table(["Work", "Connections", *COLUMNS], cells)


COLUMNS: dict[str, Callable[[Figures], str]] = {
    "a second": lambda found: number(
        found["requests_per_second"], 0 if found["requests_per_second"] >= 100 else 1
    ),
    "MB/s": lambda found: (
        number(found["bytes_per_second"] / 1e6) if "bytes_per_second" in found else ""
    ),
    "p50 ms": lambda found: number(found["p50_ms"], 2),
    "p99 ms": lambda found: number(found["p99_ms"], 2),
    "client": lambda found: number(found["client_cores"], 2),
    "CPU us": lambda found: number(found["cpu_seconds_per_1000"] * 1000),
    "syncs": lambda found: (
        number(found["syncs_per_1000"] / 1000, 2) if "syncs_per_1000" in found else ""
    ),
    "B on disk": lambda found: number(found.get("disk_bytes_per_operation")),
    "memory MB": lambda found: number(found["memory_bytes"] / 1e6),
}


def _cells(figures: Figures) -> list[str]:
    return [column(figures) for column in COLUMNS.values()]


def workers(report: Report) -> str:
    """List what a second worker adds, and how much of the cores the client took beside."""
    cells = []
    for row in rows_of(report, 1):
        one, many = row["measured"].values()
        times = many["requests_per_second"] / one["requests_per_second"]
        digits = 0 if one["requests_per_second"] >= 100 else 1
        rates = [number(each["requests_per_second"], digits) for each in (one, many)]
        servers_, clients = (
            [number(each[of], 2) for each in (one, many)] for of in ("server_cores", "client_cores")
        )
        is_bound_by_cpu = row["connections"] > 1
        room = f"{_room(report, one, many):.2f}x" if is_bound_by_cpu else ""
        cells.append(
            [
                *(row["work"], str(row["connections"]), *rates, f"{times:.2f}x", room),
                *(*servers_, *clients),
            ]
        )
    heading = ["Work", "Connections", "one worker", "one for each core", "", "room for"]
    heading += ["cores of S4: one", "and each", "cores of the client: one", "and each"]
    return table(heading, cells)


def worker_shares(report: Report) -> str:
    """List what a second worker adds where each has a share of a core, and the client enough."""
    cells = []
    for row in rows_of(report, SHARED):
        one, many = row["measured"].values()
        times = many["requests_per_second"] / one["requests_per_second"]
        rates = [number(each["requests_per_second"]) for each in (one, many)]
        cores = [number(each["server_cores"], 2) for each in (one, many)]
        client = number(many["client_cores"], 2)
        cells.append(
            [row["work"], str(row["connections"]), *rates, f"{times:.2f}x", *cores, client]
        )
    if not cells:
        return "Not measured: no control group could be made there.\n"
    heading = ["Work", "Connections", "one worker", "one for each core", ""]
    return table([*heading, "cores of S4: one", "and each", "cores of the client"], cells)


def felt(report: Report) -> str:
    """List how long programs took."""
    times = report.get("felt", {}).get("S4", {})
    cells = [
        [
            what,
            number(found["seconds"], 1),
            number(found["files_per_second"]),
            number(found["cpu_seconds"], 1),
        ]
        for what, found in times.items()
    ]
    return table(["", "seconds", "files a second", "CPU seconds of S4"], cells)


def rivals(report: Report) -> str:
    """List S4 beside others."""
    names = list(report["durability"])
    cells = []
    for row in rows_of(report):
        found = row["measured"]
        if set(names) <= set(found):
            own = found["S4"]
            for name in names:
                each = found[name]
                times = own["requests_per_second"] / each["requests_per_second"]
                cells.append(
                    [
                        f"{row['work']}, {row['connections']}" if name == "S4" else "",
                        name,
                        *_cells(each)[:6],
                        number(each.get("files_per_1000")),
                        "" if name == "S4" else f"{times:.1f}x",
                    ]
                )
    heading = ["Work, connections", "", *list(COLUMNS)[:6], "files for 1,000", "S4 to it"]
    who = "".join(f"- {name}: {text}\n" for name, text in report["durability"].items())
    return table(heading, cells) + "\n" + who


def growing(report: Report) -> str:
    """List what large cases cost against small ones."""
    cells = []
    for case, methods in report["cases"].items():
        for method, found in methods.items():
            for name, large in found["large"].items():
                small = found["small"].get(name)
                values = [number(small, 2), number(large, 2)]
                times = f"{large / small:.2f}x" if small else ""
                cells.append([case, method, name, *values, times])
                case = ""  # noqa: PLW2901  # named once
                method = ""  # noqa: PLW2901
    return table(["", "", "", "small", "large", ""], cells)


PARTS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "machine": ("bench.json", machine),
    "floors": ("bench.json", floors),
    "works": ("bench.json", works),
    "workers": ("bench.json", workers),
    "shares": ("bench.json", worker_shares),
    "felt": ("bench.json", felt),
    "rivals": ("rivals.json", rivals),
    "growth": ("growth.json", growing),
}


def renew(text: str, reports: dict[str, Report]) -> str:
    """Make the parts of a page anew for which there is a report."""

    def part(match: re.Match[str]) -> str:
        name, make = PARTS[match[2]]
        return f"{match[1]}\n{make(reports[name])}\n{match[3]}" if name in reports else match[0]

    return PART.sub(part, text)


def draw(reports: dict[str, Report], directory: Path) -> None:
    """Draw the pictures for which there is a report."""
    if "bench.json" in reports:
        charts.write(reports["bench.json"], directory)
    if "rivals.json" in reports:
        found = charts.charts(reports["rivals.json"])
        (directory / "bench-rivals.svg").write_text(charts.svg(found["rates"]))
    if "growth.json" in reports:
        chart = growth.drawing(reports["growth.json"]["cases"])
        (directory / "bench-growth.svg").write_text(charts.svg(chart))


def main() -> str | None:
    """Renew the page."""
    names = {name for name, _ in PARTS.values()}
    reports = {
        name: json.loads((servers.ROOT / name).read_text())
        for name in sorted(names)
        if (servers.ROOT / name).exists()
    }
    if not reports:
        return f"page: none of {', '.join(sorted(names))} is here: make bench, make growth"
    if {"bench.json", "growth.json"} <= set(reports):
        reports["bench.json"]["growth"] = reports["growth.json"]  # its lists have a floor
    PAGE.write_text(renew(PAGE.read_text(), reports))
    draw(reports, IMAGES)
    return None


if __name__ == "__main__":
    sys.exit(main())
