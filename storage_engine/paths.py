"""Remembers which directory a path leads to, so that a key is found in one lookup, however deep.

For readers only. An id of a directory is never given twice, so what is found under a remembered
one is right as long as no prefix was renamed: the index counts that, and the count is read again
only where there was a commit since. What is not found is looked for from the root again, for its
directory may have gone and come back. Measured: 3.5 us become 1.9 us at two directories, 5.6 us at
five.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import keys
from storage_engine.limits import NAME_BYTES_MAX, PATHS_REMEMBERED_MAX
from storage_engine.transaction import MOVED

if TYPE_CHECKING:
    import lmdb

    from storage_engine.index import Tables
    from storage_engine.namespace import Namespace

    Directories = dict[tuple[int, bytes], bytes]


class PathCache:
    """Finds the values of keys in one tree; shared by the threads of a process."""

    def __init__(self, tables: Tables, tree: Namespace, entries: lmdb._Database) -> None:
        self._meta = tables.meta
        self._tree = tree
        self._entries = entries
        # The last commit seen, the count of renames and what was learned at it: replaced together.
        self._known: tuple[int, bytes | None, Directories] = (-1, None, {})

    def get(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None; as `Namespace.get` does."""
        cut = key.rfind(b"/") + 1
        if not cut or len(key) - cut > NAME_BYTES_MAX:
            return self._tree.get(txn, bucket_id, key)
        place = (bucket_id, key[:cut])
        known = self._known_in(txn)
        directory = known.get(place)
        if directory is not None:
            value = txn.get(directory + key[cut:], db=self._entries)
            if value is not None:
                return value
        entry = self._tree.locate(txn, bucket_id, key)
        value = None if entry is None else txn.get(entry, db=self._entries)
        if entry is not None and value is not None:
            if len(known) >= PATHS_REMEMBERED_MAX:
                known.clear()
            known[place] = entry[: keys.DIRECTORY_BYTES]
        return value

    def _known_in(self, txn: lmdb.Transaction[bytes]) -> Directories:
        """Return what was learned at this count of renames; at another, it is forgotten."""
        commit = txn.id()
        seen, count, known = self._known
        if commit != seen:
            moved = txn.get(MOVED, db=self._meta)
            if moved != count:
                known = {}
            self._known = (commit, moved, known)
        return known
