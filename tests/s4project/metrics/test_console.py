"""What Django answers is counted by django-prometheus, added up over processes, and documented."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from django.test import Client

from s4project.metrics.console import ConsoleCounts, ConsoleFigures, console_metrics, families
from s4project.metrics.slots import merge

if TYPE_CHECKING:
    from s4project.metrics.slots import Figures

PAGE = Path(__file__).resolve().parents[3] / "docs/monitoring.md"
ROW = re.compile(r"^\| `(django_\w+)` \| (\w+) \| (.*) \|$", re.MULTILINE)
BY_STATUS = "django_http_responses_total_by_status_total"


def answered(sums: Figures, status: str) -> float:
    """Tell how many replies of a status there were."""
    samples = [sample for metric in console_metrics(sums) for sample in metric.samples]
    labels = {"status": status}
    return sum(each.value for each in samples if (each.name, each.labels) == (BY_STATUS, labels))


def test_replies_of_two_processes_are_added_up() -> None:
    """A reply is counted once in its process, and the page has the sum over all of them."""
    figures = ConsoleFigures()
    before = answered(figures(), "405")
    count = ConsoleCounts.count
    assert Client().post("/metrics").status_code == 405
    assert ConsoleCounts.count == count + 1
    one = figures()
    assert answered(one, "405") == before + 1
    sums: Figures = {}
    merge(sums, one)
    merge(sums, one)
    assert answered(sums, "405") == 2 * (before + 1)


def test_a_histogram_stays_one() -> None:
    """The bars of a histogram come in order, for each page by itself, and the last has them all."""
    Client().post("/metrics")
    found: dict[str, list[tuple[float, float]]] = {}
    for metric in console_metrics(ConsoleFigures()()):
        for sample in metric.samples:
            if sample.name.endswith("_bucket"):
                rest = {name: value for name, value in sample.labels.items() if name != "le"}
                bars = found.setdefault(json.dumps([sample.name, rest]), [])
                bars.append((float(sample.labels["le"]), sample.value))
    assert found
    for bars in found.values():
        assert bars == sorted(bars)
        assert bars[-1][0] == float("inf")


def test_what_is_counted_is_documented() -> None:
    """The page has each series of django-prometheus, with its kind and its meaning."""
    expected = [
        (f"{each.name}_total" if each.type == "counter" else each.name, each.type)
        for each in families()
    ]
    assert [(name, kind) for name, kind, _ in ROW.findall(PAGE.read_text())] == expected
