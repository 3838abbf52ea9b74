"""What the commands about users, keys and buckets share: a ready store, one form of answer.

An answer goes to stdout, for people or (`--json`) for programs; a refusal is one line on stderr,
with exit code 2 for a value that cannot be, 1 for one that cannot be now. Works before the first
start of the server and beside a running one.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import OperationalError
from django.utils import timezone

from buckets.services import BucketError, InvalidBucketName
from iam import services
from iam.errors import IdentityError, InvalidIdentity
from iam.sealing import SealingError
from s4project.sql.address import place
from s4project.store import prepare_store
from storage_engine import EngineError, NewerStore

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from iam.models import Group, Role, User
    from iam.services import FirstStart

EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1)}
HOLDERS: Final[dict[str, Callable[[str], User | Group | Role]]] = {
    "user": services.find_user,
    "group": services.find_group,
    "role": services.find_role,
}
REFUSALS: Final = (IdentityError, BucketError, SealingError, EngineError)


class StoreCommand(BaseCommand):
    """A command that needs the store; says what it did as a dict and as text."""

    requires_system_checks = ()  # the settings are checked below, in plain lines

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what every such command takes."""
        parser.add_argument("--json", action="store_true", help="answer in JSON, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the settings, prepare the store, do the work, answer."""
        del args
        if settings.S4.problems:
            self._refuse(EXIT_USAGE, *settings.S4.problems)
        try:
            self._greet(prepare_store())
            answer = self.work(options)
        except (InvalidIdentity, InvalidBucketName, NewerStore) as error:
            self._refuse(EXIT_USAGE, str(error))
        except REFUSALS as error:
            self._refuse(EXIT_REFUSED, str(error))
        except OperationalError as error:
            where, why = place(settings.S4.database_url), " ".join(str(error).split())
            self._refuse(EXIT_REFUSED, f"{where}: {why}")
        self.stdout.write(json.dumps(answer) if options["json"] else self.describe(answer))

    def work(self, options: dict[str, Any]) -> Any:
        """Do what the command is for; return the answer as JSON would have it."""
        raise NotImplementedError

    def describe(self, answer: Any) -> str:
        """Say the answer to a person."""
        raise NotImplementedError

    def _greet(self, first: FirstStart) -> None:
        """Tell what is told only once, when this command happened to be the first start."""
        if not first.created:
            return
        lines = [f"S4 is set up. Administrator: {first.username}"]
        if first.generated_password:
            lines.append(f"  password    {first.generated_password}")
        if first.generated_secret:
            lines.append(f"  access key  {first.access_key}")
            lines.append(f"  secret key  {first.generated_secret}")
        self.stderr.write("\n".join([*lines, "  This is shown once."]), self.style.WARNING)

    def _refuse(self, code: int, *reasons: str) -> NoReturn:
        """End the command with a line for each reason."""
        for reason in reasons:
            self.stderr.write(" ".join(reason.split()))
        sys.exit(code)


def first_line_of_stdin(field: str) -> str:
    """Read a secret that must not stand in a process list; InvalidIdentity when there is none."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise InvalidIdentity(field, "Nothing came on standard input.")
    return line


def read_text(path: str, field: str) -> str:
    """Read a document from a file, or from standard input for `-`; InvalidIdentity."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig").strip()
    except OSError as error:
        raise InvalidIdentity(field, f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidIdentity(field, f"{path} is not UTF-8.") from error


def read_moment(text: str, field: str) -> datetime:
    """Read an end: a date, a moment in ISO 8601 (UTC unless it says), or `30d`, `12h` from now."""
    number, unit = text[:-1], UNITS.get(text[-1:])
    try:
        if unit is not None:
            return timezone.now() + int(number) * unit
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InvalidIdentity(
            field, f"{text} is no moment: write 2030-12-31, 2030-12-31T12:00:00Z, 30d or 12h."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def add_holder(parser: ArgumentParser) -> None:
    """Ask whose policy it is: a user's, a group's or a role's."""
    whose = parser.add_mutually_exclusive_group(required=True)
    for kind in HOLDERS:
        whose.add_argument(f"--{kind}", metavar="NAME", help=f"a {kind}'s")


def find_holder(options: dict[str, Any]) -> tuple[User | Group | Role, str]:
    """Find whom `add_holder` asked for, and name him; NoSuchUser, NoSuchGroup, NoSuchRole."""
    kind = next(kind for kind in HOLDERS if options[kind] is not None)
    return HOLDERS[kind](options[kind]), f"the {kind} {options[kind]}"


def table(rows: list[list[str]]) -> str:
    """Lay out rows in columns; the first row is the heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
