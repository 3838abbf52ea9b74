"""Whether a tree of keys hangs together: each directory led to once, none empty, no bound too low.

Is shown every entry once, in any order; keeps about 400 bytes for each directory.
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
        self._is_reached: dict[bytes, bool] = {}  # from the bucket's root
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
            if directory.endswith(ROOT):
                yield f"directory {directory.hex()} is a bucket's first and has {count} links"
            elif count > 1 or directory not in self._longest:
                yield f"directory {directory.hex()} has {count} links or is empty"
        yield from self._look_up()
        self._climb()
        for directory, bound in self._bounds.items():
            if self._longest.get(directory, 0) > bound:
                yield f"directory {directory.hex()} has keys longer than its bound"

    def _look_up(self) -> Iterator[str]:
        """Find out what is reached from the roots; yield a sentence for each loop that is not.

        What else is not reached hangs on a directory without a link, or with a damaged one.
        """
        for start in self._longest:
            trail: dict[bytes, None] = {}
            at: bytes | None = start
            while at is not None and not (at.endswith(ROOT) or at in self._is_reached):
                if at in trail:
                    yield f"directory {at.hex()} is reached from nowhere but from within itself"
                    break
                trail[at] = None
                at = self._parents[at][0] if at in self._parents else None
            is_reached = at is not None and (at.endswith(ROOT) or self._is_reached.get(at, False))
            self._is_reached.update(dict.fromkeys(trail, is_reached))

    def _climb(self) -> None:
        """Carry the length of the longest key in each directory up to all above it."""
        for start, length in list(self._longest.items()):
            if not self._is_reached.get(start):
                continue
            directory, longest = start, length
            while not directory.endswith(ROOT):
                directory, piece = self._parents[directory]
                longest += piece
                if longest <= self._longest.get(directory, 0):
                    break
                self._longest[directory] = longest
