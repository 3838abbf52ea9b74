"""The charts of the first page: the past of the store as lines.

Everything is read from the file that the workers count into (`s4project.meters`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.exceptions import BadRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from s4project.meters.columns import FAILED, RECEIVED, REFUSED, SENT, STATUSES, UNANSWERED, Kind
from s4project.meters.series import SPANS, columns, recall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from django.http import HttpRequest
    from django.utils.functional import _StrPromise as StrPromise

    from s4project.meters.columns import Gauges
    from s4project.meters.series import Series

SPAN_NAMES: Final = {
    "1h": gettext_lazy("1 hour"),
    "24h": gettext_lazy("24 hours"),
    "7d": gettext_lazy("7 days"),
    "31d": gettext_lazy("31 days"),
    "1y": gettext_lazy("1 year"),
}
KIND_NAMES: Final = {
    Kind.READ: gettext_lazy("Reads"),
    Kind.WRITE: gettext_lazy("Writes"),
    Kind.LIST: gettext_lazy("Lists"),
    Kind.DELETE: gettext_lazy("Deletes"),
    Kind.OTHER: gettext_lazy("Others"),
}
ALL: Final = "all"
LATEST_SECONDS: Final = 253_402_300_799  # the end of the year 9999: no moment is later
DIGITS_MAX: Final = len(str(LATEST_SECONDS))


class Line(NamedTuple):
    """A line of a chart: a value for each step, None where there was nothing to tell."""

    name: str
    values: Sequence[float | None]


class Chart(NamedTuple):
    """What a chart shows, in words, and how: `unit` tells the page how to write its values."""

    id: str
    title: StrPromise
    note: StrPromise
    unit: str
    draw: Callable[[Series, Sequence[Kind]], list[Line]]
    is_stacked: bool = False


def requests(series: Series, kinds: Sequence[Kind]) -> list[Line]:
    """Tell how many requests ended, by kind: counted in each worker (`Counters.tell`)."""
    del kinds
    every = range(STATUSES)
    return [
        Line(str(name), series.rates(*columns(*every, kinds=[kind])))
        for kind, name in KIND_NAMES.items()
    ]


def latency(series: Series, kinds: Sequence[Kind]) -> list[Line]:
    """Tell how long answers took to begin: estimated from histograms (`series.percentile`)."""
    return [
        Line("p99", series.percentiles(0.99, kinds)),
        Line("p95", series.percentiles(0.95, kinds)),
        Line("p50", series.percentiles(0.5, kinds)),
    ]


def errors(series: Series, kinds: Sequence[Kind]) -> list[Line]:
    """Tell of requests that did not go well, by the status that was answered."""
    del kinds
    return [
        Line(_("S4 failed (5xx)"), series.rates(*columns(FAILED))),
        Line(_("Refused (4xx)"), series.rates(*columns(REFUSED))),
        Line(_("Client left"), series.rates(*columns(UNANSWERED))),
    ]


def traffic(series: Series, kinds: Sequence[Kind]) -> list[Line]:
    """Tell how many bytes of bodies came in and went out (`Body.received_bytes`, `Reply.body`)."""
    del kinds
    return [
        Line(_("Sent"), series.rates(*columns(SENT))),
        Line(_("Received"), series.rates(*columns(RECEIVED))),
    ]


def capacity(series: Series, kinds: Sequence[Kind]) -> list[Line]:
    """Tell what was stored, and what that took: `StorageEngine.stats`, when it was looked at."""
    del kinds
    return [
        _gauge(series, _("Stored by clients"), lambda seen: seen.object_bytes),
        _gauge(series, _("On disk"), lambda seen: seen.volume_bytes + seen.index_bytes),
        _gauge(series, _("To be reclaimed"), lambda seen: seen.dead_bytes),
    ]


def objects(series: Series, kinds: Sequence[Kind]) -> list[Line]:
    """Tell how many objects and versions there were: as `capacity`."""
    del kinds
    return [
        _gauge(series, _("Versions"), lambda seen: seen.versions),
        _gauge(series, _("Objects"), lambda seen: seen.objects),
    ]


def _gauge(series: Series, name: str, read: Callable[[Gauges], int]) -> Line:
    return Line(name, [None if seen is None else read(seen) for seen in series.gauges])


CHARTS: Final = (
    Chart(
        "requests",
        gettext_lazy("Requests"),
        gettext_lazy("Ended per second, by what they were about."),
        "rate",
        requests,
        is_stacked=True,
    ),
    Chart(
        "latency",
        gettext_lazy("Latency"),
        gettext_lazy("Until the answer began; p95: 95 of 100 were quicker."),
        "seconds",
        latency,
    ),
    Chart(
        "errors",
        gettext_lazy("Errors"),
        gettext_lazy("Per second. A key that is not there is refused, too."),
        "rate",
        errors,
    ),
    Chart(
        "traffic",
        gettext_lazy("Traffic"),
        gettext_lazy("Bodies of requests and replies, per second."),
        "byterate",
        traffic,
    ),
    Chart(
        "capacity",
        gettext_lazy("Capacity"),
        gettext_lazy("What clients stored, and what it takes on the disk."),
        "bytes",
        capacity,
    ),
    Chart(
        "objects",
        gettext_lazy("Objects"),
        gettext_lazy("Current ones, and all versions."),
        "count",
        objects,
    ),
)


class Asked(NamedTuple):
    """Which part of the past is asked for."""

    name: str  # of the span
    until: int | None  # None: up to now
    kind: str  # of which requests the latency is told

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of requests that are meant."""
        return list(Kind) if self.kind == ALL else [Kind[self.kind.upper()]]

    def moved(self, steps: int, now: int) -> str:
        """Write what asks for the span so many spans later; "" where that is the future.

        What would end less than half a span ago is the one up to now.
        """
        seconds = SPANS[self.name].seconds
        until = (now if self.until is None else self.until) + steps * seconds
        if until > now - seconds // 2:
            return "" if self.until is None else f"?range={self.name}"
        return f"?range={self.name}&until={max(0, until)}"


def asked(request: HttpRequest) -> Asked:
    """Read what an address asks for; BadRequest."""
    name, kind = request.GET.get("range", "1h"), request.GET.get("of", ALL)
    text = request.GET.get("until", "")
    if name not in SPANS or kind not in {ALL, *(each.name.lower() for each in Kind)}:
        raise BadRequest("There is no such span, or no such kind of requests.")
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    if text and not (is_number and int(text) <= LATEST_SECONDS):
        raise BadRequest("A moment is written in seconds since 1970.")
    return Asked(name, int(text) if text else None, kind)


def told(path: Path, wanted: Asked, now: int, seen: Callable[[], Gauges]) -> dict[str, Any]:
    """Tell the charts of a span as the page draws them; `seen` tells what there is now; OSError."""
    until = now if wanted.until is None else min(wanted.until, now)
    series = recall(path, SPANS[wanted.name], until, now)
    if until == now:
        series.gauges[-1] = seen()
    return {
        "starts": series.starts,
        "step": SPANS[wanted.name].step,
        "charts": {
            chart.id: [line._asdict() for line in chart.draw(series, wanted.kinds)]
            for chart in CHARTS
        },
    }
