"""Writing volumes: append-only files, each owned by one process, in which regions are reserved.

A region belongs to whoever reserved it until it is kept (an object uses it) or given back, so a
slow writer holds no lock. A lock on the file tells other processes that its owner lives.
Knows files and places; what lies in a region is not known here.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from storage_engine.disk import disown, try_own, try_share
from storage_engine.errors import DiskFull
from storage_engine.limits import PUNCH_BYTES_MIN, RECORD_ALIGNMENT
from storage_engine.record import VOLUME_HEADER_BYTES, VolumeHeader, record_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from storage_engine.disk import Disk
    from storage_engine.health import Health

SUFFIX: Final = ".volume"


def volume_path(directory: Path, volume_id: int) -> Path:
    """Return the file of a volume."""
    return directory / f"{volume_id:08d}{SUFFIX}"


def volume_ids(directory: Path) -> list[int]:
    """Return the ids of all volume files, in order."""
    return sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())


def is_owned(disk: Disk, path: Path) -> bool:
    """Tell whether some process still appends to a volume; FileNotFoundError.

    Asks for a lock that can be shared, so that two who look at once do not take each other for the
    owner. Who wants to own the volume in that moment fails, and has to try again some time: the
    system offers no way to look at this lock without taking it.
    """
    descriptor = disk.open(path)
    try:
        return not try_share(descriptor)
    finally:
        disk.close(descriptor)


class SharedSync:
    """Syncs one file for many threads: who comes while a sync runs shares the next one."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._condition = threading.Condition()
        self._started = 0
        self._finished = 0
        self._is_running = False
        self._error: OSError | None = None

    def __call__(self) -> None:
        """Return once a sync that began after this call has ended well; OSError otherwise.

        One failure fails every later call: the system reports lost bytes only once.
        """
        with self._condition:
            wanted = self._started + 1
            while self._is_running and self._finished < wanted:
                self._condition.wait()
            if self._error is not None:
                raise self._error
            if self._finished >= wanted:
                return
            self._started += 1
            self._is_running = True
        self._lead()

    def _lead(self) -> None:
        """Sync for everybody who wrote before now."""
        try:
            self._sync()
        except OSError as error:
            self._error = error
            raise
        finally:
            with self._condition:
                self._is_running = False
                self._finished = self._started
                self._condition.notify_all()


