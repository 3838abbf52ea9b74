"""The versions behind a current one, in either direction, as they lie in the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import keys, rows

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
