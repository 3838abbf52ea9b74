"""What salvage writes into an index: records found in volumes become objects, parts and uploads.

The newest record of a key is its object, by the time it was written, then by its place. Every
step is an ordinary operation of the committer, so counts, references and totals are kept as ever.
Volumes are not written to, and are held: nothing of theirs is given up before somebody says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from storage_engine import blobs, keys, rows
from storage_engine.commit import Operation
from storage_engine.errors import CorruptBlob, IndexNotEmpty
from storage_engine.objects import find, replace
from storage_engine.staging import StagedBlob
from storage_engine.transaction import HELD_VOLUMES, LAST_VOLUME, SALVAGING, number
from storage_engine.uploads import (
    ID_TIME_BYTES,
    forget_open,
    get_upload,
    keep_part,
    open_upload,
    raw_upload_id,
)
from storage_engine.values import ObjectAttributes, ObjectRef, PartInfo

if TYPE_CHECKING:
    import lmdb

    from storage_engine.index import Tables
    from storage_engine.transaction import Transaction
    from storage_engine.values import Origin

ObjectChecksums = Callable[[ObjectAttributes, Sequence[PartInfo]], dict[str, str]]
"""Makes a multipart object's checksums of its upload's attributes and its parts."""


class Fate(Enum):
    """What became of a record, or of the parts of an upload."""

    NEW = "new"  # the first of its key
    NEWER = "newer"  # instead of an older one
    OLDER = "older"  # the index has a newer one already
    INCOMPLETE = "incomplete"  # parts are missing: the upload stays open


class Find(NamedTuple):
    """A verified record: where it lies, whose bytes these are, and what it was stored for."""

    sha256: bytes
    place: rows.Blob
    created_ms: int
    origin: Origin

    @property
    def age(self) -> tuple[int, int, int]:
        """What decides between two records of one name: the larger is newer."""
        return self.created_ms, self.place.volume_id, self.place.offset

    def staged(self) -> StagedBlob:
        """Return the payload as if it had been written just now."""
        staged = StagedBlob(self.place.size, self.sha256)
        staged.place = self.place
        return staged


def _age(transaction: Transaction, modified_ms: int, payload: rows.Payload) -> tuple[int, int, int]:
    """Return the age of what the index has."""
    if isinstance(payload, bytes) and len(payload) == keys.SHA256_BYTES:
        blob = blobs.get_blob(transaction.txn, transaction.tables, payload)
        return modified_ms, blob.volume_id, blob.offset
    return modified_ms, 0, 0


@dataclass(slots=True)
class BeginSalvage(Operation[None]):
    """Makes sure that the index is empty, and that nobody drops the volumes or reuses their ids."""

    last_volume: int

    def check(self, transaction: Transaction) -> None:
        """Refuse an index that holds anything."""
        tables = transaction.tables
        for table in (tables.entries, tables.blobs, tables.uploads, tables.namespaces):
            if transaction.keys_from(table, b"", 1):
                raise IndexNotEmpty("only an index without objects can be filled from volumes")

    def mutate(self, transaction: Transaction) -> None:
        """Write the marks that `EndSalvage` and `ReleaseVolumes` remove."""
        given = number(transaction.get(transaction.tables.meta, LAST_VOLUME))
        transaction.set_number(LAST_VOLUME, max(given, self.last_volume))
        transaction.set_number(HELD_VOLUMES, self.last_volume)
        transaction.set_number(SALVAGING, 1)


@dataclass(slots=True)
class EndSalvage(Operation[None]):
    """Opens the store for use."""

    def mutate(self, transaction: Transaction) -> None:
        """Remove the mark."""
        transaction.delete(transaction.tables.meta, SALVAGING)


@dataclass(slots=True)
class ReleaseVolumes(Operation[int]):
    """Lets what salvage left out be given up."""

    def mutate(self, transaction: Transaction) -> int:
        """Remove the hold; return up to which id it was on."""
        held = number(transaction.get(transaction.tables.meta, HELD_VOLUMES))
        transaction.delete(transaction.tables.meta, HELD_VOLUMES)
        return held


@dataclass(slots=True)
class AdoptObject(Operation[Fate]):
    """Makes a record the object of the key it was stored for, unless there is a newer one."""

    found: Find

    def mutate(self, transaction: Transaction) -> Fate:
        """Write the entry."""
        found, origin = self.found, self.found.origin
        target = ObjectRef(origin.bucket_id, origin.key)
        current = find(transaction, target, None)
        if current is not None:
            age = _age(transaction, current.modified_ms, current.payload)
            if age >= found.age:
                return Fate.OLDER
        payload = blobs.add_staged(transaction, found.staged())
        entry = rows.Entry(found.place.size, found.created_ms, payload, 0, origin.attributes)
        replace(transaction, target, current, entry)
        return Fate.NEW if current is None else Fate.NEWER


@dataclass(slots=True)
class AdoptPart(Operation[Fate]):
    """Makes a record a part of its upload, which is opened again, unless there is a newer one."""

    found: Find

    def mutate(self, transaction: Transaction) -> Fate:
        """Write the part, and the upload if it is the first."""
        found, origin = self.found, self.found.origin
        target = ObjectRef(origin.bucket_id, origin.key)
        raw_id = raw_upload_id(origin.upload_id)
        upload = get_upload(transaction.txn, transaction.tables, raw_id)
        if upload is None:
            initiated_ms = int.from_bytes(raw_id[:ID_TIME_BYTES])
            kept = origin.attributes.with_digests("", {})
            open_upload(transaction, raw_id, rows.Upload(*target, initiated_ms, kept))
        elif (upload.bucket_id, upload.key) != target:
            raise CorruptBlob("an upload has parts of two keys")
        key = keys.part(raw_id, origin.part_number)
        value = transaction.get(transaction.tables.parts, key)
        if value is not None:
            old = rows.decode_part(value)
            if _age(transaction, old.modified_ms, old.payload) >= found.age:
                return Fate.OLDER
        part = rows.Part(
            transaction.next_sequence(),
            found.place.size,
            origin.attributes.etag,
            found.created_ms,
            origin.attributes.checksums,
            blobs.add_staged(transaction, found.staged()),
        )
        keep_part(transaction, target, raw_id, origin.part_number, part)
        return Fate.NEW if value is None else Fate.NEWER


@dataclass(slots=True)
class AssembleUpload(Operation["tuple[Fate, ObjectRef]"]):
    """Makes an object of an upload's parts when no number below the last is missing.

    Whether more of them are, or fewer were meant, no part can tell.
    """

    raw_id: bytes
    checksums: ObjectChecksums

    def mutate(self, transaction: Transaction) -> tuple[Fate, ObjectRef]:
        """Write manifest and entry, or let the parts go when the key's object is newer."""
        upload = get_upload(transaction.txn, transaction.tables, self.raw_id)
        assert upload is not None
        target = ObjectRef(upload.bucket_id, upload.key)
        parts = self._read_parts(transaction)
        if [part.number for part in parts] != list(range(1, len(parts) + 1)):
            return Fate.INCOMPLETE, target
        modified_ms = max(part.modified_ms for part in parts)
        current = find(transaction, target, None)
        self._close(transaction, target, parts)
        if current is not None and current.modified_ms >= modified_ms:
            blobs.drop_parts(transaction, self.raw_id)
            return Fate.OLDER, target
        manifest = rows.pack_manifest([(part.number, part.size) for part in parts])
        key = keys.upload(self.raw_id)
        transaction.put(transaction.tables.manifests, key, rows.encode(manifest))
        size, kept = sum(part.size for part in parts), self._attributes(upload.attributes, parts)
        entry = rows.Entry(size, modified_ms, self.raw_id, len(parts), kept)
        replace(transaction, target, current, entry)
        return (Fate.NEW if current is None else Fate.NEWER), target

    def _read_parts(self, transaction: Transaction) -> list[PartInfo]:
        found, table = [], transaction.tables.parts
        for key in transaction.keys_from(table, self.raw_id):
            value = transaction.get(table, key)
            assert value is not None
            found.append(rows.decode_part(value).info(keys.part_number(key)))
        return found

    def _close(self, transaction: Transaction, target: ObjectRef, parts: list[PartInfo]) -> None:
        totals = transaction.namespace(target.bucket_id)
        totals.upload_bytes -= sum(part.size for part in parts)
        forget_open(transaction, target, self.raw_id)
        transaction.delete(transaction.tables.uploads, keys.upload(self.raw_id))

    def _attributes(self, kept: ObjectAttributes, parts: list[PartInfo]) -> ObjectAttributes:
        """Return what completing the upload would have made of its attributes."""
        digest = hashlib.md5(usedforsecurity=False)
        for part in parts:
            digest.update(bytes.fromhex(part.etag))
        checksums = self.checksums(kept, parts)
        return ObjectAttributes(
            etag=f"{digest.hexdigest()}-{len(parts)}",
            headers=kept.headers,
            checksums=checksums,
            checksum_type=kept.checksum_type if checksums else "",
            owner=kept.owner,
            storage_class=kept.storage_class,
            extra=kept.extra,
        )


def read_upload_ids(
    txn: lmdb.Transaction[bytes], tables: Tables, after: bytes, limit: int
) -> list[bytes]:
    """Return ids of uploads that come after one, in order."""
    found: list[bytes] = []
    with txn.cursor(tables.uploads) as cursor:
        is_found = cursor.set_range(after + b"\x00")
        while is_found and len(found) < limit:
            found.append(cursor.key())
            is_found = cursor.next()
    return found
