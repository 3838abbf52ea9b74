"""Content that is told apart from all other content, and can be made again from its name."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path


def content(name: str, size: int) -> bytes:
    """Make `size` bytes that no other name has."""
    return hashlib.shake_128(name.encode()).digest(size)


def files_below(directory: Path) -> dict[Path, bytes]:
    """Read the files that are there while a server runs; what goes meanwhile is left out."""
    found = {}
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):
                if path.is_file():  # and no pipe
                    found[path] = path.read_bytes()
    return found
