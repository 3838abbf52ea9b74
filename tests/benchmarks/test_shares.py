"""A share of a core for each worker: set as the kernel wants it, and obeyed."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUSY = "while True: pass"


@pytest.fixture
def shares(part: Callable[[str], Any]) -> Any:
    """Load what is tested."""
    return part("shares")


@pytest.mark.parametrize(
    ("is_second", "files"),
    [
        (False, {"cpu.cfs_period_us": "5000", "cpu.cfs_quota_us": "2000"}),
        (True, {"cpu.max": "2000 5000"}),
    ],
)
def test_a_share_is_told_in_the_words_of_both_versions(
    shares: Any, tmp_path: Path, is_second: bool, files: dict[str, str]
) -> None:
    """Two fifths of a core are two milliseconds of every five."""
    for name in files:
        (tmp_path / name).touch()
    shares.Controller(tmp_path, is_second).limit(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_where_no_group_can_be_made_none_is_left(
    shares: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that is no controller's, or is not there, is found out and left as it was."""
    monkeypatch.setattr(shares, "ROOTS", (tmp_path, tmp_path / "missing"))
    assert shares.controller() is None
    assert list(tmp_path.iterdir()) == []


def test_a_process_in_a_group_is_held_to_its_share(shares: Any) -> None:
    """The kernel stops who wants more; nothing of the group is left when he has ended."""
    found = shares.controller()
    if found is None:  # the benchmark says so then, and holds nobody to anything
        return
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        with shares.limited(found, [process.pid]):
            (group,) = found.root.glob(f"s4-bench-*-{process.pid}")
            deadline = time.monotonic() + 30
            while "nr_throttled 0\n" in (group / "cpu.stat").read_text():
                assert time.monotonic() < deadline, "it was never stopped"
                time.sleep(0.05)
            process.kill()
            process.wait()
        assert not group.exists()


def test_all_that_a_server_forks_is_waited_for(shares: Any) -> None:
    """Its workers come one after the other: none is left without its share."""
    program = (
        "import subprocess, sys, time\n"
        "for _ in range(3):\n"
        "    subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'])\n"
        "    time.sleep(0.2)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        assert len(shares.children(process.pid, 3)) == 3
        process.communicate(b"")
