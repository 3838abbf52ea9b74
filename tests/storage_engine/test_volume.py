"""Appending to volumes: regions, ownership, rotation, and syncs that are shared."""

from __future__ import annotations

import errno
import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest

from storage_engine import DiskFull, StorageError
from storage_engine.disk import try_share
from storage_engine.health import Health
from storage_engine.limits import PUNCH_BYTES_MIN
from storage_engine.record import VOLUME_HEADER_BYTES, unpack_volume_header
from storage_engine.volume import Appender, SharedSync, is_owned, volume_ids, volume_path
from tests.storage_engine.bad_disks import FaultyDisk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = b"0123456789abcdef"
LENGTH_MAX = 100_000


@pytest.fixture
def disk() -> FaultyDisk:
    """Give a disk that can be told to fail."""
    return FaultyDisk()


@pytest.fixture
def appender(disk: FaultyDisk, tmp_path: Path) -> Iterator[Appender]:
    """Give an appender to an empty directory."""
    ids = itertools.count(1)
    health = Health(disk, tmp_path, 0)
    made = Appender(disk, tmp_path, STORE, lambda _: next(ids), health, length_max=LENGTH_MAX)
    yield made
    made.close()


def test_a_volume_is_made_when_it_is_needed(appender: Appender, tmp_path: Path) -> None:
    """No file exists before the first region; then it has a name, a header and an owner."""
    assert volume_ids(tmp_path) == []
    assert appender.active_id is None
    region = appender.reserve(1000)
    assert (region.volume.id, region.offset) == (1, VOLUME_HEADER_BYTES)
    header = unpack_volume_header(volume_path(tmp_path, 1).read_bytes())
    assert (header.store_id, header.volume_id) == (STORE, 1)
    assert is_owned(FaultyDisk(), volume_path(tmp_path, 1))
    assert appender.active_id == 1


def test_regions_follow_one_another(appender: Appender) -> None:
    """Regions never overlap, in whatever order they end."""
    regions = [appender.reserve(1000) for _ in range(3)]
    assert [region.offset - VOLUME_HEADER_BYTES for region in regions] == [0, 1000, 2000]
    regions[1].keep()
    regions[0].give_back()
    assert appender.reserve(10).offset == VOLUME_HEADER_BYTES + 3000


def test_a_region_that_shrinks_frees_its_end(appender: Appender) -> None:
    """The next region follows at once, or, when one follows already, when both are gone."""
    first = appender.reserve(3000)
    first.shrink(1000)
    second = appender.reserve(3000)
    assert (first.length, second.offset) == (1000, first.offset + 1000)
    third = appender.reserve(1000)
    second.shrink(500)
    assert appender.reserve(1000).offset == third.offset + 1000
    fourth = appender.reserve(1000)
    fourth.shrink(2000)  # no region grows
    assert fourth.length == 1000


def test_a_shrunken_region_can_be_given_back_whole(appender: Appender) -> None:
    """The part that was freed and the part that was kept are one free range in the end."""
    first = appender.reserve(3000)
    after = appender.reserve(1000)
    first.shrink(1000)
    first.give_back()
    after.give_back()
    assert appender.reserve(1000).offset == first.offset


def test_what_is_given_back_at_the_end_is_used_again(appender: Appender) -> None:
    """Regions given back from the tail inwards are reserved anew, holes excepted."""
    kept, first, second, third = (appender.reserve(1000) for _ in range(4))
    first.give_back()
    third.give_back()
    assert appender.reserve(1).offset == third.offset
    kept.keep()
    second.give_back()
    assert appender.reserve(1).offset == third.offset + 1


def test_the_tail_moves_over_every_region_given_back(appender: Appender) -> None:
    """When the last region goes, those given back before it go with it."""
    first, second, third = (appender.reserve(1000) for _ in range(3))
    for region in (first, second, third):
        region.give_back()
    assert appender.reserve(1).offset == first.offset


def test_a_region_ends_once(appender: Appender) -> None:
    """Giving back twice, or after keeping, changes nothing."""
    kept, region = appender.reserve(1000), appender.reserve(1000)
    kept.keep()
    kept.give_back()
    region.give_back()
    region.give_back()
    assert appender.reserve(1).offset == region.offset


