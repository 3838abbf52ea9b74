"""The index: one LMDB environment, its tables, and how transactions begin.

Readers never wait and see whole commits; one writer at a time over all processes. The map may
grow under everybody's feet: here that is handled, so that nobody above knows of it. Belongs to
the process that opened it: LMDB must not be used across a fork, and a forked child abandons it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, TypeVarTuple

import lmdb

from storage_engine.disk import allocate
from storage_engine.errors import EngineClosed, FormatError, StorageError
from storage_engine.keys import Table
from storage_engine.limits import INDEX_ROOM_BYTES, READERS_MAX, SPARE_READERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Given = TypeVarTuple("Given")
Result = TypeVar("Result")
Txn = lmdb.Transaction
_opened: weakref.WeakSet[Index] = weakref.WeakSet()
LMDB_MAJOR = 0  # the file format of LMDB 0.9; part of our own format
RESIZE_WAIT_S = 0.001
RELEASE_WAIT_S = 0.01
RELEASE_WAITS = 500
DATA_FILE: Final = "data.mdb"
LOCK_FILE: Final = "lock.mdb"

META_PAGE_BYTES: Final = 4096
"""The first two pages of the file are LMDB's meta pages: of two commits, the newer counts."""

_META: Final = struct.Struct("<16xII8xQ96xQQ")
"""Of a meta page: magic, version, map size, last page, transaction id (LMDB 0.9, 64-bit)."""

_NUMBER_AT: Final = 144 // 8, (META_PAGE_BYTES + 144) // 8
"""Where the transaction ids of both pages are, in words of eight bytes."""

_MAGIC: Final = (0xBEEFC0DE, 1)


def restore_meta_page(directory: Path, page: bytes) -> None:
    """Make an index that nobody has open begin at the tree a meta page leads to.

    Not synced: until the next checkpoint is made, the last one leads back to the same tree.
    FormatError when the file cannot hold that tree.
    """
    path = directory / DATA_FILE
    *magic, _, last_page, _ = _META.unpack_from(page)
    if tuple(magic) != _MAGIC or path.stat().st_size < (last_page + 1) * META_PAGE_BYTES:
        raise FormatError(f"{path} is shorter than its checkpoint, or of another kind")
    with path.open("r+b") as file:
        file.write(page + page)


def newest_meta_page(path: Path) -> tuple[int, bytes]:
    """Return the last commit's number and meta page, of a file that nobody commits to just now."""
    with path.open("rb") as file:
        pages = [file.read(META_PAGE_BYTES), file.read(META_PAGE_BYTES)]
    found = [(_META.unpack_from(page)[-1], page) for page in pages]
    for page in pages:
        assert _META.unpack_from(page)[:2] == _MAGIC
    return max(found)


def _watch_numbers(path: Path) -> memoryview:
    """Map the meta pages of an open index, to be read in words of eight bytes."""
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 2 * META_PAGE_BYTES, prot=mmap.PROT_READ)
    return memoryview(pages).cast("Q")


def await_release(directory: Path) -> None:
    """Wait until the last of the processes that had the index open is gone for LMDB as well.

    The kernel takes the locks of a killed process away one by one. LMDB would go on with what is
    in the lock file if it met one of them, though the index has been put back behind it.
    EngineClosed when somebody keeps it open. Not for a process that has it open itself.
    """
    path = directory / LOCK_FILE
    with suppress(FileNotFoundError), path.open("r+b") as file:
        for _ in range(RELEASE_WAITS):
            with suppress(BlockingIOError, PermissionError):
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                return
            time.sleep(RELEASE_WAIT_S)
        raise EngineClosed(f"{path} is in use by another program")


def _open(path: Path, map_bytes: int) -> lmdb.Environment:
    """Open the environment, again as long as another process outgrows our map meanwhile."""
    while True:
        try:
            return lmdb.open(
                str(path),
                map_size=map_bytes,
                max_dbs=len(Tables._fields),
                max_readers=READERS_MAX,
                max_spare_txns=SPARE_READERS_MAX,
                readahead=False,  # point lookups: reading around them would evict what is used
                mode=0o600,
                sync=False,  # the journal is synced, and checkpoints make the tree durable
                metasync=False,
                lib_version=LMDB_MAJOR,
            )
        except lmdb.MapResizedError:
            continue  # LMDB takes on the larger of the file's size and ours
        except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as error:
            raise FormatError(f"{path} holds no index that this version can read") from error
        except lmdb.Error as error:
            # LMDB's locks are the process's: a second opening would undo those of the first, and
            # a forked child cannot tell its parent's from its own.
            if "already open" not in str(error):
                raise StorageError(f"the index cannot be opened: {error}") from error
            raise EngineClosed(
                f"{path} is open in this process, or was when it was forked: close it before"
            ) from error


