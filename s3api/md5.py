"""MD5, which ETags are made of: of many payloads at a time, where S4 was built by a C compiler.

One MD5 leaves most of a core idle, and is the dearest of what a payload costs. `_md5.c` hashes
others in that time: two payloads in the time of one, sixteen (with AVX-512) in that of three. Where
there is no compiler, hashlib computes the same, one payload after the other.
RFC 1321
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Protocol

try:
    from s3api import _md5
except ImportError:
    _md5 = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LANES: Final = 16  # of payloads that `update_all` takes at a time
IS_COMPILED: Final = _md5 is not None


class Md5(Protocol):
    """A running MD5, used by one thread at a time."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the MD5 of all bytes so far: 16 bytes."""


def _new() -> Md5:
    return hashlib.md5(usedforsecurity=False)


def _update_all(pairs: Sequence[tuple[Any, bytes | memoryview]]) -> None:
    for md5, data in pairs:
        md5.update(data)


new: Final[Callable[[], Md5]] = _md5.MD5 if IS_COMPILED else _new
"""Start an MD5."""

update_all: Final[Callable[[list[tuple[Md5, bytes | memoryview]]], None]] = (
    _md5.update_all if IS_COMPILED else _update_all  # type: ignore[assignment]
)
"""Give each of up to LANES MD5s its next bytes; none may be among them twice."""
