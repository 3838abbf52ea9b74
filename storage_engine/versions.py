"""One key's versions: the current one, in `entries` or `markers`, and those behind it.

Which version goes and which becomes current is decided here alone, and every total of the
namespace is kept here. A key is in one of the two trees, by what its current version is, or it is
not there at all. The current version knows where the null version is, so nothing is searched for.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from storage_engine import blobs, keys, lifecycle_looks, locks, quotas, rows
from storage_engine.errors import (
    InvalidVersionId,
    IsDeleteMarker,
    KeyDeleted,
    NoSuchKey,
    NoSuchVersion,
    ObjectLocked,
)
from storage_engine.operation import TakesLong
from storage_engine.transaction import SEQUENCE_TIME_SHIFT
from storage_engine.values import NO_LOCK, Versioning
from storage_engine.version_ids import NULL_VERSION_ID, version_number
from storage_engine.version_walk import versions_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.namespace import Namespace, Way
    from storage_engine.transaction import Transaction
    from storage_engine.values import ObjectAttributes, ObjectInfo, ObjectLock, ObjectRef

replace: Final = msgspec.structs.replace


# --- looking up ---------------------------------------------------------------------------------


def parse_version_id(version_id: str) -> int | None:
    """Return the number in an id, None for the null version's; InvalidVersionId."""
    number = version_number(version_id)
    if number is None and version_id != NULL_VERSION_ID:
        raise InvalidVersionId(version_id)
    return number


def find_version(
    txn: lmdb.Transaction[bytes], tables: Tables, current: rows.Entry | None, version_id: str
) -> rows.Entry | None:
    """Return the version of that id, if the key has it; InvalidVersionId."""
    number = parse_version_id(version_id)
    is_null = number is None
    if current is None:
        return None
    if is_null:
        number = current.version if current.is_null else current.null_behind
        if number is None:
            return None
    assert number is not None
    found = current
    if number != current.version:
        value = txn.get(keys.version(current.object_id, number), db=tables.versions)
        if value is None:
            return None
        found = rows.decode_entry(value)
    return found if found.is_null == is_null else None


def check_readable(entry: rows.Entry | None, key: str, version_id: str | None) -> rows.Entry:
    """Return what was found under a key, or under an id; refuse nothing, and delete markers."""
    if entry is None:
        raise NoSuchKey(key) if version_id is None else NoSuchVersion(version_id, key)
    if entry.is_marker:
        kind = KeyDeleted if version_id is None else IsDeleteMarker
        raise kind(key, entry.version_id, entry.modified_ms)
    return entry


# --- changing -----------------------------------------------------------------------------------


