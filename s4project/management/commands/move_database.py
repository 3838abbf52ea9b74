"""`manage.py move_database`: the SQL database goes to another place, from SQLite or back to it.

With the server stopped. The database in force is only read, and the data directory stays where it
is: it belongs to what was copied.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django.conf import settings

from s4project.care_command import Answer, CareCommand, RefusedError
from s4project.processes import LockedError, hold_lock
from s4project.setting_values import parse_database
from s4project.sql.address import is_postgresql, lacks_password, place
from s4project.sql.moving import CannotMoveError, close_target, move, open_target

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from s4project.progress import Progress

LOCKS = ("serve.lock", "jobs.lock")


class Command(CareCommand):
    help = "Copy users, keys, buckets and the audit log into another SQL database."
    counts = "rows"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "target",
            help="where to, as DATABASE_URL has it: postgresql://user@host/name or "
            "sqlite:///path; - reads it from standard input, for one with a password",
        )

    def run(self, options: dict[str, Any], progress: Progress) -> Answer:
        target = read_target(options["target"])
        if not settings.S4.data_dir.is_dir():
            raise RefusedError(f"there is no store at {settings.S4.data_dir}")
        with ExitStack() as held:
            try:
                for name in LOCKS:
                    held.enter_context(hold_lock(settings.S4.data_dir / name))
                open_target(target)
                held.callback(close_target)
                moved = move(progress)
            except LockedError as error:
                raise RefusedError(
                    "stop S4 first: what it writes meanwhile would be lost"
                ) from error
            except CannotMoveError as error:
                raise RefusedError(f"{error}; nothing was changed") from error
        rows = sum(table.rows for table in moved)
        lines = [f"{table.rows:>12,}  {table.table}" for table in moved if table.rows]
        lines.append(f"{rows:,} rows are in {place(target)}, compared one by one.")
        lines.append("Set DATABASE_URL to it, and start S4.")
        figures = {"rows": rows, "tables": {table.table: table.rows for table in moved}}
        return Answer(figures, lines, [])


def read_target(text: str) -> str:
    """Read the URL; RefusedError for one that cannot be, or that everybody on the machine sees."""
    url = sys.stdin.readline().strip() if text == "-" else text
    try:
        parse_database(url)
    except ValueError as error:
        raise RefusedError(f"the target {error}") from error
    if not url:
        raise RefusedError("nothing came on standard input")
    if text != "-" and is_postgresql(url) and not lacks_password(url):
        raise RefusedError("a password on the command line is seen by everybody: give - instead")
    return url