def test_a_large_hole_gives_its_room_back_at_once(disk: FaultyDisk, tmp_path: Path) -> None:
    """A region nobody ever named is punched when it is not the tail."""
    appender = Appender(
        disk, tmp_path, STORE, lambda _: 1, Health(disk, tmp_path, 0), length_max=1 << 30
    )
    hole, after = appender.reserve(PUNCH_BYTES_MIN), appender.reserve(1000)
    hole.give_back()
    after.give_back()
    assert disk.punched == [(hole.offset, hole.length)]
    appender.close()


def test_a_full_volume_is_followed_by_another(appender: Appender, tmp_path: Path) -> None:
    """Rotation keeps regions whole, and the old volume is owned until its last region ends."""
    first = appender.reserve(LENGTH_MAX - VOLUME_HEADER_BYTES)
    second = appender.reserve(1)
    assert (first.volume.id, second.volume.id) == (1, 2)
    assert is_owned(FaultyDisk(), volume_path(tmp_path, 1))
    first.write([b"x"], 0)
    first.give_back()
    assert not is_owned(FaultyDisk(), volume_path(tmp_path, 1))
    assert volume_path(tmp_path, 1).stat().st_size == VOLUME_HEADER_BYTES


def test_what_is_larger_than_a_volume_gets_one_of_its_own(appender: Appender) -> None:
    """A region longer than any volume may be is reserved in an empty volume."""
    appender.reserve(1).keep()
    large = appender.reserve(3 * LENGTH_MAX)
    assert (large.volume.id, large.offset) == (2, VOLUME_HEADER_BYTES)
    assert appender.reserve(1).volume.id == 3


def test_an_id_that_has_a_file_is_passed_over(appender: Appender, tmp_path: Path) -> None:
    """A file left by an index that was lost is not touched."""
    volume_path(tmp_path, 1).write_bytes(b"precious")
    assert appender.reserve(1).volume.id == 2
    assert volume_path(tmp_path, 1).read_bytes() == b"precious"


def test_a_volume_taken_while_it_was_made_is_passed_over(disk: FaultyDisk, tmp_path: Path) -> None:
    """Who finds its new file unlinked makes another; bytes never go to a nameless file."""
    ids = itertools.count(1)

    class Thief(FaultyDisk):
        def create(self, path: Path) -> int:
            descriptor = super().create(path)
            if path == volume_path(tmp_path, 1):
                path.unlink()
            return descriptor

    health = Health(disk, tmp_path, 0)
    appender = Appender(
        Thief(), tmp_path, STORE, lambda _: next(ids), health, length_max=LENGTH_MAX
    )
    assert appender.reserve(1).volume.id == 2
    appender.close()


def test_a_stranger_that_goes_meanwhile_is_passed_over_too(
    disk: FaultyDisk, tmp_path: Path
) -> None:
    """A file that stood in the way and was dropped before anybody looked again harms nothing."""
    told: list[int] = []

    class Vanishing(FaultyDisk):
        def create(self, path: Path) -> int:
            if path == volume_path(tmp_path, 1):
                raise FileExistsError
            return super().create(path)

    def allocate(strangers: int) -> int:
        told.append(strangers)
        return len(told)

    health = Health(disk, tmp_path, 0)
    appender = Appender(Vanishing(), tmp_path, STORE, allocate, health, length_max=LENGTH_MAX)
    assert appender.reserve(1).volume.id == 2
    assert told == [0, 1]
    appender.close()


def test_what_ends_after_the_ownership_touches_nothing(disk: FaultyDisk, tmp_path: Path) -> None:
    """Regions that are given back when the volume may be another's neither erase, punch nor cut."""
    health = Health(disk, tmp_path, 0)
    appender = Appender(disk, tmp_path, STORE, lambda _: 1, health, length_max=1 << 30)
    hole, last = appender.reserve(PUNCH_BYTES_MIN), appender.reserve(1000)
    for region in (hole, last):
        region.write([b"x" * region.length], 0)
    appender.close()
    path = volume_path(tmp_path, 1)
    assert not is_owned(disk, path)
    before = path.read_bytes()
    hole.give_back()
    last.give_back()
    assert path.read_bytes() == before
    assert disk.punched == []
    assert not last.volume.is_open


