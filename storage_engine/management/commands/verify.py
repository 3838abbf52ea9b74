"""`manage.py verify`: prove that the store agrees with itself; exit code 1 when it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand

from storage_engine import EngineError
from storage_engine.apps import close_engine, get_engine
from storage_engine.management.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser


REFUSED: Final = 2


class Command(BaseCommand):
    help = (
        "Counts every reference and total of the index again and reads every blob. "
        "Changes nothing but what is known of damaged blobs; the server may be running. "
        "Exit code 1 when there are problems."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="write one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        try:
            found = self._verify(is_quiet=options["json"])
        except EngineError as error:
            self.stderr.write(str(error))
            raise SystemExit(REFUSED) from error
        finally:
            close_engine()
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not found, "problems": found}))
        elif not found:
            self.stdout.write(self.style.SUCCESS("No problems."))
        if found:
            raise SystemExit(1)

    def _verify(self, *, is_quiet: bool) -> list[str]:
        found = []
        progress = (
            None if is_quiet or not self.stderr.isatty() else Progress(self.stderr, "blobs read")
        )
        for problem in get_engine().verify(progress):
            found.append(problem)
            if not is_quiet:
                self.stdout.write(self.style.ERROR(problem))
        if progress is not None:
            progress.end()
        return found
