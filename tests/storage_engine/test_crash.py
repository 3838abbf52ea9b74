"""kill -9 under load: what was acknowledged is there, nothing is half there, and others go on.

Processes on one store are killed at random moments, one or all, while they open it, recover, make
checkpoints and snapshots and compact; and one process is killed at every call of the disk.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from subprocess import PIPE, Popen, run
from typing import IO, TYPE_CHECKING

import pytest

from storage_engine import NoSuchKey
from tests.storage_engine.counting_disk import KILLED
from tests.storage_engine.crash_writer import (
    SCRIPT_OBJECTS,
    Act,
    expected,
    next_act,
    script_objects,
)
from tests.storage_engine.engine_steps import get, noise, problems, put, small_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage_engine.conftest import Tally

ROOT = Path(__file__).resolve().parents[2]
LONG = bool(os.environ.get("S4_TEST_LONG"))
ROUNDS = 45 if LONG else 5
STORES = 5 if LONG else 1
PROCESSES = 3
POINT_STEP = 1 if LONG else 29


class Writer:
    """A process that changes a store for ever, and what it acknowledged."""

    def __init__(self, store: Path, name: str) -> None:
        command = [sys.executable, "-m", "tests.storage_engine.crash_writer", str(store), name]
        self.process = Popen(command, cwd=ROOT, stdout=PIPE)
        self.name = name
        self.last: dict[str, Act] = {}
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,))
        self._reader.start()
        self.acts = 0

    def _read(self, output: IO[bytes]) -> None:
        for line in output:
            if line.endswith(b"\n"):
                act = Act.parse(line.decode())
                self.last[act.key] = act
                self.acts += 1

    def kill(self) -> None:
        """Kill it, and hear what it still said."""
        self.process.send_signal(signal.SIGKILL)
        status = self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert status == -signal.SIGKILL, f"{self.name} ended by itself"


def check(store: Path, kept: dict[str, Act], where: str) -> None:
    """Open the store and compare it with what was acknowledged."""
    with small_store(store) as engine:
        assert problems(engine) == [], where
        for key, act in kept.items():
            try:
                found: bytes | None = get(engine, key)
            except NoSuchKey:
                found = None
            # The one act that may have followed was perhaps done, and not yet acknowledged.
            assert found in {expected(act), expected(next_act(act))}, f"{where}: {act}"


@pytest.fixture
def writers() -> Iterator[list[Writer]]:
    """Give the processes that are running; those that a failure leaves are killed."""
    running: list[Writer] = []
    yield running
    for writer in running:
        writer.process.kill()
        writer.process.communicate()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(STORES))
def test_killed_processes_lose_nothing_they_acknowledged(
    tmp_path: Path, seed: int, writers: list[Writer], tally: Tally
) -> None:
    """After kill -9 of some or all, at any moment, each key holds what was acknowledged last."""
    store = tmp_path / "store"
    chance = random.Random(seed)  # noqa: S311  # a moment, not a secret
    kept: dict[str, Act] = {}
    kills = acts = 0
    for round_ in range(ROUNDS):
        while len(writers) < PROCESSES:
            writers.append(Writer(store, f"{round_}-{len(writers)}"))
        time.sleep(chance.choice((chance.uniform(0, 0.4), chance.uniform(0.4, 1.2))))
        count = chance.choice((1, 1, 2, PROCESSES))
        for writer in [writers.pop(chance.randrange(len(writers))) for _ in range(count)]:
            writer.kill()
            kills += 1
            acts += writer.acts
            kept |= writer.last
        if not writers:
            check(store, kept, f"round {round_}")
        elif round_ % 4 == 3:  # beside those who go on
            check(store, kept, f"round {round_}, beside {len(writers)}")
    if not writers:
        writers.append(Writer(store, "last"))
    # On a busy machine all may have been killed while they were starting: that proves too little.
    while acts + sum(writer.acts for writer in writers) <= ROUNDS:
        assert all(writer.process.poll() is None for writer in writers)
        time.sleep(0.05)
    while writers:
        writer = writers.pop()
        writer.kill()
        kills += 1
        acts += writer.acts
        kept |= writer.last
    check(store, kept, "the end")
    with small_store(store) as engine:
        engine.reclaim(10**15)
        assert problems(engine) == []
    assert acts > ROUNDS
    tally(kill_rounds=ROUNDS, kills=kills, acknowledged=acts, lost=0)


def script(store: Path, dies_at: int) -> tuple[int, int]:
    """Run the scripted process, which dies before a call; return its status and what it said."""
    command = [sys.executable, "-m", "tests.storage_engine.crash_writer", str(store), str(dies_at)]
    done = run([*command, "script"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode in {0, KILLED}, done.stderr.decode()
    return done.returncode, done.stdout.count(b"\n")


@pytest.mark.timeout(900)
def test_a_process_may_die_at_every_call_of_the_disk(tmp_path: Path, tally: Tally) -> None:
    """Whichever change of the disk is a process's last, nothing that it acknowledged is lost."""
    points = calls = 0
    status = KILLED
    while status == KILLED:
        calls += POINT_STEP
        points += 1
        store = tmp_path / f"{calls}"
        status, said = script(store, calls)
        for _ in range(1 + points % 2):  # every other is killed once more, while it recovers
            found = script(store, 3) if points % 2 and status == KILLED else None
            with small_store(store) as engine:
                assert problems(engine) == [], f"call {calls}, {found}"
                for key, data in script_objects(said):
                    assert get(engine, key) == data, f"call {calls}: {key}"
                put(engine, "after", noise(5000))
    assert said == SCRIPT_OBJECTS
    assert calls > 60
    tally(points=points)
