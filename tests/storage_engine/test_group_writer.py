"""Payloads that become durable together: who shares a sync, and what a failure harms."""

from __future__ import annotations

import errno
import gc
import os
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from storage_engine import DiskFull, EngineClosed, StorageError, staging
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    get,
    noise,
    problems,
    put,
    small_store,
    written,
)
from tests.storage_engine.loop_thread import Rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from storage_engine import ObjectInfo, StagedBlob, StorageEngine

WAITING = 20


class ForgettingDisk(FaultyDisk):
    """A disk that has lost bytes, and tells so once through each opening of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.has_lost = False
        self.told: set[int] = set()
        self.writes_out = threading.Event()
        self.before_told = threading.Event()

    def write_out(self, descriptor: int, offset: int, length: int) -> None:
        """Fail, though whoever called is slow to hear of it."""
        super().write_out(descriptor, offset, length)
        if self.has_lost:
            self.told.add(descriptor)
            self.writes_out.set()
            self.before_told.wait()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def sync(self, descriptor: int) -> None:
        """Fail where that was not told yet."""
        if self.has_lost and descriptor in self._watched and descriptor not in self.told:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(descriptor)


@pytest.fixture
def disk() -> FaultyDisk:
    """Give a disk whose volumes can be made to wait and to fail."""
    return FaultyDisk()


@pytest.fixture
def engine(tmp_path: Path, disk: FaultyDisk) -> Iterator[StorageEngine]:
    """Open a store with one volume, large enough for every test."""
    with small_store(tmp_path / "store", disk=disk, volume_bytes_max=1 << 30) as opened:
        put(opened, "first", noise(1000, 999))
        yield opened


def submit(engine: StorageEngine, key: str, blob: StagedBlob) -> Future[ObjectInfo]:
    """Put a staged payload, and do not wait."""
    return engine.put_object(BUCKET, key, blob, attributes())


def hold(engine: StorageEngine, disk: FaultyDisk) -> Future[ObjectInfo]:
    """Put an object whose sync does not return before `disk.before_sync` is set."""
    syncs = disk.syncs
    disk.before_sync.clear()
    held = submit(engine, "held", engine.stage_bytes(noise(1000, 998)))
    while disk.syncs == syncs:
        threading.Event().wait(0.001)
    return held


def test_all_who_come_while_one_is_synced_share_the_next_sync(
    engine: StorageEngine, disk: FaultyDisk
) -> None:
    """However many payloads wait, in memory or written already, one sync is enough for them."""
    held, syncs = hold(engine, disk), disk.syncs
    futures = [
        submit(engine, f"{n}", (written if n % 2 else stage)(engine, noise(2000, n)))
        for n in range(WAITING)
    ]
    assert not any(future.done() for future in [held, *futures])
    disk.before_sync.set()
    for future in [held, *futures]:
        future.result()
    assert disk.syncs == syncs + 1
    assert [get(engine, f"{n}") for n in range(WAITING)] == [noise(2000, n) for n in range(WAITING)]


def load(engine: StorageEngine, disk: FaultyDisk) -> Rounds:
    """Lend the store a loop, and have it see that several wait at once."""
    host = Rounds()
    engine.lend(host)
    held = hold(engine, disk)
    futures = [submit(engine, f"load/{n}", stage(engine, noise(2000, 900 + n))) for n in range(2)]
    disk.before_sync.set()
    for future in [held, *futures]:
        future.result()
    return host


def test_under_load_a_loop_gathers_until_a_round_brings_few_more(
    engine: StorageEngine, disk: FaultyDisk
) -> None:
    """What requests hand in one after the other is one write and one sync, not one for each."""
    host = load(engine, disk)
    writes, syncs = disk.writes, disk.syncs
    futures = []
    for coming in (1, 1, 2):
        for _ in range(coming):
            n = len(futures)
            futures.append(submit(engine, f"{n}", stage(engine, noise(2000, n))))
        host.pass_round()
    assert disk.writes == writes
    host.pass_round()
    for future in futures:
        future.result()
    assert (disk.writes, disk.syncs) == (writes + 1, syncs + 1)
    assert [get(engine, f"{n}") for n in range(4)] == [noise(2000, n) for n in range(4)]


def test_what_is_gathered_is_handed_on_once_it_is_much(
    engine: StorageEngine, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is not kept waiting for a loop that has ever more to receive."""
    load(engine, disk)
    monkeypatch.setattr(engine._group_writer, "_gathered_max", 4000)
    futures = [submit(engine, f"{n}", stage(engine, noise(2000, n))) for n in range(2)]
    for future in futures:
        future.result()


