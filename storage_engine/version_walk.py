"""The versions behind a current one, in either direction, as they lie in the index."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from storage_engine import keys, rows
from storage_engine.limits import RUN_ITEMS_MIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables


def versions_behind(
    txn: lmdb.Transaction[bytes], tables: Tables, current: rows.Entry, before: int | None = None
) -> Iterator[rows.Entry]:
    """Walk the versions behind a current one, newest first; only those older than `before`."""
    if not current.object_id:
        return
    owner = keys.sequence(current.object_id)
    # Older versions sort directly after that of `before`, be it there or not.
    start = owner if before is None else keys.version(current.object_id, before) + b"\x00"
    with txn.cursor(tables.versions) as cursor:
        is_found = cursor.set_range(start)
        while is_found and cursor.key().startswith(owner):
            yield rows.decode_entry(cursor.value())
            is_found = cursor.next()


def versions_from_oldest(
    txn: lmdb.Transaction[bytes], tables: Tables, current: rows.Entry, after: int | None = None
) -> Iterator[rows.Entry]:
    """Walk the versions behind a current one, oldest first; only those newer than `after`."""
    if not current.object_id:
        return
    owner = keys.sequence(current.object_id)
    beyond = keys.sequence(current.object_id + 1)
    if after is not None:
        beyond = keys.version(current.object_id, after)
    with txn.cursor(tables.versions) as cursor:
        is_found = cursor.prev() if cursor.set_range(beyond) else cursor.last()
        while is_found and cursor.key().startswith(owner):
            yield rows.decode_entry(cursor.value())
            is_found = cursor.prev()


def values_behind(
    cursor: lmdb.Cursor[bytes], object_id: int, limit: int, before: int | None = None
) -> list[bytes]:
    """Read the rows of up to `limit` versions that `versions_behind` would walk.

    In runs, as listings do: `cursor` is one of the table, for all the keys of a page.
    """
    owner = keys.sequence(object_id)
    start = owner if before is None else keys.version(object_id, before) + b"\x00"
    values: list[bytes] = []
    if not cursor.set_range(start):
        return values
    ahead = cursor.iternext()
    while len(values) < limit:
        wanted = min(max(RUN_ITEMS_MIN, len(values)), limit - len(values))
        run = [value for key, value in islice(ahead, wanted) if key.startswith(owner)]
        values += run
        if len(run) < wanted:
            break
    return values
