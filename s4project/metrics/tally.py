"""What one worker counts of its requests for metrics, beside what `meters` keep of the past.

A request costs it additions, no lock and no system call; only the first of a bucket asks whether
the bucket has rows of its own. What cannot be told apart without bound, names of buckets that are
not there, is not told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from time import perf_counter
from typing import TYPE_CHECKING, Final

from s4project.metrics.slots import OTHER

if TYPE_CHECKING:
    from s3api.audit import Course
    from s4project.metrics.slots import Figures, Row, Slots

# Seconds up to which a whole request belongs to a bar; the last has no end. A large upload may take
# minutes.
BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
NONE: Final = "-"  # in place of a bucket: the request was about none that is there
UNKNOWN: Final = "Unknown"  # no operation: the request did not come so far


class Tally:
    """What requests to S3 came to."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._labels: dict[str, str] = {"": NONE}  # under which name a bucket is counted
        self._places: dict[tuple[str, int, str], tuple[Row, Row]] = {}  # a row, and the bars
        self._requests: dict[str, Row] = {}  # the same rows, as they are published
        self._durations: dict[str, Row] = {}
        self._codes: dict[str, Row] = {}
        self.count = 0

    def tell(self, course: Course) -> None:
        """Count a request that has ended, on the event loop; none that came by no request to S3."""
        if not course.request_id:
            return
        call = course.call
        state = None if call is None else call.bucket_or_none
        name = "" if state is None else state.name
        place = course.operation, course.status, self._labels.get(name) or self._label(name)
        try:
            row, bars = self._places[place]
        except KeyError:
            row, bars = self._open(*place)
        row[0] += 1
        row[1] += course.sent_bytes
        request = course.request
        if request is not None and (received := request.body.received_bytes):
            row[2] += received
        seconds = perf_counter() - course.began
        bars[bisect_left(BOUNDS, seconds)] += 1
        bars[-1] += seconds
        if course.code:
            self._codes.setdefault(course.code, [0])[0] += 1
        self.count += 1

    def figures(self) -> Figures:
        """Tell what was counted; what is returned goes on growing."""
        return {
            "requests": self._requests,
            "durations": self._durations,
            "codes": self._codes,
        }

    def _open(self, operation: str, status: int, label: str) -> tuple[Row, Row]:
        """Begin a row."""
        bars = self._durations.setdefault(operation or UNKNOWN, [0] * (len(BOUNDS) + 2))
        row: Row = [0, 0, 0]
        self._requests[f"{operation or UNKNOWN}\n{status}\n{label}"] = row
        self._places[operation, status, label] = row, bars
        return row, bars

    def _label(self, bucket: str) -> str:
        """Ask, once for each bucket, under which name it is counted."""
        try:
            label = self._slots.grant([bucket])[bucket]
        except OSError:  # the memory is full
            label = OTHER
        self._labels[bucket] = label
        return label
