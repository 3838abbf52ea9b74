"""How far a command has come, on one line of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.core.management.base import OutputWrapper


class Progress:
    """One line, rewritten at each hundredth of the work; `what` says what is counted."""

    def __init__(self, terminal: OutputWrapper, what: str) -> None:
        self._terminal = terminal
        self._what = what
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work has come."""
        percent = 100 * done // total if total else 100
        if percent != self._shown:
            self._shown = percent
            self._terminal.write(f"\r{self._what}: {done} of {total} ({percent} %)", ending="")

    def end(self) -> None:
        """Leave the line."""
        if self._shown >= 0:
            self._terminal.write("")