def leave(txn: lmdb.Transaction[bytes]) -> None:
    """Let go of the write lock after a transaction in which nothing was changed.

    A commit of nothing writes nothing. An abort would wait, with the lock held, until all other
    calls of this process into the index have returned, a copy of the whole of it among them
    (py-lmdb 3, `trans_abort`): meanwhile nobody could write.
    """
    txn.commit()


class Tables(NamedTuple):
    """The open tables; the names are those of `keys.Table`."""

    entries: lmdb._Database
    inline: lmdb._Database
    blobs: lmdb._Database
    volumes: lmdb._Database
    uploads: lmdb._Database
    upload_names: lmdb._Database
    open_uploads: lmdb._Database
    parts: lmdb._Database
    manifests: lmdb._Database
    dead: lmdb._Database
    namespaces: lmdb._Database
    due: lmdb._Database
    meta: lmdb._Database
    quarantine: lmdb._Database
    markers: lmdb._Database
    versions: lmdb._Database
    lifecycle: lmdb._Database
    accounts: lmdb._Database

    @property
    def numbers(self) -> dict[lmdb._Database, int]:
        """The place of each table in this tuple, by which the journal names it: on disk."""
        return {table: number for number, table in enumerate(self)}


assert set(Tables._fields) == {table.value for table in Table}


