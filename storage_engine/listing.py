"""One page of a listing: walk the tree of directories in the byte order of full keys.

A page costs what it returns, wherever it starts: rolled-up prefixes are sought past, never read
through, and a directory that rolls up whole is not even entered, for none is ever empty. Knows
the keys of the tree and LMDB's cursor; the values are bytes of somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes in one merged byte order.

    An item is (key, value), or (common prefix, None). A page may hold fewer items than asked for
    and still be truncated. The next page starts after `last`.
    """

    items: list[tuple[bytes, bytes | None]]
    is_truncated: bool

    @property
    def last(self) -> bytes:
        """The last key or common prefix of the page, empty when the page is."""
        return self.items[-1][0] if self.items else b""
