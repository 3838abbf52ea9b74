"""A disk that keeps a record of its calls, and may end the process at any one of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from storage_engine.disk import RealDisk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KILLED = 37
"""The status with which a process ends that was told to end at a call."""


class CountingDisk(RealDisk):
    """A real disk that notes every call; `dies_at` is the number of the change it dies before."""

    def __init__(self, dies_at: int = 0) -> None:
        self.calls: list[tuple[str, str]] = []
        self.changes = 0
        self._dies_at = dies_at

    def create(self, path: Path) -> int:
        """Note and do it."""
        self._change("create", path.name)
        return super().create(path)

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Note and do it."""
        self.calls.append(("open", path.name))
        return super().open(path, is_writable=is_writable)

    def close(self, descriptor: int) -> None:
        """Note and do it."""
        self.calls.append(("close", ""))
        super().close(descriptor)

    def unlink(self, path: Path) -> None:
        """Note and do it."""
        self._change("unlink", path.name)
        super().unlink(path)

    def rename(self, source: Path, target: Path) -> None:
        """Note and do it."""
        self._change("rename", target.name)
        super().rename(source, target)

    def write(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> None:
        """Note and do it; a process that dies here has written half."""
        if self.changes + 1 == self._dies_at:
            data = b"".join(buffers)
            super().write(descriptor, [data[: len(data) // 2]], offset)
        self._change("write", "")
        super().write(descriptor, buffers, offset)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Note and do it."""
        self.calls.append(("read", ""))
        return super().read(descriptor, length, offset)

    def sync(self, descriptor: int) -> None:
        """Note and do it."""
        self._change("sync", "")
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Note and do it."""
        self._change("sync_directory", path.name)
        super().sync_directory(path)

    def truncate(self, descriptor: int, length: int) -> None:
        """Note and do it."""
        self._change("truncate", "")
        super().truncate(descriptor, length)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Note and do it."""
        self._change("punch", "")
        super().punch(descriptor, offset, length)

    def _change(self, kind: str, name: str) -> None:
        self.calls.append((kind, name))
        self.changes += 1
        if self.changes == self._dies_at:
            os._exit(KILLED)
