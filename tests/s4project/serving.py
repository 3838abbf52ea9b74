"""Starts `manage.py serve` for the tests of the command, and reads what it says."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.s4project.probing import ROOT, all_pids, session_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY: Final = "S4 is ready"


def environment(data: Path, **settings: str) -> dict[str, str]:
    """Make the environment of a process of S4: that of the tests without its settings."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("S4_", "AWS_")) and name != "DATABASE_URL"
    }
    own = {f"S4_{name.upper()}": value for name, value in settings.items()}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "s4project.settings",
        "S4_DATA_DIR": str(data),
        "S4_BIND": "127.0.0.1:0",
        "S4_CONSOLE_BIND": "127.0.0.1:0",
        "S4_WORKERS": "1",
        **own,
    }


class Serve:
    """A `serve` that is or was running; `prefix` is a command that runs it."""

    prefix: tuple[str, ...] = ()

    def __init__(self, data: Path, *arguments: str, **settings: str) -> None:
        self.log = data.parent / f"{data.name}.log"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "manage.py", "serve", *arguments],
                cwd=ROOT,
                env=environment(data, **settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.said: list[str] = []

    def until_ready(self) -> None:
        """Read what it says until all workers accept."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if self.said[-1] == READY:
                return
        raise AssertionError(f"serve ended: {self.log.read_text()}")

    def port(self, side: str) -> int:
        """Read the port of a side from what was said."""
        (match,) = filter(None, (re.match(rf"{side} .*:(\d+)$", line) for line in self.said))
        return int(match[1])

    def wait(self) -> tuple[int, str]:
        """Wait for it to end by itself; return its code and its log."""
        code = self.process.wait(180)
        return code, self.log.read_text()

    def processes(self) -> list[int]:
        """List what lives of it."""
        return [pid for pid in all_pids() if session_of(pid) == self.process.pid]

    def clean_up(self) -> None:
        """Leave nothing behind."""
        for pid in (self.process.pid, *self.processes()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def serve(data: Path, *arguments: str, **settings: str) -> Iterator[Serve]:
    """Run `serve` until the block ends."""
    running = Serve(data, *arguments, **settings)
    try:
        yield running
    finally:
        running.clean_up()
