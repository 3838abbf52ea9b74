"""Make a managed policy, or replace its document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from s4project.commands import StoreCommand, read_text

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = (
        "Make a policy that users, groups and roles can hold; --replace changes one that is there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("file", metavar="FILE", help="AWS's JSON; - for standard input")
        parser.add_argument("--description", default="", help="what it is for")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="change the one of that name, for all who hold it",
        )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        name, description = options["name"], options["description"]
        document = read_text(options["file"], "document")
        if options["replace"]:
            policy = services.find_policy(name)
            description = description or policy.description
            services.update_policy(policy.pk, document=document, description=description)
        else:
            services.create_policy(name, document, description=description)
        return {"name": name, "description": description, "is_new": not options["replace"]}

    def describe(self, answer: Any) -> str:
        return f"Policy {answer['name']} {'made' if answer['is_new'] else 'replaced'}."
