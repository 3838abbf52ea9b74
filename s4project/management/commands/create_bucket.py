"""Make a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from buckets.services import create_bucket
from iam.services import find_user
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Make a bucket."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--owner", metavar="USER", help="default: the root user")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        owner = find_user(options["owner"] or settings.S4.root_username)
        bucket = create_bucket(options["name"], owner.canonical_id)
        return {
            "name": bucket.name,
            "number": bucket.id,
            "owner": owner.username,
            "region": bucket.region,
        }

    def describe(self, answer: Any) -> str:
        made = f"Bucket {answer['name']} made for {answer['owner']} in {answer['region']}"
        return f"{made}, number {answer['number']}."
