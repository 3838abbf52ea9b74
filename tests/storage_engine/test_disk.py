"""The real disk: whole writes, honest reads, holes, and locks between descriptors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from storage_engine import disk as system
from storage_engine.disk import IOV_MAX, RealDisk
from tests.storage_engine.engine_steps import MIB, noise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def disk() -> RealDisk:
    """Give the real disk."""
    return RealDisk()


@pytest.fixture
def descriptor(disk: RealDisk, tmp_path: Path) -> Iterator[int]:
    """Give a new file."""
    opened = disk.create(tmp_path / "file")
    yield opened
    disk.close(opened)


def test_a_write_of_many_buffers_is_whole(disk: RealDisk, descriptor: int) -> None:
    """More buffers than one call takes are all written, in order."""
    buffers = [noise(n % 7, n) for n in range(3 * IOV_MAX)]
    disk.write(descriptor, buffers, 10)
    assert disk.read(descriptor, MIB, 0) == bytes(10) + b"".join(buffers)


def test_a_read_ends_where_the_file_ends(disk: RealDisk, descriptor: int) -> None:
    """Reading beyond the end gives what there is."""
    disk.write(descriptor, [b"12345"], 0)
    assert disk.read(descriptor, 100, 2) == b"345"
    assert disk.read(descriptor, 100, 7) == b""


def test_what_was_just_written_is_cached(disk: RealDisk, descriptor: int) -> None:
    """Bytes in the page cache are read without waiting."""
    data = noise(MIB)
    disk.write(descriptor, [data], 0)
    buffer = memoryview(bytearray(MIB))
    assert disk.read_cached(descriptor, buffer, 0) == MIB
    assert buffer == data


def test_what_is_not_cached_is_not_waited_for(disk: RealDisk, descriptor: int) -> None:
    """Bytes that were dropped from memory are reported as cold, not read."""
    disk.write(descriptor, [noise(8 * MIB)], 0)
    disk.sync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    assert disk.read_cached(descriptor, memoryview(bytearray(8 * MIB)), 0) < 8 * MIB


def test_a_hole_reads_as_zeros_and_frees_room(disk: RealDisk, descriptor: int) -> None:
    """Punching gives blocks back and leaves the file's length and its other bytes."""
    data = noise(MIB)
    disk.write(descriptor, [data], 0)
    disk.sync(descriptor)
    before = os.fstat(descriptor).st_blocks
    disk.punch(descriptor, 4096, 512 * 1024)
    assert os.fstat(descriptor).st_blocks < before
    assert disk.read(descriptor, MIB, 0) == (
        data[:4096] + bytes(512 * 1024) + data[4096 + 512 * 1024 :]
    )


def test_there_is_one_owner_at_a_time(disk: RealDisk, descriptor: int, tmp_path: Path) -> None:
    """A file is owned by one descriptor until that is closed."""
    other = disk.open(tmp_path / "file")
    assert system.try_own(descriptor)
    assert not system.try_own(other)
    disk.close(other)
    assert system.try_own(descriptor), "closing another descriptor takes nothing away"


def test_readers_share_a_range_and_keep_punchers_out(
    disk: RealDisk, descriptor: int, tmp_path: Path
) -> None:
    """A range held by any reader cannot be seized; other ranges can; it ends with the release."""
    readers = [disk.open(tmp_path / "file") for _ in range(2)]
    assert all(system.try_hold_range(reader, 100, 50) for reader in readers)
    assert not system.try_seize_range(descriptor, 149, 1)
    assert system.try_seize_range(descriptor, 150, 50)
    assert not system.try_hold_range(readers[0], 199, 1)
    system.release_range(readers[0], 100, 50)
    assert not system.try_seize_range(descriptor, 100, 50)
    disk.close(readers[1])
    assert system.try_seize_range(descriptor, 100, 50)
    disk.close(readers[0])


def test_a_file_without_a_name_is_noticed(disk: RealDisk, descriptor: int, tmp_path: Path) -> None:
    """An open file tells when it was unlinked."""
    assert not disk.is_unlinked(descriptor)
    disk.unlink(tmp_path / "file")
    assert disk.is_unlinked(descriptor)


def test_a_new_file_is_new(disk: RealDisk, descriptor: int, tmp_path: Path) -> None:
    """Creating never opens a file that is there, and opening never creates one."""
    with pytest.raises(FileExistsError):
        disk.create(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        disk.open(tmp_path / "other")
    disk.sync_directory(tmp_path)
    disk.truncate(descriptor, 5)
    assert disk.read(descriptor, 9, 0) == bytes(5)
    assert disk.free_bytes(tmp_path) > MIB


def test_data_is_found_behind_a_hole(tmp_path: Path) -> None:
    """The next data after an offset is told as exactly as the disk knows, and its end likewise."""
    disk = RealDisk()
    descriptor = disk.create(tmp_path / "f")
    disk.write(descriptor, [b"x"], 1 << 20)
    assert 0 < disk.next_data(descriptor, 0) <= 1 << 20
    assert disk.next_data(descriptor, 1 << 20) == 1 << 20
    disk.truncate(descriptor, 1 << 22)
    assert disk.next_data(descriptor, 1 << 21) == 1 << 22
    assert disk.next_data(descriptor, 1 << 23) == 1 << 23
    disk.close(descriptor)


def test_blocks_are_given_ahead_without_making_a_file_longer(tmp_path: Path) -> None:
    """A file has its blocks before it is written, and its length and bytes stay."""
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    assert system.allocate(path, MIB)
    assert path.stat().st_blocks * 512 >= MIB
    assert path.read_bytes() == b"abc"
    with pytest.raises(OSError, match="large"):
        system.allocate(path, 1 << 62)