def test_who_reserves_waits_for_no_region_that_ends(tmp_path: Path) -> None:
    """While a hole is punched, which may take the disk long, others go on reserving."""
    punching, go_on = threading.Event(), threading.Event()

    class Slow(FaultyDisk):
        def punch(self, descriptor: int, offset: int, length: int) -> None:
            punching.set()
            assert go_on.wait(10)
            super().punch(descriptor, offset, length)

    health = Health(FaultyDisk(), tmp_path, 0)
    appender = Appender(Slow(), tmp_path, STORE, lambda _: 1, health, length_max=1 << 30)
    hole, after = appender.reserve(PUNCH_BYTES_MIN), appender.reserve(1000)
    ending = threading.Thread(target=hole.give_back)
    ending.start()
    assert punching.wait(10)
    assert appender.reserve(1).offset == after.offset + after.length
    go_on.set()
    ending.join()
    appender.close()


def test_a_forked_child_waits_for_no_thread_of_its_parent(appender: Appender) -> None:
    """Volumes are abandoned although a thread that exists no more holds their locks."""
    volume = appender.reserve(1000).volume
    with volume._ending, volume._lock:
        child = threading.Thread(target=appender.abandon, daemon=True)
        child.start()
        child.join(5)
        assert not child.is_alive()
    assert not volume.is_open


def test_two_who_look_do_not_take_each_other_for_the_owner(
    appender: Appender, disk: FaultyDisk, tmp_path: Path
) -> None:
    """Whether a volume is owned can be asked by several at once."""
    appender.reserve(1).keep()
    path = volume_path(tmp_path, 1)
    with path.open("rb") as other:
        assert not try_share(other.fileno())
        appender.close()
        assert try_share(other.fileno())
        assert not is_owned(disk, path)


def test_a_full_disk_makes_no_volume(appender: Appender, disk: FaultyDisk, tmp_path: Path) -> None:
    """A volume whose header does not fit is removed, and the next attempt may succeed."""
    disk.refuses_writes = errno.ENOSPC
    with pytest.raises(DiskFull):
        appender.reserve(1)
    assert volume_ids(tmp_path) == []
    disk.refuses_writes = 0
    assert appender.reserve(1).volume.id == 2


def test_the_reserve_of_the_disk_is_not_touched(disk: FaultyDisk, tmp_path: Path) -> None:
    """A region that would leave less than the reserve is refused."""
    appender = Appender(
        disk, tmp_path, STORE, lambda _: 1, Health(disk, tmp_path, 1000), length_max=LENGTH_MAX
    )
    disk.free = 1999
    with pytest.raises(DiskFull, match="nearly"):
        appender.reserve(1000)
    disk.free = 2000
    appender.reserve(1000).give_back()
    appender.close()


def test_a_failed_sync_ends_all_writing(appender: Appender, disk: FaultyDisk) -> None:
    """After one failed sync no region can be reserved and no later sync succeeds."""
    region = appender.reserve(1000)
    disk.refuses_syncs = errno.EIO
    with pytest.raises(StorageError, match="sync"):
        appender.sync(region)
    disk.refuses_syncs = 0
    with pytest.raises(StorageError):
        appender.sync(region)
    with pytest.raises(StorageError, match="read-only"):
        appender.reserve(1)


def test_those_who_wait_share_one_sync() -> None:
    """Ten who come while a sync runs need one more between them, which begins after they came."""
    running, go_on = threading.Event(), threading.Event()
    syncs: list[int] = []

    def slow() -> None:
        syncs.append(1)
        running.set()
        go_on.wait()

    sync = SharedSync(slow)
    threads = [threading.Thread(target=sync) for _ in range(11)]
    threads[0].start()
    running.wait()
    for thread in threads[1:]:
        thread.start()
    while len(sync._condition._waiters) < 10:  # type: ignore[attr-defined]
        time.sleep(0.001)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(syncs) == 2


def test_a_failed_shared_sync_fails_all_who_shared_it() -> None:
    """Nobody takes a sync for done that failed, now or later."""
    outcomes: list[str] = []
    running, go_on = threading.Event(), threading.Event()

    def broken() -> None:
        running.set()
        go_on.wait()
        raise OSError(errno.EIO, "lost")

    sync = SharedSync(broken)

    def attempt() -> None:
        try:
            sync()
        except OSError:
            outcomes.append("failed")

    threads = [threading.Thread(target=attempt) for _ in range(5)]
    for thread in threads:
        thread.start()
    running.wait()
    go_on.set()
    for thread in threads:
        thread.join()
    assert outcomes == ["failed"] * 5
