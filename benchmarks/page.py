"""Writes the figures of the last runs into docs/performance.md, and its pictures beside.

Each part of the page between `<!-- NAME -->` and `<!-- end -->` is made of a report; what is said
about the figures around it is written by hand, and to be read again when they change.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import charts
import growth
import servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = servers.ROOT / "docs" / "performance.md"
IMAGES = servers.ROOT / "docs" / "images"
USUAL = 32
PART = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Report = dict[str, Any]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Floor:
    """What one kind of work was to reach: a figure of a row, and how much of it."""

    text: str
    work: str
    connections: int
    figure: str
    wanted: float
    unit: str
    scale: float = 1
    is_most: bool = False  # not at least but at most


FLOORS = (
    Floor("GET 1 KiB", "GET 1 KiB", USUAL, "requests_per_second", 8000, "/s"),
    Floor("GET 1 KiB, p99", "GET 1 KiB", USUAL, "p99_ms", 10, " ms", is_most=True),
    Floor("PUT 1 KiB", "PUT 1 KiB", USUAL, "requests_per_second", 6000, "/s"),
    Floor("HEAD", "HEAD 1 KiB", USUAL, "requests_per_second", 9000, "/s"),
    Floor("DELETE", "DELETE 1 KiB", USUAL, "requests_per_second", 6000, "/s"),
    Floor("PUT 64 KiB", "PUT 64 KiB", USUAL, "requests_per_second", 1800, "/s"),
    Floor("PUT 1 MiB", "PUT 1 MiB", USUAL, "bytes_per_second", 300, " MB/s", 1e6),
    Floor("GET 64 KiB", "GET 64 KiB", USUAL, "requests_per_second", 8000, "/s"),
    Floor("GET 1 MiB", "GET 1 MiB", USUAL, "bytes_per_second", 1500, " MB/s", 1e6),
    Floor("LIST 1,000 of 100,000", "LIST", 8, "requests_per_second", 250, "/s"),
    Floor("LIST, first byte", "LIST", 1, "first_byte_ms", 10, " ms", is_most=True),
    Floor("one PUT of 1 GiB", "PUT 1 stream 1 GiB", 1, "bytes_per_second", 400, " MB/s", 1e6),
    Floor("one GET of 1 GiB", "GET 1 stream 1 GiB", 1, "bytes_per_second", 1200, " MB/s", 1e6),
)


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
        f"(p99 {limits['fdatasync_p99_ms']:.2f} ms), a gibibyte was written and synced at "
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
    """Hold the figures against what they were to reach."""
    rows = []
    for floor in FLOORS:
        value = _find(report, floor.work, floor.connections, floor.figure)
        if value is not None:
            is_met = value / floor.scale <= floor.wanted if floor.is_most else None
            is_met = value / floor.scale >= floor.wanted if is_met is None else is_met
            digits = 1 if floor.is_most else 0
            rows.append(
                [
                    floor.text,
                    f"{'under' if floor.is_most else ''} {floor.wanted:,.0f}{floor.unit}".strip(),
                    f"{number(value / floor.scale, digits)}{floor.unit}",
                    "yes" if is_met else "**no**",
                    _a_core(report, floor),
                ]
            )
    rows += [_median(report), *_workers_floor(report)]
    heading = ["Work", "To reach", "Measured", "Reached", "A core's CPU is enough for"]
    filled = [[*row, ""][: len(heading)] for row in rows if row]
    return table(heading, filled)


def _a_core(report: Report, floor: Floor) -> str:
    """Compute what a core could do that did nothing else: what no neighbour takes away."""
    spent = _find(report, floor.work, floor.connections, "cpu_seconds_per_1000")
    if floor.is_most or not spent:
        return ""
    rate = 1000 / spent
    if floor.figure == "bytes_per_second":
        size = next(row["size"] for row in rows_of(report) if row["work"] == floor.work)
        rate *= size / floor.scale
    return f"{number(rate)}{floor.unit}"


def _find(report: Report, work: str, connections: int, figure: str) -> float | None:
    for row in rows_of(report):
        if row["work"] == work and row["connections"] == connections:
            value: float | None = row["measured"]["S4"].get(figure)
            return value
    return None


def _median(report: Report) -> list[str]:
    """Hold a lone PUT against the sync it must wait for."""
    median = _find(report, "PUT 1 KiB", 1, "p50_ms")
    if median is None:
        return []
    wanted = 2 * report["limits"]["fdatasync_p50_ms"] + 0.3
    verdict = "yes" if median <= wanted else "**no**"
    return [
        "PUT 1 KiB, 1 connection, median",
        f"under {wanted:.2f} ms: two `fdatasync` and 0.3 ms",
        f"{median:.2f} ms",
        verdict,
    ]


def _workers_floor(report: Report) -> list[list[str]]:
    rows = []
    for row in rows_of(report, 1):
        one, many = row["measured"].values()
        times = many["requests_per_second"] / one["requests_per_second"]
        if row["work"] == "GET 1 KiB":
            verdict = "yes" if times >= 1.7 else "**no**"
            rows.append(["two workers to one, GET 1 KiB", "1.7x", f"{times:.2f}x", verdict])
        if row["work"] == "PUT 1 MiB":
            rate = many["bytes_per_second"] / 1e6
            verdict = "yes" if rate >= 450 else "**no**"
            rows.append(["two workers, PUT 1 MiB", "450 MB/s", f"{rate:,.0f} MB/s", verdict])
    return rows


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
    """List what a second worker adds."""
    cells = []
    for row in rows_of(report, 1):
        one, many = row["measured"].values()
        times = many["requests_per_second"] / one["requests_per_second"]
        rates = [number(each["requests_per_second"]) for each in (one, many)]
        cells.append([row["work"], *rates, f"{times:.2f}x"])
    return table(["Work, 64 connections", "one worker", "one for each core", ""], cells)


def felt(report: Report) -> str:
    """List how long programs took."""
    times = report.get("felt", {}).get("S4", {})
    return table(["", "seconds"], [[what, f"{took:.1f}"] for what, took in times.items()])


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
                        *_cells(each)[:5],
                        number(each.get("files_per_1000")),
                        "" if name == "S4" else f"{times:.1f}x",
                    ]
                )
    heading = ["Work, connections", "", *list(COLUMNS)[:5], "files for 1,000", "S4 to it"]
    who = "".join(f"- {name}: {text}\n" for name, text in report["durability"].items())
    return table(heading, cells) + "\n" + who


def growing(report: Report) -> str:
    """List what large cases cost against small ones."""
    cells = []
    for case, methods in report["cases"].items():
        for method, found in methods.items():
            for name, small in found["small"].items():
                large = found["large"][name]
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
    PAGE.write_text(renew(PAGE.read_text(), reports))
    draw(reports, IMAGES)
    return None


if __name__ == "__main__":
    sys.exit(main())
