"""What salvage writes into an index: records found in volumes become objects, parts and uploads.

The newest record of a key is its object, by the time it was written, then by its place; older ones
are versions behind it if the lock that they were put with still binds. Every step is an ordinary
operation of the committer, so counts, references and totals are kept as ever.
Volumes are not written to, and are held: nothing of theirs is given up before somebody says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from storage_engine import blobs, keys, locks, meta, rows
from storage_engine.errors import CorruptBlob, IndexNotEmpty
from storage_engine.operation import Operation
from storage_engine.staging import StagedBlob
from storage_engine.transaction import SALVAGING
from storage_engine.uploads import (
    COMPLETION,
    forget_open,
    get_upload,
    keep_part,
    open_upload,
    raw_upload_id,
)
from storage_engine.values import NO_LOCK, HoldCause, ObjectAttributes, ObjectRef, Versioning
from storage_engine.versions import History, replace

if TYPE_CHECKING:
    import lmdb

    from storage_engine.index import Tables
    from storage_engine.transaction import Transaction
    from storage_engine.values import Origin

EMPTY_ETAG: Final = hashlib.md5(usedforsecurity=False).hexdigest()
NO_DIGESTS: Final = ObjectAttributes(etag="", headers={})


class Fate(Enum):
    """What became of a record, or of the parts of an upload."""

    NEW = "new"  # the first of its key
    NEWER = "newer"  # instead of an older one
    OLDER = "older"  # the index has a newer one already
    KEPT = "kept"  # it has, and this one is locked: both stay
    OPEN = "open"  # the upload was not completed, or lacks parts: it stays open


class Find(NamedTuple):
    """A verified record: where it lies, whose bytes these are, and what it was stored for."""

    sha256: bytes
    place: rows.Blob
    created_ms: int
    origin: Origin
    payload: bytes = b""  # of a completion: an encoded rows.Completion

    @property
    def age(self) -> tuple[int, int, int]:
        """What decides between two records of one name: the larger is newer."""
        return self.created_ms, self.place.volume_id, self.place.offset

    def staged(self) -> StagedBlob:
        """Return the payload as if it had been written just now."""
        staged = StagedBlob(self.place.size, self.sha256)
        staged.place = self.place
        return staged


def _fate(
    transaction: Transaction, history: History, found: rows.Entry, age: tuple[int, int, int]
) -> Fate:
    """Tell what is to become of a version beside those that its key has so far."""
    current = history.current
    if current is None:
        return Fate.NEW
    is_older = _age(transaction, current.modified_ms, current.payload) >= age
    if not locks.is_binding((found if is_older else current).lock, transaction.now_ms):
        return Fate.OLDER if is_older else Fate.NEWER
    is_known = (found.modified_ms, found.payload) in {
        (entry.modified_ms, entry.payload) for entry in chain((current,), history.behind())
    }
    return Fate.OLDER if is_known else Fate.KEPT


def _put(history: History, entry: rows.Entry, fate: Fate) -> None:
    """Give a key an entry, whose payload is counted already."""
    if fate is Fate.NEWER:
        assert history.current is not None
        history.remove(history.current)
    if history.current is None:
        history.add(entry, Versioning.UNVERSIONED, entry.lock)
    else:
        history.insert(entry)


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
        meta.hold(transaction, self.last_volume, HoldCause.SALVAGE)
        transaction.set_number(SALVAGING, 1)
        transaction.skip_sequences()


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
        return meta.release(transaction)


@dataclass(slots=True)
class AdoptObject(Operation[Fate]):
    """Makes a record the object of the key it was stored for, unless there is a newer one."""

    found: Find

    def mutate(self, transaction: Transaction) -> Fate:
        """Write the entry."""
        found, origin = self.found, self.found.origin
        history = History(transaction, ObjectRef(origin.bucket_id, origin.key))
        size, time_ms = found.place.size, found.created_ms
        lock = origin.lock_from(time_ms)
        entry = rows.Entry(size, time_ms, found.sha256, 0, origin.attributes).locked(lock)
        fate = _fate(transaction, history, entry, found.age)
        if fate is not Fate.OLDER:
            entry = replace(entry, payload=blobs.add_staged(transaction, found.staged()))
            _put(history, entry, fate)
        return fate


@dataclass(slots=True)
class AdoptPart(Operation[Fate]):
    """Makes a record a part of its upload, which is opened again, unless there is a newer one."""

    found: Find

    def mutate(self, transaction: Transaction) -> Fate:
        """Write the part, and the upload if nothing of it was met before."""
        kept = self.found.origin.attributes.with_digests("", {})
        _reopen(transaction, self.found.origin, kept)
        return _keep(transaction, self.found, self.found.origin.attributes)


@dataclass(slots=True)
class AdoptCompletion(Operation[Fate]):
    """Notes which parts an upload was completed with, and what the object was to be."""

    found: Find

    def mutate(self, transaction: Transaction) -> Fate:
        """Write what is cited, which nothing refers to yet, and the object's own attributes."""
        origin = self.found.origin
        try:
            said = rows.decode_completion(self.found.payload)
        except msgspec.MsgspecError as error:
            raise CorruptBlob(f"a completion cannot be read: {error}") from error
        raw_id = raw_upload_id(origin.upload_id)
        if said.upload_id != raw_id or not said.is_sound():
            raise CorruptBlob("a completion is of another upload")
        row = _reopen(transaction, origin, origin.attributes)
        fate = _keep(transaction, self.found, NO_DIGESTS)
        if fate is not Fate.OLDER:
            lock = origin.lock_from(self.found.created_ms)
            row = replace(row, attributes=origin.attributes, lock=lock)
            transaction.put(transaction.tables.uploads, keys.upload(raw_id), rows.encode(row))
            cited = rows.Citation(0, said.numbers, said.ends, said.sha256s)
            transaction.put(transaction.tables.manifests, keys.upload(raw_id), rows.encode(cited))
        return fate


