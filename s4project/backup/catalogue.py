"""A backup's target: what proves that it is one, which backups are in it, and which are whole.

A backup is whole once its list of files has its name, which is given last. Knows no engine.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from storage_engine.layout import MARKER, TOLERATED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET_MARKER: Final = "S4-BACKUP"
MANIFEST: Final = "backup.json"
UNFINISHED: Final = "unfinished"
FORMAT_NAME: Final = "s4-backup"
FORMAT_VERSION: Final = 1
NAME: Final = re.compile(r"(\d{8}T\d{6}Z)(?:-(\d{1,9}))?")
Kind = TypeVar("Kind", bound=msgspec.Struct)


class TargetError(Exception):
    """A directory that backups cannot be made in, or that holds none; the text says why."""


class TargetMarker(msgspec.Struct, frozen=True):
    """What the target's marker says: whose backups these are."""

    store_id: str
    format: str = FORMAT_NAME
    version: int = FORMAT_VERSION


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a backup; of a volume also what its source was like when it was copied."""

    name: str
    size: int
    crc32c: int
    is_sealed: bool = False
    inode: int = 0
    modified_ns: int = 0
    room: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The list of a whole backup's files."""

    store_id: str
    started: str  # ISO 8601, UTC
    finished: str
    position: int  # of the journal: what was answered before that is in it
    sql: str  # sqlite, postgresql, or none
    problems: list[str]
    files: list[File]
    format: str = FORMAT_NAME
    version: int = FORMAT_VERSION


def read_json(path: Path, kind: type[Kind]) -> Kind:
    """Read a document of ours; TargetError when it is none, or of a newer S4."""
    try:
        found = msgspec.json.decode(path.read_bytes())
        version = found.get("version", 0) if found.get("format") == FORMAT_NAME else -1
        if version == FORMAT_VERSION:
            return msgspec.convert(found, kind)
    except (OSError, msgspec.MsgspecError, AttributeError) as error:
        raise TargetError(f"{path} cannot be read: {error}") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise TargetError(f"{path} is of a newer S4 (format {version}), which alone can use it")
    raise TargetError(f"{path} is not of a backup of S4")


def write_json(path: Path, document: msgspec.Struct) -> None:
    """Write a document, wholly or not at all, to stay."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:  # the store's id is for nobody else to know
        file.write(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory stay."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Target:
    """A directory for backups, which this process has alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unfinished = root / UNFINISHED

    def backups(self) -> list[Path]:
        """Return the whole backups, oldest first."""
        return backups(self.root)

    def finish(self, name: str) -> Path:
        """Give the backup that is whole by now its own name: behind all others, as clocks err."""
        last = _named(self.root)[-1:]
        if last and last[0].name.partition("-")[0] >= name:
            name, _, number = last[0].name.partition("-")
            name = f"{name}-{int(number or 1) + 1}"
        path = self.root / name
        self.unfinished.rename(path)
        sync_directory(self.root)
        return path

    def prune(self, kept: int) -> int:
        """Remove whole backups beyond the newest so many, and what is left of others; count."""
        gone = self.backups()[:-kept]
        for path in gone:
            (path / MANIFEST).unlink()  # from here on it is not whole, and says so
        for path in _named(self.root):
            if not (path / MANIFEST).exists():
                shutil.rmtree(path)
        return len(gone)


def backups(root: Path) -> list[Path]:
    """Return the whole backups in a target, oldest first."""
    return [path for path in _named(root) if (path / MANIFEST).is_file()]


def _named(root: Path) -> list[Path]:
    """Return what has a backup's name, in the order in which they were made."""
    found = [(match, path) for path in root.iterdir() if (match := NAME.fullmatch(path.name))]
    found.sort(key=lambda item: (item[0][1], int(item[0][2] or 1)))
    return [path for _, path in found]


@contextmanager
def opened(root: Path, source: Path, store_id: str) -> Iterator[Target]:
    """Have a target alone, and make an empty directory one; TargetError, and nothing is touched."""
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        hint = "make it, or mount its disk"
        raise TargetError(f"{root} cannot be used ({error.strerror}): {hint}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TargetError(f"another backup to {root} is running") from None
        _check(root.resolve(), source.resolve(), store_id)
        if not (root / TARGET_MARKER).exists():
            write_json(root / TARGET_MARKER, TargetMarker(store_id))
        yield Target(root)
    finally:
        os.close(descriptor)


def _check(root: Path, source: Path, store_id: str) -> None:
    """Refuse a directory that is not for the backups of this store."""
    if root == source or root in source.parents or source in root.parents:
        raise TargetError(f"{root} and the data directory {source} lie in one another")
    if (root / TARGET_MARKER).exists():
        if read_json(root / TARGET_MARKER, TargetMarker).store_id != store_id:
            raise TargetError(f"{root} holds the backups of another store")
        return
    foreign = {path.name for path in root.iterdir()} - TOLERATED - {TARGET_MARKER + ".new"}
    if foreign:
        what = "a store" if MARKER in foreign else f"not empty ({min(foreign)})"
        raise TargetError(f"{root} is {what}, and no place for backups: give an empty directory")
