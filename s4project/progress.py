"""How far a command has come, on one line of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.core.management.base import OutputWrapper


class Progress:
    """One line, rewritten at each hundredth of the work; `what` says what is counted.

    Without a terminal nothing is shown.
    """

    def __init__(self, terminal: OutputWrapper | None, what: str) -> None:
        self._terminal = terminal
        self._what = what
        self._shown = -1  # per cent; -1 when the line is not begun
        self._total = 0
        self._width = 0

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work has come."""
        percent = min(100, 100 * done // total) if total else 100
        self._total = total
        if percent != self._shown:
            self._shown = percent
            self._write(f"{self._what}: {done} of {total} ({percent} %)")

    def finish(self) -> None:
        """Show that all is done, whatever was told last, and leave the line."""
        if self._shown >= 0:
            self(self._total, self._total)
        self.end()

    def end(self) -> None:
        """Leave the line, so that something else can be written; the next call begins another."""
        if self._terminal is not None and self._shown >= 0:
            self._terminal.write("", plain)
        self._shown = -1
        self._width = 0

    def _write(self, line: str) -> None:
        if self._terminal is not None:
            self._terminal.write(f"\r{line.ljust(self._width)}", plain, ending="")
        self._width = len(line)


def plain(text: str) -> str:
    """Leave a text as it is: progress is no error, though it goes where errors go."""
    return text
