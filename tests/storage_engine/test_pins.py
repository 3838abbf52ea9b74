"""Pins over several processes: a checkpoint outlives whoever made it, and the power."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from storage_engine import checkpoint, open_engine
from storage_engine.checkpoint import read_checkpoint
from storage_engine.index import DATA_FILE, LOCK_FILE
from storage_engine.layout import INDEX
from tests.storage_engine.crash_workload import Ledger, Worker
from tests.storage_engine.cut_machine import OPTIONS
from tests.storage_engine.lossy_disk import PAGE

if TYPE_CHECKING:
    from storage_engine import StorageEngine

ROOT = Path(__file__).resolve().parents[2]

# Commits something, makes a checkpoint, and waits to be killed.
MAKER = """
import sys
from pathlib import Path
from storage_engine import checkpoint, open_engine
from tests.storage_engine.cut_machine import OPTIONS
checkpoint.CHECKPOINT_SECONDS = 1000.0
engine = open_engine(Path(sys.argv[1]), OPTIONS)
engine.bump_generation("theirs")
engine.checkpoint()
print("made", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process make no checkpoint of its own accord."""
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 1000.0)


def let_another_make_a_checkpoint(store: Path) -> bytes:
    """Have a process make a checkpoint; kill it; return the index as it was then."""
    with Popen([sys.executable, "-c", MAKER, str(store)], cwd=ROOT, stdin=PIPE, stdout=PIPE) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == b"made\n"
        base = (store / INDEX / DATA_FILE).read_bytes()
        it.kill()
    return base


def torn(base: bytes, later: bytes, random: Random) -> bytes:
    """Return an index of which each page that changed may be on disk or not."""
    image = bytearray(later)
    for at in range(0, len(later), PAGE):
        if random.random() < 0.5:
            image[at : at + PAGE] = base[at : at + PAGE].ljust(PAGE, b"\x00")
    return bytes(image)


def overwrite(engine: StorageEngine, worker: Worker, times: int) -> None:
    """Write over the same keys, with ticks between, as if much time passed."""
    for _ in range(times):
        worker.burst()
        engine._checkpointer._tick()


@pytest.mark.parametrize("seed", range(3))
def test_a_checkpoint_outlives_the_process_that_made_it(tmp_path: Path, seed: int) -> None:
    """The pins of those who go on keep its pages: after a power cut it leads to everything."""
    store, after, ledger = tmp_path / "store", tmp_path / "after", Ledger()
    random = Random(seed)  # noqa: S311  # a chance, not a secret
    with open_engine(store, OPTIONS) as engine:
        worker = Worker(engine, ledger, "ours", random)
        overwrite(engine, worker, 4)
        before = read_checkpoint(store / INDEX)
        for _ in range(3):
            base = let_another_make_a_checkpoint(store)
            assert read_checkpoint(store / INDEX).txn_id > before.txn_id
            overwrite(engine, worker, 2)
        assert engine._index.reader_check() >= 0
        overwrite(engine, worker, 3)
        shutil.copytree(store, after, ignore=shutil.ignore_patterns(LOCK_FILE))
    later = (after / INDEX / DATA_FILE).read_bytes()
    (after / INDEX / DATA_FILE).write_bytes(torn(base, later, random))
    with open_engine(after, OPTIONS) as engine:
        ledger.check(engine)
