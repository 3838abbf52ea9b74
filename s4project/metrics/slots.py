"""Numbers that processes leave for each other in memory, one file each.

A process claims a slot, the first that no living process holds, and goes on with the sums that it
finds there: so nothing that was counted is lost with who counted it, however he died, and there are
never more files than there were processes at one time. A slot's lock is the kernel's; it tells,
too, whether what a file says of the present still holds.

prometheus_client's own files are not used, though its text is: they are mapped into memory, so a
full /dev/shm (64 MB in a container) would kill workers by a signal instead of an error that can be
waited out; they are named by process, so they pile up with every generation of workers; and each
figure stands there for itself, so a histogram can be read half written.

A file is [past, present, now] in msgpack: what those before had counted in this slot, what its
process has, and what is true of it at the moment. It is replaced whole, so a reader needs no lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from contextlib import suppress
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MEMORY: Final = Path("/dev/shm")  # noqa: S108  # memory: an idle server writes no disk
FALLBACK: Final = "metrics"  # in the data directory, where there is no such place
SLOTS_MAX: Final = 1024
BUCKETS_MAX: Final = 100  # that have rows of their own
NAME_BYTES: Final = 64  # of a bucket's name, and what ends it
BUCKETS: Final = "buckets"
OTHER: Final = "_other"  # which no bucket can be called

Row = list[float]
Figures = dict[str, dict[str, Row]]  # by series and labels, these joined by newlines


class Now(msgspec.Struct):
    """What is true of a process at the moment."""

    role: str
    pid: int
    in_flight: int = 0
    connections: int = 0


class Sheet(msgspec.Struct, array_like=True):
    """What a file has."""

    past: Figures
    present: Figures
    now: Now


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Sheet)


def merge(into: Figures, figures: Figures) -> None:
    """Add figures up, row by row."""
    for name, rows in figures.items():
        sums = into.setdefault(name, {})
        for labels, row in rows.items():
            known = sums.get(labels)
            if known is None or len(known) != len(row):
                sums[labels] = row
            else:
                sums[labels] = list(map(add, known, row))


class Slot:
    """The place of this process; held until it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.number = int(path.name)
        self._path = path
        self._descriptor = descriptor
        self._past = msgspec.Raw(_encoder.encode(_read_past(path)))  # once, for it stays as it is

    def write(self, present: Figures, now: Now) -> None:
        """Leave what this process has counted, in all; OSError."""
        new = self._path.with_suffix(".new")
        new.write_bytes(_encoder.encode((self._past, present, now)))
        new.replace(self._path)

    def let_go(self) -> None:
        """Leave the slot, and its sums, to the next."""
        os.close(self._descriptor)


class Slots:
    """The directory of one store, and who is in it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def claim(self) -> Slot:
        """Take the first free slot; OSError."""
        for number in range(SLOTS_MAX):
            path = self._directory / str(number)
            descriptor = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _lock(descriptor, fcntl.LOCK_EX):
                return Slot(path, descriptor)
            os.close(descriptor)
        raise OSError("there are too many processes")

    def read(self) -> tuple[Figures, dict[int, Now]]:
        """Add up what all have counted, and tell what is true now of those who live, by slot."""
        sums: Figures = {}
        living: dict[int, Now] = {}
        for number, sheet in self._sheets():
            merge(sums, sheet.past)
            merge(sums, sheet.present)
            if _is_held(self._directory / str(number)):
                living[number] = sheet.now
        return sums, living

    def clear(self) -> None:
        """Forget what was counted by processes that are gone."""
        is_empty = True
        for path in self._paths():
            if _is_held(path):
                is_empty = False
                continue
            path.unlink(missing_ok=True)
            path.with_suffix(".new").unlink(missing_ok=True)
        if is_empty:
            (self._directory / BUCKETS).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the directory, unless somebody is in it."""
        self.clear()
        if any(_is_held(path.with_suffix("")) for path in self._directory.glob("*.lock")):
            return
        with suppress(OSError):
            for path in self._directory.iterdir():
                path.unlink()
            self._directory.rmdir()

    def grant(self, buckets: Iterable[str]) -> dict[str, str]:
        """Give buckets rows of their own while there are any left; OSError.

        Returns under which name each is counted.
        """
        path = self._directory / BUCKETS
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            known = dict.fromkeys(
                os.pread(descriptor, NAME_BYTES * BUCKETS_MAX, 0).decode().split()
            )
            wanted = [bucket for bucket in buckets if bucket not in known]
            new = wanted[: max(0, BUCKETS_MAX - len(known))]
            if new:
                os.write(descriptor, "".join(f"{bucket}\n" for bucket in new).encode())
        finally:
            os.close(descriptor)
        granted = known.keys() | set(new)
        return {bucket: bucket if bucket in granted else OTHER for bucket in (*known, *wanted)}

    def _paths(self) -> list[Path]:
        with suppress(FileNotFoundError):  # who ended last has removed it
            return [path for path in self._directory.iterdir() if path.name.isdigit()]
        return []

    def _sheets(self) -> Iterator[tuple[int, Sheet]]:
        for path in self._paths():
            with suppress(OSError, msgspec.MsgspecError):
                yield int(path.name), _decoder.decode(path.read_bytes())


def find_slots(data: Path, *, is_made: bool = True) -> Slots:
    """Find the directory of a data directory's store, or make it if it `is_made` here; OSError."""
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    for directory in (MEMORY / f"s4-{os.geteuid()}-{name}", data / FALLBACK):
        if is_made:
            with suppress(OSError):
                directory.mkdir(mode=0o700)
        if _is_ours(directory):
            return Slots(directory)
    raise OSError(f"neither {MEMORY} nor {data} takes a directory for metrics")


def _is_ours(directory: Path) -> bool:
    """Whether nobody else can have put anything there: in /dev/shm anybody may make one."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    return is_private and found.st_uid == os.geteuid() and os.access(directory, os.W_OK)


def _read_past(path: Path) -> Figures:
    """Add up what was counted in a slot before; what cannot be read was nothing."""
    sums: Figures = {}
    with suppress(OSError, msgspec.MsgspecError):
        sheet = _decoder.decode(path.read_bytes())
        merge(sums, sheet.past)
        merge(sums, sheet.present)
    return sums


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(path: Path) -> bool:
    """Whether a living process holds a slot."""
    try:
        descriptor = os.open(_lock_of(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
