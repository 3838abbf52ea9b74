"""Real processes over one store that do things at the same moment, as workers and commands do."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
# Each line that comes in is one expression; what it gave, or the name of its error, goes out.
RACER = """
import sys
import django
django.setup()
from s4project.store import prepare_store
prepare_store()
from buckets import services as buckets
from iam import services
from iam.keyring import RoleName
from storage_engine.apps import close_engine
print("ready", flush=True)
for line in sys.stdin:
    try:
        outcome = str(eval(line))
    except Exception as error:
        outcome = type(error).__name__
    print(outcome, flush=True)
close_engine()
"""


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Make the environment of a process that uses the store in `data_dir`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("S4_")}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(ROOT), kept.get("PYTHONPATH", "")]),
        "DJANGO_SETTINGS_MODULE": "s4project.settings",
        "S4_DATA_DIR": str(data_dir),
        "DATABASE_URL": database_of(data_dir),
        **settings,
    }


def database_of(data_dir: Path) -> str:
    """Name the SQL database of a store: SQLite's own, or one in the cluster that the run is on."""
    url = os.environ.get("DATABASE_URL", "")
    return postgresql.beside(url, str(data_dir)) if url else ""


class Racers:
    """Processes that wait for a line each."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes
        for process in processes:
            assert self._heard(process) == "ready"

    def run(self, *expressions: str) -> list[str]:
        """Let each process evaluate its expression at the same time; return the outcomes."""
        racing = self._processes[: len(expressions)]
        for process, expression in zip(racing, expressions, strict=True):
            assert process.stdin is not None
            process.stdin.write(expression + "\n")
            process.stdin.flush()
        return [self._heard(process) for process in racing]

    def _heard(self, process: subprocess.Popen[str]) -> str:
        """Read one line of a process."""
        assert process.stdout is not None
        return process.stdout.readline().strip()


@contextmanager
def racers(data_dir: Path, count: int, **settings: str) -> Iterator[Racers]:
    """Start processes over one store; end them with the block."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(data_dir, S4_ROOT_PASSWORD="correct horse", **settings),
        )
        for _ in range(count)
    ]
    try:
        yield Racers(processes)
    finally:
        for process in processes:
            process.communicate(timeout=60)
