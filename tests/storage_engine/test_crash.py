"""kill -9 under load: what was acknowledged is there, nothing is half there."""

from __future__ import annotations

import random
import signal
import sys
import time
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from storage_engine import NoSuchKey
from tests.storage_engine.engine_steps import get, noise, problems, small_store

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

SIZES = (10, 700, 5000, 200_000)

# Several threads put, overwrite, upload and delete for ever; each acknowledged act is one line.
WRITER = """
import itertools, os, sys, threading
from pathlib import Path
from tests.storage_engine.engine_steps import attributes, noise, put, put_multipart, small_store

SIZES = (10, 700, 5000, 200_000)
engine = small_store(Path(sys.argv[1]))
run = sys.argv[2]

def work(thread):
    for n in itertools.count():
        key = f"{run}-{thread}/{n % 7}"
        seed = thread * 100_000 + n
        size = SIZES[(n + thread) % 4]
        if n % 9 == 8:
            engine.delete_object(1, key).result()
            act = "delete"
        elif n % 5 == 4:
            put_multipart(engine, key, [noise(size, seed), noise(100, seed)])
            act = "multi"
        else:
            put(engine, key, noise(size, seed))
            act = "put"
        os.write(1, f"{key} {act} {size} {seed}\\n".encode())

threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
"""


def expected(act: str, size: int, seed: int) -> bytes | None:
    """Return the bytes that an acknowledged act left under its key."""
    if act == "delete":
        return None
    return noise(size, seed) + (noise(100, seed) if act == "multi" else b"")


def acknowledged(output: bytes) -> dict[str, tuple[str, int, int]]:
    """Return the last whole act of each key."""
    last = {}
    for line in output.decode().splitlines(keepends=True):
        if line.endswith("\n"):
            key, act, size, seed = line.split()
            last[key] = (act, int(size), int(seed))
    return last


@pytest.mark.parametrize("attempt", range(2))
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, attempt: int) -> None:
    """After kill -9 at any moment each key holds its last acknowledged act, or the one begun."""
    store = tmp_path / "store"
    chance = random.Random(attempt)  # noqa: S311  # a moment, not a secret
    kept: dict[str, tuple[str, int, int]] = {}
    for run in range(2):
        command = [sys.executable, "-c", WRITER, str(store), f"{attempt}{run}"]
        with Popen(command, stdout=PIPE) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.6))
            writer.send_signal(signal.SIGKILL)
            kept |= acknowledged(first + writer.stdout.read())
        with small_store(store) as engine:
            assert problems(engine) == []
            for key, (act, size, seed) in kept.items():
                check_key(engine, key, act, size, seed)
            engine.reclaim(10**15)
            assert problems(engine) == []
    assert len(kept) > 4


def check_key(engine: StorageEngine, key: str, act: str, size: int, seed: int) -> None:
    """Accept the acknowledged state, or that of the one act that may have followed it."""
    try:
        found: bytes | None = get(engine, key)
    except NoSuchKey:
        found = None
    if found == expected(act, size, seed):
        return
    thread, n = divmod(seed, 100_000)
    later = n + 7  # the next act of that key, perhaps done and not yet acknowledged
    next_act = "delete" if later % 9 == 8 else "multi" if later % 5 == 4 else "put"
    next_size = SIZES[(later + thread) % 4]
    assert found == expected(next_act, next_size, thread * 100_000 + later)
