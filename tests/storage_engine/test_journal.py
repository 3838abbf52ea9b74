"""The journal: frames come back in order, and nothing else ever passes for one."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_engine.disk import RealDisk
from storage_engine.journal import (
    FRAME_HEADER_BYTES,
    START,
    Journal,
    Tail,
    segment_path,
    segment_starts,
)
from storage_engine.limits import JOURNAL_PAGE_BYTES
from tests.storage_engine.bad_disks import FaultyDisk
from tests.storage_engine.engine_steps import KIB, noise

if TYPE_CHECKING:
    from pathlib import Path

STORE = bytes(range(16))
SEGMENT = 64 * KIB


class Notebook:
    """A journal and its tail, as the index would keep it."""

    def __init__(self, path: Path, disk: RealDisk | None = None, store_id: bytes = STORE) -> None:
        self.path = path
        self.disk = disk or RealDisk()
        self.journal = Journal(self.disk, path, store_id, SEGMENT)
        self.tail = START

    def add(self, body: bytes) -> Tail:
        """Append a frame; return where it begins."""
        frame = self.journal.plan(self.tail, body)
        self.journal.write(frame)
        before, self.tail = self.tail, frame.after
        return before

    def bodies(self, tail: Tail = START) -> list[bytes]:
        """Read what is there from a tail on."""
        return [body for body, _ in self.journal.read(tail)]

    def flip(self, position: int, bit: int = 1) -> None:
        """Change one bit of the segment the tail is in."""
        path = segment_path(self.path, self.tail.segment)
        data = bytearray(path.read_bytes())
        data[position - self.tail.segment] ^= bit
        path.write_bytes(data)


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    """Give an empty journal."""
    return Notebook(tmp_path)


TAILS = st.builds(Tail, *[st.integers(0, (1 << 64) - 1)] * 3, st.integers(0, (1 << 32) - 1))


@given(tail=TAILS)
def test_a_tail_comes_back(tail: Tail) -> None:
    """A tail is what it was after it was packed; none is where a journal begins."""
    assert Tail.unpack(tail.pack()) == tail
    assert Tail.unpack(None) == START


@given(sizes=st.lists(st.integers(0, 3 * SEGMENT), max_size=12))
def test_frames_of_any_size_come_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    """Whatever the lengths, over however many segments, from any frame on all are read."""
    notebook = Notebook(tmp_path_factory.mktemp("journal"))
    bodies = [noise(size, n) for n, size in enumerate(sizes)]
    tails = [notebook.add(body) for body in bodies]
    assert notebook.bodies() == bodies
    for n, tail in enumerate(tails):
        assert notebook.bodies(tail) == bodies[n:]
    assert notebook.bodies(notebook.tail) == []
    notebook.journal.close()


@given(length=st.integers(1, 9000), cut=st.integers(0, 12_000))
def test_a_torn_frame_is_the_end(
    tmp_path_factory: pytest.TempPathFactory, length: int, cut: int
) -> None:
    """A frame of which the rest never reached the disk is not there, and those before it are."""
    notebook = Notebook(tmp_path_factory.mktemp("journal"))
    notebook.add(b"before")
    begin = notebook.add(noise(length)).position
    path = segment_path(notebook.path, notebook.tail.segment)
    data = bytearray(path.read_bytes())
    keep = begin + cut
    data[keep:] = bytes(len(data) - min(keep, len(data)))
    path.write_bytes(data)
    is_whole = cut >= FRAME_HEADER_BYTES + length or not any(
        noise(length)[max(0, cut - FRAME_HEADER_BYTES) :]
    )
    assert len(notebook.bodies()) == 1 + is_whole
    notebook.journal.close()


@pytest.mark.parametrize("at", [*range(FRAME_HEADER_BYTES), FRAME_HEADER_BYTES, 5000])
def test_one_wrong_bit_is_the_end(notebook: Notebook, at: int) -> None:
    """A frame with a single flipped bit is not believed, nor is what follows it."""
    notebook.add(b"before")
    begin = notebook.add(noise(5000)).position
    notebook.add(b"after")
    notebook.flip(begin + at)
    assert notebook.bodies() == [b"before"]


@pytest.mark.parametrize("at", [0, 9, 11, 20, 30, 38, 46, 52, 56, 59])
def test_a_damaged_segment_header_hides_no_frame(notebook: Notebook, at: int) -> None:
    """When a segment's header is torn or wrong, its first frame tells by itself what it follows."""
    notebook.add(b"first")
    notebook.add(noise(SEGMENT))
    assert len(notebook.bodies()) == 2
    notebook.add(b"third")
    notebook.flip(notebook.tail.segment + at)
    assert notebook.bodies() == [b"first", noise(SEGMENT), b"third"]
    notebook.flip(notebook.tail.segment + JOURNAL_PAGE_BYTES + 5)
    assert notebook.bodies() == [b"first", noise(SEGMENT)]


def test_frames_of_another_store_are_not_read(notebook: Notebook, tmp_path: Path) -> None:
    """A journal that was put in place of another says nothing to that store."""
    notebook.add(b"theirs")
    assert Notebook(tmp_path, store_id=bytes(16)).bodies() == []


