"""Watches what is hashed: the work that a sign-in costs, counted instead of timed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from argon2 import extract_parameters

from iam.passwords import PasswordHasher

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def hashes_counted() -> Iterator[list[tuple[int, int, int]]]:
    """List time, memory and lanes of every hash that a password is held against meanwhile."""
    found: list[tuple[int, int, int]] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, password: str, encoded: str) -> bool:
        cost = extract_parameters(encoded.removeprefix(self.algorithm))
        found.append((cost.time_cost, cost.memory_cost, cost.parallelism))
        return verify(self, password, encoded)

    with patch.object(PasswordHasher, "verify", noted):
        yield found