class Volume:
    """One file this process appends to.

    Its lock protects only the bookkeeping, never I/O: who reserves waits for no disk. Regions are
    ended one at a time, with the I/O that takes, and none while ownership ends: from then on the
    file may be somebody else's.
    """

    def __init__(self, disk: Disk, path: Path, volume_id: int, length_max: int) -> None:
        """Create the file, own it, and make its name and header durable."""
        self.id = volume_id
        self.path = path
        self.disk = disk
        self.sync = SharedSync(lambda: disk.sync(self._descriptor))
        self._length_max = length_max
        self._lock = threading.Lock()
        self._ending = threading.Lock()  # taken before the other one
        self._tail = VOLUME_HEADER_BYTES
        self._returned: dict[int, int] = {}  # end -> start of regions given back
        self._open_regions = 0
        self._is_sealed = False
        self._is_owned = True
        self._descriptor = disk.create(path)

    def start(self, store_id: bytes) -> bool:
        """Own the file and make its name and header durable; False if somebody removed it."""
        if not try_own(self._descriptor) or not self.path.exists():
            self._close()
            return False
        header = VolumeHeader(store_id, self.id, time.time_ns() // 1_000_000)
        self.disk.write(self._descriptor, [header.pack()], 0)
        self.disk.sync(self._descriptor)
        self.disk.sync_directory(self.path.parent)
        return True

    def reserve(self, length: int) -> Region | None:
        """Reserve the next `length` bytes; None when the volume is full. An empty one takes all."""
        with self._lock:
            is_empty = self._tail == VOLUME_HEADER_BYTES
            if self._is_sealed or not (is_empty or self._tail + length <= self._length_max):
                return None
            region = Region(self, self._tail, length)
            self._tail += length
            self._open_regions += 1
        return region

    def shrink(self, region: Region, length: int) -> None:
        """Let what lies behind the first `length` bytes of a region be reserved again.

        Nothing may have been written there. In the middle of a volume it stays a gap.
        """
        with self._lock:
            self._give_back(region.offset + length, region.offset + region.length)

    def write(self, buffers: Sequence[bytes | memoryview], offset: int) -> None:
        """Write at a place inside a reserved region."""
        self.disk.write(self._descriptor, buffers, offset)

    def hasten(self, offset: int, length: int) -> None:
        """Let the disk begin to write a range out."""
        self.disk.hasten(self._descriptor, offset, length)

    def write_out(self, offset: int, length: int) -> None:
        """Have the disk write a range out, and wait for it; what fails is for the sync to tell.

        Through an opening of its own: the system tells an error once through each, and it must not
        be kept from those who sync what they have written meanwhile.
        """
        with suppress(OSError):
            descriptor = self.disk.open(self.path)
            try:
                self.disk.write_out(descriptor, offset, length)
            finally:
                self.disk.close(descriptor)

    def let_go(self, region: Region, *, is_used: bool) -> None:
        """End a region: its bytes are an object's, or free for the next one if it was the last."""
        with self._ending:
            if not is_used and self._is_owned:
                self._free(region)
            with self._lock:
                self._open_regions -= 1
            self._close_if_done()

    def _free(self, region: Region) -> None:
        """Let a region be reserved again, or give back the room of a large one that cannot be."""
        self._erase_header(region)
        with self._lock:
            self._give_back(region.offset, region.offset + region.length)
            is_hole = region.offset < self._tail
        if is_hole and region.length >= PUNCH_BYTES_MIN:
            # No commit ever named this region, so no reader can be in it.
            with suppress(OSError):
                self.disk.punch(self._descriptor, region.offset, region.length)

    def _give_back(self, start: int, end: int) -> None:
        """Move the tail to before a range that is free, once nothing behind it is reserved."""
        self._returned[end] = start
        while (before := self._returned.pop(self._tail, None)) is not None:
            self._tail = before

    def _erase_header(self, region: Region) -> None:
        """Keep a walk over the bytes from meeting a record that nobody may believe.

        It would hide what is written over the rest of it, and be salvaged though it was refused.
        Whatever is synced here later is synced with this.
        """
        with suppress(OSError):
            self.disk.write(self._descriptor, [bytes(RECORD_ALIGNMENT)], region.offset)

    def seal(self) -> None:
        """Reserve nothing more; ownership ends when the last region is let go."""
        with self._ending:
            self._seal()

    def disown(self) -> None:
        """End ownership although regions are open: nothing in them can be committed any more."""
        with self._ending:
            self._seal()
            if self._descriptor >= 0:
                self._is_owned = False
                disown(self._descriptor)

    def abandon(self) -> None:
        """Close the descriptor whatever is open: it was never used, or the process was forked."""
        # Threads that hold them may have stayed with the parent.
        self._lock, self._ending = threading.Lock(), threading.Lock()
        self._is_sealed, self._is_owned = True, False
        self._close()

    @property
    def is_open(self) -> bool:
        """Whether the volume is active, or regions of it are."""
        return self._descriptor >= 0

    def _seal(self) -> None:
        with self._lock:
            is_news, self._is_sealed = not self._is_sealed, True
        if is_news:
            self._close_if_done()

    def _close_if_done(self) -> None:
        """Close what is sealed when its last region has ended: nobody can reserve another one."""
        if self._is_sealed and not self._open_regions:
            if self._is_owned:
                with suppress(OSError):
                    self.disk.truncate(self._descriptor, self._tail)
            self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            self.disk.close(self._descriptor)
            self._descriptor = -1


class Region:
    """A reserved range of one volume. Ends once, by `keep` or `give_back`."""

    __slots__ = ("_is_open", "length", "offset", "volume")

    def __init__(self, volume: Volume, offset: int, length: int) -> None:
        self.volume = volume
        self.offset = offset
        self.length = length
        self._is_open = True

    def write(self, buffers: Sequence[bytes | memoryview], at: int) -> None:
        """Write buffers from `at` on, counted from the region's start."""
        assert at + sum(map(len, buffers)) <= self.length
        self.volume.write(buffers, self.offset + at)

    def follows(self, other: Region) -> bool:
        """Tell whether it begins where the other one ends."""
        return self.volume is other.volume and self.offset == other.offset + other.length

    def hasten(self, at: int, length: int) -> None:
        """Let the disk begin to write out what was written from `at` on."""
        self.volume.hasten(self.offset + at, length)

    def write_out(self) -> None:
        """Wait until the disk has what was written; that promises nothing."""
        self.volume.write_out(self.offset, self.length)

    def shrink(self, length: int) -> None:
        """Give back what lies behind the first `length` bytes; nothing was written there."""
        if length < self.length:
            self.volume.shrink(self, length)
            self.length = length

    def keep(self) -> None:
        """End the region: a committed object uses it."""
        self._end(is_used=True)

    def give_back(self) -> None:
        """End the region: nothing uses it, and nothing ever did."""
        self._end(is_used=False)

    def _end(self, *, is_used: bool) -> None:
        if self._is_open:
            self._is_open = False
            self.volume.let_go(self, is_used=is_used)


class Appender:
    """The active volume of this process; it is created by the first region anybody reserves."""

    def __init__(  # noqa: PLR0913  # where it appends, under which bounds
        self,
        disk: Disk,
        directory: Path,
        store_id: bytes,
        allocate_id: Callable[[int], int],
        health: Health,
        *,
        length_max: int,
        reserve_bytes: int | None = None,
    ) -> None:
        self._reserve_bytes = reserve_bytes  # room to leave on the disk, if not the usual
        self._disk = disk
        self._directory = directory
        self._store_id = store_id
        self.seed = record_seed(store_id)
        self._allocate_id = allocate_id
        self._health = health
        self.length_max = length_max
        self._lock = threading.Lock()
        self._active: Volume | None = None
        self._owned: list[Volume] = []  # the active one, and those before it with open regions

    @property
    def active_id(self) -> int | None:
        """The id of the volume this process appends to, if any."""
        active = self._active
        return active.id if active is not None else None

    def has_room(self, length: int) -> bool:
        """Tell whether the disk can take so many bytes and keep its reserve."""
        return self._health.has_room(length, self._reserve_bytes)

    def reserve(self, length: int) -> Region:
        """Reserve a region; DiskFull or StorageError when there can be none."""
        return self.reserve_all([length])[0]

    def reserve_all(self, lengths: Sequence[int]) -> list[Region]:
        """Reserve regions, side by side where nobody comes between; all, or as `reserve` none."""
        self._health.check()
        if not self.has_room(sum(lengths)):
            raise DiskFull("the disk is nearly full")
        regions: list[Region] = []
        try:
            for length in lengths:
                region = self._active.reserve(length) if self._active is not None else None
                regions.append(self._reserve_in_next(length) if region is None else region)
        except BaseException:
            for region in regions:
                region.give_back()
            raise
        return regions

    def sync(self, region: Region) -> None:
        """Make a region's bytes durable; after a failure the engine takes no more writes."""
        try:
            region.volume.sync()
        except OSError as error:
            raise self._health.fail("a volume could not be synced", error) from error

    def close(self) -> None:
        """Give up every volume; writers that are still open write to no purpose."""
        with self._lock:
            for volume in self._owned:
                volume.disown()
            self._owned, self._active = [], None

    def abandon(self) -> None:
        """Close every volume in a forked child; they stay the parent's."""
        self._lock = threading.Lock()  # the parent's may have been held just then
        for volume in self._owned:
            volume.abandon()

    def _reserve_in_next(self, length: int) -> Region:
        with self._lock:
            while True:
                region = self._active.reserve(length) if self._active is not None else None
                if region is not None:
                    return region
                if self._active is not None:
                    self._active.seal()
                self._active = self._create()
                self._owned = [volume for volume in self._owned if volume.is_open]
                self._owned.append(self._active)

    def _create(self) -> Volume:
        """Make a new volume under an id that was never used.

        A file that is there already was left by an index that was lost since. What lies in it,
        and in those behind it, is not for this index to give up.
        """
        strangers = 0
        while True:
            volume_id = self._allocate_id(strangers)
            path = volume_path(self._directory, volume_id)
            try:
                volume = Volume(self._disk, path, volume_id, self.length_max)
            except FileExistsError:
                strangers = max(volume_ids(self._directory), default=volume_id)
                continue
            except OSError as error:
                raise self._health.explain("no volume could be created", error) from error
            try:
                if volume.start(self._store_id):
                    return volume
            except OSError as error:
                volume.abandon()
                with suppress(OSError):
                    self._disk.unlink(path)
                raise self._health.explain("no volume could be created", error) from error
