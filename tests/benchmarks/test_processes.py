"""What the benchmarks read of a tree of processes: that it is at rest before it is measured."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY = "while True: pass"
CHILD_IS_BUSY = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
AT_REST = "import sys; sys.stdin.read()"


@pytest.fixture
def processes(part: Callable[[str], Any]) -> Any:
    """Load what is tested."""
    return part("processes")


@pytest.mark.parametrize(
    ("programs", "is_rested"),
    [((AT_REST,), True), ((BUSY,), False), ((CHILD_IS_BUSY,), False), ((AT_REST, BUSY), False)],
)
def test_a_stage_waits_for_all_servers_and_their_children(
    processes: Any, programs: tuple[str, ...], is_rested: bool
) -> None:
    """Rest is seen where nothing runs, and given up on where anything of any server does."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, start_new_session=True
        )
        for program in programs
    ]
    try:
        seconds_max = 60 if is_rested else 1
        found = processes.rest([each.pid for each in started], 0.3, seconds_max)
        assert found == is_rested
    finally:
        for process in started:
            for pid in reversed(processes.tree(process.pid)):
                subprocess.run(["kill", "-9", str(pid)], check=False)
            process.communicate()