def test_who_comes_alone_waits_for_nobody(engine: StorageEngine, disk: FaultyDisk) -> None:
    """After a group of one the next is handed on at once, whatever was before."""
    host = load(engine, disk)
    first = submit(engine, "first alone", stage(engine, noise(2000, 1)))
    host.pass_round()
    host.pass_round()
    first.result()
    submit(engine, "second alone", stage(engine, noise(2000, 2))).result()
    assert not host.calls


def test_what_a_loop_gathered_outlives_it(engine: StorageEngine, disk: FaultyDisk) -> None:
    """A loop that ends, and a store that is closed, leave nothing behind that was handed in."""
    host = load(engine, disk)
    ones = [submit(engine, f"{n}", stage(engine, noise(2000, n))) for n in range(2)]
    engine.lend(None)
    for one in ones:
        one.result()
    engine.lend(host)
    two = submit(engine, "two", stage(engine, noise(2000, 12)))
    three = submit(engine, "three", stage(engine, noise(2000, 13)))
    engine.close()
    two.result()
    three.result()


def test_a_loop_that_outlives_the_store_is_told_so(tmp_path: Path) -> None:
    """What is gathered after the store was closed is refused, as all that comes later."""
    disk = FaultyDisk()
    with small_store(tmp_path / "store", disk=disk, volume_bytes_max=1 << 30) as engine:
        put(engine, "first", noise(1000, 999))
        host = load(engine, disk)
    late = submit(engine, "late", stage(engine, noise(2000, 1)))
    host.pass_round()
    host.pass_round()
    with pytest.raises(EngineClosed):
        late.result()


def stage(engine: StorageEngine, data: bytes) -> StagedBlob:
    """Stage a payload that stays in memory."""
    return engine.stage_bytes(data)


def test_payloads_that_wait_together_are_written_in_one_call(
    engine: StorageEngine, disk: FaultyDisk
) -> None:
    """However many records lie side by side, they are one write, and each can be read."""
    held, writes = hold(engine, disk), disk.writes
    futures = [submit(engine, f"{n}", engine.stage_bytes(noise(700 * n, n))) for n in range(1, 9)]
    disk.before_sync.set()
    for future in [held, *futures]:
        future.result()
    assert disk.writes == writes + 1
    assert [get(engine, f"{n}") for n in range(1, 9)] == [noise(700 * n, n) for n in range(1, 9)]
    assert problems(engine) == []


def test_equal_contents_of_a_group_are_written_once(
    engine: StorageEngine, disk: FaultyDisk
) -> None:
    """Of payloads that wait together only one of each content goes to the disk."""
    held, writes = hold(engine, disk), disk.writes
    futures = [submit(engine, f"{n}", engine.stage_bytes(noise(2000))) for n in range(WAITING)]
    disk.before_sync.set()
    for future in [held, *futures]:
        future.result()
    assert disk.writes == writes + 1
    assert all(get(engine, f"{n}") == noise(2000) for n in range(WAITING))
    assert engine.stats().blobs == 3


def test_equal_content_is_kept_though_the_put_that_wrote_it_is_refused(
    engine: StorageEngine, disk: FaultyDisk
) -> None:
    """Who counted on a neighbour's bytes gets his own when those are given back."""

    def refuse(_current: object) -> None:
        raise PermissionError

    held = hold(engine, disk)
    kept = submit(engine, "kept", engine.stage_bytes(noise(2000)))
    blob = engine.stage_bytes(noise(2000))  # the last of its content is the one that is written
    refused = engine.put_object(BUCKET, "refused", blob, attributes(), guard=refuse)
    disk.before_sync.set()
    held.result()
    with pytest.raises(PermissionError):
        refused.result()
    kept.result()
    assert get(engine, "kept") == noise(2000)
    assert problems(engine) == []


