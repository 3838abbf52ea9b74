"""Leases: while a store in use is copied, what the copy names is not given up.

Who copies holds one; who gives journal or volumes up asks *after* he knows that something is dead.
So nobody has to wait: what was dead before the lease began, no index that is read under it names;
and what dies later meets the lease. It is a lock of the kernel's, which ends with whoever held it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

from storage_engine.disk import is_range_held, release_range, try_hold_range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Kept(IntEnum):
    """What a lease keeps; the byte of the marker that is locked for it."""

    JOURNAL = 0  # every segment
    VOLUMES = 1  # every file, and every record in them


class Lease:
    """A lease that is held: on everything, until parts of it are let go."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def let_go(self, kept: Kept) -> None:
        """Give up what is copied already."""
        release_range(self._descriptor, kept, 1)


class Leases:
    """The leases on one store, as one process asks for them; several may be held at once."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker  # a file that is never replaced

    def is_held(self, kept: Kept) -> bool:
        """Tell whether somebody, here or in another process, copies the store."""
        try:
            descriptor = os.open(self._marker, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # a store that is just being made
            return False
        try:
            return is_range_held(descriptor, kept, 1)
        finally:
            os.close(descriptor)

    @contextmanager
    def hold(self) -> Iterator[Lease]:
        """Hold one on everything until the block ends."""
        descriptor = os.open(self._marker, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for kept in Kept:
                if not try_hold_range(descriptor, kept, 1):
                    raise AssertionError("nobody takes these ranges alone")
            yield Lease(descriptor)
        finally:
            os.close(descriptor)
