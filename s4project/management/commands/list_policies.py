"""List the managed policies."""

from __future__ import annotations

import json
from typing import Any

from iam import services
from s4project.commands import StoreCommand, table


class Command(StoreCommand):
    help = "List the managed policies; with --json their documents too."

    def work(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        del options
        return [
            {
                "name": policy.name,
                "is_builtin": policy.is_builtin,
                "description": policy.description,
                "document": json.loads(policy.document),
            }
            for policy in services.list_policies()
        ]

    def describe(self, answer: Any) -> str:
        rows = [
            [policy["name"], "built in" if policy["is_builtin"] else "-", policy["description"]]
            for policy in answer
        ]
        return table([["POLICY", "OF S4", "DESCRIPTION"], *rows])
