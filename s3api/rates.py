"""How many requests a second one access key may sign, and one bucket may get: counted, refused.

All workers count into one table of memory that they share, without a lock: each has a column of
its own, which it alone writes, and adds up all of them. So two workers that count at the very same
moment may each let one too many through, and no more. Seconds are those of the machine's monotonic
clock, the same for all. Knows no SQL: what is allowed is a field of key and bucket, or the setting.
"""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING, Final

from s3api.errors import S3Error

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from iam.keyring import Credential

ROWS: Final = 1 << 16  # keys and buckets whose numbers are so far apart are counted as one
CELL_BYTES: Final = 8
SECOND_BITS: Final = 32  # of a cell: a second above, what was counted in it below
COUNT_MASK: Final = (1 << SECOND_BITS) - 1
RETRY: Final = {"Retry-After": "1"}  # a second later is another second


def too_many() -> S3Error:
    """Make the refusal of a request that is one too many, by whatever count."""
    return S3Error("SlowDown", headers=RETRY)


class RateTable:
    """The memory; to be made before the processes are forked that share it.

    Pages that nobody counts in take no room.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._memory = mmap.mmap(-1, ROWS * columns * CELL_BYTES)
        self.cells = memoryview(self._memory).cast("Q")

    def is_below(self, row: int, limit: int, second: int) -> bool:
        """Tell whether fewer than `limit` were counted in a row in that second."""
        begin = row * self.columns
        counted = 0
        for cell in self.cells[begin : begin + self.columns]:
            if cell >> SECOND_BITS == second:
                counted += cell & COUNT_MASK
        return counted < limit

    def count(self, row: int, column: int, second: int) -> None:
        """Count one more; nobody else writes this column."""
        at = row * self.columns + column
        cell = self.cells[at]
        self.cells[at] = cell + 1 if cell >> SECOND_BITS == second else second << SECOND_BITS | 1


class Rates:
    """One worker's view of the table; limits are requests per second, 0 is none."""

    def __init__(
        self, table: RateTable, column: int, *, per_key: int = 0, per_bucket: int = 0
    ) -> None:
        self._table = table
        self._column = column
        self._per_key = per_key
        self._per_bucket = per_bucket

    def count(self, credential: Credential | None, bucket: BucketState | None) -> None:
        """Count a request that may be made, for its key and its bucket; S3Error SlowDown.

        One that is refused counts for neither: who asks too much gets what he may.
        """
        of_key = of_bucket = 0
        if credential is not None and credential.key_id:  # else a session's, or nobody's
            own = credential.requests_per_second
            of_key = self._per_key if own is None else own
        if bucket is not None:
            own = bucket.configuration.requests_per_second
            of_bucket = self._per_bucket if own is None else own
        if of_key or of_bucket:
            key_id = credential.key_id if credential is not None else 0
            bucket_id = bucket.id if bucket is not None else 0
            self._count({(2 * key_id) % ROWS: of_key, (2 * bucket_id + 1) % ROWS: of_bucket})

    def _count(self, limits: dict[int, int]) -> None:
        """Count in every row that has a limit, or refuse."""
        table, second = self._table, int(time.monotonic())
        rows = [row for row, limit in limits.items() if limit]
        if not all(table.is_below(row, limits[row], second) for row in rows):
            raise too_many()
        for row in rows:
            table.count(row, self._column, second)


def lone_rates() -> Rates:
    """Make what counts for this process alone, which has no limits of its own."""
    return Rates(RateTable(1), 0)
