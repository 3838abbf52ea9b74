"""The blobs in use in a volume: by walking its bytes, or, where that misses some, by a scan.

The index names blobs by content and has no table by place: a walk asks it about each record that
it meets, in order of place. Everything here is as of some moment that has passed.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from storage_engine import rows
from storage_engine.limits import HOUSEKEEPING_BATCH, SCAN_STEPS_MAX
from storage_engine.walk import FoundRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    import lmdb

    from storage_engine.index import Index
    from storage_engine.walk import Walk

Found = tuple[bytes, rows.Blob]
"""A blob's SHA-256 and its row."""


def walk_blobs(
    index: Index,
    walk: Walk,
    start: int,
    meet: Callable[[FoundRecord], None] | None = None,
) -> Iterator[list[Found]]:
    """Yield the blobs whose place is a record that the walk meets from `start` on, some at a time.

    Lists may be empty. `meet` is told of each record before, whether anything uses it or not.
    """
    records = (item for item in walk.items(start) if isinstance(item, FoundRecord))
    while some := list(islice(records, HOUSEKEEPING_BATCH)):
        if meet is not None:
            for record in some:
                meet(record)
        yield index.view(partial(_in_use, index, some))


def _in_use(index: Index, records: list[FoundRecord], txn: lmdb.Transaction[bytes]) -> list[Found]:
    found = []
    for record in records:
        sha256 = record.header.sha256
        value = txn.get(sha256, db=index.tables.blobs)
        if value is not None:
            blob = rows.decode_blob(value)
            if (blob.volume_id, blob.offset) == (record.header.volume_id, record.offset):
                found.append((sha256, blob))
    return found


def scan_blobs(index: Index, volumes: AbstractSet[int]) -> Iterator[Found]:
    """Yield every blob in these volumes, in no order; costs a look at all blobs of the store.

    In steps, each a short read transaction, so that no page of an old commit is kept for long.
    """
    after: bytes | None = b""
    while after is not None:
        found, after = index.view(partial(_scan, index, volumes, after))
        yield from found


def _scan(
    index: Index, volumes: AbstractSet[int], after: bytes, txn: lmdb.Transaction[bytes]
) -> tuple[list[Found], bytes | None]:
    """Look at some blobs from a key on; return those wanted, and where to go on."""
    found: list[Found] = []
    with txn.cursor(index.tables.blobs) as cursor:
        is_found = cursor.set_range(after)
        for _ in range(SCAN_STEPS_MAX):
            if not is_found:
                return found, None
            blob = rows.decode_blob(cursor.value())
            if blob.volume_id in volumes:
                found.append((cursor.key(), blob))
            is_found = cursor.next()
        return found, cursor.key() if is_found else None
