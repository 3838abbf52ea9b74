"""The stages of the scale run, each in a process of its own: `scale_stages.py STAGE DIR OPTIONS`.

A fresh process starts with nothing in memory of its own, and its memory is that of its stage.
Options come as JSON, what was measured leaves as one line of JSON, progress goes to stderr.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import lmdb
import processes
import scale_keys

from storage_engine import ObjectAttributes, open_engine
from storage_engine.checkpoint import CHECKPOINT, read_checkpoint
from storage_engine.disk import RealDisk
from storage_engine.index import DATA_FILE, Tables
from storage_engine.journal import Journal
from storage_engine.layout import existing
from storage_engine.limits import JOURNAL_SEGMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from storage_engine import ObjectInfo, StorageEngine

BUCKET = 1
PAYLOAD_BYTES = 100
PROGRESS_SECONDS = 10
TEND_SECONDS = 5
DAY_MS = 24 * 60 * 60 * 1000
OWNER = "5f" * 32  # canonical ids have 64 digits


def say(text: str) -> None:
    """Report progress."""
    print(f"  {text}", file=sys.stderr, flush=True)


def percentiles(seconds: list[float], unit: float) -> dict[str, float]:
    """Sum up how long something took, in a unit of so many seconds."""
    ordered = sorted(seconds)
    count = len(ordered)
    if not count:
        return {"count": 0}
    return {
        "count": count,
        "p50": round(ordered[count // 2] / unit, 3),
        "p99": round(ordered[min(count * 99 // 100, count - 1)] / unit, 3),
        "max": round(ordered[-1] / unit, 3),
    }


def bytes_written() -> int:
    """Tell how much this process has given to the system to write.

    Not `write_bytes`: where the page cache works in large folios, a page written counts for all of
    its folio there (proc(5)).
    """
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


def put(engine: StorageEngine, key: str, number: int) -> Future[ObjectInfo]:
    """Put a tiny object with what S4's own PutObject keeps of one."""
    name = scale_keys.digits(number)
    payload = (name * 5)[:PAYLOAD_BYTES].encode()
    attributes = ObjectAttributes(
        etag=name + name[:8],
        headers={"content-type": "application/octet-stream"},
        checksums={"CRC64NVME": base64.b64encode(payload[:8]).decode()},
        checksum_type="FULL_OBJECT",
        owner=OWNER,
    )
    return engine.put_object(BUCKET, key, engine.stage_bytes(payload), attributes)


