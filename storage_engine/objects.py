"""Objects: put, delete and copy as operations of a commit; head and list as reads.

An operation holds what its caller gave and what `check` found; `mutate` then only writes. Every
change keeps the entry, the payload's references and the namespace's totals in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from storage_engine import blobs, rows
from storage_engine.commit import Operation
from storage_engine.errors import NoSuchKey
from storage_engine.values import ListPage, ObjectAttributes, ObjectInfo, ObjectPart, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.namespace import Namespace
    from storage_engine.staging import StagedBlob
    from storage_engine.transaction import Transaction
    from storage_engine.values import Guard


# --- operations ---------------------------------------------------------------------------------


def find(transaction: Transaction, target: ObjectRef, guard: Guard | None) -> rows.Entry | None:
    """Return the current entry of a key in an open namespace, once the guard has agreed to it."""
    transaction.open_namespace(target.bucket_id)
    value = transaction.entries.get(transaction.txn, target.bucket_id, target.key.encode())
    current = None if value is None else rows.decode_entry(value)
    if guard is not None:
        guard(None if current is None else current.info(target.key))
    return current


def replace(
    transaction: Transaction, target: ObjectRef, current: rows.Entry | None, entry: rows.Entry
) -> ObjectInfo:
    """Make `entry`, whose payload is counted already, the key's object instead of `current`."""
    totals = transaction.namespace(target.bucket_id)
    totals.object_bytes += entry.size
    if current is None:
        totals.objects += 1
    else:
        totals.object_bytes -= current.size
        blobs.drop_entry(transaction, current)
    transaction.entries.put(transaction, target.bucket_id, target.key.encode(), rows.encode(entry))
    return entry.info(target.key)


@dataclass(slots=True)
class PutObject(Operation[ObjectInfo]):
    """Makes a staged payload the object of a key."""

    target: ObjectRef
    blob: StagedBlob
    attributes: ObjectAttributes
    guard: Guard | None
    current: rows.Entry | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask the guard."""
        self.current = find(transaction, self.target, self.guard)
        blobs.check_staged(transaction, self.blob)

    def mutate(self, transaction: Transaction) -> ObjectInfo:
        """Write the entry."""
        payload = blobs.add_staged(transaction, self.blob)
        entry = rows.Entry(self.blob.size, transaction.now_ms, payload, 0, self.attributes)
        return replace(transaction, self.target, self.current, entry)

    def settle(self, *, is_committed: bool) -> None:
        """Use up the staged payload."""
        self.blob.settle(is_committed=is_committed)

    def restage(self) -> None:
        """Write the payload that was thought to be in the store."""
        self.blob.restage()


@dataclass(slots=True)
class DeleteObject(Operation["ObjectInfo | None"]):
    """Removes a key; there may be nothing to remove."""

    needs_room: ClassVar[bool] = False
    target: ObjectRef
    guard: Guard | None
    current: rows.Entry | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask the guard."""
        self.current = find(transaction, self.target, self.guard)

    def mutate(self, transaction: Transaction) -> ObjectInfo | None:
        """Remove the entry."""
        if self.current is None:
            return None
        target, current = self.target, self.current
        transaction.entries.delete(transaction, target.bucket_id, target.key.encode())
        blobs.drop_entry(transaction, current)
        totals = transaction.namespace(target.bucket_id)
        totals.objects -= 1
        totals.object_bytes -= current.size
        return current.info(target.key)


@dataclass(slots=True)
class CopyObject(Operation[ObjectInfo]):
    """Makes an object of another's payload; no payload byte is moved but inline ones."""

    source: ObjectRef
    target: ObjectRef
    attributes: Callable[[ObjectInfo], ObjectAttributes]
    source_guard: Guard | None
    guard: Guard | None
    found: rows.Entry | None = field(default=None, init=False)
    current: rows.Entry | None = field(default=None, init=False)
    kept: ObjectAttributes | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Ask both guards and the maker of the attributes."""
        self.found = find(transaction, self.source, self.source_guard)
        if self.found is None:
            raise NoSuchKey(self.source.key)
        self.current = find(transaction, self.target, self.guard)
        self.kept = self.attributes(self.found.info(self.source.key))

    def mutate(self, transaction: Transaction) -> ObjectInfo:
        """Count one more reference, then write the entry."""
        found, kept = self.found, self.kept
        assert found is not None
        assert kept is not None
        payload = blobs.add_shared(transaction, found)
        entry = rows.Entry(found.size, transaction.now_ms, payload, found.part_count, kept)
        return replace(transaction, self.target, self.current, entry)


# --- reads --------------------------------------------------------------------------------------


class ObjectReads:
    """Looks objects up inside a caller's read transaction."""

    def __init__(self, tables: Tables, entries: Namespace) -> None:
        self._tables = tables
        self._entries = entries

    def entry(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str) -> rows.Entry:
        """Return the current entry of a key; NoSuchKey."""
        value = self._entries.get(txn, bucket_id, key.encode())
        if value is None:
            raise NoSuchKey(key)
        return rows.decode_entry(value)

    def parts(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str) -> list[ObjectPart]:
        """Return the parts of a multipart object, in order; none for one written in one piece."""
        entry = self.entry(txn, bucket_id, key)
        if not entry.part_count:
            return []
        assert isinstance(entry.payload, bytes)
        manifest = blobs.get_manifest(txn, self._tables, entry.payload)
        parts, offset = [], 0
        for number in manifest.part_numbers():
            part = blobs.get_part(txn, self._tables, entry.payload, number)
            parts.append(ObjectPart(number, offset, part.size, part.checksums))
            offset += part.size
        return parts

    def page(
        self,
        txn: lmdb.Transaction[bytes],
        bucket_id: int,
        *,
        prefix: str,
        delimiter: str,
        after: str,
        limit: int,
    ) -> ListPage:
        """Return a page of objects and common prefixes."""
        page = self._entries.scan(
            txn,
            bucket_id,
            prefix=prefix.encode(),
            delimiter=delimiter.encode(),
            after=after.encode(),
            limit=limit,
        )
        objects, common_prefixes = [], []
        for name, value in page.items:
            if value is None:
                common_prefixes.append(name.decode())
            else:
                objects.append(rows.decode_entry(value).info(name.decode()))
        return ListPage(objects, common_prefixes, page.is_truncated, page.last.decode())
