"""What the commands that look after a store have in common: one form of answer, one of refusal.

They never make a store. Most work beside a running server, one of each kind at a time, and end in
order when asked to. Exit codes: 0 done, 1 something is wrong with the store, 2 refused.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import lmdb
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError

from s4project.metrics.publishing import publish_command
from s4project.progress import Progress
from s4project.setting_values import parse_size
from storage_engine import EngineError
from storage_engine.apps import close_engine, get_engine
from storage_engine.program import command

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator

    from storage_engine import StorageEngine

EXIT_PROBLEMS: Final = 1
EXIT_REFUSED: Final = 2
REFUSALS: Final = (EngineError, OSError, DatabaseError, lmdb.Error)
INDEX_DAMAGES: Final = (lmdb.CorruptedError, lmdb.PageNotFoundError)
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found: for programs, for people, and what is wrong."""

    figures: dict[str, Any]
    lines: list[str]
    problems: list[str]
    is_complete: bool = True  # False: it was asked to stop


class RefusedError(Exception):
    """What was asked for cannot be done; the text says why."""


class CareCommand(BaseCommand):
    """A command that looks after a store; subclasses define `work`, or `run`."""

    requires_system_checks = ()  # the settings are checked below, in plain lines
    counts = ""  # what the progress line counts
    has_rate = False
    ends_in_order = False  # `work` asks `should_stop`; otherwise a signal ends it as any process

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
        try:
            answer, show = self._run(options), self.show
        except INDEX_DAMAGES as error:
            what = f"the index is damaged ({error}): {command('rebuild_index')} makes it anew"
            answer, show = Answer({}, [], [what]), partial(CareCommand.show, self)
        except (*REFUSALS, RefusedError) as error:
            self._refuse(str(error) or type(error).__name__)
        if options["json"]:
            found = {"ok": not answer.problems, "problems": answer.problems, **answer.figures}
            self.stdout.write(json.dumps(found))
        else:
            show(answer)
        if answer.problems:
            sys.exit(EXIT_PROBLEMS)

    def _run(self, options: dict[str, Any]) -> Answer:
        """Do the work, and leave the line of its progress in any case."""
        has_terminal = self.stderr.isatty() and not options["json"]
        progress = Progress(self.stderr if has_terminal else None, self.counts)
        try:
            answer = self.run(options, progress)
            if answer.is_complete:
                progress.finish()
        finally:
            progress.end()
            publish_command()
            close_engine()
        return answer

    def run(self, options: dict[str, Any], progress: Progress) -> Answer:
        """Open the store, and do what the command is for."""
        # Opening may wait for others, and then a signal must end it: only afterwards is one a wish.
        engine = get_engine(must_exist=True)
        with asked_to_stop() if self.ends_in_order else never_asked() as should_stop:
            return self.work(engine, options, progress, should_stop)

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        """Do what the command is for, in an open store."""
        raise NotImplementedError

    def show(self, answer: Answer) -> None:
        """Say the answer to a person."""
        for problem in answer.problems:
            self.stdout.write(self.style.ERROR(problem))
        for line in answer.lines:
            self.stdout.write(line)

    def _refuse(self, *reasons: str) -> NoReturn:
        for reason in reasons:
            self.stderr.write(" ".join(reason.split()))
        sys.exit(EXIT_REFUSED)


def size(text: str) -> int:
    """Read a number of bytes."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Take the signals that end a process as a wish; yields what tells whether there was one.

    The second ends it as it would have without: nothing that these commands do must be finished.
    """
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        for other, handler in before.items():
            signal.signal(other, handler)

    for number in STOP_SIGNALS:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def never_asked() -> Iterator[Callable[[], bool]]:
    """Leave the signals as they are."""
    yield lambda: False
