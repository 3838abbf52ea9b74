"""The file of the past: sums by slots, whoever adds, dies, cuts the power or turns the clock."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import time
from typing import TYPE_CHECKING, Final

import pytest

from s4project.meters import ring
from s4project.meters.columns import FINE, GAUGES, TIMES, WORDS, Gauges, gauges_of
from s4project.meters.ring import FILE_BYTES, HEADER, PAGE_BYTES, SLOT, TIERS, Ring, place_of, read
from tests.s4project.probing import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON: Final = 1_800_000_000 // 7200 * 7200
TENS, FIVES, _ = TIERS
# Two counts that go together, in the first words of a slot and in later ones: a torn slot shows.
ONE: Final = {FINE: 1, TIMES + 20: 1, GAUGES - 1: 1}
SECTOR: Final = 512  # what a disk writes whole, if anything


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "meters"


def counted(path: Path, first: int = NOON, last: int = NOON) -> dict[int, int]:
    """Tell what was counted, by slot of the first tier; whole slots only."""
    slots = read(path, TENS, first, last)
    for words in slots.values():
        assert {words[index] for index in ONE} == {words[FINE]}, "torn"
    return {start - NOON: words[FINE] for start, words in slots.items()}


def forked(work: Callable[..., None], *arguments: object) -> multiprocessing.Process:
    """Do something in another process."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    return process


def add_many(path: Path, times: int, now: int) -> None:
    """Add again and again, as one process does."""
    own = Ring(path)
    for _ in range(times):
        own.add(now, ONE, None, now)


def test_what_many_processes_add_is_added_up(path: Path) -> None:
    """Processes that add at the same time, to a file that none of them found, lose nothing."""
    adding = [forked(add_many, path, 200, NOON) for _ in range(4)]
    for process in adding:
        process.join()
    assert counted(path) == {0: 800}
    assert path.stat().st_size == FILE_BYTES
    assert path.stat().st_blocks * 512 < 20 * PAGE_BYTES, "it takes room for what is in it"


def test_each_tier_keeps_the_same_sums(path: Path) -> None:
    """A count is in its slot of ten seconds, of five minutes and of two hours."""
    own = Ring(path)
    for second in (0, 10, 300, 7199):
        own.add(NOON + second, ONE, None, NOON + second)
    found = [
        {start - NOON: words[FINE] for start, words in read(path, tier, NOON, NOON + 7199).items()}
        for tier in TIERS
    ]
    assert found == [{0: 1, 10: 1, 300: 1, 7190: 1}, {0: 2, 300: 1, 6900: 1}, {0: 4}]


def test_a_slot_gives_way_a_round_later_and_no_sooner(path: Path) -> None:
    """What comes a whole round late is left out, and a new round begins from nothing."""
    own, later = Ring(path), NOON + TENS.seconds * TENS.slots
    own.add(NOON, ONE, None, NOON)
    own.add(later - 10, ONE, None, later - 10)
    assert counted(path) == {0: 1}
    own.add(later, ONE, None, later)
    own.add(NOON, ONE, None, later)
    assert counted(path) == {}
    assert counted(path, later, later) == {later - NOON: 1}
    assert read(path, FIVES, NOON, NOON)[NOON][FINE] == 2, "where it is not too late"


def test_the_newest_look_at_what_there_is_counts(path: Path) -> None:
    """Gauges are those of the latest look, whichever process writes last."""
    own, other = Ring(path), Ring(path)
    zeros = (0,) * (len(Gauges._fields) - 2)
    own.add(NOON, {}, Gauges(NOON + 5, 7, *zeros), NOON + 9)
    other.add(NOON, ONE, Gauges(NOON + 3, 6, *zeros), NOON + 9)
    other.add(NOON, ONE, None, NOON + 9)
    (words,) = read(path, TENS, NOON, NOON).values()
    assert (gauges_of(words).objects, words[FINE], len(words)) == (7, 2, WORDS)


def test_a_clock_turned_back_takes_back_the_time_that_was_not(path: Path) -> None:
    """Slots of a future that was none are emptied, what was before stays, and time goes on."""
    own = Ring(path)
    for second in range(0, 7200, 10):
        own.add(NOON + second, ONE, None, NOON + second)
    back = NOON + 1000
    own.add(NOON + 7190, ONE, None, back)  # counted before the clock was turned
    expected = dict.fromkeys(range(0, 1000, 10), 1) | {1000: 2}
    assert counted(path, NOON, NOON + 80_000) == expected
    assert max(read(path, FIVES, NOON, NOON + 80_000)) == NOON + 900
    own.add(back + 10, ONE, None, back + 10)
    assert counted(path, NOON, NOON + 80_000) == expected | {1010: 1}


def test_a_clock_that_was_years_ahead_leaves_nothing(path: Path) -> None:
    """Slots of another round are no reason to forget those that are older than they seem."""
    own, years = Ring(path), NOON + 3 * 365 * 86_400
    own.add(NOON, ONE, None, NOON)
    for second in (500, 50, 20):  # of the same places as NOON's, and other ones
        own.add(years + second, ONE, None, years + 500)
    own.add(NOON + 50, ONE, None, NOON + 50)
    assert counted(path, NOON, NOON + 1000) == {0: 1, 50: 1}
    assert all(read(path, tier, years, years + 500) == {} for tier in TIERS)