def _reopen(transaction: Transaction, origin: Origin, kept: ObjectAttributes) -> rows.Upload:
    """Return the upload of a record, opened again if need be; CorruptBlob if it is another's."""
    raw_id = raw_upload_id(origin.upload_id)
    row = get_upload(transaction.txn, transaction.tables, raw_id)
    if row is None:
        initiated_ms = keys.upload_begun_ms(raw_id)
        row = rows.Upload(origin.bucket_id, origin.key, initiated_ms, kept)
        open_upload(transaction, raw_id, row)
    elif (row.bucket_id, row.key) != (origin.bucket_id, origin.key):
        raise CorruptBlob("an upload has records of two keys")
    return row


def _keep(transaction: Transaction, found: Find, kept: ObjectAttributes) -> Fate:
    """Write a part (or the completion in a part's place) unless there is a newer one."""
    origin = found.origin
    raw_id = raw_upload_id(origin.upload_id)
    value = transaction.get(transaction.tables.parts, keys.part(raw_id, origin.part_number))
    if value is not None:
        old = rows.decode_part(value)
        if _age(transaction, old.modified_ms, old.payload) >= found.age:
            return Fate.OLDER
    part = rows.Part(
        transaction.next_sequence(),
        found.place.size,
        kept.etag,
        found.created_ms,
        kept.checksums,
        blobs.add_staged(transaction, found.staged()),
    )
    target = ObjectRef(origin.bucket_id, origin.key)
    keep_part(transaction, target, raw_id, origin.part_number, part)
    return Fate.NEW if value is None else Fate.NEWER


# --- parts whose bytes were there already -------------------------------------------------------


@dataclass(slots=True)
class AdoptTwins(Operation["list[tuple[int, bytes]]"]):
    """Finds parts that no record names among those of the same upload with the same bytes."""

    raw_id: bytes

    def mutate(self, transaction: Transaction) -> list[tuple[int, bytes]]:
        """Write those there are; return (number, SHA-256) of those that are still missing."""
        cited = _read_citation(transaction, self.raw_id)
        if cited is None:
            return []
        parts = _read_parts(transaction, self.raw_id)
        twins = {part.payload: part for part in parts.values()}
        found, missing = [], []
        for part_number, _, sha256 in cited.cited():
            if sha256 is None or _is_of(parts.get(part_number), sha256):
                continue
            if sha256 in twins:  # counted before any part is replaced: it may be the last of these
                blobs.add_user(transaction, sha256)
                found.append((part_number, twins[sha256]))
            else:
                missing.append((part_number, sha256))
        for part_number, twin in found:
            _put_shared(transaction, self.raw_id, part_number, twin)
        return missing


@dataclass(slots=True)
class AdoptShared(Operation[None]):
    """Makes a part of bytes that were stored for something else first."""

    raw_id: bytes
    part_number: int
    found: Find

    def mutate(self, transaction: Transaction) -> None:
        """Write the part; of its digests only those are known that the bytes tell."""
        found, kept, staged = self.found, self.found.origin.attributes, self.found.staged()
        payload = blobs.add_staged(transaction, staged)
        if staged.is_used:  # it may have been taken for a part or an object, and given up again
            extent = keys.extent(found.place.volume_id, found.place.offset)
            transaction.delete(transaction.tables.dead, extent)
        part = rows.Part(0, found.place.size, kept.etag, found.created_ms, {}, payload)
        _put_shared(transaction, self.raw_id, self.part_number, part)


def _put_shared(transaction: Transaction, raw_id: bytes, part_number: int, like: rows.Part) -> None:
    """Write a part that is like another, and whose payload is counted already."""
    upload = get_upload(transaction.txn, transaction.tables, raw_id)
    assert upload is not None
    part = replace(like, sequence=transaction.next_sequence())
    keep_part(transaction, ObjectRef(upload.bucket_id, upload.key), raw_id, part_number, part)


def _read_citation(transaction: Transaction, raw_id: bytes) -> rows.Citation | None:
    """Return what an upload was completed with, if that was met."""
    value = transaction.get(transaction.tables.manifests, keys.upload(raw_id))
    return None if value is None else rows.decode_citation(value)


