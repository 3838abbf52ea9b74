"""How far a command has come: one plain line, which ends."""

from __future__ import annotations

import io

from django.core.management.base import OutputWrapper
from django.core.management.color import color_style

from s4project.progress import Progress


class Terminal(io.StringIO):
    """A text stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def terminal() -> OutputWrapper:
    """Make the stream that a command writes errors to, in their colour."""
    wrapper = OutputWrapper(Terminal())
    wrapper.style_func = color_style(force_color=True).ERROR
    return wrapper


def test_progress_is_no_error() -> None:
    """It is written without colour, though to the stream of errors."""
    shown = terminal()
    progress = Progress(shown, "things")
    progress(1, 2)
    progress.finish()
    assert shown.getvalue() == "\rthings: 1 of 2 (50 %)\rthings: 2 of 2 (100 %)\n"


def test_work_that_is_done_is_shown_as_done() -> None:
    """Whatever was told last, and if it was too much, the end is 100 %."""
    for last in (3, 7, 9):
        shown = terminal()
        progress = Progress(shown, "things")
        progress(last, 7)
        progress.finish()
        assert shown.getvalue().endswith("of 7 (100 %)\n")


def test_work_that_is_cut_off_ends_its_line() -> None:
    """A line that was begun is ended once, and none is where nothing was told."""
    shown = terminal()
    progress = Progress(shown, "things")
    progress.end()
    assert shown.getvalue() == ""
    progress(1, 7)
    progress.end()
    progress.end()
    assert shown.getvalue() == "\rthings: 1 of 7 (14 %)\n"


def test_a_shorter_line_covers_a_longer_one() -> None:
    """Nothing of what was shown before is left behind the line."""
    shown = terminal()
    progress = Progress(shown, "things")
    progress(100, 1000)
    progress(5, 7)
    widths = [len(line) for line in shown.getvalue().split("\r")[1:]]
    assert widths[1] == widths[0]


def test_without_a_terminal_nothing_is_shown() -> None:
    """A progress that nobody sees may be told, ended and finished."""
    progress = Progress(None, "things")
    progress(1, 2)
    progress.end()
    progress.finish()
