"""Power cuts: unsynced writes and names lost in any subset, and nothing acknowledged with them.

The controls at the end show that the cut is real: take one of the safeguards away, and it breaks.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import lmdb
import pytest

from storage_engine import EngineError, EngineOptions, checkpoint, open_engine
from storage_engine.layout import INDEX
from tests.storage_engine.crash_workload import Interrupted, Ledger, Worker, run_workers
from tests.storage_engine.engine_steps import KIB
from tests.storage_engine.lossy_disk import Losses, LossyDisk, OldNames, StoppingDisk, Worst

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import StorageEngine
    from tests.storage_engine.conftest import Tally

LONG = bool(os.environ.get("S4_TEST_LONG"))
SEEDS = 110 if LONG else 4
ROUNDS = 6
CALLS_STEP = 1 if LONG else 7
OPTIONS = EngineOptions(
    inline_bytes_max=4096,
    volume_bytes_max=300 * KIB,
    disk_reserve_bytes=0,
    map_bytes=1 << 26,
    segment_bytes=64 * KIB,
)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make checkpoints due all the time."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.02)
    monkeypatch.setattr(checkpoint, "CHECKPOINT_JOURNAL_BYTES", 200 * KIB)


def checkpoint_now(engine: StorageEngine) -> None:
    """Make a checkpoint, and give the journal before it up at once."""
    checkpointer = engine._checkpointer
    with checkpointer._turn():
        made = checkpointer._make()
        engine._journal.recycle(made.tail.position)
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
        """Open a copy with a real disk and compare; the store itself is still to be recovered."""
        copy = self.directory / "copy"
        shutil.copytree(self.store, copy)
        with open_engine(copy, OPTIONS) as engine:
            self.ledger.check(engine)
        shutil.rmtree(copy)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_acknowledged_survives_cuts(
    tmp_path: Path, seed: int, hurry: None, tally: Tally
) -> None:
    """Cut again and again, also while recovering, also killed before, the store stays whole."""
    random = Random(seed)  # noqa: S311  # a chance, not a secret
    machine = Machine(tmp_path, random)
    for _ in range(ROUNDS):
        machine.live(random.choice((random.randrange(40), random.randrange(900), 10_000)))
        if random.random() < 0.3:
            machine.kill()
            machine.live(random.choice((random.randrange(40), random.randrange(900))))
        machine.cut()
        machine.check()
    machine.disk.release()
    tally(
        cuts=machine.cuts,
        answered=machine.ledger.answered,
        sectors_lost=machine.losses.sectors,
        pages_lost=machine.losses.pages,
        names_lost=machine.losses.names,
    )


def overwrite(worker: Worker, times: int) -> None:
    """Write the same keys again and again, which frees pages and uses free ones."""
    for _ in range(times):
        worker.burst()


def test_a_checkpoint_whose_name_is_not_durable_is_not_relied_on(tmp_path: Path) -> None:
    """When a process is killed between rename and sync, pages are kept until the sync was made."""
    machine = Machine(tmp_path, Random(3), OldNames(), StoppingDisk)  # noqa: S311  # the same again
    disk = machine.disk
    assert isinstance(disk, StoppingDisk)

    def story(worker: Worker) -> None:
        overwrite(worker, 2)
        checkpoint_now(worker.engine)
        overwrite(worker, 2)
        disk.stops_in = INDEX
        checkpoint_now(worker.engine)
        overwrite(worker, 2)

    assert not machine.act(story)
    disk.stops_in = ""
    machine.kill()
    assert machine.act(lambda worker: overwrite(worker, 3))
    machine.cut()
    machine.check()
    machine.disk.release()


def long_story(worker: Worker) -> None:
    """Do of everything a little."""
    worker.put()
    worker.burst()  # fills segments, and may need one longer than others
    checkpoint_now(worker.engine)
    worker.delete()
    worker.multipart()
    worker.burst()
    checkpoint_now(worker.engine)
    worker.put()


def short_story(worker: Worker) -> None:
    """Put a little, into the segment and over the pages that are there."""
    for _ in range(9):
        worker.put()


def longer_story(worker: Worker) -> None:
    """Put much, into new segments and over free pages."""
    for _ in range(2):
        worker.burst()


@pytest.mark.parametrize("story", [short_story, longer_story])
def test_a_cut_after_a_kill_loses_nothing(tmp_path: Path, story: Callable[[Worker], None]) -> None:
    """Whichever call a kill came at, what is written after it survives the worst cut."""
    calls = 0
    is_done = False
    while not is_done:
        calls += CALLS_STEP
        machine = Machine(tmp_path / f"{calls}", Random(7), Worst())  # noqa: S311  # the same again
        is_done = machine.act(long_story, calls)
        machine.kill()
        assert machine.act(story)
        machine.cut()
        machine.check()
        machine.disk.release()
        shutil.rmtree(machine.directory)
    assert calls > 50
