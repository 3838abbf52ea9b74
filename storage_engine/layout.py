"""The data directory: what must lie in it, and the marker that proves it is ours.

The marker is written last when a store is made and checked first when one is opened, so a
directory of somebody else, or of a newer S4, is refused before a byte in it is touched.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from storage_engine.errors import FormatError, NewerStore, StoreInUse
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

FORMAT_NAME: Final = "s4-storage"
FORMAT_VERSION: Final = 2
INDEX: Final = "index"
VOLUMES: Final = "volumes"
JOURNAL: Final = "journal"
SNAPSHOTS: Final = "snapshots"
PARTS: Final = (INDEX, JOURNAL, VOLUMES, SNAPSHOTS)
MARKER: Final = "FORMAT"
NEW_MARKER: Final = "FORMAT.new"
STORE_ID_BYTES: Final = 16
REMEDIES: Final = {
    INDEX: f"{command('rebuild_index')} makes it anew",
    JOURNAL: f"put it back, or {command('rebuild_index --accept-loss')} goes on with what there is",
    VOLUMES: "the objects were in it",
    SNAPSHOTS: "make an empty directory of that name",
}
TOLERATED: Final = frozenset({"lost+found"})  # a file system's own, at the root of a mount


class Marker(msgspec.Struct, frozen=True):
    """The contents of the FORMAT file."""

    format: str
    version: int
    store_id: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A directory that was proven to be a store of ours, or was made one."""

    root: Path
    store_id: bytes
    is_new: bool
    is_renewed: bool = False  # new, and to be filled by a salvage

    @property
    def index(self) -> Path:
        """The directory of the LMDB environment."""
        return self.root / INDEX

    @property
    def volumes(self) -> Path:
        """The directory of the volume files."""
        return self.root / VOLUMES

    @property
    def journal(self) -> Path:
        """The directory of the journal's segments."""
        return self.root / JOURNAL

    @property
    def snapshots(self) -> Path:
        """The directory of the index's snapshots."""
        return self.root / SNAPSHOTS


