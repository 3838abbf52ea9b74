"""List what buckets and users hold and may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buckets.models import Bucket
from buckets.usage import holding_of_bucket, holding_of_user
from iam.services import list_users
from s4project.api.quotas import holding_row
from s4project.commands import StoreCommand, table

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "List what buckets, or users, hold and may hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--users", action="store_true", help="users instead of buckets")

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        if options["users"]:
            return [holding_row(holding_of_user(user)) for user in list_users()]
        buckets = Bucket.objects.order_by("name").filter(is_closing=False)
        return [holding_row(holding_of_bucket(bucket)) for bucket in buckets]

    def describe(self, answer: Any) -> str:
        heading = ["NAME", "BYTES", "OF", "OBJECTS", "OF", "PERCENT", "STATE"]
        return table([heading, *(_cells(row) for row in answer)])


def _cells(row: dict[str, Any]) -> list[str]:
    """Write a line; a dash where there is no bound."""
    quota = row["quota"] or {"bytes": 0, "objects": 0}
    percent = "-" if row["percent"] is None else str(row["percent"])
    return [
        row["name"],
        *(str(row["used_bytes"]), str(quota["bytes"] or "-")),
        *(str(row["used_objects"]), str(quota["objects"] or "-")),
        *(percent, row["state"]),
    ]
