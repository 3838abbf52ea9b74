"""Payloads on their way into the store."""

from __future__ import annotations

from typing import Protocol, Self


class StagedBlob:
    """A payload that is on disk (or small) but belongs to no object yet."""

    sha256: bytes
    size: int


class BlobWriter(Protocol):
    """Takes a payload of known size in; abort or leave the block to give its room back."""

    def write(self, data: bytes) -> None:
        """Hash and write the next bytes."""

    def finish(self) -> StagedBlob:
        """Sync what was written; ValueError (and abort) when the size is not as promised."""

    def abort(self) -> None:
        """Give the room back; does nothing after finish or abort."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