def test_a_recycled_segment_says_nothing_of_its_former_use(notebook: Notebook) -> None:
    """Old frames, each valid in its day, are not read from a segment that was used again."""
    while notebook.tail.segment < 3 * SEGMENT:
        notebook.add(noise(7000, notebook.tail.position))
    assert notebook.journal.recycle(notebook.tail.segment) == 3
    assert len(list(notebook.path.glob("*.spare"))) == 3
    before = notebook.tail
    while notebook.tail.segment == before.segment:
        before = notebook.tail
        notebook.add(b"short")
    assert notebook.bodies(before) == [b"short"]
    for _ in range(3):
        assert notebook.add(b"more").position % SEGMENT
    assert notebook.bodies(before) == [b"short", b"more", b"more", b"more"]
    assert len(list(notebook.path.glob("*.spare"))) == 2


def test_segments_are_kept_from_a_position_on(notebook: Notebook) -> None:
    """Recycling frees no segment in which anything behind the position lies."""
    tails = [notebook.add(noise(20_000, n)) for n in range(12)]
    kept = tails[7]
    notebook.journal.recycle(kept.position)
    assert segment_starts(notebook.path)[0] == kept.segment
    assert len(notebook.bodies(kept)) == 5
    assert notebook.journal.recycle(0) == 0


def test_no_more_spares_are_kept_than_are_of_use(notebook: Notebook) -> None:
    """Segments beyond a few, and those of unusual length, are removed."""
    for n in range(10):
        notebook.add(noise(60_000, n))
    notebook.add(noise(2 * SEGMENT))
    notebook.add(noise(60_000))
    notebook.journal.recycle(notebook.tail.segment)
    assert len(list(notebook.path.iterdir())) == 1 + 4
    notebook.journal.prepare_spare()
    assert len(list(notebook.path.iterdir())) == 1 + 4


def test_a_frame_nobody_committed_is_blanked(notebook: Notebook) -> None:
    """Settling removes the frame at the tail, in this segment or the next, and only that."""
    for size in (10, SEGMENT):
        tail = notebook.add(b"kept")
        assert not notebook.journal.settle(notebook.tail)
        left = notebook.tail
        notebook.add(noise(size))
        assert notebook.journal.settle(left)
        assert not notebook.journal.settle(left)
        assert notebook.journal.find_beyond(left) is None
        assert notebook.bodies(tail) == [b"kept"]
        notebook.tail = left


def test_a_revoked_frame_is_not_read(notebook: Notebook) -> None:
    """Revoking works whether the frame, or even its segment, was written or not."""
    notebook.add(b"kept")
    for body in (b"", noise(SEGMENT)):
        frame = notebook.journal.plan(notebook.tail, body)
        notebook.journal.revoke(frame)
        notebook.journal.write(frame)
        notebook.journal.revoke(frame)
        assert notebook.bodies() == [b"kept"]
        assert notebook.journal.find_beyond(notebook.tail) is None


def test_a_segment_that_was_replaced_is_opened_anew(notebook: Notebook) -> None:
    """A writer whose segment was given up and made again, shorter, writes into the one of now."""
    notebook.add(b"first")
    long = notebook.journal.plan(notebook.tail, noise(3 * SEGMENT))
    notebook.journal.write(long)
    notebook.journal.settle(notebook.tail)
    other = Notebook(notebook.path)  # another process, which commits into a segment of that name
    other.tail = notebook.tail
    while other.tail.segment == notebook.tail.segment:
        other.add(noise(9000))
    assert other.tail.segment == long.after.segment
    notebook.tail = other.tail
    notebook.add(b"last")
    assert Notebook(notebook.path).bodies()[-1] == b"last"


def test_a_shorter_group_replaces_the_segment_of_a_longer_one(notebook: Notebook) -> None:
    """The same within one process: what follows a refusal lies where it is looked for."""
    notebook.add(noise(60_000))
    long = notebook.journal.plan(notebook.tail, noise(3 * SEGMENT))
    notebook.journal.write(long)
    notebook.journal.revoke(long)
    notebook.add(b"a" * 9000)
    notebook.add(b"b")
    assert Notebook(notebook.path).bodies()[1:] == [b"a" * 9000, b"b"]


def test_a_full_disk_leaves_nothing_of_a_segment(tmp_path: Path) -> None:
    """When a segment cannot be filled, no half of it stays, and the next try finds its way."""
    disk = FaultyDisk(".filling")
    notebook = Notebook(tmp_path, disk)
    notebook.add(noise(60_000))
    disk.bytes_before_full = 10 * KIB
    frame = notebook.journal.plan(notebook.tail, noise(9000))
    with pytest.raises(OSError) as raised:  # noqa: PT011  # the code is checked
        notebook.journal.write(frame)
    assert raised.value.errno == errno.ENOSPC
    notebook.journal.revoke(frame)
    assert list(tmp_path.glob("*.filling")) == []
    disk.bytes_before_full = -1
    notebook.add(noise(9000))
    assert notebook.bodies() == [noise(60_000), noise(9000)]


def test_fillings_that_were_cut_off_are_removed(notebook: Notebook) -> None:
    """A file that was being filled when its writer died goes when the store is opened."""
    (notebook.path / "1-2.filling").write_bytes(bytes(100))
    notebook.add(b"x")
    notebook.journal.tidy()
    assert list(notebook.path.glob("*.filling")) == []
    assert notebook.bodies() == [b"x"]


def test_frames_are_whole_pages(notebook: Notebook) -> None:
    """No two frames share a page, so that tearing one leaves its neighbours alone."""
    for size in (0, 1, 4000, 5000):
        assert notebook.add(bytes(size)).position % JOURNAL_PAGE_BYTES == 0
