"""A machine whose power fails and whose processes are killed, and a store that lives through it."""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import lmdb

from storage_engine import EngineError, EngineOptions, open_engine, rebuild_index
from storage_engine.layout import INDEX
from tests.storage_engine.crash_workload import Interrupted, Ledger, Worker, run_workers
from tests.storage_engine.engine_steps import KIB
from tests.storage_engine.lossy_disk import Losses, LossyDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import StorageEngine

OPTIONS = EngineOptions(
    inline_bytes_max=4096,
    volume_bytes_max=300 * KIB,
    disk_reserve_bytes=0,
    map_bytes=1 << 26,
    segment_bytes=64 * KIB,
)


def checkpoint_now(engine: StorageEngine) -> None:
    """Make a checkpoint, and give the journal before it up at once, back to the last snapshot."""
    checkpointer = engine._checkpointer
    with checkpointer._turn():
        made = checkpointer._make()
        engine._journal.recycle(min(made.tail.position, checkpointer._keep_from()))
        engine._journal.prepare_spare()


class Machine:
    """A store that lives through cuts and kills, and what may be found in it."""

    def __init__(
        self,
        directory: Path,
        random: Random,
        luck: Random | None = None,
        make_disk: Callable[[Path], LossyDisk] = LossyDisk,
    ) -> None:
        self.directory = directory
        self.random = random
        self.luck = luck or random  # decides what is lost
        self.ledger = Ledger()
        self.losses = Losses()
        self.cuts = 0
        self.make_disk = make_disk
        self.store = directory / "0"
        open_engine(self.store, OPTIONS).close()
        self.disk = self.make_disk(self.store)

    def live(self, calls: int, acts: int = 40) -> None:
        """Open the store, work, and stop after so many calls of the disk, or when work is done."""
        self.disk.calls_left = calls
        try:
            engine = open_engine(self.store, OPTIONS, disk=self.disk)
        except (EngineError, OSError):
            assert self.disk.is_frozen  # it stopped while the store was being opened
            return
        stop = threading.Event()
        checkpoints = threading.Thread(target=self._checkpoints, args=(engine, stop))
        checkpoints.start()
        run_workers(engine, self.ledger, ["0", "1", "2"], self.random, acts)
        self.disk.freeze()
        stop.set()
        checkpoints.join()
        engine.close()

    def act(self, script: Callable[[Worker], None], calls: int = -1) -> bool:
        """Let one thread follow a script, and stop after so many calls; False when it was."""
        self.disk.calls_left = calls
        try:
            engine = open_engine(self.store, OPTIONS, disk=self.disk)
        except (EngineError, OSError):
            assert self.disk.is_frozen
            return False
        try:
            script(Worker(engine, self.ledger, "0", self.random))
        except (Interrupted, EngineError, OSError):
            assert self.disk.is_frozen
        is_done = not self.disk.is_frozen
        self.disk.freeze()
        engine.close()
        return is_done

    def _checkpoints(self, engine: StorageEngine, stop: threading.Event) -> None:
        """Make checkpoints at random moments."""
        random = Random(self.random.random())  # noqa: S311  # a moment, not a secret
        while not stop.wait(random.uniform(0, 0.02)):
            with suppress(OSError, lmdb.Error, EngineError):
                checkpoint_now(engine)

    def kill(self) -> None:
        """Go on with what the machine's memory holds: only the process is gone."""
        self.disk.freeze()
        self.disk.thaw()

    def cut(self) -> None:
        """Go on with what the disk may hold."""
        self.cuts += 1
        self.disk.freeze()
        after = self.directory / f"{self.cuts}"
        lost = self.disk.lose(after, self.luck)
        self.losses.sectors += lost.sectors
        self.losses.pages += lost.pages
        self.losses.names += lost.names
        self.disk.release()
        shutil.rmtree(self.store)
        self.store = after
        self.disk = self.make_disk(after)

    def check(self) -> None:
        """Open copies with a real disk and compare; the store itself is still to be recovered.

        Of one copy the index is lost, and made anew of snapshot and journal.
        """
        copy = self.directory / "copy"
        shutil.copytree(self.store, copy)
        with open_engine(copy, OPTIONS) as engine:
            self.ledger.check(engine)
        shutil.rmtree(copy)
        shutil.copytree(self.store, copy)
        shutil.rmtree(copy / INDEX)
        rebuild_index(copy, OPTIONS)
        with open_engine(copy, OPTIONS) as engine:
            self.ledger.check(engine)
        shutil.rmtree(copy)
