"""List the roles."""

from __future__ import annotations

from typing import Any

from iam import services
from s4project.commands import StoreCommand, table


class Command(StoreCommand):
    help = "List the roles, S4's own first, with what they hold."

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        del options
        return [
            {
                "name": role.name,
                "is_builtin": role.is_builtin,
                "description": role.description,
                "policies": sorted(policy.name for policy in role.policies.all()),
                "inline_policies": sorted(policy.name for policy in role.inline_policies.all()),
                "includes": sorted(other.name for other in role.includes.all()),
            }
            for role in services.list_roles()
        ]

    def describe(self, answer: Any) -> str:
        rows = [
            [
                role["name"],
                ", ".join(role["policies"]) or "-",
                ", ".join(role["inline_policies"]) or "-",
                ", ".join(role["includes"]) or "-",
            ]
            for role in answer
        ]
        return table([["ROLE", "POLICIES", "INLINE", "INCLUDES"], *rows])
