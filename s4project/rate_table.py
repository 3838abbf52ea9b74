"""The table in which all workers count requests for the rate limits: made once, before the fork.

Each worker is given a column that no other living one has. A process that no `serve` has forked
counts for itself alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3api.rates import RateTable

if TYPE_CHECKING:
    from collections.abc import Collection

_shared: list[tuple[RateTable, int]] = []  # none, or one: the table and this process's column


def share(columns: int) -> None:
    """Make the table, for the processes that are to be forked."""
    _shared[:] = [(RateTable(columns), 0)]


def take(column: int) -> None:
    """Be told which column is this process's."""
    if _shared:
        _shared[:] = [(_shared[0][0], column)]


def shared() -> tuple[RateTable, int]:
    """Return the table and this process's column."""
    if not _shared:
        share(1)
    return _shared[0]


def free_column(taken: Collection[int], columns: int) -> int:
    """Choose a column for another worker; the last for all that find none, which count too few."""
    return next((column for column in range(columns) if column not in taken), columns - 1)
