"""Change a user's role, groups, or whether he is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from iam import services
from s4project.commands import StoreCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "Change a user: role, groups, disabled or not. Obeyed from the next request on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", metavar="NAME")
        role = parser.add_mutually_exclusive_group()
        role.add_argument("--role", metavar="ROLE", help="the one role from now on")
        role.add_argument("--no-role", action="store_true", help="only policies and groups")
        groups = parser.add_mutually_exclusive_group()
        groups.add_argument(
            "--group",
            action="append",
            metavar="GROUP",
            help="a member of these and no others from now on; several times",
        )
        groups.add_argument("--no-groups", action="store_true", help="a member of none")
        state = parser.add_mutually_exclusive_group()
        state.add_argument("--disable", action="store_true", help="with all keys")
        state.add_argument("--enable", action="store_true")

    def work(self, options: dict[str, Any]) -> dict[str, Any]:
        pk = services.find_user(options["username"]).pk
        with transaction.atomic():  # all of it or nothing
            if options["role"] is not None or options["no_role"]:
                services.set_role(pk, options["role"])
            if options["group"] is not None or options["no_groups"]:
                services.set_groups(pk, options["group"] or ())
            if options["enable"] or options["disable"]:
                services.set_active(pk, active=options["enable"])
        user = services.find_user(options["username"])
        return {
            "username": user.username,
            "role": user.role_id,
            "groups": sorted(group.name for group in user.groups.all()),
            "is_active": user.is_active,
        }

    def describe(self, answer: Any) -> str:
        groups = ", ".join(answer["groups"]) or "no group"
        state = "active" if answer["is_active"] else "disabled"
        return f"{answer['username']}: {answer['role'] or 'no role'}, {groups}, {state}."
