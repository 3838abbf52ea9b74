"""The tree of a bucket's keys: entries[(bucket, directory, name)].

A name that ends in `/` leads to a child directory, so that a prefix can be moved by one entry,
and no key outgrows LMDB's bound. A directory exists exactly while something is in it, and the
entry that leads to it bounds the length of what is below. Values of keys belong to the caller and
are never looked into; directory entries are told apart by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from storage_engine import keys, links
from storage_engine.limits import KEY_BYTES_MAX, SCAN_STEPS_MAX
from storage_engine.listing import Page, Query, Walk, read_page

if TYPE_CHECKING:
    import lmdb


Way = list[bytes]
"""Where the entries on the way to a key are, its own at the end."""

_ROOT: Final = keys.sequence(keys.ROOT_DIRECTORY)


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
        entry = self.locate(txn, bucket_id, key)
        return None if entry is None else txn.get(entry, db=self._entries)

    def locate(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes) -> bytes | None:
        """Return where the entry of a key is, or would be; None when its directory is missing."""
        trail = self._trail(txn, bucket_id, keys.path_names(key))
        return None if trail is None else trail[-1]

    def look(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, key: bytes
    ) -> tuple[bytes | None, Way | None]:
        """Return the value of a key, and the way there unless it has to be made or widened."""
        bucket = keys.sequence(bucket_id)
        directory = bucket + _ROOT
        *directories, last = keys.path_names(key)
        trail, left, is_wide = [], len(key), True
        for name in directories:
            trail.append(directory + name)
            link = txn.get(trail[-1], db=self._entries)
            if link is None:
                return None, None
            left -= len(keys.path_piece(name))
            is_wide = is_wide and links.longest(link) >= left
            directory = bucket + links.child(link)
        trail.append(directory + last)
        return txn.get(trail[-1], db=self._entries), trail if is_wide else None

    def put(
        self, writer: Writer, bucket_id: int, key: bytes, value: bytes, way: Way | None = None
    ) -> None:
        """Set the value of a key (1 .. 1024 bytes); creates the directories on the way.

        `way` is as `look` found it, if nothing was changed in the tree since.
        """
        if way is not None:
            writer.put(self._entries, way[-1], value)
            return
        assert 0 < len(key) <= KEY_BYTES_MAX
        *directories, object_name = keys.path_names(key)
        directory = self._go_down(writer, bucket_id, directories, len(key))
        writer.put(self._entries, directory + object_name, value)

    def delete(
        self, writer: Writer, bucket_id: int, key: bytes, way: Way | None = None
    ) -> bytes | None:
        """Remove a key and the directories this empties; return its value, or None.

        `way` as for `put`.
        """
        trail = way or self._trail(writer.txn, bucket_id, keys.path_names(key))
        value = None if trail is None else writer.pop(self._entries, trail[-1])
        if trail is None or value is None:
            return None
        self._remove_vacant(writer, trail)
        return value

    # --- prefixes, which end in `/` ------------------------------------------------------------

    def has_prefix(self, txn: lmdb.Transaction[bytes], bucket_id: int, prefix: bytes) -> bool:
        """Tell whether any key begins with a prefix."""
        return self._link(txn, bucket_id, prefix) is not None

    def longest_below(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, prefix: bytes, longest_max: int
    ) -> int | None:
        """Return how long at most, up to `longest_max`, keys are beyond a prefix that exists.

        None when one is longer, or when to tell would take too many steps. Nothing is read but
        the prefix's own entry unless the bound kept there is too large.
        """
        link = self._link(txn, bucket_id, prefix)
        assert link is not None
        if links.longest(link) <= longest_max:
            return links.longest(link)
        with txn.cursor(self._entries) as cursor:
            return _measure(Walk(cursor, bucket_id), prefix, longest_max)

    def move(
        self, writer: Writer, bucket_id: int, source: bytes, target: bytes, longest: int
    ) -> None:
        """Give every key below one prefix another, which has none; `longest` of `longest_below`."""
        trail = self._trail(writer.txn, bucket_id, keys.path_names(source)[:-1])
        assert trail is not None
        link = writer.pop(self._entries, trail[-1])
        assert link is not None
        *parents, name, _ = keys.path_names(target)
        parent = self._go_down(writer, bucket_id, parents, len(target) + longest)
        writer.put(self._entries, parent + name, links.pack(links.child(link), longest))
        self._remove_vacant(writer, trail)

    # --- whole buckets -------------------------------------------------------------------------

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
        return self.read(txn, bucket_id, Query(prefix, delimiter, after, limit))

    def read(self, txn: lmdb.Transaction[bytes], bucket_id: int, query: Query) -> Page:
        """Return a page as `scan` does."""
        return read_page(txn, self._entries, bucket_id, query)

    def _trail(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, names: list[bytes]
    ) -> list[bytes] | None:
        """Return the entries on the way along stored names; None if a directory is missing."""
        bucket = keys.sequence(bucket_id)
        child = keys.sequence(keys.ROOT_DIRECTORY)
        *directories, last = names
        trail = []
        for name in directories:
            trail.append(bucket + child + name)
            link = txn.get(trail[-1], db=self._entries)
            if link is None:
                return None
            child = links.child(link)
        trail.append(bucket + child + last)
        return trail

    def _link(self, txn: lmdb.Transaction[bytes], bucket_id: int, prefix: bytes) -> bytes | None:
        """Return the value of the entry that leads to the directory of a prefix."""
        trail = self._trail(txn, bucket_id, keys.path_names(prefix)[:-1])
        return None if trail is None else txn.get(trail[-1], db=self._entries)

    def _go_down(
        self, writer: Writer, bucket_id: int, directories: list[bytes], longest: int
    ) -> bytes:
        """Return what the entries of the last directory begin with; make those that are missing.

        `longest` is the length of the longest key that will be below, from the bucket's root on.
        """
        bucket = keys.sequence(bucket_id)
        child = keys.sequence(keys.ROOT_DIRECTORY)
        for name in directories:
            longest -= len(keys.path_piece(name))
            place = bucket + child + name
            link = writer.get(self._entries, place)
            if link is None:
                link = links.pack(keys.sequence(writer.next_sequence()), longest)
                writer.put(self._entries, place, link)
            elif links.longest(link) < longest:
                link = links.pack(links.child(link), longest)
                writer.put(self._entries, place, link)
            child = links.child(link)
        return bucket + child

    def _remove_vacant(self, writer: Writer, trail: list[bytes]) -> None:
        """Remove the directories left empty by the last entry of a trail, which is gone already."""
        for parent, entry in zip(trail[-2::-1], trail[:0:-1], strict=True):
            if not self._is_vacant(writer.txn, entry[: keys.DIRECTORY_BYTES]):
                return
            writer.delete(self._entries, parent)

    def _is_vacant(self, txn: lmdb.Transaction[bytes], directory: bytes) -> bool:
        """Tell whether nothing is in a directory, given what its entries' keys begin with."""
        with txn.cursor(self._entries) as cursor:
            return not (cursor.set_range(directory) and cursor.key().startswith(directory))


def _measure(walk: Walk, prefix: bytes, longest_max: int) -> int | None:
    """Bound the length of keys beyond a prefix, entering only directories that may be too deep."""
    longest = 0
    is_inside = walk.seek(prefix)
    while is_inside and walk.text.startswith(prefix):
        if walk.steps > SCAN_STEPS_MAX:
            return None
        length = len(walk.text) - len(prefix)
        if not walk.is_object:
            length += links.longest(walk.value)
        if length <= longest_max:
            longest = max(longest, length)
            is_inside = walk.advance()
        elif walk.is_object:
            return None
        else:
            is_inside = walk.enter()
    return longest
