"""Under which paths objects stand in a zip: those of their keys, as far as file systems take them.

Keys are any text: `../../etc/passwd`, `/a`, `a//b`, both `a` and `a/b`. No path made here leads out
of the folder that a zip is unpacked in, none is another one's folder, and no two are the same, on
file systems either that take `A` for `a` and an accent for its letter's own.
Pure: knows no zip and no server.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from unicodedata import normalize

NAME_BYTES_MAX: Final = 255  # of a file, in all file systems of today
KEPT_BYTES: Final = 200  # of a longer one
# What is no part of a name: controls everywhere, a backslash on Windows, which parts names by it.
UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
DRIVE: Final = re.compile(r"^([A-Za-z]):")
NAMELESS: Final = frozenset({"", ".", ".."})


class Paths:
    """The paths of one zip, given out key by key."""

    def __init__(self) -> None:
        self._files: set[str] = set()  # these, as `_same` has them
        self._folders: set[str] = set()
        self._counts: dict[str, int] = {}  # how often a path was asked for

    def of_file(self, name: str) -> str:
        """Give an object its path, by what of its key is below the folder that is packed."""
        *above, last = _parts(name)
        folder = self._folder(above)
        path = folder + last
        wanted = same = _same(path)
        count = self._counts.get(wanted, 1)
        while same in self._files or same in self._folders:
            count += 1
            path = folder + _numbered(last, count)
            same = _same(path)
        self._counts[wanted] = count
        self._files.add(same)
        return path

    def of_folder(self, name: str) -> str:
        """Give a folder its path, with the slash that ends it."""
        return self._folder(_parts(name.removesuffix("/")))

    def _folder(self, parts: list[str]) -> str:
        """Find the folders' path, each under another name than any file has."""
        path = ""
        for part in parts:
            path += part
            while _same(path) in self._files:
                path += "_"
            self._folders.add(_same(path))
            path += "/"
        return path


def _same(path: str) -> str:
    """Write a path so that two are equal that some file system takes for one."""
    return normalize("NFC", path).casefold()


def _parts(name: str) -> list[str]:
    """Take a name apart at its slashes; each part is one that a file can have."""
    parts = [_fit(part) for part in name.split("/")]
    parts[0] = DRIVE.sub(r"\1_", parts[0])
    return parts


def _fit(part: str) -> str:
    """Make a part one that a file can have."""
    part = UNFIT.sub("_", part)
    if part in NAMELESS:
        return "_" * max(1, len(part))
    encoded = part.encode()
    if len(encoded) <= NAME_BYTES_MAX:
        return part
    kept = encoded[:KEPT_BYTES].decode(errors="ignore")
    return f"{kept}~{sha256(encoded).hexdigest()[:16]}"


def _numbered(name: str, count: int) -> str:
    """Tell a name from another like it: `a (2).txt`."""
    stem, dot, extension = name.rpartition(".")
    return _fit(f"{stem} ({count}){dot}{extension}" if stem else f"{name} ({count})")
