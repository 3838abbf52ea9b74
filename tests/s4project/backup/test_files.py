"""Files are copied byte for byte, holes too; what an older copy lacks is noticed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from awscrt.checksums import crc32c
from hypothesis import given
from hypothesis import strategies as st

from s4project.backup.files import checksum, copy_file, covers, extents, link
from storage_engine.disk import RealDisk
from storage_engine.pace import Pace, Stopped, never
from tests.storage_engine.engine_steps import KIB, noise

if TYPE_CHECKING:
    from pathlib import Path

PACE = Pace(0, never)
HEAD = 512


def sparse(path: Path, places: list[tuple[int, bytes]], length: int) -> bytes:
    """Make a file with holes; return what it holds."""
    with path.open("wb") as file:
        for at, data in places:
            file.seek(at)
            file.write(data)
        file.truncate(length)
    return path.read_bytes()


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 9000)), max_size=5),
    st.integers(0, 100),
)
def test_a_copy_is_the_same_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]], tail: int
) -> None:
    """Whatever lies where; the checksum is that of all bytes, those of holes too."""
    place = tmp_path_factory.mktemp("copy")
    places = [(page * 4096, noise(size, page)) for page, size in pieces]
    end = max((at + len(data) for at, data in places), default=0) + tail * 4096
    whole = sparse(place / "source", places, end)
    size, crc, copied = copy_file(place / "source", place / "target", PACE)
    assert (place / "target").read_bytes() == whole
    assert (size, crc) == (len(whole), crc32c(whole))
    assert copied <= size
    assert checksum(place / "target", PACE) == (size, crc)
    assert (place / "target").stat().st_mode & 0o777 == 0o600


def test_holes_stay_holes(tmp_path: Path) -> None:
    """A file that is nearly all hole takes next to nothing, and is told as such."""
    sparse(tmp_path / "source", [(0, b"head"), (64 << 20, b"tail")], 65 << 20)
    copied = copy_file(tmp_path / "source", tmp_path / "target", PACE)
    assert copied.size == 65 << 20
    assert copied.data_bytes <= 64 * KIB
    assert (tmp_path / "target").stat().st_blocks * 512 <= 64 * KIB


def test_a_copy_ends_when_asked_to(tmp_path: Path) -> None:
    """Between two pieces."""
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(Stopped):
        copy_file(tmp_path / "source", tmp_path / "target", Pace(0, lambda: True))


def test_an_older_copy_that_has_more_covers_its_source(tmp_path: Path) -> None:
    """Holes that came since are no reason to copy again."""
    whole = noise(64 * KIB)
    for name in ("source", "copy"):
        (tmp_path / name).write_bytes(whole)
    assert covers(tmp_path / "copy", tmp_path / "source", HEAD)
    with (tmp_path / "source").open("r+b") as file:
        RealDisk().punch(file.fileno(), 8 * KIB, 16 * KIB)
    assert covers(tmp_path / "copy", tmp_path / "source", HEAD)
    assert not covers(tmp_path / "source", tmp_path / "copy", HEAD), "it has bytes in the hole"


def test_zeros_need_no_bytes_and_another_head_is_another_file(tmp_path: Path) -> None:
    """A file system that makes holes of zeros is no reason either; another header is."""
    whole = noise(4 * KIB) + bytes(64 * KIB)
    (tmp_path / "source").write_bytes(whole)
    sparse(tmp_path / "copy", [(0, whole[: 4 * KIB])], len(whole))
    assert covers(tmp_path / "copy", tmp_path / "source", HEAD)
    (tmp_path / "other").write_bytes(b"x" + whole[1:])
    assert not covers(tmp_path / "other", tmp_path / "source", HEAD)


def test_what_cannot_be_linked_is_told(tmp_path: Path) -> None:
    """A second name where there can be one; other trouble is trouble."""
    (tmp_path / "old").write_bytes(b"x")
    assert link(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new").stat().st_nlink == 2
    with pytest.raises(FileExistsError):
        link(tmp_path / "old", tmp_path / "new")


def test_a_hole_up_to_the_end_has_no_data(tmp_path: Path) -> None:
    """Nothing is read of it."""
    sparse(tmp_path / "hole", [], 1 << 20)
    descriptor = os.open(tmp_path / "hole", os.O_RDONLY)
    try:
        assert list(extents(descriptor, 1 << 20)) == []
    finally:
        os.close(descriptor)
