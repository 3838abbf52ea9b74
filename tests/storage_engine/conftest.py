"""Fixtures for the engine: a store of the test's own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.storage_engine.engine_steps import problems, small_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StorageEngine]:
    """Open a store in which everything happens early; it must agree with itself at the end."""
    with small_store(tmp_path / "store") as opened:
        yield opened
        assert problems(opened) == []


class Tally:
    """Figures of one test, which add up over its suite."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def __call__(self, **figures: int) -> None:
        """Note them."""
        self._record("tally", figures)


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Let a long run say how much it did, in one line for each suite at its end."""
    return Tally(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what the suites added up."""
    sums: dict[str, Counter[str]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, figures in getattr(report, "user_properties", []):
            if name == "tally" and report.when == "call":
                suite = sums.setdefault(report.nodeid.partition("::")[0], Counter())
                suite.update(figures)
    for suite, counts in sorted(sums.items()):
        told = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items())
        terminalreporter.write_line(f"{suite}: {told}")
