"""Make a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam import services
from iam.keyring import RoleName
from s4project.commands import StoreCommand, first_line_of_stdin

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Make a user. Without a password he has only access keys (see create_key)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", metavar="NAME")
        role = parser.add_mutually_exclusive_group()
        role.add_argument("--role", default=RoleName.WRITER.value, help="name of a role")
        role.add_argument("--no-role", action="store_true", help="only policies and groups")
        parser.add_argument("--email", default="")
        parser.add_argument("--display-name", default="")
        parser.add_argument("--canonical-id", help="64 digits 0-9 and a-f; default: random")
        parser.add_argument("--account-id", help="12 digits; default: random")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read a password from standard input"
        )

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        password = first_line_of_stdin("password") if options["password_stdin"] else None
        user = services.create_user(
            options["username"],
            None if options["no_role"] else options["role"],
            password=password,
            display_name=options["display_name"],
            email=options["email"],
            canonical_id=options["canonical_id"],
            account_id=options["account_id"],
        )
        return {
            "username": user.username,
            "canonical_id": user.canonical_id,
            "account_id": user.account_id,
            "role": user.role_id,
            "display_name": user.display_name or user.username,
            "email": user.email,
        }

    def describe(self, answer: Any) -> str:
        return (
            f"User {answer['username']} ({answer['role'] or 'no role'}) made.\n"
            f"Canonical id: {answer['canonical_id']}\n"
            f"Account id: {answer['account_id']}"
        )
