"""The tree of a bucket's keys: entries[(bucket, directory, name)].

A name that ends in `/` leads to a child directory, so that a prefix can be moved by one entry,
and no key outgrows LMDB's bound. A directory exists exactly while something is in it. Values
belong to the caller and are never looked into; directory entries are told apart by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import keys
from storage_engine.limits import KEY_BYTES_MAX
from storage_engine.listing import Page, Query, read_page

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb


class Namespace:
    """Keys and their opaque values, in an `entries` table, inside the caller's transactions.

    `allocate_directory_id(txn)` returns an id (1 .. 2**64-1) that no committed transaction has
    ever been given, and keeps its counter in that same transaction.
    """

    def __init__(
        self,
        entries: lmdb._Database,
        allocate_directory_id: Callable[[lmdb.Transaction[bytes]], int],
    ) -> None:
        self._entries = entries
        self._allocate_directory_id = allocate_directory_id

    def get(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        trail = self._trail(txn, bucket_id, key)
        return None if trail is None else txn.get(trail[-1], db=self._entries)

    def put(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes, value: bytes) -> None:
        """Set the value of a key (1 .. 1024 bytes); creates the directories on the way."""
        assert 0 < len(key) <= KEY_BYTES_MAX
        bucket = keys.sequence(bucket_id)
        child = keys.sequence(keys.ROOT_DIRECTORY)
        *directories, object_name = keys.path_names(key)
        for name in directories:
            link = bucket + child + name
            known = txn.get(link, db=self._entries)
            if known is None:
                known = keys.sequence(self._allocate_directory_id(txn))
                txn.put(link, known, db=self._entries)
            child = known
        txn.put(bucket + child + object_name, value, db=self._entries)

    def delete(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes) -> bytes | None:
        """Remove a key and the directories this empties; return its value, or None."""
        trail = self._trail(txn, bucket_id, key)
        value = None if trail is None else txn.pop(trail[-1], db=self._entries)
        if trail is None or value is None:
            return None
        while len(trail) > 1 and self._is_vacant(txn, trail.pop()[: keys.DIRECTORY_BYTES]):
            txn.delete(trail[-1], db=self._entries)
        return value

    def is_empty(self, txn: lmdb.Transaction[bytes], bucket_id: int) -> bool:
        """Tell whether a bucket holds no key at all."""
        return self._is_vacant(txn, keys.directory(bucket_id, keys.ROOT_DIRECTORY))

    def scan(
        self,
        txn: lmdb.Transaction[bytes],
        bucket_id: int,
        *,
        prefix: bytes = b"",
        delimiter: bytes = b"",
        after: bytes = b"",
        limit: int = 1000,
    ) -> Page:
        """Return a page of the keys that start with `prefix` and are greater than `after`.

        Keys that hold `delimiter` (any bytes) behind the prefix roll up to one common prefix.
        When `after` is itself such a common prefix, all below it is skipped.
        """
        query = Query(prefix, delimiter, after, limit)
        return read_page(txn, self._entries, bucket_id, query)

    def _trail(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes
    ) -> list[bytes] | None:
        """Return the entries on the way to a key and its own; None if a directory is missing."""
        bucket = keys.sequence(bucket_id)
        child: bytes | None = keys.sequence(keys.ROOT_DIRECTORY)
        trail = []
        for name in keys.path_names(key):
            if child is None:
                return None
            trail.append(bucket + child + name)
            child = txn.get(trail[-1], db=self._entries) if keys.leads_on(name) else None
        return trail

    def _is_vacant(self, txn: lmdb.Transaction[bytes], directory: bytes) -> bool:
        """Tell whether nothing is in a directory, given what its entries' keys begin with."""
        with txn.cursor(self._entries) as cursor:
            return not (cursor.set_range(directory) and cursor.key().startswith(directory))
