"""What an administrator should know of at once, read anew whenever the first page is shown."""

from __future__ import annotations

from typing import NamedTuple

from s4project.health import BAD, GOOD, checks


class Alert(NamedTuple):
    """What is wrong, or soon will be, and what to do."""

    text: str
    is_danger: bool
    page: str = ""  # the name of the page where more is told


def alerts() -> list[Alert]:
    """List the checks that are not good, the worst first; quotas have a panel of their own."""
    return [
        Alert(f"{check.name}: {check.found} {check.advice}".strip(), check.state == BAD, check.page)
        for check in checks()
        if check.state != GOOD
    ]
