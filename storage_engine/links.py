"""What an entry that leads to a directory holds: the child's id, and how long keys below may be.

The length counts the bytes beyond the directory's path. It is an upper bound: raised by whoever
puts a longer key, never lowered by who removes one, gone with its directory. Thanks to it a prefix
is moved without a look at what is below.
"""

from __future__ import annotations

import struct
from typing import Final

from storage_engine.limits import KEY_BYTES_MAX

CHILD_BYTES: Final = 8
LINK_BYTES: Final = 10
_LONGEST: Final = struct.Struct(">H")

assert KEY_BYTES_MAX < 1 << 16


def pack(child_id: bytes, longest: int) -> bytes:
    """Encode a link to a directory (its id as `keys.sequence` has it)."""
    assert len(child_id) == CHILD_BYTES
    return child_id + _LONGEST.pack(longest)


def child(link: bytes) -> bytes:
    """Return the id of the directory that a link leads to."""
    return link[:CHILD_BYTES]


def longest(link: bytes) -> int:
    """Return how many bytes a key below has beyond the directory's path, at most."""
    (length,) = _LONGEST.unpack_from(link, CHILD_BYTES)
    return int(length)
