"""kill -9 while versions are added and prefixes renamed: every act is there whole, or not begun.

A rename that was cut off may be repeated: its receipt tells whether it was carried out.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from storage_engine import Receipt
from tests.storage_engine.engine_steps import noise, problems, small_store

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

# Each thread adds versions to one key, hides it, and moves its prefix on; one line for each act.
WRITER = """
import itertools, os, sys, threading
from pathlib import Path
from storage_engine import Versioning
from tests.storage_engine.engine_steps import attributes, noise, small_store
from tests.storage_engine.test_version_crash import receipt_of

engine = small_store(Path(sys.argv[1]))

def work(thread):
    place, count = 0, 0
    for n in itertools.count():
        source, target = (f"{thread}/{at}/" for at in (place, place + 1))
        if n % 3 == 2:
            engine.rename_prefix(1, source, target, receipt=receipt_of(source)).result()
            place += 1
        elif n % 7 == 3:
            engine.delete_object(1, source + "k", versioning=Versioning.ENABLED).result()
            count += 1
        else:
            blob = engine.stage_bytes(noise(700, count))
            engine.put_object(
                1, source + "k", blob, attributes(), versioning=Versioning.ENABLED
            ).result()
            count += 1
        os.write(1, f"{thread} {place} {count}\\n".encode())

threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
"""


def receipt_of(source: str) -> Receipt:
    """Name the rename of a prefix, which has each name but once."""
    return Receipt(source.ljust(16).encode(), b"to the next")


def acknowledged(output: bytes) -> dict[str, tuple[int, int]]:
    """Return how far each thread's renames and versions were acknowledged."""
    last = {}
    for line in output.decode().splitlines(keepends=True):
        if line.endswith("\n"):
            thread, place, count = line.split()
            last[thread] = (int(place), int(count))
    return last


def check_history(engine: StorageEngine, thread: str, place: int, count: int) -> None:
    """Accept the acknowledged state, or that of one act more; every version has its bytes."""
    versions = engine.list_versions(1, prefix=f"{thread}/").versions
    (key,) = {info.key for info in versions}
    found = (int(key.split("/")[1]), len(versions))
    assert found in {(place, count), (place + 1, count), (place, count + 1)}
    for number, info in enumerate(reversed(versions)):
        if not info.is_marker:
            with engine.open_object(1, key, info.version_id) as reader:
                assert reader.read(0, info.size) == noise(700, number)
    check_repeated(engine, thread, place)


def check_repeated(engine: StorageEngine, thread: str, place: int) -> None:
    """Repeat the rename that may have been cut off: it is done now, and was not done twice."""
    source, target = (f"{thread}/{at}/" for at in (place, place + 1))
    engine.rename_prefix(1, source, target, receipt=receipt_of(source)).result()
    (key,) = {info.key for info in engine.list_versions(1, prefix=f"{thread}/").versions}
    assert key == target + "k"


@pytest.mark.parametrize("attempt", range(2))
def test_a_killed_writer_leaves_whole_histories(tmp_path: Path, attempt: int) -> None:
    """After kill -9 at any moment each key has its versions, all of them, in one place."""
    store = tmp_path / "store"
    chance = random.Random(attempt)  # noqa: S311  # a moment, not a secret
    with Popen([sys.executable, "-c", WRITER, str(store)], stdout=PIPE) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.8))
        writer.send_signal(signal.SIGKILL)
        kept = acknowledged(first + writer.stdout.read())
    assert kept
    with small_store(store) as engine:
        assert problems(engine) == []
        for thread, (place, count) in kept.items():
            check_history(engine, thread, place, count)
