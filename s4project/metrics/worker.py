"""Metrics of one worker: made when it starts, asked each second, left when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s4project.metrics.collecting import Collector
from s4project.metrics.console import ConsoleCounts, ConsoleFigures
from s4project.metrics.pages import source
from s4project.metrics.publishing import WORKER, Publisher, open_slots
from s4project.metrics.tally import Tally
from s4project.refusals import counts as refusal_counts

if TYPE_CHECKING:
    from s3api.app import S3App
    from s4project.meters.counters import Counters
    from s4project.metrics.slots import Figures
    from storage_engine import StorageEngine


class WorkerMetrics:
    """What a worker publishes."""

    def __init__(self, publisher: Publisher, tally: Tally, counters: Counters) -> None:
        self._publisher = publisher
        self._tally = tally
        self._console = ConsoleFigures()
        self._counters = counters

    def tick(self, in_flight: int, connections: int) -> None:
        """Publish if anything changed within the last second."""
        now = self._publisher.now
        now.in_flight, now.connections = in_flight, connections
        refused = int(sum(row[0] for row in refusal_counts.values()))
        counts = self._tally.count, ConsoleCounts.count, refused
        self._publisher.tick(*counts, in_flight, connections)

    def figures(self) -> Figures:
        """Tell what was counted of requests."""
        first_bytes: Figures = {"first_bytes": {**self._counters.rows}}  # type: ignore[dict-item]  # rows of whole numbers, which are read only
        refusals: Figures = {"refusals": refusal_counts}
        return first_bytes | refusals | self._tally.figures() | self._console()

    def end(self) -> None:
        """Leave what was counted to the processes that come after."""
        source.publisher = source.collector = None
        self._publisher.end()


def start_metrics(engine: StorageEngine, s3: S3App, counters: Counters) -> WorkerMetrics | None:
    """Begin to count and to publish, unless metrics are off."""
    slots = open_slots()
    if slots is None:
        return None
    tally = Tally(slots)
    s3.tellers.append(tally.tell)
    publisher = Publisher(slots, WORKER, engine)
    made = WorkerMetrics(publisher, tally, counters)
    publisher.add_source(made.figures)
    publisher.publish()
    source.publisher, source.collector = publisher, Collector(slots, engine)
    return made
