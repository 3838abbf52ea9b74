"""A namespace over a real LMDB index, with the allocator of ids that the engine gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lmdb

from storage_engine import keys
from storage_engine.namespace import Namespace

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY_COUNTER = b"directory_id"


class NamespaceStore:
    """An environment, its entries table and a Namespace; the last id is kept in the index."""

    def __init__(self, path: Path) -> None:
        self.env = lmdb.open(str(path), map_size=1 << 28, max_dbs=2, sync=False)
        self.entries = self.env.open_db(b"entries")
        self.meta = self.env.open_db(b"meta")
        self.namespace = Namespace(self.entries, self.allocate_directory_id)

    def allocate_directory_id(self, txn: lmdb.Transaction[bytes]) -> int:
        """Count up inside the caller's transaction."""
        last = txn.get(DIRECTORY_COUNTER, keys.sequence(0), db=self.meta)
        directory_id = keys.sequence_number(last) + 1
        txn.put(DIRECTORY_COUNTER, keys.sequence(directory_id), db=self.meta)
        return directory_id

    def raw(self, txn: lmdb.Transaction[bytes]) -> list[tuple[bytes, bytes]]:
        """Read the whole entries table."""
        with txn.cursor(self.entries) as cursor:
            return list(cursor)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()
