"""Make an access key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from iam.errors import InvalidIdentity
from s4project.commands import StoreCommand, first_line_of_stdin, read_moment, read_text

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Make an access key for a user; its secret is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", metavar="NAME", help="whose key")
        parser.add_argument("--access-key", help="default: generated")
        parser.add_argument(
            "--secret-key-stdin",
            action="store_true",
            help="read the secret from standard input; default: generated",
        )
        parser.add_argument("--name", default="", metavar="LABEL", help="what the key is for")
        parser.add_argument(
            "--policy",
            metavar="FILE",
            help="what the key may do of all that its user may: AWS's JSON, - for standard input",
        )
        parser.add_argument(
            "--expires", metavar="WHEN", help="2030-12-31, 2030-12-31T12:00:00Z, 30d or 12h"
        )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        user = services.find_user(options["username"])
        if options["secret_key_stdin"] and options["policy"] == "-":
            raise InvalidIdentity("policy", "Standard input cannot hold both secret and policy.")
        secret = first_line_of_stdin("secret_key") if options["secret_key_stdin"] else None
        expires_at = read_moment(options["expires"], "expires") if options["expires"] else None
        new = services.create_key(
            user.pk,
            access_key=options["access_key"],
            secret_key=secret,
            name=options["name"],
            expires_at=expires_at,
            policy=read_text(options["policy"], "policy") if options["policy"] else "",
        )
        return {
            "username": user.username,
            "access_key": new.access_key,
            "secret_key": new.secret_key,
            "name": options["name"],
            "expires_at": expires_at.isoformat() if expires_at else None,
        }

    def describe(self, answer: Any) -> str:
        return (
            f"Access key  {answer['access_key']}\n"
            f"Secret key  {answer['secret_key']}\n"
            "The secret is shown this once."
        )
