"""The facade's verbs of quotas and accounts: who may hold how much, and does.

An account is whoever a namespace is assigned to: here it is a number, and has totals and bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import keys, rows
from storage_engine.errors import QuotaHolder
from storage_engine.quotas import (
    AssignAccount,
    SetAccountQuota,
    SetQuota,
    check_bounds,
    is_bounded,
)
from storage_engine.uploads import raw_upload_id
from storage_engine.values import Quota, Usage, Usages, Versioning

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.futures import Future
    from storage_engine.index import Index
    from storage_engine.object_reads import ObjectReads
    from storage_engine.values import Guard

    Txn = lmdb.Transaction[bytes]


class QuotaVerbs:
    """What can be bounded, and asked about."""

    _index: Index
    _committer: Committer
    _objects: ObjectReads

    # --- bounds --------------------------------------------------------------------------------

    def set_quota(self, bucket_id: int, quota: Quota) -> Future[None]:
        """Bound what a namespace may hold; a bound below what it holds refuses additions only.

        NamespaceClosed.
        """
        return self._committer.submit(SetQuota(bucket_id, quota))

    def quota(self, bucket_id: int) -> Quota:
        """Return what a namespace may hold."""
        return self.usage(bucket_id).quota

    def assign_account(self, bucket_id: int, account_id: int) -> Future[None]:
        """Have a namespace, and all that is in it, count in an account; 0: in none.

        Never refused for what the account may hold: that refuses additions. NamespaceClosed.
        """
        return self._committer.submit(AssignAccount(bucket_id, account_id))

    def set_account_quota(self, account_id: int, quota: Quota) -> Future[None]:
        """Bound what all the namespaces of an account may hold together, as `set_quota` does."""
        return self._committer.submit(SetAccountQuota(account_id, quota))

    # --- use -----------------------------------------------------------------------------------

    def usage(self, bucket_id: int) -> Usage:
        """Return what a namespace holds and may hold."""
        return self._index.view(lambda txn: _namespace_usage(self._namespace_row(txn, bucket_id)))

    def account_usage(self, account_id: int) -> Usage:
        """Return what an account holds and may hold."""
        return self._index.view(lambda txn: _account_usage(self._account_row(txn, account_id)))

    def usages(self) -> Usages:
        """Return what each namespace and account holds; costs a few microseconds for each."""
        return self._index.view(self._read_usages)

    # --- foresight -----------------------------------------------------------------------------

    def check_room(
        self, bucket_id: int, key: str, size: int, versioning: Versioning, guard: Guard | None
    ) -> None:
        """Refuse a put that would be refused as things stand, before its bytes are on their way.

        The commit decides. The guard is asked first, as there, and only where there is any bound.
        QuotaExceeded.
        """

        def growth(txn: Txn) -> tuple[int, int]:
            current = self._objects.current(txn, bucket_id, key)
            if guard is not None:
                guard(None if current is None or current.is_marker else current.info(key))
            gone = self._objects.replaced(txn, current, versioning)
            return (size, 1) if gone is None else (size - gone.size, 0)

        self._index.view(lambda txn: self._foresee(txn, bucket_id, growth))

    def check_part_room(self, bucket_id: int, upload_id: str, number: int, size: int) -> None:
        """Refuse a part that would not fit, as `check_room` does. QuotaExceeded."""
        raw_id = raw_upload_id(upload_id)

        def growth(txn: Txn) -> tuple[int, int]:
            value = raw_id and txn.get(keys.part(raw_id, number), db=self._index.tables.parts)
            return size - (rows.decode_part(value).size if value else 0), 0

        self._index.view(lambda txn: self._foresee(txn, bucket_id, growth))

    def _foresee(self, txn: Txn, bucket_id: int, growth: Callable[[Txn], tuple[int, int]]) -> None:
        """Do as `quotas.check_growth` does in a commit; the growth is asked for if it matters."""
        totals = self._namespace_row(txn, bucket_id)
        account = self._account_row(txn, totals.account)
        if is_bounded(totals) or is_bounded(account):
            size, versions = growth(txn)
            check_bounds(QuotaHolder.BUCKET, totals, size, versions)
            check_bounds(QuotaHolder.ACCOUNT, account, size, versions)

    # --- rows ----------------------------------------------------------------------------------

    def _namespace_row(self, txn: Txn, bucket_id: int) -> rows.NamespaceRow:
        value = txn.get(keys.sequence(bucket_id), db=self._index.tables.namespaces)
        return rows.NamespaceRow() if value is None else rows.decode_namespace(value)

    def _account_row(self, txn: Txn, account_id: int) -> rows.AccountRow:
        value = txn.get(keys.sequence(account_id), db=self._index.tables.accounts)
        return rows.AccountRow() if value is None else rows.decode_account(value)

    def _read_usages(self, txn: Txn) -> Usages:
        tables = self._index.tables
        with txn.cursor(tables.namespaces) as cursor:
            namespaces = {
                keys.sequence_number(key): _namespace_usage(rows.decode_namespace(value))
                for key, value in cursor
            }
        with txn.cursor(tables.accounts) as cursor:
            accounts = {
                keys.sequence_number(key): _account_usage(rows.decode_account(value))
                for key, value in cursor
            }
        return Usages(namespaces, accounts)


def _namespace_usage(row: rows.NamespaceRow) -> Usage:
    quota = Quota(row.quota_bytes, row.quota_versions)
    return Usage(
        row.objects,
        row.versions,
        row.bytes,
        quota,
        row.account,
        row.is_closed,
        bool(row.lifecycle),
    )


def _account_usage(row: rows.AccountRow) -> Usage:
    quota = Quota(row.quota_bytes, row.quota_versions)
    return Usage(row.objects, row.versions, row.bytes, quota)
