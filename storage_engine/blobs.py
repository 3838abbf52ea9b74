"""References to payloads, counted in the same transaction as the objects that hold them.

A payload is a blob in a volume (shared, by SHA-256), a row of its own in the index (small ones),
nothing (empty ones), or the parts of a completed upload (shared by copies). Whoever stores a
payload's name in a row adds a reference; whoever removes the row drops it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import msgspec
from awscrt.checksums import crc32c

from storage_engine import keys, rows
from storage_engine.errors import CorruptBlob
from storage_engine.limits import PUNCH_BYTES_MIN
from storage_engine.operation import Restage

if TYPE_CHECKING:
    import lmdb

    from storage_engine.index import Tables
    from storage_engine.staging import StagedBlob
    from storage_engine.transaction import Transaction

_CRC: Final = struct.Struct(">I")


# --- adding and dropping references -------------------------------------------------------------


def check_staged(transaction: Transaction, staged: StagedBlob) -> None:
    """Raise Restage when a payload counted on a blob that has vanished or gone bad since."""
    if staged.place is not None or staged.is_inline:
        return
    if find_sound(transaction.txn, transaction.tables, staged.sha256) is None:
        raise Restage


def add_staged(transaction: Transaction, staged: StagedBlob) -> rows.Payload:
    """Add the first reference of a staged payload; return what to store in the row."""
    if not staged.size:
        return None
    if staged.is_inline:
        assert staged.data is not None
        return _add_inline(transaction, bytes(staged.data))
    sound = find_sound(transaction.txn, transaction.tables, staged.sha256)
    staged.is_used = sound is None
    if sound is not None:
        _count(transaction, staged.sha256, sound, 1)
    else:
        assert staged.place is not None
        _place(transaction, staged.sha256, staged.place)
    return staged.sha256


def add_user(transaction: Transaction, sha256: bytes) -> None:
    """Add a reference to a blob that has some."""
    _count(transaction, sha256, get_blob(transaction.txn, transaction.tables, sha256), 1)


def add_shared(transaction: Transaction, entry: rows.Entry) -> rows.Payload:
    """Add a reference to what another object holds; inline payloads are copied."""
    txn, tables = transaction.txn, transaction.tables
    if entry.payload is None:
        return None
    if isinstance(entry.payload, int):
        return _add_inline(transaction, read_inline(txn, tables, entry.payload))
    if not entry.part_count:
        add_user(transaction, entry.payload)
        return entry.payload
    manifest = get_manifest(txn, tables, entry.payload)
    manifest.references += 1
    transaction.put(tables.manifests, entry.payload, rows.encode(manifest))
    return entry.payload


def drop_entry(transaction: Transaction, entry: rows.Entry) -> None:
    """Drop what an object held."""
    if not entry.part_count:
        drop_payload(transaction, entry.payload)
        return
    assert isinstance(entry.payload, bytes)
    txn, tables = transaction.txn, transaction.tables
    value = txn.get(entry.payload, db=tables.manifests)
    if value is None:
        return  # as in drop_payload
    manifest = rows.decode_manifest(value)
    manifest.references -= 1
    if manifest.references:
        transaction.put(tables.manifests, entry.payload, rows.encode(manifest))
    else:
        transaction.delete(tables.manifests, entry.payload)
        drop_parts(transaction, entry.payload)


def drop_payload(transaction: Transaction, payload: rows.Payload) -> None:
    """Drop what an object in one piece, or a part, held."""
    txn, tables = transaction.txn, transaction.tables
    if isinstance(payload, int):
        transaction.delete(tables.inline, keys.sequence(payload))
    elif payload is not None and (value := txn.get(payload, db=tables.blobs)) is not None:
        # A row that damage took away must not keep its object from being deleted.
        _count(transaction, payload, rows.decode_blob(value), -1)


def drop_parts(transaction: Transaction, upload_id: bytes) -> list[int]:
    """Remove every part of an upload with what it holds; return how many bytes each was."""
    dropped, parts = [], transaction.tables.parts
    for key in transaction.keys_from(parts, upload_id):
        value = transaction.pop(parts, key)
        assert value is not None
        part = rows.decode_part(value)
        dropped.append(part.size)
        drop_payload(transaction, part.payload)
    return dropped


def move(
    transaction: Transaction, sha256: bytes, blob: rows.Blob, place: rows.Blob, added: int = 0
) -> None:
    """Let a blob, with `added` users more, lie at another place; readers may be at the old one."""
    moved = msgspec.structs.replace(place, references=blob.references + added)
    transaction.put(transaction.tables.blobs, sha256, rows.encode(moved))
    transaction.add_live(moved.volume_id, moved.length)
    _leave(transaction, blob, freed_ms=0)


def _place(transaction: Transaction, sha256: bytes, place: rows.Blob) -> None:
    """Add a blob with its first user, or put a fresh record in the place of a damaged one."""
    tables = transaction.tables
    value = transaction.txn.get(sha256, db=tables.blobs)
    if value is None:
        transaction.add_live(place.volume_id, place.length)
        transaction.put(tables.blobs, sha256, rows.encode(place))
    else:
        move(transaction, sha256, rows.decode_blob(value), place, added=1)
        transaction.add_shared(1)
        transaction.delete(tables.quarantine, sha256)


def _add_inline(transaction: Transaction, data: bytes) -> int:
    sequence = transaction.next_sequence()
    value = _CRC.pack(crc32c(data)) + data
    # Sequences only grow, so this appends: pages are filled, never split.
    transaction.put(transaction.tables.inline, keys.sequence(sequence), value, append=True)
    return sequence


def _count(transaction: Transaction, sha256: bytes, blob: rows.Blob, delta: int) -> None:
    """Change a blob's references; without any it leaves the index and its room is dead."""
    tables = transaction.tables
    blob.references += delta
    if blob.references:
        transaction.put(tables.blobs, sha256, rows.encode(blob))
        transaction.add_shared(delta)
        return
    transaction.delete(tables.blobs, sha256)
    transaction.delete(tables.quarantine, sha256)
    _leave(transaction, blob, freed_ms=transaction.now_ms)


