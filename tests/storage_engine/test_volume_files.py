"""Open volumes: shared, bounded, and let go."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from storage_engine.disk import RealDisk, try_seize_range
from storage_engine.volume import volume_path
from storage_engine.volume_files import VolumeFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> VolumeFiles:
    """Make twenty volumes, of which three may be open."""
    for n in range(20):
        volume_path(tmp_path, n).write_bytes(b"%d" % n)
    return VolumeFiles(RealDisk(), tmp_path, 3)


def test_readers_of_one_volume_share_a_descriptor(files: VolumeFiles) -> None:
    """Acquiring twice opens once, and reading gives the volume's bytes."""
    first, second = files.acquire(7), files.acquire(7)
    assert first is second
    assert first.read(10, 0) == b"7"
    files.release(first)
    files.release(second)
    files.close()


def test_the_number_of_open_volumes_is_bounded(files: VolumeFiles) -> None:
    """Volumes nobody reads are closed, the longest unused first; those in use stay."""
    busy = files.acquire(0)
    for n in range(1, 20):
        files.release(files.acquire(n))
    assert sorted(files._files) == [0, 18, 19]
    assert busy.read(10, 0) == b"0"
    files.release(busy)
    files.close()
    assert files._files == {}


def test_a_volume_that_is_gone_is_not_found(files: VolumeFiles) -> None:
    """There is no volume without a file."""
    with pytest.raises(FileNotFoundError):
        files.acquire(99)


def test_an_unlinked_volume_is_closed_when_nobody_reads_it(
    files: VolumeFiles, tmp_path: Path
) -> None:
    """A kept descriptor does not hold the room of a volume dropped by another process."""
    busy, idle = files.acquire(1), files.acquire(2)
    files.release(idle)
    volume_path(tmp_path, 1).unlink()
    volume_path(tmp_path, 2).unlink()
    files.release(files.acquire(3))
    assert sorted(files._files) == [1, 3]
    assert busy.read(10, 0) == b"1"
    files.release(busy)
    files.close()


def test_the_last_reader_closes_after_close(files: VolumeFiles) -> None:
    """Closing leaves the volumes that are read, until they are released."""
    busy = files.acquire(1)
    files.close()
    assert busy.read(10, 0) == b"1"
    files.release(busy)
    assert files._files == {}


def test_a_record_is_held_until_its_last_reader_leaves(files: VolumeFiles, tmp_path: Path) -> None:
    """Two holds of one record need two releases before it can be seized."""
    disk = RealDisk()
    puncher = disk.open(volume_path(tmp_path, 1), is_writable=True)
    file = files.acquire(1)
    assert files.hold(file, 100, 50)
    assert files.hold(file, 100, 50)
    files.let_go(file, 100, 50)
    assert not try_seize_range(puncher, 100, 50)
    files.let_go(file, 100, 50)
    assert try_seize_range(puncher, 100, 50)
    assert not files.hold(file, 100, 50)
    assert file.holds == {}
    disk.close(puncher)
    files.release(file)
    files.close()


def test_a_child_that_closes_leaves_its_parents_locks(files: VolumeFiles, tmp_path: Path) -> None:
    """Locks belong to what was opened: closing a copy, and leaving a hold there, ends none."""
    disk = RealDisk()
    puncher = disk.open(volume_path(tmp_path, 1), is_writable=True)
    file = files.acquire(1)
    assert files.hold(file, 100, 50)
    child = os.fork()
    if not child:
        files.abandon()
        files.let_go(file, 100, 50)
        files.release(file)
        os._exit(7 if not try_seize_range(puncher, 100, 50) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert not try_seize_range(puncher, 100, 50)
    assert file.read(10, 0) == b"1"
    files.let_go(file, 100, 50)
    assert try_seize_range(puncher, 100, 50)
    disk.close(puncher)
    files.release(file)
    files.close()


def test_a_child_waits_for_no_thread_of_its_parent(files: VolumeFiles) -> None:
    """Files are abandoned although a thread that exists no more holds their lock."""
    files.acquire(1)
    with files._lock:
        child = threading.Thread(target=files.abandon, daemon=True)
        child.start()
        child.join(5)
        assert not child.is_alive()
