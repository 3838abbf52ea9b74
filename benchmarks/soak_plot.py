"""Draws what a soak saw as one SVG picture: memory, descriptors, requests and latency over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 960, 150, 90, 20, 34, 56
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df")
POINTS_MAX = 900
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart; each line is (name, points of (second, value))."""

    title: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]


def svg(title: str, panels: Sequence[Panel]) -> str:
    """Draw panels below each other."""
    height = TOP + len(panels) * (PANEL + GAP)
    end = max((x for panel in panels for _, line in panel.lines for x, _ in line), default=1) or 1
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>',
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, TOP + index * (PANEL + GAP) + 22, end)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: float, end: float) -> list[str]:
    highest = max((y for _, line in panel.lines for _, y in line), default=0)
    ceiling = _ceiling(highest)
    parts = [f'<text x="{LEFT}" y="{top - 6}" font-weight="bold">{escape(panel.title)}</text>']
    for share in (0, 0.5, 1):
        y = top + PANEL * (1 - share)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#d0d7de"/>'
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{ceiling * share:g}</text>'
        )
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + (WIDTH - LEFT - RIGHT) * share
        minutes = f"{end * share / 60:.1f} min"
        parts.append(f'<text x="{x}" y="{top + PANEL + 15}" text-anchor="middle">{minutes}</text>')
    for number, (name, line) in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        drawn = " ".join(_point(x, y, top, end, ceiling) for x, y in _thinned(line))
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
            f'<text x="{WIDTH - RIGHT - 150 * (len(panel.lines) - number - 1)}" y="{top - 6}"'
            f' text-anchor="end" fill="{colour}">{escape(name)}</text>'
        )
    return parts


def _point(x: float, y: float, top: float, end: float, ceiling: float) -> str:
    left = LEFT + (WIDTH - LEFT - RIGHT) * x / end
    return f"{left:.1f},{top + PANEL * (1 - y / ceiling):.1f}"


def _thinned(line: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Keep of many points the highest of each stretch: a peak must not be lost."""
    stretch = len(line) // POINTS_MAX + 1
    groups = (line[at : at + stretch] for at in range(0, len(line), stretch))
    return [max(group, key=lambda point: point[1]) for group in groups]


def _ceiling(highest: float) -> float:
    """Find a round number above."""
    power = 1.0
    while power * 10 < highest:
        power *= 10
    return next((power * step for step in STEPS if power * step >= highest), power * 10)