class History:
    """The versions of one key in an open namespace, inside a transaction.

    Each change has lifecycle look at the key when it must, unless it is lifecycle's own
    (`is_looked_at`). NamespaceClosed, InvalidKey.
    """

    __slots__ = (
        "_name",
        "_transaction",
        "_way",
        "bucket_id",
        "current",
        "is_looked_at",
        "key",
        "totals",
    )

    def __init__(
        self, transaction: Transaction, target: ObjectRef, *, is_looked_at: bool = False
    ) -> None:
        self.bucket_id, self.key = target
        self.totals = transaction.open_namespace(self.bucket_id)
        self._transaction = transaction
        self._name = target.name()
        self._way: Way | None = None  # to the key in `entries`, until something is changed there
        self.current = self._read_current()
        self.is_looked_at = is_looked_at

    @property
    def visible(self) -> rows.Entry | None:
        """The current version, unless it is a delete marker."""
        return None if self.current is None or self.current.is_marker else self.current

    def visible_info(self) -> ObjectInfo | None:
        """Show what guards are to see."""
        return None if self.visible is None else self.visible.info(self.key)

    def info(self, entry: rows.Entry) -> ObjectInfo:
        """Show one of the versions."""
        return entry.info(self.key, is_latest=self._is_current(entry))

    def find(self, version_id: str | None) -> rows.Entry | None:
        """Return the version of that id, or the current one; InvalidVersionId."""
        if version_id is None:
            return self.current
        transaction = self._transaction
        return find_version(transaction.txn, transaction.tables, self.current, version_id)

    def behind(self) -> Iterator[rows.Entry]:
        """Walk the versions behind the current one, newest first."""
        transaction = self._transaction
        assert self.current is not None
        return versions_behind(transaction.txn, transaction.tables, self.current)

    # --- may it be done ------------------------------------------------------------------------

    def replaced(self, versioning: Versioning) -> rows.Entry | None:
        """Return the version that goes when another is added: the null version, or none."""
        current = self.current
        if versioning is Versioning.ENABLED or current is None:
            return None
        return current if current.is_null else self.find(NULL_VERSION_ID)

    def is_erased(self, versioning: Versioning) -> bool:
        """Tell whether deleting the key leaves nothing, not even a marker."""
        current = self.current
        if versioning is not Versioning.UNVERSIONED:
            return False
        return current is None or not (current.object_id or current.is_marker)

    def check_add(self, versioning: Versioning, size: int, *, freed: int = 0) -> None:
        """Refuse what a lock or a quota forbids; `freed` is what goes besides, in bytes."""
        gone = self.replaced(versioning)
        self._check_gone(gone)
        if gone is not None:
            freed += gone.size
        versions = 0 if gone else 1
        quotas.check_growth(self._transaction, self.totals, size=size - freed, versions=versions)

    def check_delete(self, versioning: Versioning) -> None:
        """Refuse what a lock forbids; a quota never keeps a key from being deleted."""
        self._check_gone(self.current if self.is_erased(versioning) else self.replaced(versioning))

    def _check_gone(self, gone: rows.Entry | None) -> None:
        """Refuse if a version that would go is locked; TakesLong if it has parts."""
        if gone is None:
            return
        locks.check_removable(gone, self._transaction.now_ms)
        if gone.part_count and self._transaction.is_brief:
            raise TakesLong

    def check_unlocked(self, versions_max: int) -> None:
        """Refuse if any version is locked, or if there are too many to look at each."""
        now_ms = self._transaction.now_ms
        if self.current is None or not locks.may_bind(self.totals, now_ms):
            return
        for number, entry in enumerate(chain((self.current,), self.behind()), 1):
            locks.check_removable(entry, now_ms)
            if number > versions_max:
                raise ObjectLocked(f"{self.key} has more versions than can be looked at")

    # --- doing it ------------------------------------------------------------------------------

    def add(
        self, entry: rows.Entry, versioning: Versioning, lock: ObjectLock = NO_LOCK
    ) -> rows.Entry:
        """Make an entry, whose payload is counted already, the current version; return it whole."""
        old, gone = self.current, self.replaced(versioning)
        is_kept = versioning is Versioning.ENABLED
        object_id = old.object_id if old is not None else 0
        if is_kept and not object_id:
            object_id = self._transaction.next_sequence()
        if object_id:  # else it is as it was made: the null version, of a key without others
            version = self._transaction.next_sequence()
            entry = replace(entry, object_id=object_id, version=version, is_null=not is_kept)
        if lock != NO_LOCK:
            entry = entry.locked(lock)
        if old is not None and old is not gone:
            self._put_behind(old, object_id)
        if is_kept and old is not None:
            entry = replace(entry, null_behind=old.version if old.is_null else old.null_behind)
        if gone is not None and gone is not old:
            self._delete_behind(gone)
        self._set_current(entry)
        self._count(entry, 1)
        if gone is not None:
            self._drop(gone)
        self._schedule()
        return entry

    def insert(self, entry: rows.Entry) -> None:
        """Put a version of before, whose payload is counted already, in its place by its time.

        For salvage: version numbers tell the order, and are made of times here.
        """
        current = self.current
        assert current is not None
        if not current.object_id:
            object_id, number = self._transaction.next_sequence(), self._number(current)
            current = replace(current, object_id=object_id, version=number)
        object_id, number = current.object_id, self._number(entry)
        taken = {current.version, *(version.version for version in self.behind())}
        while number in taken:
            number += 1
        entry = replace(entry, object_id=object_id, version=number, is_null=False)
        if number > current.version:
            self._put_behind(current, object_id)
            null_behind = current.version if current.is_null else current.null_behind
            current = replace(entry, null_behind=null_behind)
        else:
            self._put_behind(entry, object_id)
        self._set_current(current)
        self._count(entry, 1)

    def delete(self, versioning: Versioning, attributes: ObjectAttributes) -> ObjectInfo | None:
        """Remove the object, or hide it behind a marker; return what is gone, or the marker."""
        if not self.is_erased(versioning):
            marker = rows.Entry(0, self._transaction.now_ms, None, 0, attributes, is_marker=True)
            return self.info(self.add(marker, versioning))
        gone = self.current
        if gone is None:
            return None
        self._set_current(None)
        self._drop(gone)
        return gone.info(self.key)

    def remove(self, entry: rows.Entry, *, bypass_governance: bool = False) -> None:
        """Remove one of the versions for good; the newest that is left becomes current."""
        current = self.current
        assert current is not None
        if not self._is_current(entry):
            self._delete_behind(entry)
            if entry.is_null:
                self._set_current(replace(current, null_behind=None))
        else:
            newest = next(self.behind(), None)
            if newest is not None:
                self._delete_behind(newest)
                null_behind = None if newest.is_null else current.null_behind
                newest = replace(newest, null_behind=null_behind)
            self._set_current(newest)
        self._drop(entry, bypass_governance=bypass_governance)
        self._schedule()

    def change(self, entry: rows.Entry, changed: rows.Entry) -> rows.Entry:
        """Write one of the versions anew: its place and its payload stay."""
        if self._is_current(entry):
            self._set_current(changed)
        else:
            self._put_behind(changed, changed.object_id)
        locks.count(self.totals, entry, -1)
        locks.count(self.totals, changed, 1)
        self._schedule()
        return changed

    def erase(self) -> None:
        """Remove the key with all its versions."""
        if self.current is None:
            return
        for entry in list(self.behind()):
            self._delete_behind(entry)
            self._drop(entry)
        gone = self.current
        self._set_current(None)
        self._drop(gone)

    def move(self, target: History) -> None:
        """Give the key, with all its versions, the name of a target that has none."""
        assert target.current is None
        target._way = None  # of its own class; what is moved may have been on it
        current = self.current
        self._set_current(None)
        target._set_current(current)
        target._schedule()

    # --- within --------------------------------------------------------------------------------

    def _number(self, entry: rows.Entry) -> int:
        """Make a version number of a time, below all that are still to be given out."""
        newest_ms = (self._transaction.next_sequence() >> SEQUENCE_TIME_SHIFT) - 1
        return min(entry.modified_ms, newest_ms) << SEQUENCE_TIME_SHIFT

    def _schedule(self) -> None:
        """Have lifecycle look at the key in time; where there are no rules that is all it costs."""
        if self.totals.lifecycle and self.current is not None and not self.is_looked_at:
            target = (self.bucket_id, self.key)
            lifecycle_looks.schedule(self._transaction, target, self.current)

    def _read_current(self) -> rows.Entry | None:
        transaction = self._transaction
        value, self._way = transaction.entries.look(transaction.txn, self.bucket_id, self._name)
        if value is None and self.totals.markers:
            value = transaction.markers.get(transaction.txn, self.bucket_id, self._name)
        return None if value is None else rows.decode_entry(value)

    def _is_current(self, entry: rows.Entry) -> bool:
        return self.current is not None and entry.version == self.current.version

    def _tree(self, entry: rows.Entry) -> Namespace:
        return self._transaction.markers if entry.is_marker else self._transaction.entries

    def _set_current(self, entry: rows.Entry | None) -> None:
        """Write what the key's name leads to, in the tree it belongs into."""
        transaction, old = self._transaction, self.current
        way, self._way = self._way, None
        if old is not None and (entry is None or entry.is_marker != old.is_marker):
            there = None if old.is_marker else way
            self._tree(old).delete(transaction, self.bucket_id, self._name, there)
        if entry is not None:
            there = None if entry.is_marker else way
            value = rows.encode(entry)
            self._tree(entry).put(transaction, self.bucket_id, self._name, value, there)
        self.totals.objects -= old is not None and not old.is_marker
        self.totals.objects += entry is not None and not entry.is_marker
        self.current = entry

    def _put_behind(self, entry: rows.Entry, object_id: int) -> None:
        entry = replace(entry, object_id=object_id, null_behind=None)
        place = keys.version(object_id, entry.version)
        self._transaction.put(self._transaction.tables.versions, place, rows.encode(entry))

    def _delete_behind(self, entry: rows.Entry) -> None:
        place = keys.version(entry.object_id, entry.version)
        self._transaction.delete(self._transaction.tables.versions, place)

    def _drop(self, entry: rows.Entry, *, bypass_governance: bool = False) -> None:
        """Give up what a version that is gone has held; ObjectLocked undoes all, see `locks`."""
        now_ms = self._transaction.now_ms
        locks.check_removable(entry, now_ms, bypass_governance=bypass_governance)
        blobs.drop_entry(self._transaction, entry)
        self._count(entry, -1)

    def _count(self, entry: rows.Entry, delta: int) -> None:
        totals = self.totals
        totals.versions += delta
        totals.object_bytes += delta * entry.size
        totals.markers += delta * entry.is_marker
        locks.count(totals, entry, delta)
