"""Single values of the index: whose store it is, the last volume's id, the generations.

A generation counts changes of one topic outside the engine (users, buckets), so that every
process can tell with one cheap read whether its snapshot of them is still current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from storage_engine.operation import Operation
from storage_engine.transaction import (
    CONFIRMED,
    GENERATION,
    GENERATION_TOPICS,
    HELD_SINCE,
    HELD_VOLUMES,
    LAST_VOLUME,
    RETAINED_FROM,
    SALVAGING,
    SHARED,
    STORE_ID,
    number,
    topic_key,
)
from storage_engine.values import Hold, HoldCause

if TYPE_CHECKING:
    import lmdb

    from storage_engine.index import Tables
    from storage_engine.transaction import Transaction


@dataclass(slots=True)
class StampStore(Operation[None]):
    """Writes the store's id into a new index, and that a salvage has to fill it first."""

    store_id: bytes
    is_salvaging: bool

    def mutate(self, transaction: Transaction) -> None:
        """Write it."""
        transaction.put(transaction.tables.meta, STORE_ID, self.store_id)
        transaction.set_number(SHARED, 0)
        if self.is_salvaging:
            transaction.set_number(SALVAGING, 1)


@dataclass(slots=True)
class NextVolume(Operation[int]):
    """Gives out a volume id, never the same twice.

    Volumes up to `strangers` are not known to the index: their ids are passed over, and they are
    held, so that nobody takes them for volumes without life.
    """

    needs_room: ClassVar[bool] = False  # who wants a volume has asked for room already
    strangers: int = 0

    def mutate(self, transaction: Transaction) -> int:
        """Raise the counter."""
        if self.strangers:
            hold(transaction, self.strangers, HoldCause.UNKNOWN_VOLUMES)
        return transaction.count(LAST_VOLUME)


def hold(transaction: Transaction, last_volume: int, cause: HoldCause) -> None:
    """Have nothing in volumes up to this one given up, and their ids never given out again."""
    meta = transaction.tables.meta
    given = number(transaction.get(meta, LAST_VOLUME))
    transaction.set_number(LAST_VOLUME, max(given, last_volume))
    if last_volume > number(transaction.get(meta, HELD_VOLUMES)):
        transaction.set_number(HELD_VOLUMES, last_volume)
        transaction.put(meta, HELD_SINCE, msgspec.msgpack.encode((transaction.now_ms, cause)))


def release(transaction: Transaction) -> int:
    """Hold volumes no longer; return up to which id they were held."""
    meta = transaction.tables.meta
    held = number(transaction.get(meta, HELD_VOLUMES))
    for name in (HELD_VOLUMES, HELD_SINCE):
        transaction.delete(meta, name)
    return held


@dataclass(slots=True)
class TrustClock(Operation[None]):
    """Has default retentions count from now, after a clock that ran ahead was set right."""

    needs_room: ClassVar[bool] = False

    def mutate(self, transaction: Transaction) -> None:
        """Forget the time that they counted from."""
        transaction.retain_from_now()


@dataclass(slots=True)
class BumpGeneration(Operation[int]):
    """Tells every process that a topic has changed; returns the new total."""

    needs_room: ClassVar[bool] = False
    topic: str

    def mutate(self, transaction: Transaction) -> int:
        """Raise the topic's counter and the total."""
        transaction.count(topic_key(self.topic))
        return transaction.count(GENERATION)


@dataclass(slots=True)
class ConfirmGeneration(Operation[None]):
    """Notes that a change was made for good which a generation announced."""

    needs_room: ClassVar[bool] = False
    generation: int

    def mutate(self, transaction: Transaction) -> None:
        """Raise the mark to that generation; a later one may have been confirmed before it."""
        tables = transaction.tables
        if self.generation > number(transaction.txn.get(CONFIRMED, db=tables.meta)):
            transaction.set_number(CONFIRMED, self.generation)


def read_store_id(txn: lmdb.Transaction[bytes], tables: Tables) -> bytes | None:
    """Return whose index it is."""
    return txn.get(STORE_ID, db=tables.meta)


def is_salvaging(txn: lmdb.Transaction[bytes], tables: Tables) -> bool:
    """Tell whether a salvage has begun and not ended."""
    return txn.get(SALVAGING, db=tables.meta) is not None


def read_shared(txn: lmdb.Transaction[bytes], tables: Tables) -> int | None:
    """Return how many users blobs have beyond the first of each; None: it was never counted."""
    value = txn.get(SHARED, db=tables.meta)
    return None if value is None else number(value)


def read_retained_from(txn: lmdb.Transaction[bytes], tables: Tables) -> int:
    """Return the latest time that a default retention counted from, or 0."""
    return number(txn.get(RETAINED_FROM, db=tables.meta))


def read_held_volumes(txn: lmdb.Transaction[bytes], tables: Tables) -> int:
    """Return the last volume that is held since a salvage, or 0."""
    return number(txn.get(HELD_VOLUMES, db=tables.meta))


def read_hold(txn: lmdb.Transaction[bytes], tables: Tables) -> Hold | None:
    """Return which volumes are held, since when and why."""
    last_volume = read_held_volumes(txn, tables)
    since = txn.get(HELD_SINCE, db=tables.meta)
    if not last_volume or since is None:
        return None
    return Hold(last_volume, *msgspec.msgpack.decode(since, type=tuple[int, HoldCause]))


def read_generation(txn: lmdb.Transaction[bytes], tables: Tables) -> int:
    """Return the total of all topics."""
    return number(txn.get(GENERATION, db=tables.meta))


def read_confirmed(txn: lmdb.Transaction[bytes], tables: Tables) -> int:
    """Return the newest generation whose change was made for good."""
    return number(txn.get(CONFIRMED, db=tables.meta))


def read_generations(txn: lmdb.Transaction[bytes], tables: Tables) -> dict[str, int]:
    """Return the generation of each topic that ever changed."""
    found = {}
    with txn.cursor(tables.meta) as cursor:
        is_found = cursor.set_range(GENERATION_TOPICS)
        while is_found and cursor.key().startswith(GENERATION_TOPICS):
            found[cursor.key()[len(GENERATION_TOPICS) :].decode()] = number(cursor.value())
            is_found = cursor.next()
    return found