class Index:
    """An open index. `view` to read, `begin_write` for the one committer thread."""

    def __init__(self, path: Path, map_bytes: int) -> None:
        """Open the index in a directory, creating its files there."""
        self.path = path
        self._is_closed = False
        self._resize_lock = threading.Lock()
        self._growth_lock = threading.Lock()
        self._resizes = 0
        self._room_end = 0  # up to here the file has its blocks
        self._env = _open(path, map_bytes)
        if self._env.stat()["psize"] != META_PAGE_BYTES:
            self._env.close()
            raise FormatError(f"{path}: S4 needs a machine with memory pages of 4,096 bytes")
        self._numbers = _watch_numbers(path / DATA_FILE)
        # Until it is let go this keeps the pages of the tree that a recovery began at.
        self.first_pin: lmdb.Transaction[bytes] | None = self.begin_read()
        self._env.reader_check()  # slots of processes that died would keep old pages from reuse
        self.tables = self._open_tables()
        _opened.add(self)

    def view(
        self,
        function: Callable[[lmdb.Transaction[bytes], *Given], Result],
        *given: *Given,
    ) -> Result:
        """Run a function in a read transaction; it sees one commit and may run more than once.

        It is handed what is given: every lookup passes here, and would make a closure for that.
        """
        while True:
            if self._is_closed:
                raise _unusable()
            resizes = self._resizes
            try:
                txn = self._env.begin()
                try:
                    return function(txn, *given)
                finally:
                    txn.abort()
            except lmdb.MapResizedError:
                self._follow(resizes)
            except lmdb.Error:
                # A resize in another thread invalidates the transactions of this one.
                if resizes == self._resizes and not self._resize_lock.locked():
                    raise
                time.sleep(RESIZE_WAIT_S)

    def begin_write(self) -> lmdb.Transaction[bytes]:
        """Begin the one write transaction; waits for those of other processes."""
        return self._begin(is_write=True)

    def begin_read(self) -> lmdb.Transaction[bytes]:
        """Begin a read transaction that outlives the call; a resize of the map voids it."""
        return self._begin(is_write=False)

    def _begin(self, *, is_write: bool) -> lmdb.Transaction[bytes]:
        while True:
            self._check_usable()
            resizes = self._resizes
            try:
                return self._env.begin(write=is_write)
            except lmdb.MapResizedError:
                self._follow(resizes)
            except lmdb.Error:
                if resizes == self._resizes and not self._resize_lock.locked():
                    raise
                time.sleep(RESIZE_WAIT_S)

    @contextmanager
    def kept_size(self) -> Iterator[None]:
        """Keep this process from growing its map, which would void a write transaction."""
        with self._growth_lock:
            yield

    def grow(self) -> None:
        """Double the map of this process; others follow when they meet the larger index."""
        with self._growth_lock:
            self._resize(lambda env: env.set_mapsize(2 * env.info()["map_size"]))

    @property
    def resizes(self) -> int:
        """How often this process changed the size of its map."""
        return self._resizes

    def last_txn_id(self) -> int:
        """Return the number of the last commit, of whichever process: two words of memory.

        It counts from the moment when LMDB has written its meta page, a moment before readers begin
        to see it: whoever notes up to where he has read takes the number from his transaction.
        """
        self._check_usable()
        even, odd = _NUMBER_AT
        return max(self._numbers[even], self._numbers[odd])

    def newest_meta_page(self) -> tuple[int, bytes]:
        """Return the last commit's number and meta page. Only under the write lock."""
        return newest_meta_page(self.path / DATA_FILE)

    def release_first_pin(self) -> None:
        """Let go of the tree that was found at opening: something else pins one now."""
        pin, self.first_pin = self.first_pin, None
        if pin is not None:
            with suppress(lmdb.Error):  # voided by a resize
                pin.abort()

    def copy(self, descriptor: int) -> None:
        """Write the newest tree to an open file, without free pages; others go on meanwhile."""
        while True:
            self._check_usable()
            resizes = self._resizes
            try:
                self._env.copyfd(descriptor, compact=True)
            except lmdb.MapResizedError:  # as it begins: nothing is written yet
                self._follow(resizes)
            else:
                return

    def reader_check(self) -> int:
        """Free the reader slots of processes that died; return how many."""
        return self._steady(self._env.reader_check)

    def make_room(self) -> bool:
        """Keep blocks ready for the pages of commits to come; False when the disk has none left."""
        used = self.size_bytes()
        if used + INDEX_ROOM_BYTES // 2 <= self._room_end:
            return True
        end = used + INDEX_ROOM_BYTES
        if not allocate(self.path / DATA_FILE, end):
            return False
        self._room_end = end
        return True

    def map_bytes(self) -> int:
        """Return how large this process's map is: as the index outgrows it, it is doubled."""
        return int(self._steady(self._env.info)["map_size"])

    def size_bytes(self) -> int:
        """Return how much of the index file is in use, free pages included."""
        last_page = int(self._steady(self._env.info)["last_pgno"])
        return (last_page + 1) * META_PAGE_BYTES

    def close(self) -> None:
        """Close the environment; in a forked child, leave it alone."""
        if not self._is_closed:
            self._env.close()
            self._is_closed = True
            self._numbers.release()  # and with it the file: nothing else refers to its pages

    def abandon(self) -> None:
        """Refuse in a forked child, and close nothing: that would free the parent's readers."""
        self._is_closed = True

    def _steady(self, call: Callable[[], Result]) -> Result:
        """Ask LMDB something, again when another thread was just changing the map's size."""
        while True:
            self._check_usable()
            resizes = self._resizes
            try:
                return call()
            except lmdb.Error:
                if resizes == self._resizes and not self._resize_lock.locked():
                    raise
                time.sleep(RESIZE_WAIT_S)

    def _check_usable(self) -> None:
        if self._is_closed:
            raise _unusable()

    def _follow(self, resizes: int) -> None:
        """Take on the size that another process gave the map, unless another thread just did.

        That thread may be the committer, by now in its write transaction: once more would void it.
        """
        with self._resize_lock:
            if resizes == self._resizes:
                self._resizes += 1
                self._env.set_mapsize(0)

    def _resize(self, change: Callable[[lmdb.Environment], None]) -> None:
        """Change the map's size: LMDB waits for calls under way and voids open transactions."""
        with self._resize_lock:
            self._resizes += 1
            change(self._env)

    def _open_tables(self) -> Tables:
        with self.begin_write() as txn:  # another process may outgrow our map at this very moment
            return Tables(*(self._env.open_db(name.encode(), txn=txn) for name in Tables._fields))


def _unusable() -> EngineClosed:
    return EngineClosed("the engine is closed, or was opened before a fork")


def _abandon_inherited() -> None:
    """See to it that a forked child needs not ask, for each read, which process it is."""
    for index in list(_opened):
        index.abandon()


os.register_at_fork(after_in_child=_abandon_inherited)
