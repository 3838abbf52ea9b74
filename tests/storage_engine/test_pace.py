"""Work goes on at the rate asked for, and stops when asked."""

from __future__ import annotations

import pytest

from storage_engine import pace as pacing
from storage_engine.pace import SLICE_S, Pace, Stopped, never


class Clock:
    """Time that passes while somebody sleeps, and never else."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let paces live by such a clock."""
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


def test_without_a_rate_nothing_waits(time: Clock) -> None:
    """Zero bytes per second means any number of them."""
    pace = Pace(0, never)
    started = time.monotonic()
    for _ in range(1000):
        pace.pause(1 << 40)
    assert time.monotonic() == started


def test_a_rate_is_kept_over_many_pieces(time: Clock) -> None:
    """So many bytes take as long as they should, however they are cut."""
    pace = Pace(1_000_000, never)
    started = time.monotonic()
    for _ in range(30):
        pace.pause(10_000)
    assert time.monotonic() - started == pytest.approx(0.3)


def test_who_waits_is_heard(time: Clock) -> None:
    """A stop that is asked for during a long pause ends it soon."""
    started = time.monotonic()
    pace = Pace(1, lambda: time.monotonic() - started > 0.1)
    with pytest.raises(Stopped):
        pace.pause(1000)
    assert time.monotonic() - started < 0.1 + 2 * SLICE_S


def test_a_slice_ends_between_pieces_only() -> None:
    """What only lets others have their turn interrupts no piece of work, a stop does."""
    pace = Pace(1_000_000, never, lambda: True)
    pace.pause(10_000)
    with pytest.raises(Stopped):
        pace.check()


def test_a_stop_needs_no_rate() -> None:
    """Asked to stop, it stops at the next piece."""
    with pytest.raises(Stopped):
        Pace(0, lambda: True).pause(1)
    with pytest.raises(Stopped):
        Pace(0, lambda: True).check()
