"""What the machine itself can do: syncs and writes of the disk, hashes of one core.

Measured beside the servers, so that a figure can be read against what binds it.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from typing import TYPE_CHECKING

from loop import percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

KIB, MIB = 2**10, 2**20
SYNCS = 200
SYNC_BYTES = 4 * KIB
PAUSE_SECONDS = 0.0003  # what a client over one connection leaves between two commits
PREWRITTEN_BYTES = 64 * MIB
SEQUENTIAL_BYTES = 1024 * MIB
HASHED_BYTES = 64 * MIB
ROUNDS = 3


def measure(directory: Path, served: Collection[int]) -> dict[str, float]:
    """Measure the disk a directory lies on, and this core; `served` are those a server gets."""
    block = os.urandom(MIB)
    return {
        **_syncs(directory / "limit", served),
        "sequential_bytes_per_second": _sequential(directory / "limit", block),
        "md5_bytes_per_second": _hashing(hashlib.md5, block),
        "sha256_bytes_per_second": _hashing(hashlib.sha256, block),
    }


def _syncs(path: Path, served: Collection[int]) -> dict[str, float]:
    """Overwrite 4 KiB of a file that was written before, and sync: what a commit must wait for.

    One after the other, as most tell it; and as a server meets it over one connection, after a
    pause and where it runs: the disk's interrupt has to wake that core, and often from another.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    cores = os.sched_getaffinity(0)
    try:
        for offset in range(0, PREWRITTEN_BYTES, MIB):
            os.pwrite(file, bytes(MIB), offset)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        times = _overwrite(file, 0, 0)
        os.sched_setaffinity(0, served)
        paced = _overwrite(file, SYNCS * SYNC_BYTES, PAUSE_SECONDS)
    finally:
        os.sched_setaffinity(0, cores)
        os.close(file)
        path.unlink()
    return {
        "fdatasync_p50_ms": round(percentile(times, 0.5) * 1e3, 3),
        "fdatasync_p99_ms": round(percentile(times, 0.99) * 1e3, 3),
        "fdatasync_paced_p50_ms": round(percentile(paced, 0.5) * 1e3, 3),
    }


def _overwrite(file: int, offset: int, pause: float) -> list[float]:
    """Time writes of ever the next 4 KiB, each synced; sleep between them."""
    times = []
    for turn in range(SYNCS):
        time.sleep(pause)
        began = time.perf_counter()
        os.pwrite(file, bytes(SYNC_BYTES), offset + turn * SYNC_BYTES)
        os.fdatasync(file)
        times.append(time.perf_counter() - began)
    return times


def _sequential(path: Path, block: bytes) -> float:
    """Write a gibibyte and sync it; the median of a few."""
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            for _ in range(SEQUENTIAL_BYTES // MIB):
                os.write(file, block)
            os.fdatasync(file)
        finally:
            os.close(file)
        rates.append(SEQUENTIAL_BYTES / (time.perf_counter() - began))
        path.unlink()
    return round(statistics.median(rates))


def _hashing(make: Callable[[bytes], object], block: bytes) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(HASHED_BYTES // MIB):
            make(block)
        best = min(best, time.process_time() - began)
    return round(HASHED_BYTES / best)
