"""Several processes on one store: conditional writes have one winner, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, TYPE_CHECKING

from tests.storage_engine.engine_steps import BUCKET, get, problems, put, small_store

if TYPE_CHECKING:
    from tests.storage_engine.conftest import Tally

RACERS = 3
LONG = bool(os.environ.get("S4_TEST_LONG"))
ROUNDS = 300 if LONG else 25
KILLS_SHARE = 0.15
ROOT = Path(__file__).resolve().parents[2]

# Waits for a round, tries to be the first to put the round's key, then to follow the current link
# of a chain with the next; says how both went. Checkpoints and a small map make it harder.
RACER = """
import sys, threading, time
from pathlib import Path
from storage_engine import checkpoint
from tests.storage_engine.cut_machine import checkpoint_now
from tests.storage_engine.engine_steps import attributes, noise, small_store
from tests.storage_engine.loop_thread import LoopThread

class Taken(Exception):
    pass

def only_if_absent(current):
    if current is not None:
        raise Taken

def only_if(etag):
    def guard(current):
        if (current and current.etag) != etag:
            raise Taken
    return guard

def attempt(key, data, guard):
    blob = engine.stage_bytes(data)
    future = engine.put_object(1, key, blob, attributes(data), guard=guard)
    own = engine.put_object(1, f"own/{name}/{line}", engine.stage_bytes(data), attributes(data))
    try:
        future.result()
        return "won"
    except Taken:
        return "lost"
    finally:
        own.result()

def tidy():
    while True:
        time.sleep(0.02)
        checkpoint_now(engine)

name = sys.argv[2]
engine = small_store(Path(sys.argv[1]), map_bytes=1 << 18)
loop = LoopThread()
loop.start()
engine.lend(loop)
threading.Thread(target=tidy, daemon=True).start()
print("ready", flush=True)
for line in map(str.strip, sys.stdin):
    round_, etag = line.split()
    size = 10 if int(round_) % 2 else 1000
    data = f"{name} {round_} ".encode() * size
    guard = only_if_absent if etag == "-" else only_if(etag)
    print(attempt(round_ if etag == "-" else "chain", data, guard), flush=True)
"""


class Racer:
    """One of the processes."""

    def __init__(self, store: Path, name: str) -> None:
        command = [sys.executable, "-c", RACER, str(store), name]
        self.name = name
        self.process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
        assert self.hear() == "ready"

    def tell(self, line: str) -> None:
        """Begin a round."""
        pipe(self.process.stdin).write(line + "\n")
        pipe(self.process.stdin).flush()

    def hear(self) -> str:
        """Return how it went; nothing from one that was killed."""
        return pipe(self.process.stdout).readline().strip()

    def end(self) -> None:
        """Kill it, which is how it ends."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def pipe(stream: IO[str] | None) -> IO[str]:
    """Return a pipe that is there."""
    assert stream is not None
    return stream


def winner(data: bytes) -> tuple[str, int]:
    """Return who put an object, and in which round."""
    name, round_ = data.split()[:2]
    return name.decode(), int(round_)


def test_one_process_wins_each_round(tmp_path: Path, tally: Tally) -> None:
    """However many processes put a key that must be absent, exactly one does, with its bytes."""
    store = tmp_path / "store"
    racers = [Racer(store, f"r{n}") for n in range(RACERS)]
    winners = []
    for round_ in range(ROUNDS):
        for racer in racers:
            racer.tell(f"{round_} -")
        outcomes = [racer.hear() for racer in racers]
        assert sorted(outcomes) == ["lost"] * (RACERS - 1) + ["won"]
        winners.append(f"r{outcomes.index('won')}")
    for racer in racers:
        racer.end()
    with small_store(store) as engine:
        for round_, name in enumerate(winners):
            assert winner(get(engine, f"{round_}")) == (name, round_)
        assert engine.namespace_counts(BUCKET).objects == ROUNDS * (1 + RACERS)
        assert problems(engine) == []
    tally(rounds_with_one_winner=ROUNDS)


def test_a_chain_has_one_next_link_though_racers_are_killed(tmp_path: Path, tally: Tally) -> None:
    """Of those who replace what they saw exactly one does, also when some die while they try."""
    store = tmp_path / "store"
    chance = random.Random(7)  # noqa: S311  # a moment, not a secret
    racers = [Racer(store, f"r{n}") for n in range(RACERS)]
    kills = 0
    with small_store(store) as engine:
        put(engine, "chain", b"nobody -1")
        for round_ in range(ROUNDS):
            etag = engine.head_object(BUCKET, "chain").etag
            for racer in racers:
                racer.tell(f"{round_} {etag}")
            dead = None
            if chance.random() < KILLS_SHARE:
                time.sleep(chance.uniform(0, 0.02))
                dead = racers.pop(chance.randrange(RACERS))
                dead.end()
                kills += 1
            won = [racer.name for racer in racers if racer.hear() == "won"]
            if dead is not None and not won:
                won = [dead.name]  # who could not say so any more
            assert len(won) == 1
            assert winner(get(engine, "chain")) == (won[0], round_)
            if dead is not None:
                racers.append(Racer(store, f"{dead.name}+"))
        assert problems(engine) == []
    for racer in racers:
        racer.end()
    with small_store(store) as engine:
        assert winner(get(engine, "chain")) == (won[0], ROUNDS - 1)
        assert problems(engine) == []
    tally(links=ROUNDS, killed_racers=kills)
