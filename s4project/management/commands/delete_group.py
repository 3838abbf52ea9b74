"""Delete a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Delete a group; its members lose what it gave them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        services.delete_group(services.find_group(options["name"]).pk)
        return {"name": options["name"]}

    def describe(self, answer: Any) -> str:
        return f"Group {answer['name']} deleted."
