"""What the processes of the kill tests do: change a store for ever, or follow a script to its end.

`python -m tests.storage_engine.crash_writer STORE NAME` runs threads until it is killed; each
acknowledged act is one line. `... STORE CALL script` ends before a numbered call of the disk.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from storage_engine import Busy, CompactionOptions, checkpoint
from tests.storage_engine.counting_disk import CountingDisk
from tests.storage_engine.cut_machine import checkpoint_now
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    noise,
    put,
    put_multipart,
    small_store,
)
from tests.storage_engine.loop_thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_engine import StorageEngine

SIZES: Final = (10, 700, 5000, 200_000)
THREADS: Final = 3
KEYS: Final = 7
SCRIPT_OBJECTS: Final = 22


class Act(NamedTuple):
    """One act of one thread, the n-th of it."""

    name: str
    thread: int
    n: int

    @property
    def key(self) -> str:
        """The key it changed."""
        return f"{self.name}/{self.thread}/{self.n % KEYS}"

    @classmethod
    def parse(cls, line: str) -> Act:
        """Read what `tell` wrote."""
        name, thread, n = line.split()
        return cls(name, int(thread), int(n))

    def tell(self) -> None:
        """Acknowledge it."""
        os.write(1, f"{self.name} {self.thread} {self.n}\n".encode())

    @property
    def kind(self) -> str:
        """What it did."""
        return "delete" if self.n % 9 == 8 else "multi" if self.n % 5 == 4 else "put"

    @property
    def data(self) -> bytes:
        """What it put; equal contents of different processes are shared."""
        return noise(SIZES[(self.n + self.thread) % 4], self.thread * 100_000 + self.n)


def expected(act: Act) -> bytes | None:
    """Return the bytes that an act leaves under its key."""
    if act.kind == "delete":
        return None
    return act.data + (noise(100, act.n) if act.kind == "multi" else b"")


def next_act(act: Act) -> Act:
    """Return the next act on the same key."""
    return act._replace(n=act.n + KEYS)


def work(engine: StorageEngine, name: str, thread: int) -> None:
    """Act for ever."""
    for n in itertools.count():
        act = Act(name, thread, n)
        if act.kind == "delete":
            engine.delete_object(BUCKET, act.key).result()
        elif act.kind == "multi":
            put_multipart(engine, act.key, [act.data, noise(100, n)])
        else:
            put(engine, act.key, act.data)
        act.tell()


def care(engine: StorageEngine, chance: random.Random) -> None:
    """Make checkpoints and snapshots, compact and tidy, at random moments."""
    while True:
        time.sleep(chance.uniform(0, 0.1))
        kind = chance.randrange(8)
        if kind == 0:
            with suppress(Busy):
                engine.snapshot()
        elif kind == 1:
            engine.reclaim(10**15)
        elif kind == 2:
            with suppress(Busy):
                engine.compact(CompactionOptions(threshold=0.2))
        else:
            checkpoint_now(engine)


def run_for_ever(store: Path, name: str) -> None:
    """Work until killed; an error anywhere ends the process, which the test notices."""
    threading.excepthook = _end
    engine = small_store(store, map_bytes=1 << 20)
    loop = LoopThread()
    loop.start()
    engine.lend(loop)
    chance = random.Random(name)  # noqa: S311  # moments, not secrets
    threading.Thread(target=care, args=(engine, chance)).start()
    for thread in range(THREADS):
        threading.Thread(target=work, args=(engine, name, thread)).start()
    threading.Event().wait()  # once the main thread is done, pools of threads take no more work


def _end(args: threading.ExceptHookArgs) -> None:
    sys.excepthook(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    os._exit(1)


def script_objects(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the first objects of the script."""
    for n in range(count):
        size = (10, 3000, 5000, 150 * KIB)[n % 4]
        yield f"{n}", noise(size, n)


def run_script(store: Path, dies_at: int) -> None:
    """Put one object after the other, with everything between that changes files."""
    checkpoint.CHECKPOINT_SECONDS = 1000.0  # type: ignore[misc]  # only those of the script
    disk = CountingDisk(dies_at)
    objects = script_objects(SCRIPT_OBJECTS)
    with small_store(store, disk=disk, inline_bytes_max=4096) as engine:
        for n, (key, data) in enumerate(itertools.islice(objects, 14)):
            put(engine, key, data)
            os.write(1, b"put\n")
            if n in {5, 9}:
                engine.snapshot()
            if n in {3, 6, 10}:
                checkpoint_now(engine)
            if n in {7, 11}:
                put(engine, "other", noise(150 * KIB, 1000 + n))
                engine.reclaim(10**15)
                engine.compact(CompactionOptions(threshold=0.1))
    with small_store(store, disk=disk, inline_bytes_max=4096) as engine:
        for key, data in objects:
            put(engine, key, data)
            os.write(1, b"put\n")


if __name__ == "__main__":
    if sys.argv[3:] == ["script"]:
        run_script(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        run_for_ever(Path(sys.argv[1]), sys.argv[2])
