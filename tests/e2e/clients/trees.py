"""Trees of files that clients carry there and back, and what tells whether they arrived whole."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from tests.e2e.content import content

if TYPE_CHECKING:
    from pathlib import Path

MIB: Final = 1024 * 1024
HARD_NAMES: Final = (
    "with space.txt",
    "plus+plus.txt",
    "per%20cent%.txt",
    "\u00fcml\u00e4ut \u4f60\u597d \U0001f600.txt",
    "quote'quote\"quote.txt",
    "semi;colon,comma=equals&and#hash?.txt",
    "...dots...",
    "sub dir/deeper dir/~tilde",
    "sub dir/[brackets] {braces} (parens) $dollar @at !bang",
    "empty",
)
LARGE: Final = "large"
LONG_AGO: Final = 1_700_000_000


def write_hard_names(root: Path) -> None:
    """Write small files with names that clients find hard, one of them empty."""
    for name in HARD_NAMES:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"" if name == "empty" else content(name, 2000))


def write_tree(root: Path) -> None:
    """Write the files with hard names, and one that clients upload in several parts."""
    write_hard_names(root)
    (root / LARGE).write_bytes(content(LARGE, 20 * MIB + 1))
    # S3 tells times in whole seconds: a file as old as its upload would seem newer than it.
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def digests(root: Path) -> dict[str, str]:
    """Hash every file of a tree, by its path."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(root).as_posix()] = digest
    return found