def _leave(transaction: Transaction, blob: rows.Blob, *, freed_ms: int) -> None:
    """Count a record as dead; the room of a large one is named until it is given back."""
    transaction.add_live(blob.volume_id, -blob.length)
    if blob.length >= PUNCH_BYTES_MIN:
        key = keys.extent(blob.volume_id, blob.offset)
        dead = rows.DeadExtent(blob.length, freed_ms)
        transaction.put(transaction.tables.dead, key, rows.encode(dead))


# --- looking up ---------------------------------------------------------------------------------


def find_sound(txn: lmdb.Transaction[bytes], tables: Tables, sha256: bytes) -> rows.Blob | None:
    """Return the row of a blob whose bytes may be shared: it is there, and not in quarantine."""
    value = txn.get(sha256, db=tables.blobs)
    if value is None or txn.get(sha256, db=tables.quarantine) is not None:
        return None
    return rows.decode_blob(value)


def get_blob(txn: lmdb.Transaction[bytes], tables: Tables, sha256: bytes) -> rows.Blob:
    """Return the row of a blob that something refers to."""
    value = txn.get(sha256, db=tables.blobs)
    if value is None:
        raise CorruptBlob(f"the index has lost blob {sha256.hex()}")
    return rows.decode_blob(value)


def get_manifest(txn: lmdb.Transaction[bytes], tables: Tables, upload_id: bytes) -> rows.Manifest:
    """Return the manifest that an object refers to."""
    value = txn.get(upload_id, db=tables.manifests)
    if value is None:
        raise CorruptBlob(f"the index has lost manifest {upload_id.hex()}")
    return rows.decode_manifest(value)


def read_inline(txn: lmdb.Transaction[bytes], tables: Tables, sequence: int) -> bytes:
    """Return an inline payload, verified."""
    value = txn.get(keys.sequence(sequence), db=tables.inline)
    if value is None:
        raise CorruptBlob(f"the index has lost inline payload {sequence}")
    data = value[_CRC.size :]
    if _CRC.unpack_from(value)[0] != crc32c(data):
        raise CorruptBlob(f"inline payload {sequence} fails its checksum")
    return data


def get_part(
    txn: lmdb.Transaction[bytes], tables: Tables, upload_id: bytes, part_number: int
) -> rows.Part:
    """Return the row of a part that a manifest refers to."""
    value = txn.get(keys.part(upload_id, part_number), db=tables.parts)
    if value is None:
        raise CorruptBlob(f"the index has lost part {part_number} of {upload_id.hex()}")
    return rows.decode_part(value)
