"""Processes over one store, each told what to do line by line: some write, some obey, some die."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.racing import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "S4CHANGINGKEY"
PROGRAM = """
import asyncio, json, os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from django.db import transaction
from django.utils import timezone
from s4project.store import prepare_store
prepare_store()
from buckets import services as buckets
from iam import services
from s3api.context import Snapshots
from s4project.s3side import Services
from storage_engine.apps import get_engine
snapshots = Snapshots(get_engine(), Services())
door = ThreadPoolExecutor(1)
def obeys():
    # As a request does: the answer is whether the key works, and the snapshots are good for more.
    if not snapshots.is_current:
        asyncio.run(snapshots.refresh(door))
    return snapshots.keyring.find(KEY) is not None, snapshots.is_current
def die():
    os.kill(os.getpid(), signal.SIGKILL)
print("null", flush=True)
for line in sys.stdin:
    answer = None
    exec(json.loads(line))
    print(json.dumps(answer), flush=True)
"""


class Party:
    """One process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"KEY = {KEY!r}\n{PROGRAM}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._hear()

    def do(self, code: str) -> Any:
        """Have it run some code, and answer what that leaves in `answer`."""
        self._tell(code)
        return self._hear()

    def obeys(self) -> tuple[bool, bool]:
        """Ask whether the key works there, and whether it would answer so without looking again."""
        works, is_current = self.do("answer = obeys()")
        return works, is_current

    def dies(self, code: str) -> None:
        """Have it run code that kills it."""
        self._tell(code)
        assert self._process.wait(20) == -signal.SIGKILL

    def tell(self, code: str) -> None:
        """Have it run some code, and do not wait."""
        self._tell(code)

    def end(self) -> None:
        """End it in any case, as SIGKILL does."""
        self._process.kill()
        self._process.communicate()

    def _tell(self, code: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "it ended"
        return json.loads(line)


class Scene:
    """A store with a worker, who obeys, and a writer; others come and are killed."""

    def __init__(self, data_dir: Path, database: str, ends: contextlib.ExitStack) -> None:
        self._environment = environment(
            data_dir, DATABASE_URL=database, S4_ROOT_PASSWORD="correct horse"
        )
        self._ends = ends
        self.worker, self.writer = self.another(), self.another()

    def another(self) -> Party:
        """Start one more process."""
        party = Party(self._environment)
        self._ends.callback(party.end)
        return party


@contextlib.contextmanager
def scene(data_dir: Path, database: str) -> Iterator[Scene]:
    """Set a scene; end its processes with the block."""
    with contextlib.ExitStack() as ends:
        yield Scene(data_dir, database, ends)
