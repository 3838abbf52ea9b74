"""Draws what the benchmark measured as SVG: bars, a group of them for each work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from soak_plot import COLOURS
from works import usual_connections

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WIDTH, LEFT, RIGHT, TOP = 960, 210, 90, 56
BAR, GAP, LINE = 13, 9, 16
PALETTE = (*COLOURS, "#9a6700", "#0f7b8a", "#57606a")


@dataclass(frozen=True, slots=True)
class Bars:
    """One chart; each row is a label, and a value for each name that has one."""

    title: str
    names: Sequence[str]
    rows: Sequence[tuple[str, dict[str, float]]]
    digits: int = 0
    left: int = LEFT  # where the labels end


def svg(chart: Bars) -> str:
    """Draw a chart."""
    highest = max((value for _, values in chart.rows for value in values.values()), default=0)
    parts: list[str] = []
    top = TOP + LINE * (len(chart.names) - 1)
    for label, values in chart.rows:
        middle = top + len(values) * BAR / 2 + 4
        parts.append(
            f'<text x="{chart.left - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>'
        )
        for name, value in values.items():
            length = (WIDTH - chart.left - RIGHT) * value / (highest or 1)
            colour = PALETTE[chart.names.index(name) % len(PALETTE)]
            parts.append(
                f'<rect x="{chart.left}" y="{top}" width="{length:.1f}" height="{BAR - 2}"'
                f' fill="{colour}"/><text x="{chart.left + length + 5:.1f}" y="{top + BAR - 3}"'
                f' font-size="11">{value:,.{chart.digits}f}</text>'
            )
            top += BAR
        top += GAP
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>',
        f'<text x="{chart.left}" y="20" font-size="15">{escape(chart.title)}</text>',
    ]
    if len(chart.names) > 1:
        head += [
            f'<text x="{chart.left}" y="{42 + LINE * number}"'
            f' fill="{PALETTE[number % len(PALETTE)]}">{escape(name)}</text>'
            for number, name in enumerate(chart.names)
        ]
    return "\n".join([*head, *parts, "</svg>", ""])


def write(report: dict[str, Any], directory: Path) -> None:
    """Draw a report's charts into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, chart in charts(report).items():
        if chart.rows:
            (directory / f"bench-{name}.svg").write_text(svg(chart))


def charts(report: dict[str, Any]) -> dict[str, Bars]:
    """Choose what is drawn: the works over a usual number of connections, and what they cost."""
    rows = [row for section in report["sections"][:1] for row in section["rows"]]
    shown = {
        name: name if text.startswith("synced") else f"{name} ({text.partition(' before')[0]})"
        for name, text in report["durability"].items()
    }
    names = list(shown.values())
    counts = sorted({row["connections"] for row in rows})
    usual = usual_connections(counts)
    chosen = [row for row in rows if row["connections"] == usual or row["group"] == "lists"]
    moving = [row for row in rows if row["size"] >= 2**16 and row in [*chosen, *_large(rows)]]
    small = [row for row in chosen if row["size"] <= 2**16]

    def bars(
        title: str, of: Sequence[dict[str, Any]], figure: str, scale: float, digits: int = 0
    ) -> Bars:
        found = [
            (
                _label(row, usual),
                {
                    shown[name]: figures[figure] / scale
                    for name, figures in row["measured"].items()
                    if figure in figures
                },
            )
            for row in of
        ]
        return Bars(title, names, [(label, values) for label, values in found if values], digits)

    over = f"{usual} connections"
    return {
        "rates": bars(f"Operations a second, {over}", small, "requests_per_second", 1),
        "cpu": bars(
            f"CPU of all the server's processes for an operation, microseconds, {over}",
            small,
            "cpu_seconds_per_1000",
            1e-3,
        ),
        "throughput": bars("Megabytes a second", moving, "bytes_per_second", 1e6),
        "p99": bars(f"99 of 100 are answered within, milliseconds, {over}", small, "p99_ms", 1, 1),
        "workers": _workers(report),
        "felt": _felt(report, shown),
    }


def _large(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["group"] == "large"]


def _label(row: dict[str, Any], usual: int) -> str:
    has_usual = row["connections"] in {usual, 1} and row["group"] != "lists"
    return row["work"] if has_usual else f"{row['work']}, {row['connections']} at once"


def _workers(report: dict[str, Any]) -> Bars:
    """Draw what a second worker adds."""
    rows = [row for section in report["sections"][1:2] for row in section["rows"]]
    names = list(rows[0]["measured"]) if rows else []
    found = [
        (
            row["work"],
            {name: each["requests_per_second"] for name, each in row["measured"].items()},
        )
        for row in rows
    ]
    return Bars("Operations a second by workers, all cores shared with the client", names, found)


def _felt(report: dict[str, Any], shown: dict[str, str]) -> Bars:
    """Draw how long the programs took that people use."""
    times = report.get("felt", {})
    whats = dict.fromkeys(what for found in times.values() for what in found)
    rows = [
        (
            what,
            {shown[name]: found[what]["seconds"] for name, found in times.items() if what in found},
        )
        for what in whats
    ]
    return Bars("Seconds a program takes", list(shown.values()), rows, digits=1, left=360)
