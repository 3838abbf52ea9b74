"""Healing damaged blobs from whole copies of their records, where there are any.

An older record of the same content, which nothing names any more, or a newer one that an older
index does not know of, serves as well as what was lost. It is taken only where nobody can be
about to give its room up: in a volume we own for the moment, with its bytes locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import msgspec

from storage_engine import blobs, keys, rows
from storage_engine.disk import try_own, try_seize_range
from storage_engine.errors import CorruptBlob
from storage_engine.limits import BLOCK_CHECKS_IN_INDEX_MAX
from storage_engine.operation import Operation
from storage_engine.record import block_count
from storage_engine.stored import StoredRecord
from storage_engine.volume import volume_path

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine.commit import Committer
    from storage_engine.disk import Disk
    from storage_engine.transaction import Transaction
    from storage_engine.walk import FoundRecord


@dataclass(slots=True)
class HealBlob(Operation[bool]):
    """Names a whole record in place of a damaged one; tells whether it did."""

    needs_room: ClassVar[bool] = False
    sha256: bytes
    place: rows.Blob

    def mutate(self, transaction: Transaction) -> bool:
        """Change the row, if the blob is in quarantine still."""
        txn, tables = transaction.txn, transaction.tables
        value = txn.get(self.sha256, db=tables.blobs)
        if value is None or txn.get(self.sha256, db=tables.quarantine) is None:
            return False
        blobs.move(transaction, self.sha256, rows.decode_blob(value), self.place)
        transaction.delete(tables.quarantine, self.sha256)
        place = keys.extent(self.place.volume_id, self.place.offset)
        transaction.delete(tables.dead, place)
        return True


class Healer:
    """Heals blobs of one store."""

    def __init__(self, committer: Committer, disk: Disk, volumes: Path, seed: int) -> None:
        self._committer = committer
        self._disk = disk
        self._volumes = volumes
        self._seed = seed
        self._unsure: set[int] = set()  # volumes that could not be synced

    def heal(self, found: FoundRecord) -> bool:
        """Use a record for the damaged blob of its content, if it is whole and safe to use."""
        volume_id = found.header.volume_id
        if volume_id in self._unsure:
            return False  # the system tells of lost bytes only once
        try:
            path = volume_path(self._volumes, volume_id)
            descriptor = self._disk.open(path, is_writable=True)
        except FileNotFoundError:
            return False
        try:
            # Who drops a volume or punches small records owns it; who punches a large record has
            # locked its bytes; who appends may still give its region back.
            if not try_own(descriptor) or self._disk.is_unlinked(descriptor):
                return False  # it may have been dropped since we opened it
            if not try_seize_range(descriptor, found.offset, found.length):
                return False
            # Whoever wrote the record may have been killed before he synced it.
            self._disk.sync(descriptor)
            place = self._verified(descriptor, found)
            if place is None:
                return False
            return self._committer.submit(HealBlob(found.header.sha256, place)).result()
        except OSError:
            self._unsure.add(volume_id)
            return False
        finally:
            self._disk.close(descriptor)

    def _verified(self, descriptor: int, found: FoundRecord) -> rows.Blob | None:
        """Return the row that the record would have; None unless all of it is right."""
        header = found.header
        place = rows.Blob(
            volume_id=header.volume_id,
            offset=found.offset,
            header_bytes=header.header_bytes,
            size=header.payload_bytes,
            length=found.length,
            references=0,
            checks_crc=header.checks_crc,
            checks=b"",
        )
        try:
            read = partial(self._disk.read, descriptor)
            record = StoredRecord(read, header.sha256, place, self._seed)
            record.check(is_hashed=True)
        except (CorruptBlob, OSError):
            return None
        if block_count(place.size) > BLOCK_CHECKS_IN_INDEX_MAX:
            return place
        return msgspec.structs.replace(place, checks=record.checks)
