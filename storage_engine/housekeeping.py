"""What may be tidied while everybody works: forgotten uploads, dead room, volumes without life.

Every step looks first and writes only when there is something to do, in small commits. Nothing
is given up that a reader, here or in another process, could still be inside of.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

from storage_engine import keys, meta, receipts, rows
from storage_engine.disk import try_own, try_seize_range
from storage_engine.leases import Kept
from storage_engine.limits import HOUSEKEEPING_BATCH, PUNCH_GRACE_MS
from storage_engine.operation import Operation
from storage_engine.transaction import LAST_VOLUME, number
from storage_engine.volume import volume_ids, volume_path

if TYPE_CHECKING:
    from pathlib import Path

    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.disk import Disk
    from storage_engine.index import Index
    from storage_engine.leases import Leases
    from storage_engine.transaction import Transaction


class InUse(Exception):  # noqa: N818  # a reason to leave a volume alone, not an error
    """A volume got live bytes since we looked."""


@dataclass(slots=True)
class ExpireDue(Operation[int]):
    """Forgets completed uploads, and requests with a token, whose time is over."""

    needs_room: ClassVar[bool] = False
    now_ms: int

    def mutate(self, transaction: Transaction) -> int:
        """Remove the oldest of them; return how many."""
        tables = transaction.tables
        expired = 0
        for key in transaction.keys_from(tables.due, b"", HOUSEKEEPING_BATCH):
            due_ms, kind, subject = keys.due_parts(key)
            if due_ms > self.now_ms:
                break
            if kind == keys.Due.RECEIPT:
                receipts.forget(transaction, subject)
            else:
                assert kind == keys.Due.TOMBSTONE
                transaction.delete(tables.uploads, keys.upload(subject))
            transaction.delete(tables.due, key)
            expired += 1
        return expired


@dataclass(slots=True)
class ForgetDead(Operation[set[bytes]]):
    """Forgets dead records whose room is about to be given back; tells which still were dead."""

    needs_room: ClassVar[bool] = False
    places: list[bytes]

    def mutate(self, transaction: Transaction) -> set[bytes]:
        """Remove their rows: from here on no reader enters them.

        Others were healed since somebody looked, and are in use, or were given back.
        """
        dead = transaction.tables.dead
        return {place for place in self.places if transaction.pop(dead, place) is not None}


@dataclass(slots=True)
class DropVolume(Operation[None]):
    """Forgets a volume that nothing uses."""

    needs_room: ClassVar[bool] = False
    volume_id: int

    def check(self, transaction: Transaction) -> None:
        """Refuse a volume that is used, or held since a salvage."""
        txn, tables = transaction.txn, transaction.tables
        is_held = self.volume_id <= meta.read_held_volumes(txn, tables)
        if is_held or number(txn.get(keys.sequence(self.volume_id), db=tables.volumes)):
            raise InUse

    def mutate(self, transaction: Transaction) -> None:
        """Remove the volume. Dead records stay named: readers may still be on the way to them."""
        key = keys.sequence(self.volume_id)
        transaction.delete(transaction.tables.volumes, key)


class Housekeeping:
    """Tidies one store; several processes may do so at once."""

    def __init__(
        self, index: Index, committer: Committer, disk: Disk, volumes: Path, leases: Leases
    ) -> None:
        self._index = index
        self._committer = committer
        self._disk = disk
        self._volumes = volumes
        self._leases = leases

    def reclaim(self, now_ms: int) -> dict[str, int]:
        """Do all that is due; return counts of what was done."""
        return {
            "readers": self._index.reader_check(),
            "tombstones": self._expire(now_ms),
            "punched_bytes": self._punch(now_ms - PUNCH_GRACE_MS),
            "volumes": self.drop_lifeless(),
        }

    def drop_lifeless(self) -> int:
        """Unlink every volume that nothing uses and nobody appends to; return how many."""
        if self.is_copied():
            return 0
        return sum(self.drop_volume(volume_id) for volume_id in self._lifeless())

    def is_copied(self) -> bool:
        """Tell whether the store is being copied: what died since then must stay.

        To be asked of what is known to be dead already (see `leases`).
        """
        return self._leases.is_held(Kept.VOLUMES)

    def punch(self, places: list[tuple[int, int, int]]) -> int:
        """Give back the room of dead records (volume id, offset, length), now; return how much.

        Where a reader is inside, it is left to a later `reclaim`.
        """
        batch = [(keys.extent(volume_id, at), length) for volume_id, at, length in places]
        return self._punch_batch(batch)

    def _expire(self, now_ms: int) -> int:
        expired = 0
        while self._index.view(lambda txn: _is_due(txn, self._index.tables.due, now_ms)):
            expired += self._committer.submit(ExpireDue(now_ms)).result()
        return expired

    # --- holes ---------------------------------------------------------------------------------

    def _punch(self, before_ms: int) -> int:
        """Give back the room of large records, dead since then, that no reader is inside of."""
        punched = 0
        tables = self._index.tables
        held = self._index.view(lambda txn: meta.read_held_volumes(txn, tables))
        after = keys.extent(held + 1, 0)
        while batch := self._index.view(partial(self._dead, before_ms, after)):
            punched += self._punch_batch(batch)
            after = batch[-1][0] + b"\x00"
        return punched

    def _dead(
        self, before_ms: int, after: bytes, txn: lmdb.Transaction[bytes]
    ) -> list[tuple[bytes, int]]:
        """Return (place, length) of some of them, in order of place."""
        found: list[tuple[bytes, int]] = []
        with txn.cursor(self._index.tables.dead) as cursor:
            is_found = cursor.set_range(after)
            while is_found and len(found) < HOUSEKEEPING_BATCH:
                dead = rows.decode_dead(cursor.value())
                if dead.freed_ms <= before_ms:
                    found.append((cursor.key(), dead.length))
                is_found = cursor.next()
        return found

    def _punch_batch(self, batch: list[tuple[bytes, int]]) -> int:
        """Seize, forget, punch, let go: a reader holds its lock first, or finds the row gone.

        Who heals a blob holds its lock too, so that what was forgotten cannot come back to life.
        """
        if self.is_copied():
            return 0
        with _Descriptors(self._disk, self._volumes) as descriptors:
            seized, gone = [], []
            for place, length in batch:
                volume_id, offset = keys.extent_parts(place)
                descriptor = descriptors.get(volume_id)
                if descriptor is None:
                    gone.append(place)
                elif try_seize_range(descriptor, offset, length):
                    seized.append((place, descriptor, offset, length))
            forget = [place for place, *_ in seized] + gone
            if not forget:
                return 0
            forgotten = self._committer.submit(ForgetDead(forget)).result()
            seized = [record for record in seized if record[0] in forgotten]
            for _, descriptor, offset, length in seized:
                with suppress(OSError):
                    self._disk.punch(descriptor, offset, length)
        return sum(length for *_, length in seized)

    # --- whole volumes -------------------------------------------------------------------------

    def _lifeless(self) -> list[int]:
        """Return ids of volumes that no blob lies in, as of now."""
        ids = volume_ids(self._volumes)

        def look(txn: lmdb.Transaction[bytes]) -> list[int]:
            tables = self._index.tables
            # Ids from here on were never given out by this index: the files are not its to judge.
            end = number(txn.get(LAST_VOLUME, db=tables.meta))
            held = meta.read_held_volumes(txn, tables)
            return [
                volume_id
                for volume_id in ids
                if held < volume_id <= end
                and not number(txn.get(keys.sequence(volume_id), db=tables.volumes))
            ]

        return self._index.view(look)

    def drop_volume(self, volume_id: int) -> bool:
        """Unlink a volume whose owner is gone; readers that have it open keep it."""
        path = volume_path(self._volumes, volume_id)
        try:
            descriptor = self._disk.open(path, is_writable=True)
        except FileNotFoundError:
            return False
        try:
            if not try_own(descriptor):
                return False  # somebody appends to it
            return self.drop_owned(volume_id, descriptor)
        finally:
            self._disk.close(descriptor)

    def drop_owned(self, volume_id: int, descriptor: int) -> bool:
        """Unlink a volume that the caller owns by this descriptor, if nothing uses it."""
        if self._disk.is_unlinked(descriptor):
            return False  # somebody has dropped it since it was opened
        try:
            self._committer.submit(DropVolume(volume_id)).result()
        except InUse:
            return False
        if self.is_copied():  # from before: it is found lifeless again when that has ended
            return False
        self._disk.unlink(volume_path(self._volumes, volume_id))
        return True


class _Descriptors:
    """Volumes open for writing during one batch; closing them ends the locks on them."""

    def __init__(self, disk: Disk, volumes: Path) -> None:
        self._disk = disk
        self._volumes = volumes
        self._open: dict[int, int] = {}

    def get(self, volume_id: int) -> int | None:
        """Open a volume, or None when it is gone."""
        if volume_id not in self._open:
            try:
                path = volume_path(self._volumes, volume_id)
                self._open[volume_id] = self._disk.open(path, is_writable=True)
            except FileNotFoundError:
                return None
        return self._open[volume_id]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        for descriptor in self._open.values():
            self._disk.close(descriptor)


def _is_due(txn: lmdb.Transaction[bytes], due: lmdb._Database, now_ms: int) -> bool:
    with txn.cursor(due) as cursor:
        return cursor.first() and keys.due_parts(cursor.key())[0] <= now_ms
