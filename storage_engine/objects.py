"""Objects: put, copy, delete, and changes in place, as operations of a commit.

An operation holds what its caller gave and what `check` found; `mutate` then only writes. Every
change keeps the versions, the payload's references and the namespace's totals in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from storage_engine import blobs, locks, rows
from storage_engine.operation import Operation
from storage_engine.values import NO_ATTRIBUTES, NO_LOCK, Versioning
from storage_engine.versions import History, check_readable, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine.staging import StagedBlob
    from storage_engine.transaction import Transaction
    from storage_engine.values import (
        Guard,
        ObjectAttributes,
        ObjectInfo,
        ObjectLock,
        ObjectRef,
        RetentionPeriod,
    )


def find(transaction: Transaction, target: ObjectRef, guard: Guard | None) -> History:
    """Return the versions of a key in an open namespace, once the guard has agreed to them."""
    history = History(transaction, target)
    if guard is not None:
        guard(history.visible_info())
    return history


@dataclass(slots=True)
class PutObject(Operation["ObjectInfo"]):
    """Makes a staged payload the object of a key."""

    is_brief: ClassVar[bool] = True
    target: ObjectRef
    blob: StagedBlob
    attributes: ObjectAttributes
    guard: Guard | None
    versioning: Versioning = Versioning.UNVERSIONED
    lock: ObjectLock = NO_LOCK
    default_retention: RetentionPeriod | None = None
    history: History | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask the guard, then locks and quota."""
        self.history = find(transaction, self.target, self.guard)
        self.history.check_add(self.versioning, self.blob.size)
        blobs.check_staged(transaction, self.blob)

    def mutate(self, transaction: Transaction) -> ObjectInfo:
        """Write the entry."""
        history = self.history
        assert history is not None
        payload = blobs.add_staged(transaction, self.blob)
        entry = rows.Entry(self.blob.size, transaction.now_ms, payload, 0, self.attributes)
        lock = locks.laid_on(transaction, self.lock, self.default_retention)
        return history.info(history.add(entry, self.versioning, lock))

    def settle(self, *, is_committed: bool) -> None:
        """Use up the staged payload."""
        self.blob.settle(is_committed=is_committed)

    def restage(self) -> None:
        """Write the payload that was thought to be in the store."""
        self.blob.restage()


@dataclass(slots=True)
class CopyObject(Operation["ObjectInfo"]):
    """Makes an object of another's payload; no payload byte is moved but inline ones."""

    is_brief: ClassVar[bool] = True
    source: ObjectRef
    target: ObjectRef
    attributes: Callable[[ObjectInfo], ObjectAttributes]
    source_guard: Guard | None
    guard: Guard | None
    source_version_id: str | None = None
    versioning: Versioning = Versioning.UNVERSIONED
    lock: ObjectLock = NO_LOCK
    default_retention: RetentionPeriod | None = None
    found: rows.Entry | None = field(default=None, init=False)
    history: History | None = field(default=None, init=False)
    kept: ObjectAttributes | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask both guards, the maker of the attributes, locks and quota."""
        source = History(transaction, self.source)
        found = source.find(self.source_version_id)
        info = None if found is None or found.is_marker else source.info(found)
        if self.source_guard is not None:
            self.source_guard(info)
        self.found = check_readable(found, self.source.key, self.source_version_id)
        self.history = find(transaction, self.target, self.guard)
        self.kept = self.attributes(source.info(self.found))
        self.history.check_add(self.versioning, self.found.size)

    def mutate(self, transaction: Transaction) -> ObjectInfo:
        """Count one more reference, then write the entry."""
        found, kept, history = self.found, self.kept, self.history
        assert found is not None
        assert kept is not None
        assert history is not None
        payload = blobs.add_shared(transaction, found)
        entry = rows.Entry(found.size, transaction.now_ms, payload, found.part_count, kept)
        lock = locks.laid_on(transaction, self.lock, self.default_retention)
        return history.info(history.add(entry, self.versioning, lock))


@dataclass(slots=True)
class DeleteObject(Operation["ObjectInfo | None"]):
    """Removes a key, or hides it behind a delete marker; there may be nothing to remove."""

    needs_room: ClassVar[bool] = False
    is_brief: ClassVar[bool] = True
    target: ObjectRef
    guard: Guard | None
    versioning: Versioning = Versioning.UNVERSIONED
    marker: ObjectAttributes = NO_ATTRIBUTES
    history: History | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask the guard and locks."""
        self.history = find(transaction, self.target, self.guard)
        self.history.check_delete(self.versioning)

    def mutate(self, _transaction: Transaction) -> ObjectInfo | None:
        """Remove the entry, or write the marker."""
        assert self.history is not None
        return self.history.delete(self.versioning, self.marker)


