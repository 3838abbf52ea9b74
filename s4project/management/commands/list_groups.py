"""List the groups."""

from __future__ import annotations

from typing import Any

from iam import services
from s4project.commands import StoreCommand, table


class Command(StoreCommand):
    help = "List the groups with their members and policies."

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        del options
        return [
            {
                "name": group.name,
                "description": group.description,
                "members": sorted(user.username for user in group.members.all()),
                "policies": sorted(policy.name for policy in group.policies.all()),
                "inline_policies": sorted(policy.name for policy in group.inline_policies.all()),
            }
            for group in services.list_groups()
        ]

    def describe(self, answer: Any) -> str:
        rows = [
            [
                group["name"],
                str(len(group["members"])),
                ", ".join(group["policies"]) or "-",
                ", ".join(group["inline_policies"]) or "-",
            ]
            for group in answer
        ]
        return table([["GROUP", "MEMBERS", "POLICIES", "INLINE"], *rows])
