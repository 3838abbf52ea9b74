"""Power cuts: unsynced writes and names lost in any subset, and nothing acknowledged with them.

The controls at the end show that the cut is real: take one of the safeguards away, and it breaks.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired, run
from typing import TYPE_CHECKING

import pytest

from storage_engine import checkpoint
from storage_engine.layout import INDEX
from tests.storage_engine.cut_controls import BROKE, CONTROLS
from tests.storage_engine.cut_machine import Machine, checkpoint_now
from tests.storage_engine.engine_steps import KIB
from tests.storage_engine.lossy_disk import OldNames, StoppingDisk, Worst

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.storage_engine.conftest import Tally
    from tests.storage_engine.crash_workload import Worker

ROOT = Path(__file__).resolve().parents[2]
LONG = bool(os.environ.get("S4_TEST_LONG"))
SEEDS = 90 if LONG else 3
ROUNDS = 6
CALLS_STEP = 1 if LONG else 13


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make checkpoints due all the time."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.02)
    monkeypatch.setattr(checkpoint, "CHECKPOINT_JOURNAL_BYTES", 200 * KIB)


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


@pytest.mark.parametrize("control", CONTROLS if LONG else CONTROLS[:4])
def test_without_a_safeguard_it_breaks(tmp_path: Path, control: str) -> None:
    """Each safeguard is needed, and the cut finds out: without it the store is lost or damaged."""
    # In a process of its own, which LMDB may bring down over pages that make no sense.
    command = [sys.executable, "-m", "tests.storage_engine.cut_controls", control, str(tmp_path)]
    try:
        done = run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)
    except TimeoutExpired:
        return  # it went round in circles
    assert done.returncode == BROKE or done.returncode < 0, done.stderr.decode()
