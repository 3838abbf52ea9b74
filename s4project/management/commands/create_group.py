"""Make a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Make a group of users who have the same policies; set_user makes members."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--description", default="", help="what it is for")
        parser.add_argument(
            "--policy", action="append", default=[], metavar="NAME", help="to attach; several times"
        )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        given = {"description": options["description"], "policies": options["policy"]}
        group = services.create_group(options["name"], **given)
        return {"name": group.name, **given}

    def describe(self, answer: Any) -> str:
        return f"Group {answer['name']} made."
