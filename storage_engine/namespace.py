"""The tree of a bucket's keys: entries[(bucket, directory, name)].

A name that ends in `/` leads to a child directory, so that a prefix can be moved by one entry,
and no key outgrows LMDB's bound. A directory exists exactly while something is in it. Values
belong to the caller and are never looked into; directory entries are told apart by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.listing import Page


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
        raise NotImplementedError

    def put(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes, value: bytes) -> None:
        """Set the value of a key (1 .. 1024 bytes); creates the directories on the way."""
        raise NotImplementedError

    def delete(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes) -> bytes | None:
        """Remove a key and the directories this empties; return its value, or None."""
        raise NotImplementedError

    def is_empty(self, txn: lmdb.Transaction[bytes], bucket_id: int) -> bool:
        """Tell whether a bucket holds no key at all."""
        raise NotImplementedError

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
        raise NotImplementedError
