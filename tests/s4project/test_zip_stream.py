"""A zip made onto a sink that cannot be rewound is one that others read."""

from __future__ import annotations

import io
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from s4project.zip_stream import ZipStream

if TYPE_CHECKING:
    from pathlib import Path

MOMENT_MS = 1_700_000_000_000
GIB = 1024**3


def made(*, declared: int) -> bytes:
    """Make a zip of a folder and two files, one of which says that it is so large."""
    stream = ZipStream()
    stream.add_folder("d/", MOMENT_MS)
    stream.begin("d/é😀.txt", 5, MOMENT_MS)
    stream.write(b"he")
    first = stream.take()
    stream.write(b"llo")
    stream.begin("large", declared, 0)
    stream.write(b"abc")
    stream.close()
    return first + stream.take()


@pytest.mark.parametrize("declared", [3, 5 * GIB], ids=["small", "zip64"])
def test_it_is_read_by_python(declared: int) -> None:
    """Names, bytes, kinds and moments are there, in 32 bits or in 64."""
    packed = zipfile.ZipFile(io.BytesIO(made(declared=declared)))
    assert packed.testzip() is None
    assert packed.namelist() == ["d/", "d/é😀.txt", "large"]
    assert packed.getinfo("d/").is_dir()
    assert packed.read("d/é😀.txt") == b"hello"
    assert packed.getinfo("d/é😀.txt").date_time == (2023, 11, 14, 22, 13, 20)
    assert packed.getinfo("large").date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("declared", [3, 5 * GIB], ids=["small", "zip64"])
def test_it_is_unpacked_by_others(tmp_path: Path, declared: int) -> None:
    """Info-ZIP's unzip, where there is one, unpacks it, with the moments."""
    archive = tmp_path / "made.zip"
    archive.write_bytes(made(declared=declared))
    try:
        done = subprocess.run(["unzip", "-q", archive], cwd=tmp_path, check=False)
    except FileNotFoundError:
        pytest.skip("unzip is not installed")
    assert done.returncode == 0
    assert (tmp_path / "d" / "é😀.txt").read_bytes() == b"hello"
    assert (tmp_path / "d" / "é😀.txt").stat().st_mtime == MOMENT_MS / 1000
