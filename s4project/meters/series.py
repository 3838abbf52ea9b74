"""The past as series: what the file holds of a span of time, as figures for each of its steps.

Counts become figures per second, histograms become percentiles, and what there was at a moment
lasts until somebody looked again. A step in which nothing was counted had no requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

from s4project.meters.columns import (
    BARS,
    BOUNDS,
    GAUGES,
    KIND_WORDS,
    TIMES,
    WORDS,
    Gauges,
    Kind,
    gauges_of,
)
from s4project.meters.ring import TIERS, Tier, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from s4project.meters.ring import Slots

RUNNING_SECONDS_MIN: Final = 60  # from here on the step that is not over yet tells something
BACK_SLOTS: Final = 360  # how many slots of a tier are looked through for what there was before
TENS, FIVES, LONG = TIERS


class Span(NamedTuple):
    """How much of the past is shown, from which tier, and in steps of how many seconds."""

    seconds: int
    tier: Tier
    step: int


SPANS: Final = {
    "1h": Span(3600, TENS, 10),
    "24h": Span(86_400, FIVES, 300),
    "7d": Span(7 * 86_400, FIVES, 1800),
    "31d": Span(31 * 86_400, LONG, 7200),
    "1y": Span(364 * 86_400, LONG, 86_400),
}


@dataclass(slots=True)
class Series:
    """Steps of a span, oldest first: when each begins, how long it is, and what was in it."""

    starts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)  # seconds
    words: list[list[int]] = field(default_factory=list)
    gauges: list[Gauges | None] = field(default_factory=list)  # None: nobody had looked yet

    def rates(self, *columns: int) -> list[float]:
        """Tell per second what is in columns, added up, in each step."""
        rows = zip(self.words, self.lengths, strict=True)
        return [round(sum(row[each] for each in columns) / length, 6) for row, length in rows]

    def total(self, *columns: int) -> int:
        """Add up what is in columns, over all steps."""
        return sum(row[each] for row in self.words for each in columns)

    def percentiles(self, share: float, kinds: Iterable[Kind]) -> list[float | None]:
        """Tell within how many seconds that share of the requests of each step were answered."""
        firsts = [column(kind, TIMES) for kind in kinds]
        return [percentile(_histogram(row, firsts), share) for row in self.words]

    def percentile(self, share: float, kinds: Iterable[Kind]) -> float | None:
        """Tell the same of all steps together."""
        firsts = [column(kind, TIMES) for kind in kinds]
        bars = [_histogram(row, firsts) for row in self.words]
        return percentile([sum(column) for column in zip(*bars, strict=True)], share)


def column(kind: Kind, word: int) -> int:
    """Tell where a word of a kind of requests is."""
    return kind * KIND_WORDS + word


def columns(*words: int, kinds: Iterable[Kind] = tuple(Kind)) -> list[int]:
    """Tell where these words of several kinds are."""
    return [column(kind, word) for kind in kinds for word in words]


def percentile(bars: Sequence[int], share: float) -> float | None:
    """Estimate from a histogram below how many seconds that share lies; None: it is empty.

    Within a bar the times are taken to be spread evenly, as Prometheus's histogram_quantile does;
    of the last bar, which has no end, its beginning is told.
    """
    wanted, seen = share * sum(bars), 0
    if not wanted:
        return None
    for index, count in enumerate(bars[:-1]):
        if count and seen + count >= wanted:
            low = BOUNDS[index - 1] if index else 0.0
            return low + (BOUNDS[index] - low) * (wanted - seen) / count
        seen += count
    return BOUNDS[-1]


def recall(path: Path, span: Span, until: int, now: int) -> Series:
    """Read a span that ends at `until`, or at the last step that tells something; OSError."""
    step = span.step
    end = min(until, now)
    end -= end % step
    running = now - end if until >= now else 0
    if running >= RUNNING_SECONDS_MIN:
        end += step
    first = end - span.seconds
    slots = read(path, span.tier, first, end - 1)
    series = Series(
        starts=list(range(first, end, step)),
        lengths=[step] * (span.seconds // step),
        words=_folded(slots, first, end, step),
    )
    if running >= RUNNING_SECONDS_MIN:
        series.lengths[-1] = running
    before = _look_back(path, first)
    for words in series.words:
        found = gauges_of(words)
        before = found if found.at else before
        series.gauges.append(before)
    return series


def _folded(slots: Slots, first: int, end: int, step: int) -> list[list[int]]:
    """Add up the slots of each step; the latest gauges are its gauges."""
    steps = [[0] * WORDS for _ in range(first, end, step)]
    for start, words in sorted(slots.items()):
        index = (start - first) // step
        gauges = words[GAUGES:] if gauges_of(words).at else steps[index][GAUGES:]
        steps[index] = [*map(add, steps[index][:GAUGES], words[:GAUGES]), *gauges]
    return steps


def _look_back(path: Path, first: int) -> Gauges | None:
    """Find what there was before a moment, in whichever tier goes back so far."""
    for tier in TIERS:
        slots = read(path, tier, first - BACK_SLOTS * tier.seconds, first - 1)
        looks = [gauges_of(words) for words in slots.values()]
        known = [gauges for gauges in looks if 0 < gauges.at < first]
        if known:
            return max(known)
    return None


def _histogram(row: list[int], firsts: list[int]) -> list[int]:
    return [sum(row[first + bar] for first in firsts) for bar in range(BARS)]
