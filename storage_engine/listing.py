"""One page of a listing: walk the tree of directories in the byte order of full keys.

A page costs what it returns, wherever it starts: rolled-up prefixes are sought past, never read
through, and a directory that rolls up whole is not even entered, for none is ever empty. Knows
the keys of the tree and LMDB's cursor; the values are bytes of somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage_engine import keys, links
from storage_engine.errors import CorruptBlob
from storage_engine.limits import KEY_BYTES_MAX, PAGE_ITEMS_MAX, SCAN_STEPS_MAX

if TYPE_CHECKING:
    import lmdb


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes in one merged byte order.

    An item is (key, value), or (common prefix, None). A page may hold fewer items than asked for
    and still be truncated. The next page starts after `last`. `steps` is what the page cost: how
    many positions of the index were visited.
    """

    items: list[tuple[bytes, bytes | None]]
    is_truncated: bool
    steps: int = 0

    @property
    def last(self) -> bytes:
        """The last key or common prefix of the page, empty when the page is."""
        return self.items[-1][0] if self.items else b""


def page_limit(limit: int) -> int:
    """Return how many items a page may have of which so many are wanted."""
    return min(max(limit, 0), PAGE_ITEMS_MAX)


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is asked for: keys under `prefix` beyond `after`, rolled up at `delimiter`."""

    prefix: bytes
    delimiter: bytes
    after: bytes
    limit: int

    def first(self) -> bytes | None:
        """Return the least key that may be listed, or None when there can be none."""
        if self.delimiter and self.after == self.rolled_up(self.after):
            return _beyond(self.after)
        return max(self.prefix, self.after + b"\x00" if self.after else b"")

    def rolled_up(self, key: bytes) -> bytes | None:
        """Return the common prefix that a key, or a path to keys, disappears into."""
        if not self.delimiter or not key.startswith(self.prefix):
            return None
        cut = key.find(self.delimiter, len(self.prefix))
        return None if cut < 0 else key[: cut + len(self.delimiter)]


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory that the walk is in."""

    path: bytes  # the bytes all its keys begin with
    entries: bytes  # the bytes all its entries' keys begin with
    link: bytes  # the entry in the parent that leads here


class Walk:
    """Stands on one entry of the tree at a time, in the order of full keys.

    An entry is an object or a directory not yet entered; both stand for keys that begin with
    `text`. What comes next is the caller's choice: advance, enter or seek.
    """

    def __init__(self, cursor: lmdb.Cursor[bytes], bucket_id: int) -> None:
        self._cursor = cursor
        self._bucket = keys.sequence(bucket_id)
        self._inside = [_Directory(b"", keys.directory(bucket_id, keys.ROOT_DIRECTORY), b"")]
        self._on_entry = False
        self.steps = 0
        self.text = b""
        self.value = b""
        self.is_object = False

    def seek(self, bound: bytes) -> bool:
        """Stand on the first entry whose keys are all >= bound; False when there is none.

        Starts from the innermost directory that the bound shares with where the walk stands.
        """
        while not bound.startswith(self._inside[-1].path):
            self._inside.pop()
        for name in keys.path_names(bound[len(self._inside[-1].path) :]):
            key = self._inside[-1].entries + name
            self._move_to(key)
            if not (keys.leads_on(name) and self._on_entry and self._cursor.key() == key):
                break
            self._go_inside(key, name)
        return self._settle()

    def advance(self) -> bool:
        """Stand on the next entry, entering nothing."""
        self.steps += 1
        self._on_entry = self._cursor.next()
        return self._settle()

    def enter(self) -> bool:
        """Stand on the first entry of the directory the walk stands on."""
        key = self._cursor.key()
        self._go_inside(key, key[keys.DIRECTORY_BYTES :])
        self._move_to(self._inside[-1].entries)
        return self._settle()

    def _go_inside(self, key: bytes, name: bytes) -> None:
        """Go into a directory; CorruptBlob when no key can be in it, as in one that leads back."""
        path = self._inside[-1].path + keys.path_piece(name)
        link = self._cursor.value()
        if len(path) > KEY_BYTES_MAX or len(link) != links.LINK_BYTES:
            raise CorruptBlob(f"the index is damaged at {key.hex()}, where it leads on")
        self._inside.append(_Directory(path, self._bucket + links.child(link), key))

    def _move_to(self, key: bytes) -> None:
        self.steps += 1
        self._on_entry = self._cursor.set_range(key)

    def _settle(self) -> bool:
        """Leave the directories that are exhausted, then read the entry."""
        while not (self._on_entry and self._cursor.key().startswith(self._inside[-1].entries)):
            link = self._inside.pop().link
            if not self._inside:
                return False
            self._move_to(link + b"\x00")
        key, self.value = self._cursor.item()
        name = key[keys.DIRECTORY_BYTES :]
        self.is_object = not keys.leads_on(name)
        self.text = self._inside[-1].path + keys.path_piece(name)
        return True


def read_page(
    txn: lmdb.Transaction[bytes], entries: lmdb._Database, bucket_id: int, query: Query
) -> Page:
    """Collect up to `limit` items; fewer when the tree is so sparse that they cost too much.

    CorruptBlob when so many steps lead to no item at all: no key is so deep.
    """
    first = query.first()
    if query.limit <= 0 or first is None:
        return Page([], is_truncated=False)
    with txn.cursor(entries) as cursor:
        walk = Walk(cursor, bucket_id)
        items: list[tuple[bytes, bytes | None]] = []
        is_inside = walk.seek(first)
        while is_inside and walk.text.startswith(query.prefix):
            if len(items) == query.limit or walk.steps > SCAN_STEPS_MAX:
                if not items:
                    raise CorruptBlob(f"the index is damaged: nothing is below {walk.text!r}")
                return Page(items, is_truncated=True, steps=walk.steps)
            is_inside = _take(walk, query, items)
        return Page(items, is_truncated=False, steps=walk.steps)


def _take(walk: Walk, query: Query, items: list[tuple[bytes, bytes | None]]) -> bool:
    """Turn the entry the walk stands on into an item, or enter it; go on to the next."""
    common_prefix = query.rolled_up(walk.text)
    if common_prefix is not None:
        items.append((common_prefix, None))
        if common_prefix == walk.text and not walk.is_object:
            return walk.advance()
        beyond = _beyond(common_prefix)
        return beyond is not None and walk.seek(beyond)
    if walk.is_object:
        items.append((walk.text, walk.value))
        return walk.advance()
    return walk.enter()


def _beyond(prefix: bytes) -> bytes | None:
    """Return the least byte string greater than everything that starts with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
