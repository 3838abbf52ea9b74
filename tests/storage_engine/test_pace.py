"""Work goes on at the rate asked for, and stops when asked."""

from __future__ import annotations

import time

import pytest

from storage_engine.pace import SLICE_S, Pace, Stopped, never


def test_without_a_rate_nothing_waits() -> None:
    """Zero bytes per second means any number of them."""
    pace = Pace(0, never)
    started = time.monotonic()
    for _ in range(1000):
        pace.pause(1 << 40)
    assert time.monotonic() - started < 1


def test_a_rate_is_kept_over_many_pieces() -> None:
    """So many bytes take as long as they should, however they are cut."""
    pace = Pace(1_000_000, never)
    started = time.monotonic()
    for _ in range(30):
        pace.pause(10_000)
    assert 0.25 < time.monotonic() - started < 1


def test_who_waits_is_heard() -> None:
    """A stop that is asked for during a long pause ends it soon."""
    started = time.monotonic()
    pace = Pace(1, lambda: time.monotonic() - started > 0.1)
    with pytest.raises(Stopped):
        pace.pause(1000)
    assert time.monotonic() - started < 0.1 + 3 * SLICE_S


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
