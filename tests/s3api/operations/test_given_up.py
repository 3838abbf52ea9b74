"""Uploads that are given up or fail at any moment: what they took comes back, what is stored stays.

Each is tried at every one of its waits and of its calls of the disk, in a whole S3 side.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import pytest

from iam import services
from s4project.sql.visits import residence
from storage_engine import engine as engine_room
from tests.fuzz.world import KEYS, living
from tests.s3api.operations.giving_up import (
    KINDS,
    OK,
    Attempt,
    Interrupted,
    TimedDisk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from s3api.context import Store
    from tests.fuzz.world import World

pytestmark = pytest.mark.django_db(transaction=True)

FORBIDDEN, UNAVAILABLE, DISK_FULL = 403, 503, 507
INLINE = {"PutObject of 1 KiB", "CopyObject"}  # takes no room in a volume
# A completion's record is for salvage alone, and where bytes turn out to be known the last write
# only undoes the others.
CAN_DO_WITHOUT = {"CompleteMultipartUpload", "PutObject of known bytes", "UploadPartCopy"}
of_each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> TimedDisk:
    """Give stores a disk on which things happen."""
    disk = TimedDisk()
    monkeypatch.setattr(engine_room, "RealDisk", lambda: disk)
    return disk


@contextmanager
def a_world(settings: SettingsWrapper, path: Path) -> Iterator[World]:
    """Make a world in which everything has been done once."""
    with living(settings, path) as world:
        world.runner.run(whole(world, "PutObject of 3 MiB", 9999))
        gc.collect()
        gc.freeze()  # looking through all of it each time would take minutes
        try:
            yield world
            assert world.engine.failure or world.engine.scrub().problems == []
        finally:
            gc.unfreeze()


async def whole(world: World, kind: str, number: int) -> int:
    """Upload without any interruption; answer how often that had to wait."""
    attempt = Attempt(world, KINDS[kind](world, number))
    interrupted = Interrupted(attempt.request())
    await attempt.meet(interrupted)
    assert attempt.status in OK, attempt.sent
    del interrupted._request
    await attempt.come_to_rest()
    return interrupted.waits


@of_each_kind
def test_cancelled_at_any_wait_it_keeps_nothing(
    settings: SettingsWrapper, tmp_path: Path, kind: str
) -> None:
    """Cancelled as it begins to wait, or with an outcome nobody took, once or again and again."""
    numbers = count(1)

    async def cancel(world: World, nth: int, *, is_late: bool, is_relentless: bool) -> None:
        attempt = Attempt(world, KINDS[kind](world, next(numbers)))
        interrupted = Interrupted(
            attempt.request(), nth, is_late=is_late, is_relentless=is_relentless
        )
        await asyncio.ensure_future(attempt.meet(interrupted))
        del interrupted
        await attempt.come_to_rest()

    with a_world(settings, tmp_path) as world:
        waits = world.runner.run(whole(world, kind, next(numbers)))
        assert waits
        for nth in range(1, waits + 1):
            for is_late in (False, True):
                for is_relentless in (False, True):
                    world.runner.run(
                        cancel(world, nth, is_late=is_late, is_relentless=is_relentless)
                    )
        world.runner.run(whole(world, kind, next(numbers)))


@of_each_kind
def test_cancelled_while_the_disk_is_at_it_it_keeps_nothing(
    settings: SettingsWrapper, tmp_path: Path, disk: TimedDisk, kind: str
) -> None:
    """Cancelled inside any write or sync of a volume: whoever is on his way to commit goes on."""

    async def cancel(world: World, nth: int) -> bool:
        attempt, writers = Attempt(world, KINDS[kind](world, nth)), list[str]()
        loop, here = asyncio.get_running_loop(), threading.get_ident()
        task = loop.create_task(attempt.meet())

        async def deliver() -> None:
            task.cancel()
            for _ in range(20):
                await asyncio.sleep(0)

        def befall() -> None:
            assert threading.get_ident() != here, "a loop waits for no disk"
            asyncio.run_coroutine_threadsafe(deliver(), loop).result()
            writers.append(threading.current_thread().name)

        disk.left, disk.befall = nth, befall
        await task
        disk.befall = None
        await attempt.come_to_rest()
        if writers == ["group-writer"] and attempt.asked.key:
            assert attempt.is_there(), "what is on its way to be committed is committed"
        return bool(writers)

    with a_world(settings, tmp_path) as world:
        calls = 0
        while world.runner.run(cancel(world, calls + 1)):
            calls += 1
        assert calls or kind in INLINE
        world.runner.run(whole(world, kind, calls + 2))


def test_a_client_that_goes_away_leaves_nothing(settings: SettingsWrapper, tmp_path: Path) -> None:
    """Gone after any step of his body, nobody is answered and nothing of it is kept."""

    async def leave(world: World, kind: str, left_out: int) -> bool:
        attempt = Attempt(world, KINDS[kind](world, left_out), pieces_left_out=left_out)
        if left_out > len(attempt.pieces):
            return False
        await attempt.meet()
        await attempt.come_to_rest()
        assert not attempt.sent
        assert not attempt.asked.key or not attempt.is_there()
        return True

    with a_world(settings, tmp_path) as world:
        for kind in KINDS:
            for left_out in count(1):
                if not world.runner.run(leave(world, kind, left_out)):
                    break


@pytest.mark.parametrize("kind", ["PutObject of 3 MiB", "UploadPart of 3 MiB", "UploadPartCopy"])
def test_who_may_no_longer_leaves_nothing(
    settings: SettingsWrapper, tmp_path: Path, disk: TimedDisk, kind: str
) -> None:
    """A key that is disabled while its upload is written: it is refused, and nothing is kept."""

    def disable() -> None:
        with residence():
            services.set_key_enabled(KEYS["owner"], enabled=False)

    async def refuse(attempt: Attempt, call: int) -> bool:
        disk.left, disk.befall = call, disable
        await attempt.meet()
        was_reached, disk.befall = disk.befall is None, None
        await attempt.come_to_rest()
        is_refused = attempt.status == FORBIDDEN
        assert is_refused or attempt.status in OK
        return is_refused and was_reached

    with a_world(settings, tmp_path) as world:
        refused = 0
        for number in count(1):
            attempt = Attempt(world, KINDS[kind](world, number))
            if not world.runner.run(refuse(attempt, number)):
                break
            refused += 1
            assert not attempt.asked.key or not attempt.is_there()
            services.set_key_enabled(KEYS["owner"], enabled=True)
        assert refused


def test_a_disk_that_fills_up_keeps_nothing(
    settings: SettingsWrapper, tmp_path: Path, disk: TimedDisk
) -> None:
    """Without room in any write of a volume, half-way, or for all of it, the upload is 507."""

    async def fill(world: World, kind: str, nth: int) -> bool:
        attempt = Attempt(world, KINDS[kind](world, nth))
        disk.is_full_at = nth
        await attempt.meet()
        is_full, disk.is_full_at = not disk.is_full_at, 0
        await attempt.come_to_rest()
        wanted = {DISK_FULL} if is_full else OK
        assert attempt.status in (wanted | OK if kind in CAN_DO_WITHOUT else wanted)
        return is_full

    async def refuse(world: World, kind: str) -> None:
        attempt = Attempt(world, KINDS[kind](world, 1000))
        disk.free = 0
        await attempt.meet()
        disk.free = None
        await attempt.come_to_rest()
        assert attempt.status == DISK_FULL or kind == "CompleteMultipartUpload"

    with a_world(settings, tmp_path) as world:
        for kind in KINDS:
            writes = 0
            while world.runner.run(fill(world, kind, writes + 1)):
                writes += 1
            assert writes or kind in INLINE
            world.runner.run(refuse(world, kind))
            world.runner.run(whole(world, kind, 1001))
            world.fill()
        assert world.engine.failure is None


def test_a_journal_without_room_keeps_nothing(
    settings: SettingsWrapper, tmp_path: Path, disk: TimedDisk
) -> None:
    """What was written and synced goes again where its commit finds no room."""
    disk.suffix = ".segment"

    async def fill(attempt: Attempt) -> None:
        disk.is_full_at = 1
        await attempt.meet()
        assert not disk.is_full_at
        await attempt.come_to_rest()
        assert attempt.status == DISK_FULL
        assert not attempt.asked.key or not attempt.is_there()

    with a_world(settings, tmp_path) as world:
        for kind, make in KINDS.items():
            world.runner.run(fill(Attempt(world, make(world, 1))))
            world.runner.run(whole(world, kind, 2))
            world.fill()
        assert world.engine.failure is None


@pytest.mark.parametrize(
    "kind",
    ["PutObject of 40 KiB", "PutObject of 3 MiB", "UploadPartCopy", "CompleteMultipartUpload"],
)
def test_a_volume_that_cannot_be_synced_keeps_nothing(
    settings: SettingsWrapper, tmp_path: Path, disk: TimedDisk, kind: str
) -> None:
    """After a sync that failed nothing is acknowledged any more, and nothing is held for it."""

    async def fail(attempt: Attempt) -> None:
        await attempt.meet()
        await attempt.come_to_rest()
        assert attempt.status == UNAVAILABLE

    with a_world(settings, tmp_path) as world:
        attempt = Attempt(world, KINDS[kind](world, 1))
        disk.refuses_syncs = errno.ENOSPC
        world.runner.run(fail(attempt))
        assert world.engine.failure is not None


def test_what_no_thread_can_undo_now_the_next_one_does(
    settings: SettingsWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever went wrong is what the client hears, not that it cannot be undone at once."""
    undone = list[str]()

    def refuse(_pool: object) -> None:
        raise RuntimeError("can't start new thread")

    async def undo(store: Store) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ThreadPoolExecutor, "_adjust_thread_count", refuse)
            await store.undo(undone.append, "once")
        await store.on_disk(undone.append, "next")

    with living(settings, tmp_path) as world:
        world.runner.run(undo(world.app.store))
        world.app.close()
        assert sorted(undone) == ["next", "once"]
