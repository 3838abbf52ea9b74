"""A disk with a volatile cache: a power cut leaves of what was not synced whatever it likes.

As strict as POSIX allows. Of every sector of 512 bytes any state since the file's last sync may be
on disk, of the index (which LMDB writes by itself) any of every page of 4 KiB; lengths likewise;
of a directory's changes since its last sync any suffix may be undone. `freeze` is the moment of the
cut, or of a kill; `lose` writes the store that the machine finds when it comes up again.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from storage_engine.disk import RealDisk
from storage_engine.index import DATA_FILE
from storage_engine.layout import INDEX, JOURNAL, SNAPSHOTS, VOLUMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Held = TypeVar("Held")
SECTOR: Final = 512
PAGE: Final = 4096
LOCK_FILE: Final = "lock.mdb"
SHARES: Final = (0.0, 0.0, 0.1, 0.5, 0.5, 0.9, 1.0)
"""How much of a file's unsynced bytes one cut may take: nothing, all, and between."""


class Worst(Random):
    """A chance that is always against us: all goes that may go, back to the oldest state."""

    def choice(self, seq: Any) -> Any:
        """Choose a share of all, and of states the first."""
        return 1.0 if seq is SHARES else seq[0]

    def random(self) -> float:
        """Let it happen."""
        return 0.0


class OldNames(Worst):
    """All bytes reached the disk, and no change of a name that was not synced."""

    def random(self) -> float:
        """Keep the bytes."""
        return 1.0


@dataclass(slots=True)
class Losses:
    """What cuts took: sectors of files, pages of the index, changes of names."""

    sectors: int = 0
    pages: int = 0
    names: int = 0


