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
except (ImportError, SystemError):  # there is none, or it was built for another machine
    _md5 = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

LANES: Final = 16  # of payloads that `update_all` takes at a time


def _is_right(module: ModuleType | None) -> bool:
    """Whether it computes what hashlib does: a compiler may err, and a file may be an older S4's.

    One, two and many payloads at a time are hashed by code of their own.
    """
    if module is None:
        return False
    for count in (1, 2, LANES):
        pieces = [bytes(range(50, 50 + count)) * (20 + one) for one in range(count)]
        try:
            hashers = [module.MD5() for _ in pieces]
            for _ in range(2):
                module.update_all(list(zip(hashers, pieces, strict=True)))
            hashers[0].update(pieces[0])
            found = [hasher.digest() for hasher in hashers]
        except (AttributeError, TypeError):
            return False
        wanted = [pieces[0] * 3, *(piece * 2 for piece in pieces[1:])]
        if found != [hashlib.md5(each, usedforsecurity=False).digest() for each in wanted]:
            return False
    return True


IS_COMPILED: Final = _is_right(_md5)


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