def test_where_no_thread_can_be_started_only_that_put_is_refused(
    engine: StorageEngine, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who would have to be written after all is refused, and the next is served."""

    def refuse(_current: object) -> None:
        raise PermissionError

    def start(_: threading.Thread) -> None:
        raise RuntimeError

    held = hold(engine, disk)
    others = [submit(engine, "other", engine.stage_bytes(noise(2000))) for _ in range(2)]
    blob = engine.stage_bytes(noise(2000))  # the last of its content is the one that is written
    refused = engine.put_object(BUCKET, "refused", blob, attributes(), guard=refuse)
    monkeypatch.setattr(threading.Thread, "start", start)
    disk.before_sync.set()
    held.result()
    assert isinstance(refused.exception(timeout=60), PermissionError)
    for other in others:
        assert isinstance(other.exception(timeout=60), StorageError)
    put(engine, "next", noise(2000))
    assert get(engine, "next") == noise(2000)
    assert problems(engine) == []


def test_a_payload_that_was_refused_is_not_kept(engine: StorageEngine, disk: FaultyDisk) -> None:
    """Its memory is free again although no other payload comes."""
    data = memoryview(noise(2000, 1))
    kept = weakref.ref(data)
    disk.refuses_writes = errno.ENOSPC
    refused = submit(engine, "refused", engine.stage_bytes(data))
    assert isinstance(refused.exception(timeout=60), DiskFull)
    del data, refused
    for _ in range(100):
        gc.collect()  # an error and who is told of it refer to each other
        if kept() is None:
            break
        threading.Event().wait(0.01)
    assert kept() is None


def test_what_cannot_be_written_is_refused_alone(engine: StorageEngine, disk: FaultyDisk) -> None:
    """A payload that finds the disk full harms none that is written beside it."""
    held = hold(engine, disk)
    disk.bytes_before_full = 5 * KIB
    large = submit(engine, "large", engine.stage_bytes(noise(100 * KIB, 1)))
    disk.before_sync.set()
    held.result()
    with pytest.raises(DiskFull):
        large.result()
    disk.bytes_before_full = -1
    put(engine, "small", noise(1000, 2))
    assert get(engine, "small") == noise(1000, 2)
    assert problems(engine) == []


def test_a_sync_that_fails_fails_all_who_shared_it(engine: StorageEngine, disk: FaultyDisk) -> None:
    """Nobody is answered well whose bytes may be lost, nor becomes an object."""
    held = hold(engine, disk)
    futures = [submit(engine, f"{n}", engine.stage_bytes(noise(2000, n))) for n in range(3)]
    disk.refuses_syncs = errno.EIO
    disk.before_sync.set()
    for future in [held, *futures]:
        with pytest.raises(StorageError):
            future.result()
    assert [entry.key for entry in engine.list_objects(BUCKET).objects] == ["first"]


def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    """Payloads that wait when a store is closed become objects; later ones are refused."""
    engine = small_store(tmp_path / "closing")
    futures = [submit(engine, f"{n}", engine.stage_bytes(noise(2000, n))) for n in range(WAITING)]
    engine.close()
    for future in futures:
        future.result()
    with pytest.raises(EngineClosed):
        submit(engine, "late", engine.stage_bytes(noise(2000))).result()
    with small_store(tmp_path / "closing") as again:
        assert all(get(again, f"{n}") == noise(2000, n) for n in range(WAITING))


def test_an_error_told_to_a_large_payload_is_told_to_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk says as a large one is written out is not kept from the others' sync."""
    monkeypatch.setattr(staging, "HASTEN_BYTES", 64 * KIB)
    disk = ForgettingDisk()
    with small_store(tmp_path / "store", disk=disk, volume_bytes_max=1 << 30) as engine:
        put(engine, "first", noise(1000, 999))
        disk.has_lost = True
        large = threading.Thread(target=written, args=(engine, noise(600 * KIB)), daemon=True)
        large.start()
        disk.writes_out.wait()
        small = submit(engine, "small", engine.stage_bytes(noise(1000)))
        with pytest.raises(StorageError):
            small.result()
        disk.before_told.set()
        large.join()
