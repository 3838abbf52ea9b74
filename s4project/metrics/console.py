"""What Django answers, the console and the REST API: counted by django-prometheus in each process.

Its counts are published and added up like all others; its names, which dashboards made for it know,
stay as they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from django_prometheus.middleware import Metrics, PrometheusBeforeMiddleware
from prometheus_client.core import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

    from s4project.metrics.slots import Figures, Row

PARTS: Final = ("", "_total", "_bucket", "_count", "_sum")
CREATED: Final = "_created"  # when a process began to count: no sum has such a time


class ConsoleCounts(PrometheusBeforeMiddleware):  # type: ignore[misc]  # it is untyped
    """django-prometheus's outer middleware, which tells, too, that something was counted."""

    count: ClassVar = 0

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Count a reply."""
        ConsoleCounts.count += 1
        answered: HttpResponse = super().process_response(request, response)
        return answered


def families() -> Iterator[Metric]:
    """List what django-prometheus counts, with what this process has of it."""
    for counted in vars(Metrics.get_instance()).values():
        yield from counted.collect()


class ConsoleFigures:
    """What a process publishes of its own, put together again only after something was counted."""

    def __init__(self) -> None:
        self._count = -1
        self._rows: dict[str, Row] = {}

    def __call__(self) -> Figures:
        """Tell what was counted, by sample and labels."""
        count = ConsoleCounts.count
        if count != self._count:
            self._rows = {
                json.dumps([sample.name, sample.labels]): [sample.value]
                for family in families()
                for sample in family.samples
                if not sample.name.endswith(CREATED)
            }
            self._count = count
        return {"console": self._rows}


def console_metrics(sums: Figures) -> list[Metric]:
    """Show what all processes have counted, as prometheus_client has it."""
    shown: list[Metric] = []
    known: dict[str, Metric] = {}
    for family in families():
        metric = Metric(family.name, family.documentation, family.type)
        shown.append(metric)
        known |= {f"{family.name}{part}": metric for part in PARTS}
    for key, row in sums.get("console", {}).items():
        name, labels = json.loads(key)
        if name in known:
            known[name].add_sample(name, labels, row[0])
    return shown
