"""What a worker counts of its requests, in which span of time, and when it is written."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from s3api.audit import Course
from s4project.meters import counters
from s4project.meters.columns import (
    BOUNDS,
    FAILED,
    FINE,
    MICROSECONDS,
    RECEIVED,
    REFUSED,
    SENT,
    STATUSES,
    TIMES,
    UNANSWERED,
    Kind,
)
from s4project.meters.counters import Counters
from s4project.meters.ring import TIERS, Ring, read
from s4project.meters.series import column
from s4project.scribe import Scribe
from tests.s4project.probing import wait_for

if TYPE_CHECKING:
    from pathlib import Path

NOON: Final = 1_800_000_000


class Clock:
    """A clock of which both hands are set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.steady = float(NOON), 50.0
        monkeypatch.setattr(counters, "time", SimpleNamespace(time=lambda: self.wall))
        monkeypatch.setattr(counters, "perf_counter", lambda: self.steady)

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set the clock to noon."""
    return Clock(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file."""
    return tmp_path / "meters"


@pytest.fixture
def ledger(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Counters:
    """Count into the file, by the clock that is set by hand."""
    monkeypatch.setattr("s4project.meters.ring.time", counters.time)
    made = Counters(Ring(path), lambda: None)
    made.attach(lambda: None)
    return made


def course(operation: str = "GetObject", status: int = 200, **more: Any) -> Course:
    """Make a request that has ended."""
    body = SimpleNamespace(received_bytes=more.pop("received", 0))
    request: Any = SimpleNamespace(body=body)
    facts = {"request": request, "began": 50.0, "answered": 50 + 1 / 256} | more
    return Course("A", operation=operation, status=status, **facts)


def slots(path: Path) -> dict[int, list[int]]:
    """Read the slots around noon, by seconds since."""
    found = read(path, TIERS[0], NOON, NOON + 3600)
    return {start - NOON: words for start, words in found.items()}


def counted(path: Path) -> dict[int, int]:
    """Count the requests of each slot."""
    firsts = [column(kind, 0) for kind in Kind]
    return {
        start: sum(sum(words[first : first + STATUSES]) for first in firsts)
        for start, words in slots(path).items()
    }


def test_a_request_is_counted_by_kind_status_bytes_and_time(path: Path, ledger: Counters) -> None:
    """Each request adds to the words of its kind; its time ends when its answer begins."""
    ledger.tell(course(sent_bytes=1000))
    ledger.tell(course("HeadObject", 404, answered=50 + 1 / 2048))
    ledger.tell(course("PutObject", 500, received=77))
    ledger.tell(course("DeleteObject", 0, answered=0.0, began=49.0))
    ledger.tell(course("GetBucketAcl", 302))
    ledger.tell(course("", 400))
    ledger.write_batch()
    (words,) = slots(path).values()
    assert {index: count for index, count in enumerate(words) if count} == {
        column(Kind.READ, FINE): 1,
        column(Kind.READ, REFUSED): 1,
        column(Kind.READ, SENT): 1000,
        column(Kind.READ, MICROSECONDS): 3906 + 488,
        column(Kind.READ, TIMES + BOUNDS.index(0.005)): 1,
        column(Kind.READ, TIMES + BOUNDS.index(0.0005)): 1,
        column(Kind.WRITE, FAILED): 1,
        column(Kind.WRITE, RECEIVED): 77,
        column(Kind.WRITE, MICROSECONDS): 3906,
        column(Kind.WRITE, TIMES + BOUNDS.index(0.005)): 1,
        column(Kind.DELETE, UNANSWERED): 1,
        column(Kind.DELETE, MICROSECONDS): 1_000_000,
        column(Kind.DELETE, TIMES + BOUNDS.index(1.0)): 1,
        column(Kind.OTHER, FINE + 1): 1,
        column(Kind.OTHER, REFUSED): 1,
        column(Kind.OTHER, MICROSECONDS): 2 * 3906,
        column(Kind.OTHER, TIMES + BOUNDS.index(0.005)): 2,
    }


def test_what_rest_asks_of_operations_is_no_request(path: Path, ledger: Counters) -> None:
    """An errand has no request of its own, and is not counted."""
    errand = course()
    errand.request_id = ""
    ledger.tell(errand)
    ledger.write_batch()
    assert counted(path) == {}


def test_each_request_is_counted_in_the_span_in_which_it_ended(
    path: Path, ledger: Counters, clock: Clock
) -> None:
    """However late it is written, each ten seconds have their own requests, and each once."""
    for _ in range(7):
        ledger.tell(course())
        clock.go(3)
    clock.go(30)
    ledger.tell(course())
    assert counted(path) == {}
    ledger.write_batch()
    assert counted(path) == {0: 4, 10: 3, 50: 1}
    ledger.tell(course())
    ledger.write_batch()
    ledger.write_batch()
    assert counted(path) == {0: 4, 10: 3, 50: 2}
    assert ledger.count() == 0


def test_clocks_that_jump_lose_no_request(path: Path, ledger: Counters, clock: Clock) -> None:
    """Forward or back, what is counted next is counted at what is now the time."""
    ledger.tell(course())
    ledger.write_batch()
    ledger.rest()
    clock.wall += 1000
    ledger.tell(course())
    ledger.write_batch()
    ledger.rest()
    clock.wall -= 960
    ledger.tell(course())
    ledger.write_batch()
    assert counted(path) == {0: 1, 40: 1}, "what was in the future is not, any more"


def test_trouble_with_the_file_loses_nothing(path: Path, ledger: Counters, clock: Clock) -> None:
    """What cannot be written is written later, in its own span."""
    path.mkdir()
    for _ in range(3):
        ledger.tell(course())
        clock.go(10)
        with pytest.raises(OSError, match="meters"):
            ledger.write_batch()
    assert ledger.count() == 3
    path.rmdir()
    ledger.write_batch()
    assert counted(path) == {0: 1, 10: 1, 20: 1}


def test_the_past_that_waits_is_bounded(
    path: Path, ledger: Counters, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the file is in trouble for long, the oldest spans join the next, and still count."""
    for _ in range(counters.SPANS_MAX + 10):
        ledger.tell(course())
        clock.go(10)
    ledger.write_batch()
    assert sum(read_all(path).values()) == counters.SPANS_MAX + 10
    assert len(read_all(path)) <= counters.SPANS_MAX + 1


def read_all(path: Path) -> dict[int, int]:
    """Count the requests of each slot, over hours."""
    found = read(path, TIERS[0], NOON, NOON + 10_000)
    return {start: words[FINE] for start, words in found.items()}


def test_without_requests_nothing_is_written(path: Path) -> None:
    """The scribe writes what came, and then leaves the file alone until more comes."""
    ledger = Counters(Ring(path), lambda: None)
    scribe = Scribe(ledger)
    scribe.start()
    ledger.tell(course())
    wait_for(lambda: ledger.count() == 0 and path.exists())

    def rests() -> bool:
        before = path.stat().st_mtime_ns
        time.sleep(0.6)
        return path.stat().st_mtime_ns == before

    wait_for(rests)  # once the first are written
    ledger.tell(course())
    scribe.stop()
    now = int(time.time())
    found = read(path, TIERS[0], now - 60, now)
    assert sum(words[FINE] for words in found.values()) == 2, "the last ones when it ends"
