"""The first failure of the disk is final; a full one is not a failure."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from storage_engine import DiskFull, StorageError
from storage_engine.health import Health
from tests.storage_engine.bad_disks import FaultyDisk

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_failure_is_remembered(tmp_path: Path) -> None:
    """After a failure every check raises, naming the first one whatever followed."""
    health = Health(FaultyDisk(), tmp_path, 0)
    health.check()
    assert health.failure is None
    assert isinstance(health.fail("first", OSError(errno.EIO, "lost")), StorageError)
    health.fail("second", OSError(errno.EIO, "lost"))
    with pytest.raises(StorageError, match="first"):
        health.check()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_from_a_broken_one(tmp_path: Path, code: int) -> None:
    """Running out of room or quota is DiskFull, and other writes may still succeed."""
    health = Health(FaultyDisk(), tmp_path, 0)
    assert isinstance(health.explain("write", OSError(code, "full")), DiskFull)
    assert not isinstance(health.explain("write", OSError(errno.EIO, "lost")), DiskFull)
    health.check()


def test_the_reserve_is_counted_in(tmp_path: Path) -> None:
    """There is room for what leaves the reserve free, to the byte."""
    disk = FaultyDisk()
    disk.free = 1500
    health = Health(disk, tmp_path, 1000)
    assert health.has_room(500)
    assert not health.has_room(501)
