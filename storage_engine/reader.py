"""Reading an object's payload, verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from storage_engine.values import ObjectInfo


class ObjectReader(Protocol):
    """An open object; it stays readable while it is overwritten or deleted."""

    info: ObjectInfo

    def read_cached(self, offset: int, length: int) -> bytes | None:
        """Return bytes that need no disk, or None when reading them would block."""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes, reading the disk; CorruptBlob when they fail their checksum."""

    def close(self) -> None:
        """Let go of the object."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
