"""Checkpoints: a tree of the index that is whole on disk, and where in the journal to go on.

LMDB runs without syncs of its own. A checkpoint is made safe by a pin, a read transaction at its
tree: pages that the tree uses are not written again while the pin stands. So whatever the disk
holds after a power cut, the saved meta page leads to that tree, and the journal to everything
since. The rule that makes it hold: **no process commits without a pin of its own that is no
younger than the checkpoint on disk.** Whoever dies, or ends, takes only his own away.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import lmdb
from awscrt.checksums import crc32c

from storage_engine.disk import PASSING_CODES
from storage_engine.errors import EngineError, FormatError
from storage_engine.index import DATA_FILE, META_PAGE_BYTES, leave
from storage_engine.journal import Tail
from storage_engine.keys import JOURNAL
from storage_engine.limits import (
    CHECKPOINT_JOURNAL_BYTES,
    CHECKPOINT_SECONDS,
    CHECKPOINT_STEP_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine.disk import Disk
    from storage_engine.health import Health
    from storage_engine.index import Index
    from storage_engine.journal import Journal

CHECKPOINT: Final = "checkpoint"
NEW_CHECKPOINT: Final = "checkpoint.new"
MAGIC: Final = b"S4chkpnt"
FORMAT_VERSION: Final = 2
_FIXED: Final = struct.Struct(">8sHHQQ28s")
_CRC: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What leads back to a tree of the index and on from it."""

    txn_id: int
    created_ms: int
    tail: Tail
    meta_page: bytes

    def pack(self) -> bytes:
        """Encode it."""
        fixed = _FIXED.pack(
            MAGIC, FORMAT_VERSION, 0, self.txn_id, self.created_ms, self.tail.pack()
        )
        data = fixed + self.meta_page
        return data + _CRC.pack(crc32c(data))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Decode it; FormatError unless every byte is right."""
        if len(data) != _FIXED.size + META_PAGE_BYTES + _CRC.size:
            raise FormatError("the checkpoint is cut off")
        magic, version, flags, txn_id, created_ms, tail = _FIXED.unpack_from(data)
        if magic != MAGIC or _CRC.unpack(data[-_CRC.size :])[0] != crc32c(data[: -_CRC.size]):
            raise FormatError("the checkpoint is damaged")
        if (version, flags) != (FORMAT_VERSION, 0):
            raise FormatError(f"checkpoint of format {version} (flags {flags})")
        meta_page = data[_FIXED.size : -_CRC.size]
        return cls(txn_id, created_ms, Tail.unpack(tail), meta_page)


def read_checkpoint(directory: Path) -> Checkpoint:
    """Return the checkpoint of an index directory; FormatError, FileNotFoundError."""
    return Checkpoint.unpack((directory / CHECKPOINT).read_bytes())


def read_durable_checkpoint(disk: Disk, directory: Path) -> Checkpoint:
    """Return the checkpoint, once no power cut can bring back the one before it.

    Whoever wrote it may have died before its name was durable.
    """
    checkpoint = read_checkpoint(directory)
    disk.sync_directory(directory)
    return checkpoint


def write_checkpoint(disk: Disk, directory: Path, checkpoint: Checkpoint) -> None:
    """Put a checkpoint in place of the one before, wholly or not at all."""
    new = directory / NEW_CHECKPOINT
    with suppress(FileNotFoundError):
        disk.unlink(new)
    descriptor = disk.create(new)
    try:
        disk.write(descriptor, [checkpoint.pack()], 0)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    disk.rename(new, directory / CHECKPOINT)
    disk.sync_directory(directory)


class Pin(NamedTuple):
    """A read transaction that keeps the pages of its tree."""

    txn_id: int
    txn: lmdb.Transaction[bytes]


class Pins:
    """The pins of this process, oldest first. The oldest is no younger than the checkpoint.

    A second one waits at a later tree until the checkpoint, whoever makes it, has passed it; then
    the first is let go: so pages come back without this process making checkpoints itself.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._pins: list[Pin] = []
        self._resizes = index.resizes

    @property
    def stand(self) -> bool:
        """Whether there is one; a resize of the map voids all of them."""
        return bool(self._pins) and self._resizes == self._index.resizes

    @property
    def wait(self) -> bool:
        """Whether a later tree is, or should be, waited for."""
        pins = self._pins
        return len(pins) > 1 or (bool(pins) and pins[0].txn_id < self._index.last_txn_id())

    def take(self) -> Pin:
        """Pin the newest tree, for `replace`."""
        txn = self._index.begin_read()
        return Pin(txn.id(), txn)

    def replace(self, pin: Pin, resizes: int) -> None:
        """Let all go but one, which stands at the checkpoint on disk."""
        with self._lock:
            old, self._pins, self._resizes = self._pins, [pin], resizes
        _let_go(old)

    def advance(self, checkpoint_txn_id: int) -> None:
        """Let those go that a checkpoint has passed; wait at the newest tree for the next."""
        with self._lock:
            if not self.stand:
                return
            passed = [pin for pin in self._pins[1:] if pin.txn_id <= checkpoint_txn_id]
            old = self._pins[: len(passed)]
            self._pins = self._pins[len(passed) :]
            if len(self._pins) == 1 and self._index.last_txn_id() > self._pins[0].txn_id:
                self._pins.append(self.take())
        _let_go(old)

    def release(self) -> None:
        """Let all go: this process commits no more."""
        with self._lock:
            old, self._pins = self._pins, []
        _let_go(old)


