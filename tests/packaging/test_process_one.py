"""S4 as process 1, as a container has it: signals heeded from the first moment, orphans buried."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.server import MANAGE, clean_environment
from tests.packaging.inner import SECONDS, children, process_one

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a process 1"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="util-linux is not installed"),
]


class Contained:
    """A `serve` that is process 1 of a process namespace."""

    def __init__(self, outer: subprocess.Popen[str]) -> None:
        self.outer = outer

    @property
    def pid(self) -> int:
        """Name it."""
        return process_one(self.outer.pid)

    def orphan(self) -> None:
        """Leave a process behind in the namespace, which ends at once: process 1 inherits it."""
        inside = ["nsenter", f"--target={self.pid}", "--pid", "sh", "-c", "sleep 0.1 & exit 0"]
        subprocess.run(inside, check=True)

    def dead(self) -> list[str]:
        """List its children that have ended and that nobody has asked about."""
        found = []
        for pid in children(self.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it was buried since
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
                found += [state] if state.split()[0] == "Z" else []
        return found


@contextlib.contextmanager
def contained(data: Path) -> Iterator[Contained]:
    """Run `serve` as process 1 for a block."""
    settings = {
        "S4_DATA_DIR": str(data),
        "S4_BIND": "127.0.0.1:0",
        "S4_CONSOLE_BIND": "127.0.0.1:0",
        "S4_WORKERS": "1",
    }
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with (data.parent / "errors").open("wb") as errors:
        outer = subprocess.Popen(
            [*apart, sys.executable, MANAGE, "serve"],
            env=clean_environment() | settings,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Contained(outer)
    finally:
        outer.kill()
        outer.wait()
        assert outer.stdout is not None
        outer.stdout.close()


def test_orphans_are_buried_and_the_end_is_orderly(tmp_path: Path) -> None:
    """What others leave behind in the container becomes no zombie; SIGTERM ends all, with 0."""
    with contained(tmp_path / "data") as server:
        assert server.outer.stdout is not None
        assert any(line == "S4 is ready\n" for line in server.outer.stdout)
        for _ in range(5):
            server.orphan()
        time.sleep(0.2)
        deadline = time.monotonic() + SECONDS
        while server.dead():
            assert time.monotonic() < deadline, "process 1 leaves zombies"
            time.sleep(0.05)
        os.kill(server.pid, signal.SIGTERM)
        assert server.outer.wait(SECONDS) == 0


def test_a_stop_during_the_start_is_heeded(tmp_path: Path) -> None:
    """Process 1 gets no signal that it has no handler for: S4 has one before it is ready."""
    with contained(tmp_path / "data") as server:
        pid = server.pid
        deadline = time.monotonic() + SECONDS
        while server.outer.poll() is None:
            assert time.monotonic() < deadline, "SIGTERM is not heeded"
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)
        assert server.outer.returncode == 128 + signal.SIGTERM
        assert server.outer.stdout is not None
        assert server.outer.stdout.read() == ""
