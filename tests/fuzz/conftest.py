"""The end of a fuzz run: what was tried, target by target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz import exploring

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the numbers of a run with a time of its own."""
    if exploring.SECONDS:
        terminalreporter.section("fuzz")
        for line in exploring.summary():
            terminalreporter.write_line(line)
