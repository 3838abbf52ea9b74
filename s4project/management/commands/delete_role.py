"""Delete a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Delete a role that nobody has."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        services.delete_role(services.find_role(options["name"]).pk)
        return {"name": options["name"]}

    def describe(self, answer: Any) -> str:
        return f"Role {answer['name']} deleted."
