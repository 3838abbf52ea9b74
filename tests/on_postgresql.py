"""Runs tests with PostgreSQL in the place of SQLite: `python -m tests.on_postgresql ARGUMENTS`.

A cluster of the run's own; pytest-django makes its databases in it, one for each process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests import postgresql

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Sequence[str]) -> int:
    """Run pytest; answer its exit code."""
    with postgresql.cluster() as cluster:
        environment = {**os.environ, "DATABASE_URL": cluster.database()}
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