def _read_parts(transaction: Transaction, raw_id: bytes) -> dict[int, rows.Part]:
    found, table = {}, transaction.tables.parts
    for key in transaction.keys_from(table, raw_id):
        value = transaction.get(table, key)
        assert value is not None
        found[keys.part_number(key)] = rows.decode_part(value)
    return found


def _is_of(part: rows.Part | None, sha256: bytes) -> bool:
    return part is not None and part.payload == sha256


# --- completed uploads --------------------------------------------------------------------------


@dataclass(slots=True)
class AssembleUpload(Operation["tuple[Fate, ObjectRef]"]):
    """Makes an object of an upload that was completed, if every part of it is there."""

    raw_id: bytes

    def mutate(self, transaction: Transaction) -> tuple[Fate, ObjectRef]:
        """Write manifest and entry, or let the parts go when the key's object is newer."""
        upload = get_upload(transaction.txn, transaction.tables, self.raw_id)
        assert upload is not None
        target = ObjectRef(upload.bucket_id, upload.key)
        parts = _read_parts(transaction, self.raw_id)
        completed, cited = parts.get(COMPLETION), _read_citation(transaction, self.raw_id)
        if completed is None or cited is None:
            return Fate.OPEN, target
        if not _is_whole(cited, parts):
            self._forget_completion(transaction, target, upload, completed)
            return Fate.OPEN, target
        history = History(transaction, target)
        size = cited.part_ends()[-1]
        entry = rows.Entry(
            size, completed.modified_ms, self.raw_id, len(cited.part_ends()), upload.attributes
        ).locked(upload.lock)
        fate = _fate(transaction, history, entry, (completed.modified_ms, 0, 0))
        self._close(transaction, target, parts)
        if fate is Fate.OLDER:
            transaction.delete(transaction.tables.manifests, keys.upload(self.raw_id))
            blobs.drop_parts(transaction, self.raw_id)
            return fate, target
        self._release_uncited(transaction, cited, parts)
        self._put_empty(transaction, cited, parts)
        manifest = rows.Manifest(1, cited.numbers, cited.ends)
        key = keys.upload(self.raw_id)
        transaction.put(transaction.tables.manifests, key, rows.encode(manifest))
        _put(history, entry, fate)
        return fate, target

    def _forget_completion(
        self,
        transaction: Transaction,
        target: ObjectRef,
        upload: rows.Upload,
        completed: rows.Part,
    ) -> None:
        """Let the upload be one that was never completed."""
        tables, key = transaction.tables, keys.upload(self.raw_id)
        attributes = upload.attributes.with_digests("", {})
        kept = replace(upload, attributes=attributes, lock=NO_LOCK)
        transaction.put(tables.uploads, key, rows.encode(kept))
        transaction.delete(tables.manifests, key)
        transaction.delete(tables.parts, keys.part(self.raw_id, COMPLETION))
        blobs.drop_payload(transaction, completed.payload)
        _uncount(transaction, target, completed)

    def _close(
        self, transaction: Transaction, target: ObjectRef, parts: dict[int, rows.Part]
    ) -> None:
        for part in parts.values():
            _uncount(transaction, target, part)
        forget_open(transaction, target, self.raw_id)
        transaction.delete(transaction.tables.uploads, keys.upload(self.raw_id))

    def _release_uncited(
        self, transaction: Transaction, manifest: rows.Manifest, parts: dict[int, rows.Part]
    ) -> None:
        for uncited in parts.keys() - {COMPLETION, *manifest.part_numbers()}:
            transaction.delete(transaction.tables.parts, keys.part(self.raw_id, uncited))
            blobs.drop_payload(transaction, parts[uncited].payload)

    def _put_empty(
        self, transaction: Transaction, manifest: rows.Manifest, parts: dict[int, rows.Part]
    ) -> None:
        """Write the parts without bytes, of which there are no records."""
        for empty in set(manifest.part_numbers()) - parts.keys():
            now_ms = parts[COMPLETION].modified_ms
            part = rows.Part(transaction.next_sequence(), 0, EMPTY_ETAG, now_ms, {}, None)
            key = keys.part(self.raw_id, empty)
            transaction.put(transaction.tables.parts, key, rows.encode(part))


def _uncount(transaction: Transaction, target: ObjectRef, part: rows.Part) -> None:
    """Take a part out of those of open uploads."""
    totals = transaction.namespace(target.bucket_id)
    totals.upload_bytes -= part.size
    totals.parts -= 1


def _is_whole(cited: rows.Citation, parts: dict[int, rows.Part]) -> bool:
    """Tell whether every part that was cited is there, as long as it was and with its bytes."""
    for part_number, size, sha256 in cited.cited():
        part = parts.get(part_number)
        if (0 if part is None else part.size) != size:
            return False
        if sha256 is not None and not _is_of(part, sha256):
            return False
    return True


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
