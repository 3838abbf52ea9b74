"""Blobs in use whose bytes were found wrong: remembered, not shared, healed by a fresh put.

A blob is put here by whoever meets it (a read, verify, scrub, compaction) and leaves when its
bytes verify after all, when the same content is put again (blobs.py), or when nothing uses it.
Reads do not ask: they verify what they serve, here or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from storage_engine import rows
from storage_engine.limits import QUARANTINE_REASON_CHARACTERS_MAX
from storage_engine.operation import Operation
from storage_engine.values import QuarantinedBlob

if TYPE_CHECKING:
    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.index import Index
    from storage_engine.transaction import Transaction


def is_at(value: bytes | None, place: rows.Blob) -> bool:
    """Tell whether a row of the table of blobs names that very record."""
    if value is None:
        return False
    found = rows.decode_blob(value)
    return (found.volume_id, found.offset) == (place.volume_id, place.offset)


@dataclass(slots=True)
class QuarantineBlob(Operation[bool]):
    """Notes that a blob's bytes are wrong; tells whether that is news."""

    needs_room: ClassVar[bool] = False
    sha256: bytes
    place: rows.Blob
    reason: str

    def mutate(self, transaction: Transaction) -> bool:
        """Add the row, unless there is one or the blob is elsewhere by now."""
        txn, tables = transaction.txn, transaction.tables
        if not is_at(txn.get(self.sha256, db=tables.blobs), self.place):
            return False
        if txn.get(self.sha256, db=tables.quarantine) is not None:
            return False
        row = rows.Quarantined(
            transaction.now_ms, self.place.volume_id, self.place.offset, self.reason
        )
        transaction.put(tables.quarantine, self.sha256, rows.encode(row))
        return True


@dataclass(slots=True)
class LiftQuarantine(Operation[bool]):
    """Notes that a blob's bytes were read and are right; tells whether that is news."""

    needs_room: ClassVar[bool] = False
    sha256: bytes
    place: rows.Blob

    def mutate(self, transaction: Transaction) -> bool:
        """Remove the row, unless the blob is elsewhere by now."""
        txn, tables = transaction.txn, transaction.tables
        if not is_at(txn.get(self.sha256, db=tables.blobs), self.place):
            return False
        return transaction.pop(tables.quarantine, self.sha256) is not None


class Quarantine:
    """The quarantine of one store."""

    def __init__(self, index: Index, committer: Committer) -> None:
        self._index = index
        self._committer = committer

    def report(self, sha256: bytes, place: rows.Blob, reason: str) -> None:
        """Put a blob into quarantine some time soon; whoever found it does not wait."""
        if not self.has(sha256):
            text = reason[:QUARANTINE_REASON_CHARACTERS_MAX]
            self._committer.submit(QuarantineBlob(sha256, place, text))

    def put(self, sha256: bytes, place: rows.Blob, reason: str) -> bool:
        """Put a blob into quarantine, now; False when it is in, or elsewhere by now."""
        text = reason[:QUARANTINE_REASON_CHARACTERS_MAX]
        return self._committer.submit(QuarantineBlob(sha256, place, text)).result()

    def lift(self, sha256: bytes, place: rows.Blob) -> bool:
        """Let a blob out, some time soon, whose bytes were verified; True when it was in."""
        if not self.has(sha256):
            return False
        self._committer.submit(LiftQuarantine(sha256, place))
        return True

    def is_at(self, sha256: bytes, place: rows.Blob) -> bool:
        """Tell whether the index still names a blob there."""
        table = self._index.tables.blobs
        return is_at(self._index.view(lambda txn: txn.get(sha256, db=table)), place)

    def place(self, sha256: bytes) -> tuple[int, int] | None:
        """Return where a blob lies that is in quarantine: volume id and offset."""
        table = self._index.tables.quarantine
        value = self._index.view(lambda txn: txn.get(sha256, db=table))
        if value is None:
            return None
        row = rows.decode_quarantined(value)
        return row.volume_id, row.offset

    def has(self, sha256: bytes) -> bool:
        """Tell whether a blob is in quarantine."""
        table = self._index.tables.quarantine
        return self._index.view(lambda txn: txn.get(sha256, db=table)) is not None

    def blobs(self) -> list[QuarantinedBlob]:
        """Return all that is in quarantine."""
        return self._index.view(self._read)

    def _read(self, txn: lmdb.Transaction[bytes]) -> list[QuarantinedBlob]:
        found = []
        with txn.cursor(self._index.tables.quarantine) as cursor:
            for sha256, value in cursor:
                row = rows.decode_quarantined(value)
                blob = rows.decode_blob(txn.get(sha256, db=self._index.tables.blobs) or b"")
                found.append(
                    QuarantinedBlob(
                        sha256,
                        blob.size,
                        blob.references,
                        row.found_ms,
                        row.volume_id,
                        row.offset,
                        row.reason,
                    )
                )
        return found
