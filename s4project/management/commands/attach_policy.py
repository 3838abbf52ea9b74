"""Give a managed policy to a user, group or role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand, add_holder, find_holder

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Give a managed policy to a user, group or role."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="POLICY")
        add_holder(parser)

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        holder, whose = find_holder(options)
        services.attach_policy(holder, options["name"])
        return {"policy": options["name"], "holder": whose}

    def describe(self, answer: Any) -> str:
        return f"Policy {answer['policy']} attached to {answer['holder']}."
