"""What a namespace may hold at most, decided inside the commit on totals that are exact.

The totals are those that the operations before in the same group have left, so no number of
puts side by side can go beyond a quota.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from storage_engine.commit import Operation
from storage_engine.errors import QuotaExceeded

if TYPE_CHECKING:
    from storage_engine import rows
    from storage_engine.transaction import Transaction
    from storage_engine.values import Quota


def check_growth(totals: rows.NamespaceRow, *, size: int, versions: int) -> None:
    """Refuse growth beyond the quota; what makes nothing larger is never refused.

    `size` and `versions` are what is added less what is freed with it.
    """
    used = totals.object_bytes + totals.upload_bytes
    if size > 0 and 0 < totals.quota_bytes < used + size:
        raise QuotaExceeded(f"{used} of {totals.quota_bytes} bytes are used")
    if versions > 0 and 0 < totals.quota_versions < totals.versions + versions:
        raise QuotaExceeded(f"{totals.versions} of {totals.quota_versions} versions are there")


@dataclass(slots=True)
class SetQuota(Operation[None]):
    """Bounds what a namespace may hold; one that holds more already keeps it."""

    needs_room: ClassVar[bool] = False
    bucket_id: int
    quota: Quota

    def check(self, transaction: Transaction) -> None:
        """Refuse a closed namespace."""
        assert min(self.quota) >= 0
        transaction.open_namespace(self.bucket_id)

    def mutate(self, transaction: Transaction) -> None:
        """Write the bounds."""
        totals = transaction.namespace(self.bucket_id)
        totals.quota_bytes, totals.quota_versions = self.quota