@dataclass(slots=True)
class DeleteVersion(Operation["ObjectInfo | None"]):
    """Removes one version for good, marker or not; there may be none of that id."""

    needs_room: ClassVar[bool] = False
    target: ObjectRef
    version_id: str
    guard: Guard | None
    bypass_governance: bool = False
    history: History | None = field(default=None, init=False)
    found: rows.Entry | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask the guard, which sees the version that is to go, and locks."""
        history = self.history = History(transaction, self.target)
        found = self.found = history.find(self.version_id)
        if self.guard is not None:
            self.guard(None if found is None or found.is_marker else history.info(found))
        locks.check_removable(found, transaction.now_ms, bypass_governance=self.bypass_governance)

    def mutate(self, _transaction: Transaction) -> ObjectInfo | None:
        """Remove it; return what it was."""
        assert self.history is not None
        if self.found is None:
            return None
        removed = self.history.info(self.found)
        self.history.remove(self.found, bypass_governance=self.bypass_governance)
        return removed


@dataclass(slots=True)
class ChangeObject(Operation["ObjectInfo"]):
    """Writes a version's row anew, in place: same payload, same id, same time."""

    target: ObjectRef
    version_id: str | None
    history: History | None = field(default=None, init=False)
    found: rows.Entry | None = field(default=None, init=False)
    changed: rows.Entry | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Refuse what is not there; ask what is to become of it."""
        history = self.history = History(transaction, self.target)
        found = history.find(self.version_id)
        self.found = check_readable(found, self.target.key, self.version_id)
        self.changed = self.make(transaction, self.found, history.info(self.found))

    def make(self, _transaction: Transaction, found: rows.Entry, info: ObjectInfo) -> rows.Entry:
        """Return what the row is to become; raise to refuse."""
        raise NotImplementedError

    def mutate(self, _transaction: Transaction) -> ObjectInfo:
        """Write it."""
        assert self.history is not None
        assert self.found is not None
        assert self.changed is not None
        return self.history.info(self.history.change(self.found, self.changed))


@dataclass(slots=True)
class SetAttributes(ChangeObject):
    """Gives a version other attributes."""

    change: Callable[[ObjectInfo], ObjectAttributes] = field(kw_only=True)

    def make(self, _transaction: Transaction, found: rows.Entry, info: ObjectInfo) -> rows.Entry:
        """Ask the caller."""
        return replace(found, attributes=self.change(info))


@dataclass(slots=True)
class SetLock(ChangeObject):
    """Retains a version, or lays a legal hold on it, or takes them off."""

    change: Callable[[ObjectInfo], ObjectLock] = field(kw_only=True)
    bypass_governance: bool = False

    def make(self, transaction: Transaction, found: rows.Entry, info: ObjectInfo) -> rows.Entry:
        """Ask the caller, and what is laid on it already."""
        lock, now_ms = self.change(info), transaction.now_ms
        locks.check_change(info.lock, lock, now_ms, bypass_governance=self.bypass_governance)
        return found.locked(lock)
