"""The tree of a bucket's keys: entries[(bucket, directory, name)].

A name that ends in `/` leads to a child directory, so that a prefix can be moved by one entry,
and no key outgrows LMDB's bound. A directory exists exactly while something is in it. Values
belong to the caller and are never looked into; directory entries are told apart by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from storage_engine import keys
from storage_engine.limits import KEY_BYTES_MAX
from storage_engine.listing import Page, Query, read_page

if TYPE_CHECKING:
    import lmdb


class Writer(Protocol):
    """What a tree needs of the transaction that changes it."""

    txn: lmdb.Transaction[bytes]

    def get(self, table: lmdb._Database, key: bytes) -> bytes | None:
        """Return the value of a row."""

    def put(self, table: lmdb._Database, key: bytes, value: bytes) -> None:
        """Write a row."""

    def delete(self, table: lmdb._Database, key: bytes) -> None:
        """Remove a row."""

    def pop(self, table: lmdb._Database, key: bytes) -> bytes | None:
        """Remove a row and return its value."""

    def next_sequence(self) -> int:
        """Return a number (from 1 on) that no committed transaction was ever given."""


class Namespace:
    """Keys and their opaque values, in an `entries` table, inside the caller's transactions."""

    def __init__(self, entries: lmdb._Database) -> None:
        self._entries = entries

    def get(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        trail = self._trail(txn, bucket_id, key)
        return None if trail is None else txn.get(trail[-1], db=self._entries)

    def put(self, writer: Writer, bucket_id: int, key: bytes, value: bytes) -> None:
        """Set the value of a key (1 .. 1024 bytes); creates the directories on the way."""
        assert 0 < len(key) <= KEY_BYTES_MAX
        bucket = keys.sequence(bucket_id)
        child = keys.sequence(keys.ROOT_DIRECTORY)
        *directories, object_name = keys.path_names(key)
        for name in directories:
            link = bucket + child + name
            known = writer.get(self._entries, link)
            if known is None:
                known = keys.sequence(writer.next_sequence())
                writer.put(self._entries, link, known)
            child = known
        writer.put(self._entries, bucket + child + object_name, value)

    def delete(self, writer: Writer, bucket_id: int, key: bytes) -> bytes | None:
        """Remove a key and the directories this empties; return its value, or None."""
        trail = self._trail(writer.txn, bucket_id, key)
        value = None if trail is None else writer.pop(self._entries, trail[-1])
        if trail is None or value is None:
            return None
        while len(trail) > 1 and self._is_vacant(writer.txn, trail.pop()[: keys.DIRECTORY_BYTES]):
            writer.delete(self._entries, trail[-1])
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
