"""What a namespace, or an account, may hold at most: decided in the commit, on exact totals.

The totals are those that the operations before in the same group have left, so no number of
puts side by side, be it into several namespaces of one account, can go beyond a quota.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from storage_engine.errors import QuotaExceeded, QuotaHolder, QuotaMeasure
from storage_engine.operation import Operation

if TYPE_CHECKING:
    from storage_engine import rows
    from storage_engine.transaction import Transaction
    from storage_engine.values import Quota


def check_growth(
    transaction: Transaction, totals: rows.NamespaceRow, *, size: int, versions: int
) -> None:
    """Refuse growth beyond the quota of a namespace, or of the account it counts in.

    `size` and `versions` are what is added less what is freed with it; what makes nothing larger
    is never refused.
    """
    if totals.quota_bytes or totals.quota_versions:  # every put comes here: no call for nothing
        check_bounds(QuotaHolder.BUCKET, totals, size, versions)
    if not totals.account:
        return
    account = transaction.account(totals.account)
    if account.quota_bytes or account.quota_versions:  # else it is counted when the group ends
        transaction.count_accounts()
        check_bounds(QuotaHolder.ACCOUNT, account, size, versions)


def is_bounded(row: rows.NamespaceRow | rows.AccountRow) -> bool:
    """Tell whether there is any bound."""
    return bool(row.quota_bytes or row.quota_versions)


def check_bounds(
    holder: QuotaHolder, row: rows.NamespaceRow | rows.AccountRow, size: int, versions: int
) -> None:
    """Refuse what would take one row beyond its bounds."""
    if size > 0 and 0 < row.quota_bytes < row.bytes + size:
        raise QuotaExceeded(
            holder, QuotaMeasure.BYTES, bound=row.quota_bytes, used=row.bytes, asked=size
        )
    if versions > 0 and 0 < row.quota_versions < row.versions + versions:
        raise QuotaExceeded(
            holder,
            QuotaMeasure.VERSIONS,
            bound=row.quota_versions,
            used=row.versions,
            asked=versions,
        )


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


@dataclass(slots=True)
class SetAccountQuota(Operation[None]):
    """Bounds what all namespaces of an account may hold together."""

    needs_room: ClassVar[bool] = False
    account_id: int
    quota: Quota

    def check(self, _transaction: Transaction) -> None:
        """Refuse nothing: an account is whatever namespaces are assigned to."""
        assert self.account_id > 0
        assert min(self.quota) >= 0

    def mutate(self, transaction: Transaction) -> None:
        """Write the bounds."""
        account = transaction.account(self.account_id)
        account.quota_bytes, account.quota_versions = self.quota


@dataclass(slots=True)
class AssignAccount(Operation[None]):
    """Has a namespace count in another account, with all that it holds already."""

    needs_room: ClassVar[bool] = False
    bucket_id: int
    account_id: int

    def check(self, transaction: Transaction) -> None:
        """Refuse a closed namespace; what the account has beyond its bounds then, it keeps."""
        assert self.account_id >= 0
        transaction.open_namespace(self.bucket_id)

    def mutate(self, transaction: Transaction) -> None:
        """Write whose it is; the group's end moves the totals."""
        transaction.namespace(self.bucket_id).account = self.account_id
