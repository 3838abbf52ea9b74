"""A namespace over a real LMDB index, with the allocator of ids that the engine gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lmdb

from storage_engine import keys
from storage_engine.namespace import Namespace

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY_COUNTER = b"directory_id"


class RowWriter:
    """Writes rows straight into a transaction, as the engine's own does, and gives out ids."""

    def __init__(self, txn: lmdb.Transaction[bytes], meta: lmdb._Database) -> None:
        self.txn = txn
        self._meta = meta

    def get(self, table: lmdb._Database, key: bytes) -> bytes | None:
        """Read a row."""
        return self.txn.get(key, db=table)

    def put(self, table: lmdb._Database, key: bytes, value: bytes) -> None:
        """Write a row."""
        self.txn.put(key, value, db=table)

    def delete(self, table: lmdb._Database, key: bytes) -> None:
        """Remove a row."""
        self.txn.delete(key, db=table)

    def pop(self, table: lmdb._Database, key: bytes) -> bytes | None:
        """Remove a row and return its value."""
        return self.txn.pop(key, db=table)

    def next_sequence(self) -> int:
        """Count up inside the transaction."""
        last = self.txn.get(DIRECTORY_COUNTER, keys.sequence(0), db=self._meta)
        directory_id = keys.sequence_number(last) + 1
        self.txn.put(DIRECTORY_COUNTER, keys.sequence(directory_id), db=self._meta)
        return directory_id


class NamespaceStore:
    """An environment, its entries table and a Namespace; the last id is kept in the index."""

    def __init__(self, path: Path) -> None:
        self.env = lmdb.open(str(path), map_size=1 << 28, max_dbs=2, sync=False)
        self.entries = self.env.open_db(b"entries")
        self.meta = self.env.open_db(b"meta")
        self.namespace = Namespace(self.entries)

    def writer(self, txn: lmdb.Transaction[bytes]) -> RowWriter:
        """Make what the namespace writes through, in this transaction."""
        return RowWriter(txn, self.meta)

    def raw(self, txn: lmdb.Transaction[bytes]) -> list[tuple[bytes, bytes]]:
        """Read the whole entries table."""
        with txn.cursor(self.entries) as cursor:
            return list(cursor)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()
