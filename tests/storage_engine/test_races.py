"""Several processes on one store: conditional writes have one winner, and nothing is lost."""

from __future__ import annotations

import sys
from subprocess import PIPE, Popen
from typing import IO, TYPE_CHECKING

from tests.storage_engine.engine_steps import BUCKET, get, problems, small_store

if TYPE_CHECKING:
    from pathlib import Path

RACERS = 3
ROUNDS = 25

# Waits for a round's number, tries to be the first to put the round's key, and says how it went.
RACER = """
import sys
from pathlib import Path
from tests.storage_engine.engine_steps import attributes, noise, small_store

class Taken(Exception):
    pass

def only_if_absent(current):
    if current is not None:
        raise Taken

name = sys.argv[2]
with small_store(Path(sys.argv[1])) as engine:
    print("ready", flush=True)
    for line in sys.stdin:
        key = line.strip()
        data = name.encode() * (10 if int(key) % 2 else 1000)
        blob = engine.stage_bytes(data)
        future = engine.put_object(1, key, blob, attributes(data), guard=only_if_absent)
        own = engine.put_object(1, f"own/{name}/{key}", engine.stage_bytes(data), attributes(data))
        try:
            future.result()
            outcome = "won"
        except Taken:
            outcome = "lost"
        own.result()
        print(outcome, flush=True)
"""


def pipe(stream: IO[str] | None) -> IO[str]:
    """Return a pipe that is there."""
    assert stream is not None
    return stream


def test_one_process_wins_each_round(tmp_path: Path) -> None:
    """However many processes put a key that must be absent, exactly one does, with its bytes."""
    store = tmp_path / "store"
    racers = [
        Popen([sys.executable, "-c", RACER, str(store), f"{n}"], stdin=PIPE, stdout=PIPE, text=True)
        for n in range(RACERS)
    ]
    for racer in racers:
        assert pipe(racer.stdout).readline() == "ready\n"
    winners = []
    for round_ in range(ROUNDS):
        for racer in racers:
            pipe(racer.stdin).write(f"{round_}\n")
            pipe(racer.stdin).flush()
        outcomes = [pipe(racer.stdout).readline().strip() for racer in racers]
        assert sorted(outcomes) == ["lost"] * (RACERS - 1) + ["won"]
        winners.append(outcomes.index("won"))
    for racer in racers:
        racer.communicate()
        assert racer.returncode == 0
    with small_store(store) as engine:
        for round_, winner in enumerate(winners):
            assert set(get(engine, f"{round_}")) == set(b"%d" % winner)
        assert engine.namespace_counts(BUCKET).objects == ROUNDS * (1 + RACERS)
        assert problems(engine) == []