def _let_go(pins: list[Pin]) -> None:
    for pin in pins:
        with suppress(lmdb.Error):  # voided by a resize
            pin.txn.abort()


class Checkpointer:
    """Makes checkpoints for one process: at once when asked, and after activity by itself."""

    def __init__(self, index: Index, journal: Journal, disk: Disk, health: Health) -> None:
        self._index = index
        self._journal = journal
        self._disk = disk
        self._health = health
        self._keep_from: Callable[[], int] = lambda: 0
        self._pins = Pins(index)
        # Kept open: a descriptor opened later might miss an error of writing back.
        self._data = disk.open(index.path / DATA_FILE, is_writable=True)
        self._last: Checkpoint | None = None  # as last seen on disk
        self._position = 0  # of the journal, after this process's last commit
        self._behind: tuple[int, float] | None = None  # which checkpoint lags, as seen since when
        self._is_recovered = False
        self._wake = threading.Event()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def start(self, keep_from: Callable[[], int]) -> None:
        """Begin to work by itself; of the journal, `keep_from()` and all behind it is kept.

        From here on the index is as far as the journal: what follows its tail is nobody's.
        """
        self._keep_from = keep_from
        self._is_recovered = True
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    @property
    def is_pinned(self) -> bool:
        """Whether this process may commit. Ask inside the write transaction."""
        return self._pins.stand

    @property
    def last(self) -> Checkpoint | None:
        """The checkpoint on disk, as this process last saw it."""
        return self._last

    @property
    def lag_seconds(self) -> float:
        """For how long commits have waited for a checkpoint; healthy: for a few seconds at most."""
        behind = self._behind
        return 0.0 if behind is None else time.monotonic() - behind[1]

    def note(self, position: int) -> None:
        """Take notice of a commit, and of how far the journal has come."""
        self._position = position
        last = self._last
        if last is not None and position - last.tail.position >= CHECKPOINT_JOURNAL_BYTES:
            self._wake.set()

    def adopt(self, checkpoint: Checkpoint) -> None:
        """Take over the pin that the index was opened with, at the checkpoint it began at."""
        pin, self._index.first_pin = self._index.first_pin, None
        assert pin is not None
        assert pin.id() == checkpoint.txn_id
        self._pins.replace(Pin(pin.id(), pin), self._index.resizes)
        self._last = checkpoint

    def settle(self) -> None:
        """Undo what a dead process made durable and nobody saw; OSError, lmdb.Error.

        To be done when the store is opened beside others, perhaps in a dead one's place, and when
        it is closed: without commits nothing else would do it before the next recovery.
        """
        txn = self._index.begin_write()
        try:
            self._journal.settle(Tail.unpack(txn.get(JOURNAL, db=self._index.tables.meta)))
        finally:
            leave(txn)

    def checkpoint(self) -> Checkpoint:
        """Make one now, of everything committed so far; StorageError, OSError, lmdb.Error."""
        with self._turn():
            return self._make()

    def close(self, *, is_last: bool) -> None:
        """Stop, with a checkpoint of everything if nobody else has the store open."""
        self.stop()
        if is_last and self._health.failure is None:
            # Only spares the next start the replay: a failure here loses nothing.
            with suppress(OSError, lmdb.Error, EngineError):
                if self._is_recovered:
                    self.settle()
                if self._last is None or self._index.last_txn_id() != self._last.txn_id:
                    self.checkpoint()
        self._pins.release()
        self._disk.close(self._data)

    def stop(self) -> None:
        """End the thread."""
        self._is_closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def abandon(self) -> None:
        """Forget the thread, in a forked child; the pins are the parent's."""
        self._is_closed = True
        self._thread = None

    # --- making one ----------------------------------------------------------------------------

    def _make(self) -> Checkpoint:
        self._health.check()
        began = time.perf_counter()
        made, pin, resizes = self._capture()
        try:
            with self._final():
                self._disk.sync(self._data)
            write_checkpoint(self._disk, self._index.path, made)
        except BaseException:
            _let_go([pin])
            raise
        self._pins.replace(pin, resizes)
        self._last = made
        self._journal.counts.checkpoint_seconds.add(time.perf_counter() - began)
        self._index.reader_check()
        return made

    @contextmanager
    def _final(self) -> Iterator[None]:
        """Take a failure to write the index out for good: what it lost is not told of twice."""
        try:
            yield
        except OSError as error:
            raise self._health.fail("the index could not be synced", error) from error

    def _capture(self) -> tuple[Checkpoint, Pin, int]:
        """Under the write lock: the newest meta page, a pin at its tree, the journal's tail."""
        with self._index.kept_size():
            txn = self._index.begin_write()
            try:
                resizes = self._index.resizes
                tail = Tail.unpack(txn.get(JOURNAL, db=self._index.tables.meta))
                if self._is_recovered:
                    self._journal.settle(tail)
                txn_id, meta_page = self._index.newest_meta_page()
                pin = self._pins.take()
            finally:
                leave(txn)
        assert pin.txn_id == txn_id
        return Checkpoint(pin.txn_id, time.time_ns() // 1_000_000, tail, meta_page), pin, resizes

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Be the only one who makes a checkpoint, over all processes."""
        descriptor = os.open(self._index.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    # --- by itself -----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_closed:
                self._wake.wait(CHECKPOINT_SECONDS)
                self._wake.clear()
                if not self._is_closed:
                    self._tick()
        finally:
            if not self._is_closed:  # without checkpoints nothing may be written on and on
                self._health.fail("the checkpointer ended", RuntimeError("by an unforeseen error"))

    def _tick(self) -> None:
        """Do what is due. Touches no file when nothing was committed anywhere."""
        resizes = self._index.resizes
        try:
            last_txn_id = self._index.last_txn_id()
            is_current = self._last is not None and last_txn_id == self._last.txn_id
            self._note_lag(is_current=is_current)
            if self._health.failure is not None:
                self._retire()
            elif not is_current or self._pins.wait:
                self._keep_up(last_txn_id)
        except (OSError, lmdb.Error, EngineError) as error:
            # A full disk, or table of files, has room again some day; what a resize voided is done
            # at the next tick.
            is_full = isinstance(error, OSError) and error.errno in PASSING_CODES
            is_resized = isinstance(error, lmdb.Error) and resizes != self._index.resizes
            if not (is_full or is_resized or self._is_closed):
                self._health.fail("a checkpoint could not be made", error)

    def _note_lag(self, *, is_current: bool) -> None:
        """Note since when this checkpoint, and no later one, has been behind the commits."""
        if is_current or self._last is None:
            self._behind = None
        elif self._behind is None or self._behind[0] != self._last.txn_id:
            self._behind = self._last.txn_id, time.monotonic()

    def _retire(self) -> None:
        """Let the pins go once nothing more can be committed here: others need the pages."""
        if self._pins.stand:
            txn = self._index.begin_write()  # behind the last group, if one is under way
            self._pins.release()
            leave(txn)

    def _keep_up(self, last_txn_id: int) -> None:
        """Make a checkpoint unless somebody else did lately; follow the newest with the pins."""
        self._last = self._look()
        if last_txn_id != self._last.txn_id and self._is_due(self._last):
            with self._turn():
                self._last = self._look()
                if self._is_due(self._last):
                    self._write_out()
                    self._make()
                    self._journal.recycle(min(self._last.tail.position, self._keep_from()))
                    self._journal.prepare_spare()
        self._pins.advance(self._last.txn_id)

    def _write_out(self) -> None:
        """Let most of the pages go to the disk in steps, leaving room for others in between."""
        size = (self._index.path / DATA_FILE).stat().st_size
        with self._final():
            for at in range(0, size, CHECKPOINT_STEP_BYTES):
                if not self._is_closed:
                    self._disk.write_out(self._data, at, CHECKPOINT_STEP_BYTES)

    def _look(self) -> Checkpoint:
        """Return the checkpoint on disk, whoever made it."""
        found = read_checkpoint(self._index.path)
        if self._last is not None and found.txn_id == self._last.txn_id:
            return found
        return read_durable_checkpoint(self._disk, self._index.path)

    def _is_due(self, last: Checkpoint) -> bool:
        age_s = time.time() - last.created_ms / 1000
        distance = self._position - last.tail.position
        return not 0 <= age_s < CHECKPOINT_SECONDS or distance >= CHECKPOINT_JOURNAL_BYTES
