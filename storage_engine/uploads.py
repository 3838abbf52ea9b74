"""Multipart uploads: parts are payloads of their own, and completing an upload moves none.

A completed object's manifest names parts that stay where they were put, under the upload's id.
The upload itself stays for a day as a tombstone, so that a client which missed the reply may ask
again. Open uploads are found by key through a tree of their own, in order of initiation.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from storage_engine import blobs, keys, lifecycle_looks, locks, rows
from storage_engine.errors import NamespaceNotEmpty, NoSuchUpload, PartChanged
from storage_engine.limits import PART_NUMBER_MAX, TOMBSTONE_MS
from storage_engine.objects import find
from storage_engine.operation import Operation
from storage_engine.quotas import check_growth
from storage_engine.values import (
    NO_LOCK,
    ObjectAttributes,
    ObjectInfo,
    ObjectLock,
    ObjectRef,
    PartInfo,
    RetentionPeriod,
    UploadInfo,
    Versioning,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.staging import StagedBlob
    from storage_engine.transaction import Transaction
    from storage_engine.values import Guard
    from storage_engine.versions import History

COMPLETION = 0
"""In place of a part's number: the blob that tells salvage which parts make up the object."""


def new_upload_id(initiated_ms: int) -> bytes:
    """Make an id that sorts by time and cannot be guessed."""
    random = secrets.token_bytes(keys.UPLOAD_ID_BYTES - keys.UPLOAD_TIME_BYTES)
    return initiated_ms.to_bytes(keys.UPLOAD_TIME_BYTES) + random


def raw_upload_id(upload_id: str) -> bytes:
    """Decode an id as clients know it; empty when it cannot be one."""
    try:
        raw = bytes.fromhex(upload_id)
    except ValueError:
        return b""
    return raw if len(raw) == keys.UPLOAD_ID_BYTES and raw.hex() == upload_id else b""


def completion(upload_id: str, parts: Sequence[PartInfo]) -> bytes:
    """Say which parts an upload is completed with, for `COMPLETION`."""
    manifest = rows.pack_manifest([(part.number, part.size) for part in parts])
    sha256s = b"".join(part.sha256 or rows.NO_SHA256 for part in parts)
    raw_id = raw_upload_id(upload_id)
    return rows.encode(rows.Completion(raw_id, manifest.numbers, manifest.ends, sha256s))


def upload_info(raw_id: bytes, row: rows.Upload) -> UploadInfo:
    """Show an upload to the engine's callers."""
    return UploadInfo(
        raw_id.hex(),
        row.bucket_id,
        row.key,
        row.initiated_ms,
        row.attributes,
        row.completed.info(row.key) if row.completed is not None else None,
        row.completed_parts,
        row.lock,
    )


def get_upload(txn: lmdb.Transaction[bytes], tables: Tables, raw_id: bytes) -> rows.Upload | None:
    """Return an upload, open or completed, if there is one of that id."""
    value = txn.get(keys.upload(raw_id), db=tables.uploads) if raw_id else None
    return None if value is None else rows.decode_upload(value)


def find_upload(transaction: Transaction, target: ObjectRef, raw_id: bytes) -> rows.Upload:
    """Return an open upload; NoSuchUpload when it ended or belongs to another key."""
    row = get_upload(transaction.txn, transaction.tables, raw_id)
    if row is None or (row.bucket_id, row.key) != target or row.completed is not None:
        raise NoSuchUpload(raw_id.hex())
    return row


@dataclass(slots=True)
class CreateUpload(Operation[UploadInfo]):
    """Begins a multipart upload."""

    target: ObjectRef
    attributes: ObjectAttributes
    lock: ObjectLock = NO_LOCK

    def check(self, transaction: Transaction) -> None:
        """Refuse a closed namespace, and what can be no key."""
        transaction.open_namespace(self.target.bucket_id)
        self.target.name()

    def mutate(self, transaction: Transaction) -> UploadInfo:
        """Write the upload and its place among those of its key."""
        raw_id = new_upload_id(transaction.now_ms)
        now_ms = transaction.now_ms
        row = rows.Upload(*self.target, now_ms, self.attributes, lock=self.lock)
        open_upload(transaction, raw_id, row)
        return upload_info(raw_id, row)


