"""Moving blobs: records copied into a volume of the mover's own, then named there instead.

A copy is verified on the way and synced before the commit that names it. The commit looks at each
blob again and leaves alone what was deleted, healed or moved meanwhile: that copy's room is given
back, as if it had never been. Whoever reads the old record while this goes on finds the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import msgspec

from storage_engine import blobs, rows
from storage_engine.limits import HASTEN_BYTES
from storage_engine.operation import Operation
from storage_engine.quarantine import is_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine.commit import Committer
    from storage_engine.health import Health
    from storage_engine.stored import StoredRecord
    from storage_engine.transaction import Transaction
    from storage_engine.volume import Appender, Region


@dataclass(slots=True)
class Move:
    """One blob on its way from a record to a copy of it."""

    sha256: bytes
    source: rows.Blob
    target: rows.Blob
    region: Region
    is_done: bool = False  # whether the index named the source until now, and names the copy


@dataclass(slots=True)
class MoveBlobs(Operation[int]):
    """Names copies in place of the records they were made of; returns how many it did."""

    needs_room: ClassVar[bool] = False
    moves: list[Move]

    def mutate(self, transaction: Transaction) -> int:
        """Compare and swap each of them."""
        for move in self.moves:
            move.is_done = _is_to_move(transaction, move)
            if move.is_done:
                blobs.move(transaction, move.sha256, move.source, move.target)
        return sum(move.is_done for move in self.moves)

    def settle(self, *, is_committed: bool) -> None:
        """Keep the room of the copies that are named now; nobody can have seen the others."""
        for move in self.moves:
            if is_committed and move.is_done:
                move.region.keep()
            else:
                move.region.give_back()


def _is_to_move(transaction: Transaction, move: Move) -> bool:
    """Tell whether a blob is where it was copied from; its references are those of this moment."""
    txn, tables = transaction.txn, transaction.tables
    value = txn.get(move.sha256, db=tables.blobs)
    if value is None or not is_at(value, move.source):
        return False
    if txn.get(move.sha256, db=tables.quarantine) is not None:
        return False  # somebody read it wrong: which of us was right is for the scrub to say
    move.source = rows.decode_blob(value)
    return True


class Mover:
    """Copies records into the volumes of an appender; `pause` is told of each piece copied."""

    def __init__(self, committer: Committer, appender: Appender, health: Health) -> None:
        self._committer = committer
        self._appender = appender
        self._health = health

    def copy(self, record: StoredRecord, pause: Callable[[int], None]) -> Move:
        """Write a copy, not yet synced; CorruptBlob when the record is, DiskFull, StorageError."""
        region = self._appender.reserve(record.blob.length)
        try:
            self._write(record, region, pause)
        except BaseException:
            region.give_back()
            raise
        target = msgspec.structs.replace(
            record.blob, volume_id=region.volume.id, offset=region.offset
        )
        return Move(record.sha256, record.blob, target, region)

    def commit(self, moves: list[Move]) -> None:
        """Sync the copies and name them; `is_done` tells of each what became of it."""
        try:
            for region in {id(move.region.volume): move.region for move in moves}.values():
                self._appender.sync(region)
        except BaseException:
            self.forget(moves)
            raise
        self._committer.submit(MoveBlobs(moves)).result()

    def forget(self, moves: list[Move]) -> None:
        """Give the room of copies back that are not to be named."""
        for move in moves:
            move.region.give_back()

    def _write(self, record: StoredRecord, region: Region, pause: Callable[[int], None]) -> None:
        """Write payload, checksums, and the header with its new place."""
        at = hastened = record.blob.header_bytes
        header = replace(record.header, volume_id=region.volume.id, offset=region.offset)
        packed = header.pack(self._appender.seed)
        for piece in record.pieces():
            if len(piece) == record.blob.size:  # the whole payload: all in one call
                self._put(region, [packed, piece, record.checks], 0)
                pause(region.length)
                return
            self._put(region, [piece], at)
            at += len(piece)
            if at - hastened >= HASTEN_BYTES:
                region.hasten(hastened, at - hastened)
                hastened = at
            pause(len(piece))
        self._put(region, [record.checks], at)
        self._put(region, [packed], 0)

    def _put(self, region: Region, buffers: list[bytes], at: int) -> None:
        try:
            region.write(buffers, at)
        except OSError as error:
            raise self._health.explain("a volume could not be written", error) from error
