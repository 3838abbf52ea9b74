"""How many requests a second may be allowed: the bounds of such a limit. Knows no Django."""

from __future__ import annotations

from typing import Final

from iam.errors import InvalidIdentity

RATE_MAX: Final = 1_000_000


def check_rate(rate: int | None) -> None:
    """Refuse a limit of requests per second that is none; InvalidIdentity."""
    if rate is not None and not 0 <= rate <= RATE_MAX:
        reason = f"A limit is a number from 0 (none) to {RATE_MAX:,} requests per second."
        raise InvalidIdentity("requests_per_second", reason)