class File:
    """A file, whatever its name is by now: every state of what was written since its last sync."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._sectors: dict[int, list[tuple[int, bytes]]] = {}
        self._lengths = [(0, self.length())]

    def length(self) -> int:
        """Return how long the file is now."""
        return os.fstat(self.descriptor).st_size

    def read(self, length: int, offset: int) -> bytes:
        """Read as of now, zeros behind the end."""
        return os.pread(self.descriptor, length, offset).ljust(length, b"\x00")

    def note(self, offset: int, before: bytes, after: bytes, stamp: int) -> None:
        """Remember what the sectors from `offset` on were and are."""
        for at in range(0, len(before), SECTOR):
            states = self._sectors.setdefault(offset + at, [(0, before[at : at + SECTOR])])
            states.append((stamp, after[at : at + SECTOR]))
        if self._lengths[-1][1] != self.length():
            self._lengths.append((stamp, self.length()))

    def settle(self, stamp: int) -> None:
        """What was written up to a stamp is safe now; what passed no seam (a snapshot) as well."""
        self._lengths = _since(self._lengths, stamp)
        self._lengths[-1] = (self._lengths[-1][0], self.length())
        for at, states in list(self._sectors.items()):
            kept = _since(states, stamp)
            if len(kept) == 1:
                del self._sectors[at]
            else:
                self._sectors[at] = kept

    def lose(self, target: Path, random: Random, losses: Losses) -> None:
        """Write the file as a power cut may leave it."""
        share = random.choice(SHARES)
        content = bytearray(self.read(max(length for _, length in self._lengths), 0))
        for at, states in self._sectors.items():
            if random.random() < share:
                _, held = random.choice(states[:-1])
                losses.sectors += held != states[-1][1]
                content[at : at + SECTOR] = held
        is_late = random.random() < share
        length = random.choice(self._lengths)[1] if is_late else self._lengths[-1][1]
        target.write_bytes(bytes(content[:length]).ljust(length, b"\x00"))

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


class IndexFile:
    """The index, of which only samples are seen: what LMDB writes passes no seam."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = self._last = self._image()
        self._seen: list[tuple[int, bytes]] = []  # (page, what it held), oldest first

    def sample(self) -> tuple[int, bytes]:
        """Note the pages that changed; return how much was ever seen, and the file."""
        image = self._image()
        self._seen += _changed(self._last, image)
        self._last = image
        return len(self._seen), image

    def settle(self, seen: int, image: bytes) -> None:
        """What a sample saw is safe now."""
        self._base = image
        self._seen = self._seen[seen:]

    def lose(self, target: Path, random: Random, losses: Losses) -> None:
        """Write the file as a power cut may leave it."""
        self.sample()
        share = random.choice(SHARES)
        content = bytearray(self._last)
        states: dict[int, list[bytes]] = {}
        for page, held in self._seen:
            states.setdefault(page, [_page(self._base, page)]).append(held)
        for page, held in states.items():
            if random.random() < share:
                losses.pages += 1
                content[page * PAGE : (page + 1) * PAGE] = random.choice(held[:-1])
        length = len(self._base) if random.random() < share else len(content)
        target.write_bytes(content[: max(length, len(self._base))])

    def _image(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""


Step = tuple[str, File | None]
"""A name, and the file that it leads to from then on, if any."""


@dataclass(slots=True)
class Names:
    """A directory: the names that are safe, and what each call did to them since, in order."""

    safe: dict[str, File] = field(default_factory=dict)
    now: dict[str, File] = field(default_factory=dict)
    calls: list[tuple[Step, ...]] = field(default_factory=list)

    def change(self, *steps: Step) -> None:
        """Note what one call does: all of it survives, or nothing."""
        _carry_out(self.now, steps)
        self.calls.append(steps)

    def settle(self, count: int) -> None:
        """The first calls are safe now."""
        for steps in self.calls[:count]:
            _carry_out(self.safe, steps)
        self.calls = self.calls[count:]

    def survivors(self, random: Random, losses: Losses) -> dict[str, File]:
        """Return the names that a power cut may leave."""
        count = random.choice((0, len(self.calls), random.choice(range(len(self.calls) + 1))))
        losses.names += len(self.calls) - count
        names = dict(self.safe)
        for steps in self.calls[:count]:
            _carry_out(names, steps)
        return names


class LossyDisk(RealDisk):
    """A real disk that knows what it would have lost. Syncs cost nothing: only the claim counts.

    `calls_left` is after how many calls the machine stops by itself.
    """

    def __init__(self, root: Path, calls_left: int = -1) -> None:
        self.root = root
        self.calls_left = calls_left
        self.is_frozen = False
        self._lock = threading.RLock()
        self._stamp = 0
        self._syncs = 0
        self._files: dict[int, File] = {}  # by descriptor
        self._index = IndexFile(root / INDEX / DATA_FILE)
        self._indexes: set[int] = set()  # descriptors of the index
        self._opened_as: dict[int, str] = {}
        self._names: dict[Path, Names] = {}
        self._followed: list[File] = []

    # --- the disk's calls ----------------------------------------------------------------------

    def create(self, path: Path) -> int:
        """Make a file, and follow it."""
        with self._lock:
            self._pass()
            descriptor = super().create(path)
            file = self._follow(path)
            self._directory(path.parent).change((path.name, file))
            self._files[descriptor] = file
            self._opened_as[descriptor] = path.name
            return descriptor

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file, and follow it."""
        with self._lock:
            descriptor = super().open(path, is_writable=is_writable)
            self._opened_as[descriptor] = path.name
            if path.name == DATA_FILE:
                self._indexes.add(descriptor)
            else:
                self._files[descriptor] = self._directory(path.parent).now[path.name]
            return descriptor

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        with self._lock:
            self._files.pop(descriptor, None)
            self._indexes.discard(descriptor)
            super().close(descriptor)

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        with self._lock:
            self._pass()
            names = self._directory(path.parent)
            super().unlink(path)
            names.change((path.name, None))

    def rename(self, source: Path, target: Path) -> None:
        """Change a name; what had the new one is kept for the cut."""
        with self._lock:
            self._pass()
            names = self._directory(source.parent)
            super().rename(source, target)
            file = names.now[source.name]
            names.change((target.name, file), (source.name, None))

    def write(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> None:
        """Write, and remember what each touched sector held."""
        with self._lock:
            self._pass()
            end = offset + sum(map(len, buffers))
            with self._noting(descriptor, offset, end):
                super().write(descriptor, buffers, offset)

    def punch(self, descriptor: int, offset: int, length: int) -> None:
        """Punch, which is no safer than writing zeros."""
        with self._lock:
            self._pass()
            with self._noting(descriptor, offset, offset + length):
                super().punch(descriptor, offset, length)

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file."""
        with self._lock:
            self._pass()
            file = self._files[descriptor]
            with self._noting(descriptor, length, max(length, file.length())):
                super().truncate(descriptor, length)

    def hasten(self, descriptor: int, offset: int, length: int) -> None:
        """Promise nothing."""

    def sync(self, descriptor: int) -> None:
        """Make safe what was written before this call, unless the power fails meanwhile."""
        with self._lock:
            self._pass()
            stamp, file = self._stamp, self._files.get(descriptor)
            self._syncs += 1
            if file is None or self._syncs % 2:
                seen, image = self._index.sample()
        time.sleep(0)  # others go on while the disk works
        with self._lock:
            self._pass()
            if file is None:
                self._index.settle(seen, image)
            else:
                file.settle(stamp)

    def sync_directory(self, path: Path) -> None:
        """Make safe what was done to the names before this call."""
        with self._lock:
            self._pass()
            count = len(self._directory(path).calls)
        time.sleep(0)
        with self._lock:
            self._pass()
            self._directory(path).settle(count)

    # --- the end -------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Stop here: the power is gone, or the process; no call changes anything any more."""
        with self._lock:
            self.is_frozen = True

    def thaw(self) -> None:
        """Go on after a kill: the machine is up, and its cache holds what it held."""
        with self._lock:
            self.is_frozen, self.calls_left = False, -1

    def lose(self, target: Path, random: Random) -> Losses:
        """Write the store that is found after the cut; return what was lost."""
        losses = Losses()
        with self._lock:
            assert self.is_frozen
            for part in (INDEX, JOURNAL, VOLUMES, SNAPSHOTS):
                (target / part).mkdir(parents=True)
                names = self._directory(self.root / part).survivors(random, losses)
                for name, file in names.items():
                    file.lose(target / part / name, random, losses)
            for path in self.root.iterdir():
                if path.is_file():
                    shutil.copy(path, target)
            self._index.lose(target / INDEX / DATA_FILE, random, losses)
        return losses

    def release(self) -> None:
        """Close what was kept open for the cut."""
        while self._followed:
            self._followed.pop().close()

    # --- within --------------------------------------------------------------------------------

    def _pass(self) -> None:
        """Let a call happen, unless the machine has stopped, or stops here."""
        if not self.calls_left:
            self.is_frozen = True
        self.calls_left -= 1
        if self.is_frozen:
            raise OSError(errno.EIO, "the power is gone")

    def _follow(self, path: Path) -> File:
        file = File(path)
        self._followed.append(file)
        return file

    def _directory(self, path: Path) -> Names:
        """Return the names of a directory; what is in it when it is first met is safe."""
        if path not in self._names:
            names = self._names[path] = Names()
            for found in path.iterdir():
                if found.is_file() and found.name not in {DATA_FILE, LOCK_FILE}:
                    names.now[found.name] = names.safe[found.name] = self._follow(found)
        return self._names[path]

    @contextmanager
    def _noting(self, descriptor: int, start: int, end: int) -> Iterator[None]:
        """Remember the sectors of a range as they were before the block and are after it."""
        file = self._files[descriptor]
        start -= start % SECTOR
        length = -(-(end - start) // SECTOR) * SECTOR
        before = file.read(length, start)
        yield
        self._stamp += 1
        file.note(start, before, file.read(length, start), self._stamp)


class ClaimingDisk(LossyDisk):
    """A lossy disk that only claims to sync files of some names, or the names in a directory."""

    claims = ""

    def sync(self, descriptor: int) -> None:
        """Sync, or claim to."""
        if self.claims not in self._opened_as[descriptor]:
            super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Sync, or claim to."""
        if self.claims != path.name:
            super().sync_directory(path)


class StoppingDisk(LossyDisk):
    """A lossy disk that stops instead of syncing the names of one directory."""

    stops_in = ""

    def sync_directory(self, path: Path) -> None:
        """Stop, or sync."""
        if path.name == self.stops_in:
            self.freeze()
        super().sync_directory(path)


def _since(states: list[tuple[int, Held]], stamp: int) -> list[tuple[int, Held]]:
    """Drop the states that a later one, no younger than a stamp, has replaced for good."""
    last = max(n for n, (at, _) in enumerate(states) if at <= stamp)
    return states[last:]


def _carry_out(names: dict[str, File], steps: Sequence[Step]) -> None:
    for name, file in steps:
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _page(image: bytes, page: int) -> bytes:
    return image[page * PAGE : (page + 1) * PAGE].ljust(PAGE, b"\x00")


def _changed(before: bytes, after: bytes) -> list[tuple[int, bytes]]:
    """Return the pages that differ, as they are now."""
    pages = range(max(len(before), len(after)) // PAGE)
    return [(n, _page(after, n)) for n in pages if _page(before, n) != _page(after, n)]
