"""The way to PostgreSQL: so many at once, one attempt a second while nobody is there, one line."""

from __future__ import annotations

import threading

import pytest
import structlog.testing

from s4project.sql import gate as rooms
from s4project.sql.gate import AwayError, Gate


def refuse() -> None:
    """Find nobody."""
    raise AwayError("connection refused")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Guard a gate through which two may go, who wait for moments only."""
    monkeypatch.setattr(rooms, "TURN_SECONDS", 0.05)
    gate = Gate()
    gate.guard(2)
    return gate


def test_so_many_come_through_at_once(gate: Gate) -> None:
    """The third waits in vain, until another gives back his turn or is forgotten."""
    turns = [gate.take_turn(), gate.take_turn()]
    with pytest.raises(AwayError, match="all 2"):
        gate.take_turn()
    with gate.residence():
        assert gate.take_turn() is None
    turn = turns.pop()
    assert turn is not None
    turn.end()
    turn.end()
    turns.append(gate.take_turn())
    with pytest.raises(AwayError):
        gate.take_turn()
    del turns[0]  # as a thread that ends without closing its connection
    assert gate.take_turn() is not None


def test_an_outage_is_told_once_and_its_end(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many find nobody there, the log has a line of it, and one when somebody is."""
    monkeypatch.setattr(rooms, "PROBE_SECONDS", 0.0)
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            with pytest.raises(AwayError):
                gate.connect(refuse)
        assert gate.is_away
        assert gate.connect(lambda: "made") == "made"
    assert not gate.is_away
    assert [line["log_level"] for line in lines] == ["warning", "info"]


def test_one_at_a_time_looks_whether_somebody_is_there(gate: Gate) -> None:
    """While it is known that nobody is, the others are told so at once, and do not knock."""
    knocks: list[int] = []

    def knock() -> None:
        knocks.append(1)
        refuse()

    threads = [threading.Thread(target=_ignore, args=(gate, knock)) for _ in range(8)]
    with pytest.raises(AwayError):
        gate.connect(knock)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(knocks) <= 2


def _ignore(gate: Gate, knock: object) -> None:
    with pytest.raises(AwayError):
        gate.connect(knock)  # type: ignore[arg-type]