@dataclass(slots=True)
class PutPart(Operation[PartInfo]):
    """Adds a part to an open upload, or replaces the one of that number."""

    target: ObjectRef
    raw_id: bytes
    number: int
    blob: StagedBlob
    etag: str
    checksums: dict[str, str]

    def check(self, transaction: Transaction) -> None:
        """Refuse an upload that is not open, and growth beyond the quota."""
        assert 1 <= self.number <= PART_NUMBER_MAX
        find_upload(transaction, self.target, self.raw_id)
        value = transaction.get(transaction.tables.parts, keys.part(self.raw_id, self.number))
        freed = 0 if value is None else rows.decode_part(value).size
        totals = transaction.namespace(self.target.bucket_id)
        check_growth(transaction, totals, size=self.blob.size - freed, versions=0)
        blobs.check_staged(transaction, self.blob)

    def mutate(self, transaction: Transaction) -> PartInfo:
        """Write the part."""
        part = rows.Part(
            transaction.next_sequence(),
            self.blob.size,
            self.etag,
            transaction.now_ms,
            self.checksums,
            blobs.add_staged(transaction, self.blob),
        )
        keep_part(transaction, self.target, self.raw_id, self.number, part)
        return part.info(self.number)

    def settle(self, *, is_committed: bool) -> None:
        """Use up the staged payload."""
        self.blob.settle(is_committed=is_committed)

    def restage(self) -> None:
        """Write the payload that was thought to be in the store."""
        self.blob.restage()


@dataclass(slots=True)
class CompleteUpload(Operation[ObjectInfo]):
    """Makes an object of an upload's parts, in the order given."""

    needs_room: ClassVar[bool] = False
    target: ObjectRef
    raw_id: bytes
    parts: Sequence[PartInfo]
    attributes: ObjectAttributes
    guard: Guard | None
    record: StagedBlob | None = None
    versioning: Versioning = Versioning.UNVERSIONED
    lock: ObjectLock = NO_LOCK
    default_retention: RetentionPeriod | None = None
    upload: rows.Upload | None = field(default=None, init=False)
    history: History | None = field(default=None, init=False)
    held: dict[int, tuple[int, int]] = field(default_factory=dict, init=False)

    def check(self, transaction: Transaction) -> None:
        """Refuse what is not open or not what was cited; ask the guard, locks and quota."""
        assert self.parts
        assert len({part.number for part in self.parts}) == len(self.parts)
        self.upload = find_upload(transaction, self.target, self.raw_id)
        self.held = self._read_held(transaction)
        for part in self.parts:
            if self.held.get(part.number) != (part.sequence, part.size):
                raise PartChanged(str(part.number))
        self.history = find(transaction, self.target, self.guard)
        self.history.check_add(
            self.versioning,
            sum(part.size for part in self.parts),
            freed=sum(size for _, size in self.held.values()),
        )

    def mutate(self, transaction: Transaction) -> ObjectInfo:
        """Release what is not cited, write manifest and entry, leave a tombstone."""
        tables, upload, history = transaction.tables, self.upload, self.history
        assert upload is not None
        assert history is not None
        self._release_uncited(transaction)
        manifest = rows.pack_manifest([(part.number, part.size) for part in self.parts])
        transaction.put(tables.manifests, keys.upload(self.raw_id), rows.encode(manifest))
        self._put_record(transaction)
        entry = rows.Entry(
            sum(part.size for part in self.parts),
            transaction.now_ms,
            self.raw_id,
            len(self.parts),
            self.attributes,
        )
        history.totals.upload_bytes -= entry.size
        history.totals.parts -= len(self.parts)
        lock = locks.laid_on(transaction, self.lock, self.default_retention)
        entry = history.add(entry, self.versioning, lock)
        forget_open(transaction, self.target, self.raw_id)
        tombstone = rows.Upload(
            *self.target,
            upload.initiated_ms,
            upload.attributes,
            entry,
            [(part.number, part.etag) for part in self.parts],
        )
        transaction.put(tables.uploads, keys.upload(self.raw_id), rows.encode(tombstone))
        due = keys.due(transaction.now_ms + TOMBSTONE_MS, keys.Due.TOMBSTONE, self.raw_id)
        transaction.put(tables.due, due, b"")
        return history.info(entry)

    def settle(self, *, is_committed: bool) -> None:
        """Use up the record."""
        if self.record is not None:
            self.record.settle(is_committed=is_committed)

    def _put_record(self, transaction: Transaction) -> None:
        if self.record is None:
            return
        sequence, payload = transaction.next_sequence(), blobs.add_staged(transaction, self.record)
        part = rows.Part(sequence, self.record.size, "", transaction.now_ms, {}, payload)
        key = keys.part(self.raw_id, COMPLETION)
        transaction.put(transaction.tables.parts, key, rows.encode(part))

    def _read_held(self, transaction: Transaction) -> dict[int, tuple[int, int]]:
        """Read (sequence, size) of every part of the upload, by number."""
        held = {}
        with transaction.txn.cursor(transaction.tables.parts) as cursor:
            is_found = cursor.set_range(self.raw_id)
            while is_found and cursor.key().startswith(self.raw_id):
                part = rows.decode_part(cursor.value())
                held[keys.part_number(cursor.key())] = (part.sequence, part.size)
                is_found = cursor.next()
        return held

    def _release_uncited(self, transaction: Transaction) -> None:
        cited = {part.number for part in self.parts}
        totals = transaction.namespace(self.target.bucket_id)
        for number, (_, size) in self.held.items():
            if number not in cited:
                key = keys.part(self.raw_id, number)
                value = transaction.pop(transaction.tables.parts, key)
                assert value is not None
                blobs.drop_payload(transaction, rows.decode_part(value).payload)
                totals.upload_bytes -= size
                totals.parts -= 1


