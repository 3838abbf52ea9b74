"""Whether a tree of keys hangs together: each directory led to once, none empty, no bound too low.

Is shown every entry once, in any order; keeps about 300 bytes for each directory.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from storage_engine import keys, links

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET_BYTES: Final = 8
ROOT: Final = keys.sequence(keys.ROOT_DIRECTORY)


class TreeCheck:
    """The directories of one table. A directory is named by bucket and id, as in its entries."""

    def __init__(self) -> None:
        self._links: Counter[bytes] = Counter()
        self._parents: dict[bytes, tuple[bytes, int]] = {}  # and how long the path between is
        self._bounds: dict[bytes, int] = {}
        self._longest: dict[bytes, int] = {}  # of the objects in it; its keys are inhabited
        self._damaged: list[bytes] = []

    def add(self, key: bytes, value: bytes) -> None:
        """Take note of an entry."""
        directory, name = key[: keys.DIRECTORY_BYTES], key[keys.DIRECTORY_BYTES :]
        longest = self._longest.get(directory, 0)
        if not keys.leads_on(name):
            self._longest[directory] = max(longest, len(name))
            return
        self._longest[directory] = longest
        child = key[:BUCKET_BYTES] + links.child(value)
        self._links[child] += 1
        if len(value) != links.LINK_BYTES:
            self._damaged.append(key)
            return
        self._parents[child] = (directory, len(keys.path_piece(name)))
        self._bounds[child] = links.longest(value)

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each thing that is wrong, once every entry was shown."""
        for key in self._damaged:
            yield f"the entry {key.hex()} leads nowhere"
        for directory in self._longest:
            if not self._links[directory] and not directory.endswith(ROOT):
                yield f"directory {directory.hex()} is not linked from anywhere"
        for directory, count in self._links.items():
            if count > 1 or directory not in self._longest:
                yield f"directory {directory.hex()} has {count} links or is empty"
        self._climb()
        for directory, bound in self._bounds.items():
            if self._longest.get(directory, 0) > bound:
                yield f"directory {directory.hex()} has keys longer than its bound"

    def _climb(self) -> None:
        """Carry the length of the longest key in each directory up to all above it."""
        for start, length in list(self._longest.items()):
            directory, longest = start, length
            while directory in self._parents:
                directory, piece = self._parents[directory]
                longest += piece
                if longest <= self._longest.get(directory, 0):
                    break
                self._longest[directory] = longest
