"""What retention and legal hold forbid (Amazon S3 User Guide, "How S3 Object Lock works").

Rules alone: an entry, a time, and whether the caller may bypass governance. The time is that of
the transaction, so a clock that is set forward ends retentions early. Who removes a version asks
before anything is changed; `History` asks once more for each that goes, so that no way past this
room can be written by oversight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine.errors import ObjectLocked
from storage_engine.values import LockMode

if TYPE_CHECKING:
    from storage_engine import rows
    from storage_engine.transaction import Transaction
    from storage_engine.values import ObjectLock, RetentionPeriod


def laid_on(
    transaction: Transaction, lock: ObjectLock, default_retention: RetentionPeriod | None
) -> ObjectLock:
    """Return what a new version gets: the retention asked for, or the default, and the hold."""
    if default_retention is None or lock.mode is not LockMode.NONE:
        return lock
    mode, period_ms = default_retention
    until_ms = transaction.retained_from_ms() + period_ms
    return lock._replace(mode=mode, retain_until_ms=until_ms)


def check_removable(
    entry: rows.Entry | None, now_ms: int, *, bypass_governance: bool = False
) -> None:
    """Raise ObjectLocked if a version may not go, nor lose its name."""
    if entry is None:
        return
    if entry.has_hold or _is_retained(entry.lock, now_ms, bypass_governance=bypass_governance):
        raise ObjectLocked(entry.version_id)


def check_change(old: ObjectLock, new: ObjectLock, now_ms: int, *, bypass_governance: bool) -> None:
    """Raise ObjectLocked if a retention that binds would become less; a hold may come and go.

    Nor does governance become compliance without a bypass, as was seen at AWS (ceph pull request
    42505): who may only extend a retention must not make it one that nobody can take off.
    """
    if not _is_retained(old, now_ms, bypass_governance=bypass_governance):
        return
    if new.mode is not old.mode or new.retain_until_ms < old.retain_until_ms:
        raise ObjectLocked(old.mode)


def may_bind(totals: rows.NamespaceRow, now_ms: int) -> bool:
    """Tell whether any version of a namespace may be locked by now; False is certain."""
    return totals.held > 0 or totals.retained_until_ms > now_ms


def count(totals: rows.NamespaceRow, entry: rows.Entry, delta: int) -> None:
    """Count what is laid on a version that comes (1), or goes or changes (-1)."""
    if not entry.is_locked:
        return
    totals.locked += delta
    totals.held += delta * entry.has_hold
    if not totals.locked:
        totals.retained_until_ms = 0
    elif delta > 0:
        totals.retained_until_ms = max(totals.retained_until_ms, entry.retain_until_ms)


def is_binding(lock: ObjectLock, now_ms: int) -> bool:
    """Tell whether a lock keeps a version from everybody who may not bypass governance."""
    return lock.has_hold or _is_retained(lock, now_ms, bypass_governance=False)


def _is_retained(lock: ObjectLock, now_ms: int, *, bypass_governance: bool) -> bool:
    """Tell whether a retention binds this caller now."""
    if lock.retain_until_ms <= now_ms:
        return False
    if lock.mode is LockMode.GOVERNANCE:
        return not bypass_governance
    return lock.mode is LockMode.COMPLIANCE
