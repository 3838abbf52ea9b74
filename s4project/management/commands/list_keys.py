"""List access keys, without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iam.services import find_user, list_keys
from s4project.commands import StoreCommand, table

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(StoreCommand):
    help = "List access keys, of one user or of all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", metavar="NAME", nargs="?")

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        username = options["username"]
        return [
            {
                "username": key.user.username,
                "access_key": key.access_key,
                "name": key.name,
                "is_enabled": key.is_enabled,
                "expires_at": key.expires_at.isoformat() if key.expires_at else None,
                "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
            }
            for key in list_keys(find_user(username).pk if username else None)
        ]

    def describe(self, answer: Any) -> str:
        rows = [
            [
                key["username"],
                key["access_key"],
                "enabled" if key["is_enabled"] else "disabled",
                key["expires_at"] or "never",
                key["last_used_at"] or "never",
                key["name"],
            ]
            for key in answer
        ]
        return table([["USER", "ACCESS KEY", "STATE", "EXPIRES", "LAST USED", "NAME"], *rows])
