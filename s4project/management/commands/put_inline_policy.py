"""Give a user, group or role a policy of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand, add_holder, find_holder, read_text

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Give a user, group or role a policy of its own, perhaps in place of one of that name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("file", metavar="FILE", help="AWS's JSON; - for standard input")
        add_holder(parser)

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        holder, whose = find_holder(options)
        document = read_text(options["file"], "document")
        services.put_inline_policy(holder, options["name"], document)
        return {"policy": options["name"], "holder": whose}

    def describe(self, answer: Any) -> str:
        return f"Inline policy {answer['policy']} of {answer['holder']} set."
