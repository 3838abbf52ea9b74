"""List the users."""

from __future__ import annotations

from typing import Any

from iam.services import list_users
from s4project.commands import StoreCommand, table


class Command(StoreCommand):
    help = "List the users."

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        del options
        return [
            {
                "username": user.username,
                "role": user.role_id,
                "is_active": user.is_active,
                "canonical_id": user.canonical_id,
                "display_name": user.display_name or user.username,
                "email": user.email,
            }
            for user in list_users()
        ]

    def describe(self, answer: Any) -> str:
        rows = [
            [user["username"], user["role"] or "-", "active" if user["is_active"] else "disabled"]
            for user in answer
        ]
        return table([["USER", "ROLE", "STATE"], *rows])