class Use:
    """This process's use of a store, which others can tell; ends with the process at the latest.

    To be begun and ended inside `locked`: it is the lock of the journal's directory, and changing
    it is no single step. Who is first has it alone until `share`: the kernel takes the locks of a
    killed process away one by one, and who finds that of the store's directory free must not take
    a recovery that was cut off for somebody's use.
    """

    def __init__(self, layout: Layout) -> None:
        self._descriptor = os.open(layout.journal, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        self.is_first = self._is_alone()
        if not self.is_first:
            self.share()

    def share(self) -> None:
        """Let others use the store as well, once it is recovered."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Tell, at the end, whether nobody else uses the store."""
        return self._is_alone()

    def end(self) -> None:
        """End it; in a forked child, which has the parent's, the parent's goes on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_alone(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def locked(root: Path) -> Iterator[int]:
    """Be the only one who opens or closes the store; yields the directory's descriptor.

    FormatError when there is no such directory.
    """
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FormatError(no_store(root)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened(root: Path, neighbours: Iterable[str], *, must_exist: bool = False) -> Iterator[Layout]:
    """Prove or prepare a data directory; a new one gets its marker when the block ends well.

    `neighbours` are names of other files that may lie in a new store's directory. One process
    at a time is inside. FormatError when the directory is not ours to use, or, with `must_exist`,
    not a store yet: then nothing is made.
    """
    if not must_exist:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(root) as descriptor:
        layout = existing(root)
        if layout is None:
            if must_exist:
                raise FormatError(no_store(root))
            layout = _fresh(root, TOLERATED.union(neighbours))
        for part in PARTS:
            if not (root / part).is_dir():
                raise FormatError(f"{root / part} is missing: {REMEDIES[part]}")
        yield layout
        if layout.is_new:
            _write_marker(layout, descriptor)


@contextmanager
def renewed(root: Path) -> Iterator[Layout]:
    """Prove a store whose index is lost, and give it an empty one.

    What lies in the place of index, journal and snapshots is moved aside and kept. FormatError
    when it is no store, or in use.
    """
    with locked(root) as descriptor:
        layout = existing(root)
        if layout is None:
            raise FormatError(no_store(root))
        if not layout.volumes.is_dir():
            raise FormatError(f"{layout.volumes} is missing: {REMEDIES[VOLUMES]}")
        _refuse_use(layout)
        set_aside(root, (INDEX, JOURNAL, SNAPSHOTS))
        for part in (INDEX, JOURNAL, SNAPSHOTS):
            (root / part).mkdir(mode=0o700)
        os.fsync(descriptor)
        yield dataclasses.replace(layout, is_new=True, is_renewed=True)


def set_aside(root: Path, parts: Sequence[str]) -> list[str]:
    """Give parts of a store other names, under which they are kept; return those."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = []
    while any((root / f"{part}.damaged-{now}").exists() for part in parts):
        now += "+"  # another one within a second
    for part in parts:
        if (root / part).exists():
            aside.append(f"{part}.damaged-{now}")
            (root / part).rename(root / aside[-1])
    return aside


def _refuse_use(layout: Layout) -> None:
    if layout.journal.is_dir():
        use = Use(layout)
        use.end()
        if not use.is_first:
            raise StoreInUse(f"{layout.root} is in use: stop the server first")


def no_store(root: Path) -> str:
    """Say that a directory is no store, and what may be the reason."""
    return (
        f"{root} is not a store of S4, it has no {MARKER} file: "
        "is S4_DATA_DIR right, and its disk mounted?"
    )


def existing(root: Path) -> Layout | None:
    """Return the store in a directory, or None when it has no marker; FormatError."""
    try:
        text = (root / MARKER).read_bytes()
    except FileNotFoundError:
        return None
    try:
        marker = msgspec.json.decode(text, type=Marker)
        store_id = bytes.fromhex(marker.store_id)
    except (msgspec.MsgspecError, ValueError) as error:
        raise FormatError(f"{root / MARKER} is not a marker of S4") from error
    if marker.format != FORMAT_NAME:
        raise FormatError(f"{root} belongs to {marker.format!r}, not to S4")
    if marker.version > FORMAT_VERSION:
        raise NewerStore(
            f"{root} has format {marker.version}; this version of S4 knows {FORMAT_VERSION}"
        )
    if marker.version < FORMAT_VERSION:
        raise FormatError(
            f"{root} has format {marker.version} of a version of S4 before its first release; "
            "copy its objects out with that version"
        )
    return Layout(root, store_id, is_new=False)


def _fresh(root: Path, tolerated: frozenset[str]) -> Layout:
    """Prepare an empty directory, or one in which a first start was cut off."""
    foreign = {path.name for path in root.iterdir()} - tolerated - {*PARTS, NEW_MARKER}
    if foreign:
        raise FormatError(f"{root} is not empty and not a store of S4 ({min(foreign)})")
    volumes = root / VOLUMES
    if volumes.is_dir() and any(volumes.iterdir()):
        raise FormatError(f"{root} holds volumes but no {MARKER} file")
    for part in PARTS:
        (root / part).mkdir(mode=0o700, exist_ok=True)
    for part in (INDEX, JOURNAL):
        for leftover in (root / part).iterdir():
            leftover.unlink()
    return Layout(root, secrets.token_bytes(STORE_ID_BYTES), is_new=True)


def _write_marker(layout: Layout, directory: int) -> None:
    """Make the store durable: first the names in it, then, at once, the marker."""
    marker = Marker(FORMAT_NAME, FORMAT_VERSION, layout.store_id.hex())
    new = layout.root / NEW_MARKER
    with suppress(FileNotFoundError):
        new.unlink()
    with new.open("xb") as file:
        file.write(msgspec.json.encode(marker) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    for path in (*(layout.root / part for part in PARTS), layout.root):
        _sync_directory(path)
    new.rename(layout.root / MARKER)
    os.fsync(directory)
    _sync_directory(layout.root.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
