"""The past as series: steps, rates, percentiles, and what there was meanwhile."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

import pytest

from s4project.meters.columns import BARS, BOUNDS, FINE, SENT, TIMES, Gauges, Kind, gauges_of
from s4project.meters.gauges import note
from s4project.meters.ring import TIERS, Ring, read
from s4project.meters.series import SPANS, column, columns, percentile, recall
from storage_engine import open_engine

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = 1_800_000_000 // 86_400 * 86_400 + 12 * 3600 + 5
READS: Final = column(Kind.READ, FINE)
ZEROS: Final = (0,) * (len(Gauges._fields) - 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "meters"


@pytest.mark.parametrize("name", list(SPANS))
def test_every_span_has_its_steps_and_all_that_was_in_them(path: Path, name: str) -> None:
    """A span is a few hundred steps, one after the other, and each count is in one of them."""
    span, own = SPANS[name], Ring(path)
    for ago in range(120, span.seconds - span.step, span.seconds // 90):
        own.add(NOW - ago, {READS: 1, column(Kind.WRITE, SENT): 70_000}, None, NOW)
    made = len(range(120, span.seconds - span.step, span.seconds // 90))
    series = recall(path, span, NOW, NOW)
    assert len(series.starts) == span.seconds // span.step in range(280, 380)
    assert series.starts == list(range(series.starts[0], series.starts[-1] + 1, span.step))
    assert 0 <= NOW - series.starts[-1] < 2 * span.step
    assert series.total(*columns(FINE)) == made
    rates = zip(series.rates(column(Kind.WRITE, SENT)), series.lengths, strict=True)
    assert sum(rate * length for rate, length in rates) == pytest.approx(70_000 * made, rel=0.01)


def test_the_step_that_is_not_over_counts_for_as_long_as_it_is(path: Path) -> None:
    """A running step tells per second what came in its seconds so far, from a minute on."""
    own, noon = Ring(path), NOW - 5
    own.add(noon + 30, {READS: 60}, None, noon + 90)
    assert recall(path, SPANS["24h"], noon + 59, noon + 59).starts[-1] == noon - 300
    series = recall(path, SPANS["24h"], noon + 90, noon + 90)
    assert (series.starts[-1], series.lengths[-1]) == (noon, 90)
    assert series.rates(READS)[-1] == pytest.approx(60 / 90, abs=0.001)
    assert recall(path, SPANS["1h"], noon + 90, noon + 90).starts[-1] == noon + 80


def test_an_earlier_span_ends_where_it_is_asked_to(path: Path) -> None:
    """The past is looked at from any moment, in whole steps."""
    own, noon = Ring(path), NOW - 5
    own.add(noon - 7200, {READS: 5}, None, NOW)
    own.add(noon - 3600, {READS: 9}, None, NOW)
    series = recall(path, SPANS["1h"], noon - 3600, NOW)
    assert (series.starts[0], series.starts[-1]) == (noon - 7200, noon - 3610)
    assert series.rates(READS)[0] == 0.5
    assert series.total(READS) == 5


def test_what_there_was_lasts_until_somebody_looks_again(path: Path) -> None:
    """Gauges are carried on, from before the span as well, and are unknown before the first."""
    own, noon = Ring(path), NOW - 5
    own.add(noon - 10_000, {READS: 1}, Gauges(noon - 10_000, 3, *ZEROS), NOW)
    own.add(noon - 1800, {READS: 1}, Gauges(noon - 1800, 8, *ZEROS), NOW)
    seen = [gauges and gauges.objects for gauges in recall(path, SPANS["1h"], noon, NOW).gauges]
    assert seen == [3] * 180 + [8] * 180
    day = [gauges and gauges.objects for gauges in recall(path, SPANS["24h"], noon, NOW).gauges]
    assert (day[0], day[-1], day.count(None)) == (None, 8, 288 - 34)


def test_percentiles_are_near_those_of_the_times_themselves() -> None:
    """What is estimated from a histogram lies in the bar in which the real percentile lies."""
    dice = random.Random(3)  # noqa: S311  # no secret
    times = sorted(dice.lognormvariate(-5, 1.5) for _ in range(5000))
    edges = [0.0, *BOUNDS]
    bars = [
        sum(low < each <= high for each in times)
        for low, high in zip(edges, [*BOUNDS, float("inf")], strict=True)
    ]
    for share in (0.5, 0.95, 0.99):
        real, told = times[int(share * len(times))], percentile(bars, share)
        assert told is not None
        bar = sum(bound < real for bound in BOUNDS)
        assert edges[bar] <= told <= BOUNDS[bar]


@pytest.mark.parametrize(
    ("bars", "share", "expected"),
    [
        ({}, 0.5, None),
        ({0: 4}, 0.5, BOUNDS[0] / 2),
        ({1: 1}, 1.0, BOUNDS[1]),
        ({0: 99, 5: 1}, 0.99, BOUNDS[0]),
        ({BARS - 1: 3}, 0.5, BOUNDS[-1]),
    ],
)
def test_percentiles_of_small_histograms(
    bars: dict[int, int], share: float, expected: float | None
) -> None:
    """Nothing has no percentile, one time is its bar's, and beyond the last bound is that bound."""
    told = percentile([bars.get(index, 0) for index in range(BARS)], share)
    assert told == (expected if expected is None else pytest.approx(expected))


def test_percentiles_of_kinds_are_of_those_kinds(path: Path) -> None:
    """Reads are no slower for slow writes, and all together are both."""
    slow, quick = BOUNDS.index(1.0), BOUNDS.index(0.001)
    counts = {column(Kind.READ, TIMES + quick): 10, column(Kind.WRITE, TIMES + slow): 10}
    Ring(path).add(NOW - 60, counts, None, NOW)
    series = recall(path, SPANS["1h"], NOW, NOW)
    reads, both = series.percentile(0.9, [Kind.READ]), series.percentile(0.9, Kind)
    assert reads is not None
    assert both is not None
    assert reads <= 0.001
    assert both > 0.5
    assert [each for each in series.percentiles(0.9, [Kind.READ]) if each is not None] == [reads]


def test_what_a_job_changed_is_kept(path: Path) -> None:
    """What there is after a job is kept without a request, and trouble with it stops nobody."""
    with open_engine(path.with_name("store")) as engine:
        note(engine, path.parent)
        (seen,) = read(path, TIERS[0], int(time.time()) - 60, int(time.time())).values()
        assert gauges_of(seen).disk_total > 0
        path.unlink()
        path.mkdir()
        note(engine, path.parent)
