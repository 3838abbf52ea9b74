"""One page of a listing: walk the tree of directories in the byte order of full keys.

A page costs what it returns, wherever it starts: rolled-up prefixes are sought past, never read
through, and a directory that rolls up whole is not even entered, for none is ever empty. Where
items follow one another in a directory they are read in runs, each as long as all before it: so a
key costs a fraction of a microsecond, and no more is read in vain than was found. Knows the keys
of the tree and LMDB's cursor; the values are bytes of somebody else.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from storage_engine import keys, links
from storage_engine.errors import CorruptBlob
from storage_engine.limits import (
    KEY_BYTES_MAX,
    NAME_BYTES_MAX,
    PAGE_ITEMS_MAX,
    RUN_ITEMS_MAX,
    RUN_ITEMS_MIN,
    SCAN_STEPS_MAX,
)

if TYPE_CHECKING:
    import lmdb


@dataclass(slots=True)
class Page:
    """Objects and common prefixes in one merged byte order.

    Beside each of `names` stands its value: of a key what is kept for it, of a common prefix None.
    A page may hold fewer items than asked for and still be truncated. The next page starts after
    `last`. `steps` is what the page cost: how many positions of the index were visited.
    """

    names: list[bytes] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    is_truncated: bool = False
    steps: int = 0

    @property
    def items(self) -> list[tuple[bytes, bytes | None]]:
        """Each (key, value) and (common prefix, None)."""
        return list(zip(self.names, self.values, strict=True))

    @property
    def last(self) -> bytes:
        """The last key or common prefix of the page, empty when the page is."""
        return self.names[-1] if self.names else b""


def page_limit(limit: int) -> int:
    """Return how many items a page may have of which so many are wanted."""
    return min(max(limit, 0), PAGE_ITEMS_MAX)


def until(seconds: float) -> float:
    """Return the deadline that is so many seconds from now."""
    return seconds if seconds == math.inf else time.perf_counter() + seconds


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is asked for: keys under `prefix` beyond `after`, rolled up at `delimiter`.

    By `deadline` (as `time.perf_counter` has it) it ends with what there is, if that is anything.
    """

    prefix: bytes
    delimiter: bytes
    after: bytes
    limit: int
    deadline: float = math.inf

    def is_over(self) -> bool:
        """Tell whether the time has come to end with what there is."""
        return self.deadline < math.inf and time.perf_counter() >= self.deadline

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

    def lists(self, key: bytes) -> bool:
        """Tell whether a key is listed itself, rather than left out or rolled up."""
        return key.startswith(self.prefix) and self.rolled_up(key) is None

    def plain_count(self, path: bytes, names: list[bytes]) -> int:
        """Tell how many entries of a directory, from the first on, are items just as they stand.

        Those are objects, and directories that are whole common prefixes. The first is under the
        prefix. Where it can be told of all at once, none is looked at by itself.
        """
        rest = self.prefix[len(path) :]
        if rest and not names[-1].startswith(rest):
            names = names[: bisect_left(names, 1, key=lambda name: not name.startswith(rest))]
        if max(map(len, names)) > NAME_BYTES_MAX:
            is_plain = False
        elif self.delimiter:
            is_plain = self.delimiter == b"/" and b"/" not in path[len(self.prefix) :]
        else:
            is_plain = b"/" not in b"".join(names)  # only directories' names have one
        if is_plain:
            return len(names)
        odd = (place for place, name in enumerate(names) if not self._is_plain(path, name))
        return next(odd, len(names))

    def _is_plain(self, path: bytes, name: bytes) -> bool:
        text = path + name
        if keys.leads_on(name):
            return len(name) <= NAME_BYTES_MAX and self.rolled_up(text) == text
        return self.rolled_up(text) is None


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

    @property
    def path(self) -> bytes:
        """What all keys begin with that are in the directory of the entry stood on."""
        return self._inside[-1].path

    def ahead(self, count: int) -> tuple[list[bytes], list[bytes]]:
        """Read stored names and values of up to `count` entries of the directory, this one first.

        The walk then stands nowhere, until it is told where to go on.
        """
        pairs = list(islice(self._cursor.iternext(), count))
        self.steps += len(pairs)
        entries = self._inside[-1].entries
        if not pairs[-1][0].startswith(entries):
            del pairs[bisect_left(pairs, 1, key=lambda pair: not pair[0].startswith(entries)) :]
        names = [key[keys.DIRECTORY_BYTES :] for key, _ in pairs]
        return names, [value for _, value in pairs]

    def go_on(self, name: bytes) -> bool:
        """Stand on the first entry of this directory from a stored name on, or on what follows."""
        self._move_to(self._inside[-1].entries + name)
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
    page, first = Page(), query.first()
    if query.limit <= 0 or first is None:
        return page
    with txn.cursor(entries) as cursor:
        walk = Walk(cursor, bucket_id)
        reading = _Reading(walk, query, page)
        is_inside = walk.seek(first)
        while is_inside and walk.text.startswith(query.prefix):
            is_far = walk.steps > SCAN_STEPS_MAX
            if page.names and (len(page.names) == query.limit or is_far or query.is_over()):
                page.is_truncated = True
                break
            if is_far:
                raise CorruptBlob(f"the index is damaged: nothing is below {walk.text!r}")
            is_inside = reading.run() if reading.streak >= RUN_ITEMS_MIN else reading.step()
    page.steps = walk.steps
    return page


class _Reading:
    """Makes items of what a walk stands on, until the page is full."""

    def __init__(self, walk: Walk, query: Query, page: Page) -> None:
        self._walk = walk
        self._query = query
        self._page = page
        self.streak = 0  # so many entries in a row were items just as they stood

    def step(self) -> bool:
        """Make an item of an entry, or enter it; go on to the next."""
        walk = self._walk
        common_prefix = self._query.rolled_up(walk.text)
        if common_prefix is None and walk.is_object:
            self.streak += 1
            self._add(walk.text, walk.value)
            return walk.advance()
        if common_prefix is None:
            self.streak = 0
            return walk.enter()
        self._add(common_prefix, None)
        if common_prefix == walk.text and not walk.is_object:
            self.streak += 1
            return walk.advance()
        self.streak = 0
        beyond = _beyond(common_prefix)
        return beyond is not None and walk.seek(beyond)

    def run(self) -> bool:
        """Make items of as many entries as were items before in a row, while they are."""
        walk, page = self._walk, self._page
        wanted = min(self.streak, RUN_ITEMS_MAX, self._query.limit - len(page.names))
        names, values = walk.ahead(wanted)
        count = self._query.plain_count(walk.path, names)
        pieces, path = names[:count], walk.path
        page.names += [path + piece for piece in pieces] if path else pieces
        if self._query.delimiter:
            page.values += [
                None if piece.endswith(b"/") else value
                for piece, value in zip(pieces, values, strict=False)
            ]
        else:
            page.values += values[:count]
        self.streak = self.streak + count if count == wanted else 0
        return walk.go_on(names[count] if count < len(names) else names[-1] + b"\x00")

    def _add(self, name: bytes, value: bytes | None) -> None:
        self._page.names.append(name)
        self._page.values.append(value)


def _beyond(prefix: bytes) -> bytes | None:
    """Return the least byte string greater than everything that starts with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
