"""When lifecycle is to look at which key: rows that every change of a key leaves behind.

A look is never cancelled. One that comes to nothing costs a lookup; one that is missing would keep
for ever what was to go. So each change asks the rules when anything of the key next falls due, on
the key as it has left it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from storage_engine import keys, rows
from storage_engine.errors import CorruptBlob
from storage_engine.lifecycle_plan import Allowance, LifecycleRules, OpenUpload, evaluate
from storage_engine.limits import LIFECYCLE_ASKED, LIFECYCLE_LOOK_AHEAD
from storage_engine.namespace import Namespace
from storage_engine.values import Versioning
from storage_engine.version_walk import versions_behind, versions_from_oldest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.transaction import Transaction


class InForce(NamedTuple):
    """The rules of a bucket, as they are kept and as they are asked."""

    row: rows.LifecycleRow
    rules: LifecycleRules


@lru_cache(maxsize=64)
def _compiled(value: bytes) -> InForce:
    """Decode a row of rules; the bytes themselves are what tells whether they are still those."""
    row = rows.decode_lifecycle(value)
    return InForce(row, LifecycleRules(row.rules, row.day_ms))


def read_rules(txn: lmdb.Transaction[bytes], tables: Tables, bucket_id: int) -> InForce | None:
    """Return the rules in force, or None when there are none."""
    value = txn.get(keys.lifecycle(bucket_id), db=tables.meta)
    return None if value is None else _compiled(value)


class StoredKey:
    """What there is of a key, inside a transaction."""

    def __init__(
        self,
        txn: lmdb.Transaction[bytes],
        tables: Tables,
        target: tuple[int, str],
        current: rows.Entry | None,
    ) -> None:
        self._txn = txn
        self._tables = tables
        self._bucket_id, self.key = target
        self.current = current

    def newest_first(self) -> Iterator[rows.Entry]:
        """Walk the versions behind the current one."""
        assert self.current is not None
        return versions_behind(self._txn, self._tables, self.current)

    def oldest_first(self, after: int | None) -> Iterator[rows.Entry]:
        """Walk them the other way, from the one after that number."""
        assert self.current is not None
        return versions_from_oldest(self._txn, self._tables, self.current, after)

    def behind(self, number: int) -> rows.Entry | None:
        """Return the one of that number."""
        assert self.current is not None
        value = self._txn.get(
            keys.version(self.current.object_id, number), db=self._tables.versions
        )
        return None if value is None else rows.decode_entry(value)

    def uploads(self) -> Iterator[OpenUpload]:
        """Walk the open uploads, oldest first."""
        names = Namespace(self._tables.upload_names)
        name_id = names.get(self._txn, self._bucket_id, self.key.encode())
        if name_id is None:
            return
        with self._txn.cursor(self._tables.open_uploads) as cursor:
            is_found = cursor.set_range(name_id)
            while is_found and cursor.key().startswith(name_id):
                raw_id = keys.open_upload_parts(cursor.key())[1]
                value = self._txn.get(keys.upload(raw_id), db=self._tables.uploads)
                if value is None:
                    raise CorruptBlob(f"the index has lost upload {raw_id.hex()}")
                yield OpenUpload(raw_id.hex(), rows.decode_upload(value).initiated_ms)
                is_found = cursor.next()

    def parts_of(self, upload_id: str) -> tuple[int, int]:
        """Return how many parts an upload has, and what their sizes add up to."""
        raw_id = bytes.fromhex(upload_id)
        count = size = 0
        with self._txn.cursor(self._tables.parts) as cursor:
            is_found = cursor.set_range(raw_id)
            while is_found and cursor.key().startswith(raw_id):
                count += 1
                size += rows.decode_part(cursor.value()).size
                is_found = cursor.next()
        return count, size


class StoredVersions(StoredKey):
    """The same without its uploads, which are looked after for themselves."""

    def uploads(self) -> Iterator[OpenUpload]:
        """Walk none."""
        return iter(())


# --- writing -----------------------------------------------------------------------------------


def schedule(transaction: Transaction, target: tuple[int, str], current: rows.Entry) -> int:
    """Have the versions of a key looked at when the first of them falls due, if one ever does.

    Return what that cost, in versions.
    """
    bucket_id, key = target
    in_force = read_rules(transaction.txn, transaction.tables, bucket_id)
    assert in_force is not None
    state = StoredVersions(transaction.txn, transaction.tables, target, current)
    # Whether versions are kept decides what becomes of the current one, not when.
    allowance = Allowance(LIFECYCLE_LOOK_AHEAD)
    plan = evaluate(in_force.rules, state, transaction.now_ms, Versioning.ENABLED, allowance)
    due = [deed.due_ms for deed in plan.deeds if not deed.is_kept]
    if plan.next_ms is not None:
        due.append(plan.next_ms)
    if not plan.is_complete:
        at_once = in_force.rules.midnight_before(transaction.now_ms)
        due.append(max(at_once, keys.SCAN_MS + 1))  # a clock without a battery begins at 0
    if due:
        put_look(transaction, bucket_id, min(due), rows.Look(key))
    return LIFECYCLE_LOOK_AHEAD - allowance.versions


def schedule_upload(transaction: Transaction, target: tuple[int, str], initiated_ms: int) -> int:
    """Have an upload looked at when it is to be aborted, if it ever is; return as `schedule`."""
    bucket_id, key = target
    in_force = read_rules(transaction.txn, transaction.tables, bucket_id)
    assert in_force is not None
    fall = in_force.rules.upload_expiry(key, initiated_ms)
    if fall is not None:
        put_look(transaction, bucket_id, fall.due_ms, rows.Look(key))
    return in_force.rules.count // LIFECYCLE_ASKED


def put_look(transaction: Transaction, bucket_id: int, at_ms: int, look: rows.Look) -> None:
    """Have a key looked at at some time; once for all that asked for the same."""
    place = keys.look(bucket_id, at_ms, digest(look.key))
    transaction.put(transaction.tables.lifecycle, place, rows.encode(look))


def put_scan(transaction: Transaction, bucket_id: int, prefix: str) -> None:
    """Have everything below a prefix looked for."""
    scan = rows.Scan(transaction.namespace(bucket_id).lifecycle, prefix)
    place = keys.look(bucket_id, keys.SCAN_MS, digest(prefix))
    transaction.put(transaction.tables.lifecycle, place, rows.encode(scan))


def forget(transaction: Transaction, bucket_id: int) -> None:
    """Have no rules any more in a bucket that is closed, nor what they did; looks are dropped."""
    totals, meta = transaction.namespace(bucket_id), transaction.tables.meta
    if totals.lifecycle:
        transaction.delete(meta, keys.lifecycle(bucket_id))
        totals.lifecycle = 0
    for name in transaction.keys_from(meta, keys.lifecycle_done(bucket_id)):
        transaction.delete(meta, name)


def digest(key: str) -> bytes:
    """Return by what looks at one key are told from others of the same time."""
    return blake2b(key.encode(), digest_size=keys.LOOK_DIGEST_BYTES).digest()