@dataclass(slots=True)
class AbortUpload(Operation[None]):
    """Ends an upload with everything in it."""

    needs_room: ClassVar[bool] = False
    target: ObjectRef
    raw_id: bytes

    def check(self, transaction: Transaction) -> None:
        """Refuse an upload that is not open."""
        find_upload(transaction, self.target, self.raw_id)

    def mutate(self, transaction: Transaction) -> None:
        """Remove the upload and its parts."""
        abort(transaction, self.target, self.raw_id)


@dataclass(slots=True)
class CloseNamespace(Operation[None]):
    """Ends a namespace for ever; one that is closed stays so."""

    needs_room: ClassVar[bool] = False
    bucket_id: int

    def check(self, transaction: Transaction) -> None:
        """Refuse while there is a version of an object, be it a marker."""
        if transaction.namespace(self.bucket_id).versions:
            raise NamespaceNotEmpty(str(self.bucket_id))

    def mutate(self, transaction: Transaction) -> None:
        """Abort every open upload, then close."""
        while names := transaction.upload_names.scan(transaction.txn, self.bucket_id).items:
            for name, name_id in names:
                assert name_id is not None
                target = ObjectRef(self.bucket_id, name.decode())
                for raw_id in open_uploads(transaction, name_id):
                    abort(transaction, target, raw_id)
        transaction.namespace(self.bucket_id).is_closed = True
        lifecycle_looks.forget(transaction, self.bucket_id)


def open_upload(transaction: Transaction, raw_id: bytes, row: rows.Upload) -> None:
    """Write an open upload and its place among those of its key."""
    transaction.put(transaction.tables.uploads, keys.upload(raw_id), rows.encode(row))
    name = row.key.encode()
    name_id = transaction.upload_names.get(transaction.txn, row.bucket_id, name)
    if name_id is None:
        name_id = keys.sequence(transaction.next_sequence())
        transaction.upload_names.put(transaction, row.bucket_id, name, name_id)
    place = keys.open_upload(keys.sequence_number(name_id), raw_id)
    transaction.put(transaction.tables.open_uploads, place, b"")
    totals = transaction.namespace(row.bucket_id)
    totals.uploads += 1
    if totals.lifecycle:
        lifecycle_looks.schedule_upload(transaction, (row.bucket_id, row.key), row.initiated_ms)


def keep_part(
    transaction: Transaction, target: ObjectRef, raw_id: bytes, part_number: int, part: rows.Part
) -> None:
    """Write a part, whose payload is counted already, instead of one of that number."""
    parts = transaction.tables.parts
    totals = transaction.namespace(target.bucket_id)
    totals.upload_bytes += part.size
    totals.parts += 1
    key = keys.part(raw_id, part_number)
    old_value = transaction.get(parts, key)
    if old_value is not None:
        old = rows.decode_part(old_value)
        totals.upload_bytes -= old.size
        totals.parts -= 1
        blobs.drop_payload(transaction, old.payload)
    transaction.put(parts, key, rows.encode(part))


def open_uploads(transaction: Transaction, name_id: bytes) -> list[bytes]:
    """Return the ids of the open uploads of one key, oldest first."""
    found = []
    with transaction.txn.cursor(transaction.tables.open_uploads) as cursor:
        is_found = cursor.set_range(name_id)
        while is_found and cursor.key().startswith(name_id):
            found.append(keys.open_upload_parts(cursor.key())[1])
            is_found = cursor.next()
    return found


def abort(transaction: Transaction, target: ObjectRef, raw_id: bytes) -> None:
    """Remove an open upload, its parts, and what they hold."""
    totals = transaction.namespace(target.bucket_id)
    for size in blobs.drop_parts(transaction, raw_id):
        totals.upload_bytes -= size
        totals.parts -= 1
    transaction.delete(transaction.tables.uploads, keys.upload(raw_id))
    forget_open(transaction, target, raw_id)


def forget_open(transaction: Transaction, target: ObjectRef, raw_id: bytes) -> None:
    """Take an upload out of the open ones of its key."""
    txn, (bucket_id, key) = transaction.txn, target
    name_id = transaction.upload_names.get(txn, bucket_id, key.encode())
    assert name_id is not None
    place = keys.open_upload(keys.sequence_number(name_id), raw_id)
    transaction.delete(transaction.tables.open_uploads, place)
    transaction.namespace(bucket_id).uploads -= 1
    if not transaction.keys_from(transaction.tables.open_uploads, name_id, limit=1):
        transaction.upload_names.delete(transaction, bucket_id, key.encode())
