"""Search the audit log."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from iam.audit.acting import Via
from iam.audit.notes import Outcome
from iam.services.audit import PAGE_ENTRIES_MAX, Wanted, search_entries
from s4project.commands import StoreCommand, table
from s4project.setting_values import whole_number

if TYPE_CHECKING:
    from argparse import ArgumentParser

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FILTERS: Final = {
    "actor": "a user's name, canonical id or access key",
    "action": "how the action begins, such as iam: or s3:PutBucketPolicy",
    "resource": "how the resource begins, such as arn:aws:s3:::photos",
    "text": "what stands anywhere in an entry",
}


class Command(StoreCommand):
    help = "Search the audit log, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        for name in ("since", "until"):
            parser.add_argument(
                f"--{name}",
                metavar="TIME",
                type=moment,
                help="such as 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 7d for so long ago",
            )
        for name, meaning in FILTERS.items():
            parser.add_argument(f"--{name}", metavar="TEXT", default="", help=meaning)
        parser.add_argument("--outcome", choices=[outcome.value for outcome in Outcome], default="")
        parser.add_argument("--via", choices=[via.value for via in Via], default="")
        parser.add_argument(
            "--limit",
            metavar="N",
            type=limit,
            default=100,
            help=f"how many entries at most (default: 100, at most {PAGE_ENTRIES_MAX})",
        )
        parser.add_argument("--before", metavar="ID", type=int, help="only entries before this one")

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        names = ("since", "until", "outcome", "via", *FILTERS)
        wanted = Wanted(**{name: options[name] for name in names})
        page = search_entries(wanted, before=options["before"], limit=options["limit"])
        return [entry.as_dict() for entry in page.entries]

    def describe(self, answer: Any) -> str:
        rows = [
            [
                entry["time"],
                entry["actor"] or entry["credential"] or "nobody",
                entry["address"] or "-",
                entry["via"],
                entry["action"],
                entry["outcome"],
                entry["resource"],
            ]
            for entry in answer
        ]
        return table([["TIME", "ACTOR", "FROM", "VIA", "ACTION", "OUTCOME", "RESOURCE"], *rows])


def moment(text: str) -> datetime:
    """Read a time: a date, a time in ISO 8601 (UTC unless it says another), or how long ago."""
    if ago := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be such as 2026-01-31 or 2h") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def limit(text: str) -> int:
    """Read how many entries are wanted."""
    try:
        return whole_number(1, PAGE_ENTRIES_MAX)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
