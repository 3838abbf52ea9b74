"""What one worker counts of its requests: sums since it began, of each operation.

A request costs it additions, no lock and no allocation. The scribe writes what was added since it
wrote last into the file of all processes: while there are requests each few seconds, and else
nothing. Each request is counted in the span of ten seconds in which it ended.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Final

from s4project.meters.columns import (
    BOUNDS,
    FAILED,
    FINE,
    KIND_WORDS,
    KINDS,
    MICROSECONDS,
    RECEIVED,
    REDIRECTED,
    REFUSED,
    SENT,
    STATUSES,
    TIMES,
    UNANSWERED,
    Kind,
)
from s4project.meters.ring import TIERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.audit import Course
    from s4project.meters.columns import Gauges
    from s4project.meters.ring import Ring

PAUSE_SECONDS: Final = 2.0
SPAN_SECONDS: Final = TIERS[0].seconds
SPANS_MAX: Final = 360  # kept while the file cannot be written; then the oldest join the next
MICRO: Final = 1_000_000
OF_HUNDREDS: Final = (UNANSWERED, UNANSWERED, FINE, REDIRECTED, REFUSED, FAILED)
NOTHING: Final = (0,) * KIND_WORDS

Row = list[int]
Rows = dict[str, Row]  # what was counted of each operation, by AWS's name; "": it had none yet


class Counters:
    """The ledger of one worker.

    `rows` only ever grows: what a scrape of metrics would read, too.
    """

    def __init__(self, ring: Ring, sample: Callable[[], Gauges | None]) -> None:
        """Add to a file; `sample` tells what there is now, or None while it is too soon."""
        self.name = "meters"
        self.pause_seconds = PAUSE_SECONDS
        self.rows: Rows = {}
        self._ring = ring
        self._sample = sample
        self._written: Rows = {}
        self._closed: deque[tuple[int, Rows]] = deque(maxlen=SPANS_MAX)
        self._span = 0  # the second at which the current one begins
        self._turn = -math.inf  # when the next request is to look at the clock
        self._bell: Callable[[], None] = lambda: None

    def tell(self, course: Course) -> None:
        """Count a request that has ended, on the event loop.

        Its time is that until its answer began, so that it does not tell of the client's line: from
        the end of its head to the first byte of the reply (AWS's FirstByteLatency begins when the
        body is there as well), or to its end where it got none.
        What the REST API asks of operations is none: it came by no request to S3.
        """
        now = perf_counter()
        if now >= self._turn:
            self._turn_over(now)
        if not course.request_id:
            return
        row = self.rows.get(course.operation)
        if row is None:
            row = self.rows[course.operation] = [0] * KIND_WORDS
        seconds = (course.answered or now) - course.began
        row[OF_HUNDREDS[course.status // 100]] += 1
        row[MICROSECONDS] += int(seconds * MICRO)
        row[TIMES + bisect_left(BOUNDS, seconds)] += 1
        row[SENT] += course.sent_bytes
        request = course.request
        if request is not None and (received := request.body.received_bytes):
            row[RECEIVED] += received

    def attach(self, ring: Callable[[], None]) -> None:
        """Take the bell."""
        self._bell = ring
        self.rest()

    def write_batch(self) -> bool:
        """Write all there is; OSError."""
        while self._closed:
            span, rows = self._closed[0]
            self._write(span, rows, lambda: None)
            self._closed.popleft()
        span, rows = self._span, _copy(self.rows)
        if self._closed:  # the span ended just now, with less than was copied
            return True
        self._write(span, rows, self._sample)
        return False

    def rest(self) -> None:
        """Ring again at the next request, or at once if there was one."""
        self._turn = -math.inf
        if self.count():  # it may have come just before
            self._bell()

    def count(self) -> int:
        """Count the requests that are not written."""
        return _requests(self.rows) - _requests(self._written)

    def _turn_over(self, now: float) -> None:
        """Begin a span, or go on in the one that it still is; let the scribe know."""
        wall = time.time()
        into = wall % SPAN_SECONDS
        span = int(wall - into)
        if span != self._span:
            if self.count():
                self._closed.append((self._span, _copy(self.rows)))
            self._span = span
        self._turn = now + SPAN_SECONDS - into
        self._bell()

    def _write(self, span: int, rows: Rows, sample: Callable[[], Gauges | None]) -> None:
        """Add to the file what rows have more than was written."""
        counts = _difference(rows, self._written)
        if counts:
            self._ring.add(span, counts, sample())
            self._written = rows


def _copy(rows: Rows) -> Rows:
    # A list first: it is made at one stroke, while requests of new operations go on coming.
    return {operation: row.copy() for operation, row in list(rows.items())}


def _requests(rows: Rows) -> int:
    return sum(sum(row[:STATUSES]) for _, row in list(rows.items()))


def _difference(rows: Rows, written: Rows) -> dict[int, int]:
    """Add up by words what rows have more than was written."""
    counts: dict[int, int] = {}
    for operation, row in rows.items():
        first = KINDS.get(operation, Kind.OTHER) * KIND_WORDS
        before = written.get(operation, NOTHING)
        for index, (count, old) in enumerate(zip(row, before, strict=True), first):
            if count != old:
                counts[index] = counts.get(index, 0) + count - old
    return counts