class WatchedDisk(RealDisk):
    """The machine's disk; notes when this process made checkpoints, by what they ask of it."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self._begun: float | None = None
        self._index_file = -1

    def open(self, path: Path, *, is_writable: bool = False) -> int:
        """Open a file; the index's own is synced by checkpoints alone."""
        descriptor = super().open(path, is_writable=is_writable)
        if path.name == DATA_FILE:
            self._index_file = descriptor
        return descriptor

    def write_out(self, descriptor: int, offset: int, length: int) -> None:
        """Write out: a checkpoint begins like this."""
        self._begun = self._begun or time.time()
        super().write_out(descriptor, offset, length)

    def sync(self, descriptor: int) -> None:
        """Sync: at the latest with that of the index's file a checkpoint has begun."""
        if descriptor == self._index_file:
            self._begun = self._begun or time.time()
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename: a checkpoint ends like this."""
        super().rename(source, target)
        if target.name == CHECKPOINT and self._begun is not None:
            self.spans.append((self._begun, time.time()))
            self._begun = None

    def seconds(self) -> list[float]:
        """Tell how long each took."""
        return [end - begun for begun, end in self.spans]

    def overlaps(self, start: float, end: float) -> bool:
        """Tell whether one was being made at any moment between two times."""
        return any(begun < end and start < done for begun, done in self.spans)


@contextmanager
def memory_peak() -> Iterator[dict[str, int]]:
    """Note the most memory of its own this process has meanwhile; mapped files do not count."""
    peak = {"anonymous_bytes": 0}
    end = threading.Event()

    def look() -> None:
        while True:
            now = processes.cost(os.getpid()).anonymous_bytes
            peak["anonymous_bytes"] = max(peak["anonymous_bytes"], now)
            if end.wait(0.5):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        end.set()
        thread.join()


# --- filling ------------------------------------------------------------------------------------


def load(store: Path, total: int, in_flight: int, share: int, shares: int) -> dict[str, Any]:
    """Put every `shares`-th object from number `share` on."""
    watch = WatchedDisk()
    with open_engine(store, disk=watch) as engine:
        began, cpu = time.monotonic(), time.process_time()
        written = bytes_written()
        waiting: deque[Future[ObjectInfo]] = deque()
        told = began
        for count, number in enumerate(range(share, total, shares)):
            waiting.append(put(engine, scale_keys.key_of(number, total), number))
            if len(waiting) >= in_flight:
                waiting.popleft().result()
            if not count % 1000 and time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                say(f"{number:,} of {total:,} objects, {count / (told - began):,.0f}/s")
        for future in waiting:
            future.result()
        seconds, cost = time.monotonic() - began, processes.cost(os.getpid())
        return {
            "objects": len(range(share, total, shares)),
            "seconds": seconds,
            "cpu_seconds": time.process_time() - cpu,
            "written_bytes": bytes_written() - written,
            "resident_bytes": cost.resident_bytes,
            "anonymous_bytes": cost.anonymous_bytes,
            "checkpoint_s": percentiles(watch.seconds(), 1),
        }


def press(store: Path, first: int, seconds: float, in_flight: int) -> dict[str, Any]:
    """Put new keys in no order, and tell how long each waited, with a checkpoint beside it or not.

    Meant to be killed too: then it just ends.
    """
    watch = WatchedDisk()
    with open_engine(store, disk=watch) as engine:
        say("pressing")
        waiting: deque[tuple[float, Future[ObjectInfo]]] = deque()
        spans: list[tuple[float, float]] = []
        began, cpu = time.time(), time.process_time()
        written = bytes_written()
        number = first
        while time.time() < began + seconds:
            waiting.append((time.time(), put(engine, scale_keys.new_key(number), number)))
            number += 1
            if len(waiting) >= in_flight:
                submitted, future = waiting.popleft()
                future.result()
                spans.append((submitted, time.time()))
        for _, future in waiting:
            future.result()
        took = time.time() - began
        cpu_seconds = time.process_time() - cpu
        written = bytes_written() - written
    beside = [end - start for start, end in spans if watch.overlaps(start, end)]
    alone = [end - start for start, end in spans if not watch.overlaps(start, end)]
    return {
        "objects": number - first,
        "in_flight": in_flight,
        "rate": round((number - first) / took),
        "cpu_us": round(cpu_seconds / (number - first) * 1e6, 1),
        "written_bytes_per_object": round(written / (number - first)),
        "beside_checkpoint_ms": percentiles(beside, 1e-3),
        "alone_ms": percentiles(alone, 1e-3),
        "checkpoint_s": percentiles(watch.seconds(), 1),
        "checkpoint_share": round(sum(watch.seconds()) / took, 3),
    }


# --- looking ------------------------------------------------------------------------------------


def inspect(store: Path) -> dict[str, Any]:
    """Tell what lies in a store that nobody has open."""
    env = lmdb.open(str(store / "index"), readonly=True, max_dbs=len(Tables._fields))
    tables = {}
    with env.begin() as txn:
        for name in Tables._fields:
            stat = txn.stat(env.open_db(name.encode(), txn=txn, create=False))
            pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
            if stat["entries"]:
                tables[name] = {
                    "rows": stat["entries"],
                    "bytes": pages * stat["psize"],
                    "branch_bytes": stat["branch_pages"] * stat["psize"],
                    "depth": stat["depth"],
                }
    env.close()
    files, occupied = processes.disk_use(store)
    return {
        "tables": tables,
        "index_used_bytes": sum(table["bytes"] for table in tables.values()),
        "index_file_bytes": (store / "index" / DATA_FILE).stat().st_size,
        "journal_position": read_checkpoint(store / "index").tail.position,
        "files": files,
        "occupied_bytes": occupied,
    }


def distance(store: Path) -> dict[str, Any]:
    """Tell how much journal a recovery has before it."""
    layout = existing(store)
    assert layout is not None
    tail = read_checkpoint(layout.index).tail
    journal = Journal(RealDisk(), layout.journal, layout.store_id, JOURNAL_SEGMENT_BYTES)
    ends = [after.position for _, after in journal.read(tail)]
    journal.close()
    replayed = ends[-1] - tail.position if ends else 0
    return {"replayed_frames": len(ends), "replayed_bytes": replayed}


def start(store: Path, total: int, seed: int, spawned: float) -> dict[str, Any]:
    """Open the store and read one object: what a restart keeps clients waiting for."""
    random = Random(seed)  # noqa: S311  # reproducible, not secret
    key = scale_keys.key_of(random.randrange(total), total)
    began, cpu = time.monotonic(), time.process_time()
    engine = open_engine(store)
    opened = time.monotonic()
    engine.head_object(BUCKET, key)
    read, cpu = time.monotonic(), time.process_time() - cpu
    cost = processes.cost(os.getpid())
    engine.close()
    return {
        "open_s": round(opened - began, 4),
        "first_read_s": round(read - began, 4),
        "cpu_s": round(cpu, 4),
        "from_process_start_s": round(read - spawned, 4),
        "anonymous_bytes": cost.anonymous_bytes,
        "resident_bytes": cost.resident_bytes,
    }


def _pages(
    engine: StorageEngine, place: scale_keys.Place, pages: int, random: Random
) -> dict[str, float]:
    """Time so many pages of one place; tell how many items there were on the fullest."""
    times, items, after = [], 0, place.first
    cpu = time.thread_time()
    for _ in range(pages):
        if place.anywhere is not None:
            after = place.anywhere(random)
        began = time.perf_counter()
        page = engine.list_objects(
            BUCKET, prefix=place.prefix, delimiter=place.delimiter, after=after, limit=1000
        )
        times.append(time.perf_counter() - began)
        items = max(items, len(page.objects) + len(page.common_prefixes))
        after = page.next_after if page.is_truncated else place.first
    cpu_ms = (time.thread_time() - cpu) / pages * 1e3
    return {"items": items, "cpu_ms": round(cpu_ms, 3), **percentiles(times, 1e-3)}


def lists(store: Path, total: int, pages: int, seed: int) -> dict[str, Any]:
    """Time pages of 1,000 at every place."""
    random = Random(seed)  # noqa: S311  # reproducible, not secret
    found = {}
    with open_engine(store) as engine:
        for place in scale_keys.places(total):
            found[place.name] = _pages(engine, place, pages, random)
        cost = processes.cost(os.getpid())
    return {
        "places": found,
        "anonymous_bytes": cost.anonymous_bytes,
        "resident_bytes": cost.resident_bytes,
    }


def lookups(store: Path, total: int, count: int, seed: int) -> dict[str, Any]:
    """Time HEAD and GET of random keys."""
    random = Random(seed)  # noqa: S311  # reproducible, not secret
    heads, gets = [], []
    with open_engine(store) as engine:
        cpu = time.thread_time()
        for _ in range(count):
            key = scale_keys.key_of(random.randrange(total), total)
            began = time.perf_counter()
            engine.head_object(BUCKET, key)
            heads.append(time.perf_counter() - began)
        head_cpu, cpu = time.thread_time() - cpu, time.thread_time()
        for _ in range(count):
            key = scale_keys.key_of(random.randrange(total), total)
            began = time.perf_counter()
            with engine.open_object(BUCKET, key) as reader:
                assert len(reader.read(0, reader.info.size)) == PAYLOAD_BYTES
            gets.append(time.perf_counter() - began)
        get_cpu = time.thread_time() - cpu
        cost = processes.cost(os.getpid())
    return {
        "head_cpu_us": round(head_cpu / count * 1e6, 1),
        "get_cpu_us": round(get_cpu / count * 1e6, 1),
        "head_us": percentiles(heads, 1e-6),
        "get_us": percentiles(gets, 1e-6),
        "anonymous_bytes": cost.anonymous_bytes,
        "resident_bytes": cost.resident_bytes,
    }


# --- changing all at once -----------------------------------------------------------------------


def renames(store: Path, total: int, count: int) -> dict[str, Any]:
    """Rename the prefix of many keys to and fro, and one of a single key beside it."""
    found: dict[str, Any] = {}
    with open_engine(store) as engine:
        put(engine, "single/key", total).result()
        for name, source in (("one_key", "single/"), ("many_keys", scale_keys.FLAT_PREFIX)):
            times, target = [], "renamed/in/between/"
            cpu = time.process_time()
            for _ in range(count):
                for one, other in ((source, target), (target, source)):
                    began = time.perf_counter()
                    engine.rename_prefix(BUCKET, one, other).result()
                    times.append(time.perf_counter() - began)
            cpu_us = (time.process_time() - cpu) / len(times) * 1e6
            found[name] = {"us": percentiles(times, 1e-6), "cpu_us": round(cpu_us, 1)}
        engine.delete_object(BUCKET, "single/key").result()
    return found


def snapshot(store: Path) -> dict[str, Any]:
    """Make a snapshot, and tell what it costs and takes."""
    with open_engine(store) as engine, memory_peak() as peak:
        began, cpu = time.monotonic(), time.process_time()
        made = engine.snapshot()
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    return {"seconds": round(seconds, 3), "cpu_s": round(cpu, 3), "bytes": made.size, **peak}


def tend(store: Path) -> dict[str, Any]:
    """Make snapshots when they are due, as S4's jobs do, until standard input ends."""
    made = []
    with open_engine(store) as engine:
        while not select.select([sys.stdin], [], [], TEND_SECONDS)[0]:
            if engine.snapshot_is_due(DAY_MS):
                began = time.monotonic()
                size = engine.snapshot().size
                made.append({"seconds": round(time.monotonic() - began, 2), "bytes": size})
                say(f"a snapshot of {size / 1e6:,.0f} MB took {made[-1]['seconds']} s")
    return {"snapshots": made}


def verify(store: Path, memory_bytes: int) -> dict[str, Any]:
    """Verify everything within so much memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    began = time.monotonic()
    try:
        with open_engine(store) as engine, memory_peak() as peak:
            problems = list(engine.verify())
    except MemoryError:
        return {"is_whole": False, "reason": f"needs more than {memory_bytes >> 20} MiB of memory"}
    return {
        "is_whole": True,
        "seconds": round(time.monotonic() - began, 1),
        "problems": len(problems),
        **peak,
    }


STAGES: dict[str, Callable[..., dict[str, Any]]] = {
    stage.__name__: stage
    for stage in (
        *(load, press, inspect, distance, start),
        *(lists, lookups, renames, snapshot, tend, verify),
    )
}


if __name__ == "__main__":
    print(json.dumps(STAGES[sys.argv[1]](Path(sys.argv[2]), **json.loads(sys.argv[3]))), flush=True)