def test_a_clock_set_right_by_a_little_takes_back_nothing(path: Path) -> None:
    """Less than a slot backward, as clocks are set right every day, is no turning back."""
    own = Ring(path)
    own.add(NOON + 10, ONE, None, NOON + 10)
    own.add(NOON + 9, ONE, None, NOON + 9)
    assert counted(path, NOON, NOON + 10) == {0: 1, 10: 1}


def add_until_killed(path: Path) -> None:
    """Add for ever, in turns to a slot near the end of a page and to one in its middle."""
    own = Ring(path)
    while True:
        for second in range(0, 100, 10):
            own.add(NOON + second, ONE, None, NOON + 100)


def test_who_is_killed_has_added_or_has_not(path: Path) -> None:
    """Killed at any moment, a process leaves whole slots and no lock."""
    dice = random.Random(7)  # noqa: S311  # no secret
    own, before = Ring(path), 0
    for _ in range(25):
        process = forked(add_until_killed, path)
        time.sleep(dice.random() / 30)
        wait_for(lambda: sum(counted(path, NOON, NOON + 100).values()) > before)  # noqa: B023
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        own.add(NOON, ONE, None, NOON + 100)
        now = sum(counted(path, NOON, NOON + 100).values())
        assert now > before
        before = now


def test_a_reader_sees_whole_slots(path: Path) -> None:
    """Whoever reads while others write takes no half of what they write."""
    process = forked(add_until_killed, path)
    try:
        wait_for(lambda: counted(path, NOON, NOON + 100))
        looks = [sum(counted(path, NOON, NOON + 100).values()) for _ in range(1500)]
    finally:
        process.kill()
        process.join()
    assert looks[-1] > 0


def test_a_power_cut_loses_slots_and_tears_none(path: Path) -> None:
    """Whichever sectors got to the disk, each slot is as it was at some time, or is not there."""
    dice = random.Random(11)  # noqa: S311  # no secret
    own = Ring(path)
    own.add(NOON, ONE, None, NOON)
    old = path.read_bytes()
    for second in range(0, 200, 10):
        own.add(NOON + second, ONE, None, NOON + second)
    new = path.read_bytes()
    sectors = {
        at: (old[at : at + SECTOR], new[at : at + SECTOR]) for at in range(0, len(new), SECTOR)
    }
    changed = {at: pair for at, pair in sectors.items() if pair[0] != pair[1]}
    own.close()
    for _ in range(30):
        with path.open("r+b") as file:
            for at, pair in changed.items():
                file.seek(at)
                file.write(dice.choice(pair))
        survived = counted(path, NOON, NOON + 200)
        Ring(path).add(NOON + 200, ONE, None, NOON + 200)
        assert counted(path, NOON, NOON + 200) == survived | {200: survived.get(200, 0) + 1}


@pytest.mark.parametrize("cut", ["nothing", "no header", "another version", "half", "foreign"])
def test_what_is_no_file_of_this_version_is_begun_anew(path: Path, cut: str) -> None:
    """A file that was not finished, or is another's, is read as nothing and written anew."""
    own = Ring(path)
    own.add(NOON, ONE, None, NOON)
    sound = path.read_bytes()
    path.write_bytes(
        {
            "nothing": b"",
            "no header": bytes(PAGE_BYTES) + sound[PAGE_BYTES:],
            "another version": sound[:8] + b"\xff" + sound[9:],
            "half": sound[:PAGE_BYTES],
            "foreign": b"not S4's",
        }[cut]
    )
    assert counted(path) == {}
    own.add(NOON + 10, ONE, None, NOON + 10)
    assert counted(path, NOON, NOON + 10) == {10: 1}
    assert path.stat().st_size == FILE_BYTES


def test_a_slot_with_a_wrong_byte_is_none(path: Path) -> None:
    """A slot that does not match its checksum counts as never written."""
    own = Ring(path)
    own.add(NOON, ONE, None, NOON)
    with path.open("r+b") as file:
        file.seek(place_of(TENS, NOON) + 40)
        file.write(b"\x01")
    assert counted(path) == {}
    own.add(NOON, ONE, None, NOON)
    assert counted(path) == {0: 1}


def test_no_slot_crosses_a_page_and_none_shares_a_place() -> None:
    """Each slot of each tier has a place of its own, within one page, behind the header."""
    places = [
        place_of(tier, number * tier.seconds) for tier in TIERS for number in range(tier.slots)
    ]
    assert len(set(places)) == len(places)
    assert all(at // PAGE_BYTES == (at + SLOT.size - 1) // PAGE_BYTES for at in places)
    assert min(places) >= PAGE_BYTES > ring.NEWEST_OFFSET > len(HEADER)
    assert max(places) + SLOT.size <= FILE_BYTES


def test_without_a_file_there_is_no_past(path: Path) -> None:
    """Reading makes no file."""
    assert counted(path) == {}
    assert not path.exists()


def test_what_a_disk_takes_in_part_is_not_counted_twice(path: Path) -> None:
    """Counts that one tier takes and the next does not are in none, and are there once later."""
    own = Ring(path)
    own.add(NOON - 3600, ONE, None, NOON)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ring.FIRST_PAGES[FIVES] * PAGE_BYTES, limits[1]))
    try:
        for _ in range(3):
            with pytest.raises(OSError, match="too large"):
                own.add(NOON, ONE, None, NOON)
            assert counted(path) == {}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    own.add(NOON, ONE, None, NOON)
    assert counted(path) == {0: 1}
