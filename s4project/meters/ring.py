"""The file `meters`: sums of the past in slots of equal length, those of all processes together.

A fixed size: a slot takes the place of the one that is a whole round older. Figures are nothing
that anybody was promised: they are not synced, and a power cut may lose the newest. But a slot is
there whole or not at all:

- it is written by one `pwrite` that crosses no page, which no signal interrupts half-way, so a
  process that is killed has added to a slot or has not;
- it bears a checksum, so that what a power cut, or a reader at the same moment, finds half written
  counts as never written.

Writers take turns by a lock on the file, which the kernel lets go of for who dies. Not mapped
into memory: a full disk is then an error to be waited out instead of a signal that kills.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from s4project.meters.columns import GAUGES, WORDS, Gauges, gauges_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

NAME: Final = "meters"
PAGE_BYTES: Final = 4096
TRIES: Final = 3  # to read a slot that is just being written


class Tier(NamedTuple):
    """Slots of one length, and how many there are: so far back it remembers."""

    seconds: int
    slots: int


# A day by ten seconds, a month by five minutes, a year by two hours: 30 MB when all are in use.
# What was never written takes no room.
TIERS: Final = (Tier(10, 8640), Tier(300, 8928), Tier(7200, 4392))

# All numbers are little-endian. The file is pages of 4 KiB.
#
# Page 0:  "S4METERS", then u32 each: the version of this format, the words of a slot, and for each
#          tier its seconds and its slots. What is not to the byte what this version writes is not
#          read: the file is begun anew. From byte 2048 on one u64: the newest second for which
#          there is a slot (of the first tier), which tells of a clock that was turned back.
# Behind:  the tiers one after the other, each from a page on of its own. A page holds as many slots
#          as fit whole; slot n of a tier (n: seconds since the epoch, divided by its seconds) is
#          in place n modulo its slots.
# A slot:  u64 the second at which it begins (0: empty), u64 the CRC-32 of that and of what follows:
#          u64 for each word (columns.py).
VERSION: Final = 1
HEADER: Final = struct.pack(
    f"<8sII{2 * len(TIERS)}I",
    b"S4METERS",
    VERSION,
    WORDS,
    *(number for tier in TIERS for number in tier),
)
NEWEST_OFFSET: Final = 2048
NUMBER: Final = struct.Struct("<Q")
SLOT: Final = struct.Struct(f"<{WORDS + 2}Q")
SLOTS_OF_PAGE: Final = PAGE_BYTES // SLOT.size
EMPTY: Final = bytes(16)

Slots = dict[int, list[int]]  # the second at which a slot begins: its words


class Change(NamedTuple):
    """What a slot is to be, and what was in its place before."""

    place: int
    before: bytes
    after: bytes


def is_of_newer(path: Path) -> bool:
    """Tell whether a later version of this format is in a file, which would be begun anew."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:8] == HEADER[:8] and int.from_bytes(head[8:12], "little") > VERSION


