"""What the commands that look after an open store have in common: compact, scrub, snapshot.

They work beside a running server, one of each kind at a time, and end in order when asked to.
Exit codes: 0 done, 1 something is wrong with the store, 2 refused.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand

from s4project.configuration import parse_size
from storage_engine import EngineError
from storage_engine.apps import close_engine, get_engine
from storage_engine.management.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator

    from storage_engine import StorageEngine

EXIT_PROBLEMS: Final = 1
EXIT_REFUSED: Final = 2
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Answer:
    """What a command found: for programs, for people, and what is wrong."""

    def __init__(self, figures: dict[str, Any], lines: list[str], problems: list[str]) -> None:
        self.figures = figures
        self.lines = lines
        self.problems = problems


class CareCommand(BaseCommand):
    """A command that goes through the store; subclasses define `work`."""

    requires_system_checks = ()  # the settings are checked below, in plain lines
    counts = ""  # what the progress line counts
    has_rate = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what they take."""
        parser.add_argument("--json", action="store_true", help="write one JSON object at the end")
        if not self.has_rate:
            return
        parser.add_argument(
            "--rate",
            metavar="BYTES",
            type=size,
            default=0,
            help="go no faster than so many bytes a second, such as 50M (default: any)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the settings, do the work, answer."""
        del args
        if settings.S4.problems:
            self._refuse(*settings.S4.problems)
        progress = None
        if self.stderr.isatty() and not options["json"]:
            progress = Progress(self.stderr, self.counts)
        try:
            with asked_to_stop() as should_stop:
                answer = self.work(get_engine(), options, progress or unseen, should_stop)
        except (EngineError, OSError) as error:
            self._refuse(str(error))
        finally:
            if progress is not None:
                progress.end()
            close_engine()
        self._answer(answer, is_json=options["json"])

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Callable[[int, int], None],
        should_stop: Callable[[], bool],
    ) -> Answer:
        """Do what the command is for."""
        raise NotImplementedError

    def _answer(self, answer: Answer, *, is_json: bool) -> None:
        if is_json:
            self.stdout.write(json.dumps({"ok": not answer.problems, **answer.figures}))
        else:
            for problem in answer.problems:
                self.stdout.write(self.style.ERROR(problem))
            for line in answer.lines:
                self.stdout.write(line)
        if answer.problems:
            sys.exit(EXIT_PROBLEMS)

    def _refuse(self, *reasons: str) -> NoReturn:
        for reason in reasons:
            self.stderr.write(" ".join(reason.split()))
        sys.exit(EXIT_REFUSED)


def size(text: str) -> int:
    """Read a number of bytes."""
    return parse_size(text)


def unseen(_done: int, _total: int) -> None:
    """Show no progress."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Take the signals that end a process as a wish; yields what tells whether there was one."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _frame: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
