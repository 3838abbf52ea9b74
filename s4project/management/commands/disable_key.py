"""Disable an access key, or enable it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam.services import set_key_enabled
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Disable an access key: once this command ends, no request signed with it is accepted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("access_key", metavar="ACCESS_KEY")
        parser.add_argument("--undo", action="store_true", help="enable it again")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        set_key_enabled(options["access_key"], enabled=options["undo"])
        return {"access_key": options["access_key"], "is_enabled": options["undo"]}

    def describe(self, answer: Any) -> str:
        return f"{answer['access_key']} {'enabled' if answer['is_enabled'] else 'disabled'}."