def _pages(tier: Tier) -> int:
    return -(-tier.slots // SLOTS_OF_PAGE)


FIRST_PAGES: Final = {
    tier: 1 + sum(_pages(before) for before in TIERS[:index]) for index, tier in enumerate(TIERS)
}
FILE_BYTES: Final = PAGE_BYTES * (1 + sum(map(_pages, TIERS)))


def place_of(tier: Tier, start: int) -> int:
    """Tell at which byte of the file a slot is."""
    page, of_page = divmod(start // tier.seconds % tier.slots, SLOTS_OF_PAGE)
    return (FIRST_PAGES[tier] + page) * PAGE_BYTES + of_page * SLOT.size


def _encode(start: int, words: list[int]) -> bytes:
    """Write a slot."""
    image = SLOT.pack(start, 0, *words)
    return image[:8] + NUMBER.pack(_checksum(image)) + image[16:]


def _checksum(image: bytes) -> int:
    return zlib.crc32(image[16:], zlib.crc32(image[:8]))


def _decode(image: bytes) -> tuple[int, list[int]] | None:
    """Read a slot; None: it is empty, or was not written whole."""
    if len(image) < SLOT.size:
        return None
    start, checksum, *words = SLOT.unpack(image)
    return (start, words) if start and checksum == _checksum(image) else None


class Ring:
    """The file, for a process that adds to it. Opened at the first need, in the process itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def add(
        self, at: int, counts: Mapping[int, int], gauges: Gauges | None, now: int | None = None
    ) -> None:
        """Add to what was counted by word at a second, and say what there was; OSError.

        What is from before the rounds of a tier is left out of it, and nothing is in the future:
        where the clock says `now` what it said before, the time that was not is taken back.
        """
        now = int(time.time()) if now is None else now
        at = min(at, now)
        with self._locked() as file:
            self._forget_the_future(file, now)
            added = [_add(file, tier, at - at % tier.seconds, counts, gauges) for tier in TIERS]
            _write(file, [change for change in added if change is not None])

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the file alone; it is sound."""
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = self._descriptor
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.pread(file, len(HEADER), 0) != HEADER or os.fstat(file).st_size != FILE_BYTES:
                _begin(file)
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _forget_the_future(self, file: int, now: int) -> None:
        """Empty the slots that begin after now; note that now there is one.

        The note is moved back last: who dies before leaves the rest to the next.
        """
        (newest,) = NUMBER.unpack(os.pread(file, NUMBER.size, NEWEST_OFFSET))
        step = TIERS[0].seconds
        if newest > now + step:
            for tier in TIERS:
                first = now // tier.seconds + 1
                last = min(newest // tier.seconds, now // tier.seconds + tier.slots)
                for number in range(first, last + 1):
                    _forget(file, tier, number * tier.seconds)
        if newest > now + step or newest < now - now % step:
            os.pwrite(file, NUMBER.pack(now - now % step), NEWEST_OFFSET)


def _begin(file: int) -> None:
    """Make the file anew: the header comes last, and with it the file."""
    os.ftruncate(file, 0)
    os.ftruncate(file, FILE_BYTES)
    os.pwrite(file, HEADER, 0)


def _forget(file: int, tier: Tier, start: int) -> None:
    """Empty a place, unless what is there is older than the slot that it would be."""
    place = place_of(tier, start)
    (found,) = NUMBER.unpack(os.pread(file, NUMBER.size, place))
    if found >= start:
        os.pwrite(file, EMPTY, place)


def _add(
    file: int, tier: Tier, start: int, counts: Mapping[int, int], gauges: Gauges | None
) -> Change | None:
    """Add to one slot, which takes the place of an older one; None: it is one of the past."""
    place = place_of(tier, start)
    before = os.pread(file, SLOT.size, place)
    found = _decode(before)
    if found is not None and found[0] > start:
        return None  # a whole round has passed since
    words = found[1] if found is not None and found[0] == start else [0] * WORDS
    for index, count in counts.items():
        words[index] += count
    if gauges is not None and gauges.at >= gauges_of(words).at:
        words[GAUGES:] = gauges
    return Change(place, before, _encode(start, words))


def _write(file: int, changes: Sequence[Change]) -> None:
    """Write all slots, or none: a full disk takes some and not others, and is tried again."""
    done: list[Change] = []
    try:
        for change in changes:
            os.pwrite(file, change.after, change.place)
            done.append(change)
    except OSError:
        for change in done:
            with suppress(OSError):
                os.pwrite(file, change.before, change.place)
        raise


def read(path: Path, tier: Tier, first: int, last: int) -> Slots:
    """Read the slots that begin from `first` to `last`, both included; those that there are.

    Takes no lock, so that no reader ever keeps a worker waiting. No file: none; OSError.
    """
    start, end = first - first % tier.seconds, last - last % tier.seconds
    start = max(0, start, end - (tier.slots - 1) * tier.seconds)
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    try:
        if os.pread(file, len(HEADER), 0) != HEADER:
            return {}
        begins = range(start, end + 1, tier.seconds)
        found = {begin: _look(file, tier, begin) for begin in begins}
        return {begin: words for begin, words in found.items() if words is not None}
    finally:
        os.close(file)


def _look(file: int, tier: Tier, start: int) -> list[int] | None:
    """Read the words of a slot, once more where it is just being written."""
    for _ in range(TRIES):
        image = os.pread(file, SLOT.size, place_of(tier, start))
        if image[: NUMBER.size] != NUMBER.pack(start):
            return None
        if (slot := _decode(image)) is not None:
            return slot[1]
    return None
