"""Buffers that payloads are read into, and lent from as they are: without a copy of their own.

They begin at a page: to 16 bytes behind one, where malloc puts what is large, the kernel copies
half as fast (512 KiB: 59 us for 31). Used again as soon as nobody refers to any part of what was
lent, the first ones first: what is still in the processor's cache.
"""

from __future__ import annotations

import mmap
import threading
from sys import getrefcount
from typing import Final

from storage_engine.limits import BUFFER_BYTES, BUFFERS_MAX

PAGED_BYTES: Final = 128 * 1024  # memory of less is cheaper from the heap

UNLENT: Final = next(map(getrefcount, [mmap.mmap(-1, 1)]))
"""References to a buffer that nobody has, counted as `lend` does: how many an interpreter holds
while it counts is its own affair, and to be wrong by one would be to lend what is lent."""


class Buffers(threading.local):
    """The buffers of a thread: between two others none could be told to be free."""

    def __init__(self, kept_max: int) -> None:
        """Keep so many for use again; what is lent beyond is new memory each time."""
        self.kept: list[mmap.mmap] = []
        self._kept_max = kept_max

    def lend(self, length: int) -> memoryview:
        """Return memory to write into, which stays the caller's as long as he refers to it."""
        if length <= BUFFER_BYTES:
            kept = self.kept
            for place, references in enumerate(map(getrefcount, kept)):
                if references == UNLENT:
                    return memoryview(kept[place])[:length]
            if len(kept) < self._kept_max:
                kept.append(_pages(BUFFER_BYTES))
                return memoryview(kept[-1])[:length]
        return memoryview(_pages(length) if length >= PAGED_BYTES else bytearray(length))


def _pages(length: int) -> mmap.mmap:
    """Make memory of whole pages, of which only those are taken that are written to."""
    return mmap.mmap(-1, length, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


lend: Final = Buffers(BUFFERS_MAX).lend
"""Buffers for what is read."""
