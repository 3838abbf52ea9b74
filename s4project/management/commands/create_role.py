"""Make a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Make a role of policies and of other roles; set_user gives it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--description", default="", help="what it is for")
        parser.add_argument(
            "--policy", action="append", default=[], metavar="NAME", help="to attach; several times"
        )
        parser.add_argument(
            "--include",
            action="append",
            default=[],
            metavar="ROLE",
            help="a role of which it has everything too; several times",
        )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        given = {
            "description": options["description"],
            "policies": options["policy"],
            "includes": options["include"],
        }
        role = services.create_role(options["name"], **given)
        return {"name": role.name, **given}

    def describe(self, answer: Any) -> str:
        return f"Role {answer['name']} made."
