"""A PostgreSQL of the tests' own, where one is installed: a cluster, and databases in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST: Final = "127.0.0.1"
DEBIAN = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))  # in nobody's PATH
INSTALLED = shutil.which("initdb") or next(reversed(DEBIAN), None)
IS_INSTALLED: Final = INSTALLED is not None
NOBODY = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
START_SECONDS: Final = 60


class Cluster:
    """A cluster, which can be stopped, started again, frozen and replaced by its copy."""

    def __init__(self, directory: Path) -> None:
        assert INSTALLED is not None, "skipped otherwise"
        self._directory = directory
        self._data = directory / "data"
        self._programs = Path(INSTALLED).resolve().parent
        self.port = free_port()
        self._server = f"postgresql://s4@{HOST}:{self.port}"
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        # Not as the machine's language has it: names would be sorted, and texts written, otherwise.
        alike = ("--encoding=UTF8", "--locale=C")
        trusting = ("-U", "s4", "--auth=trust", "--no-sync")
        subprocess.run(
            [self._programs / "initdb", "-D", self._data, *trusting, *alike],
            user=NOBODY,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def database(self, template: str = "template1") -> str:
        """Make a database, empty or as another, and answer its URL."""
        name = f"s4_{next(self._numbers)}"
        source = template.rpartition("/")[2]
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}".encode())
        return f"{self._server}/{name}"

    def by_socket(self, url: str) -> str:
        """Write the URL of a database by way of the cluster's Unix socket."""
        return f"postgresql:///{url.rpartition('/')[2]}?host={self._directory}&port={self.port}&user=s4"

    def start(self) -> None:
        """Run it until it takes connections."""
        settings = [
            *(f"port={self.port}", f"unix_socket_directories={self._directory}"),
            *("fsync=off", "max_connections=100"),
        ]
        options = [word for setting in settings for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, *options],
            user=NOBODY,
            stderr=subprocess.DEVNULL,
        )
        limit = time.monotonic() + START_SECONDS
        while not self.answers():
            assert time.monotonic() < limit, "PostgreSQL does not start"
            time.sleep(0.1)

    def stop(self, sent: signal.Signals = signal.SIGQUIT) -> None:
        """End it: by SIGQUIT as a crash would, by SIGINT in order, and without its clients."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(sent)
            process.wait(START_SECONDS)

    def replace(self) -> None:
        """Start a copy of the data behind the same address, as another machine would."""
        copy = self._directory / f"data-{next(self._numbers)}"
        shutil.copytree(self._data, copy)
        for path in (copy, *copy.rglob("*")):
            if NOBODY is not None:
                shutil.chown(path, NOBODY)
        copy.chmod(0o700)
        self._data = copy
        (copy / "postmaster.pid").unlink(missing_ok=True)
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let every process of it stand still for a block: the kernel connects, nobody answers."""
        processes = self._processes()
        for pid in processes:
            _send(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                _send(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        assert self._process is not None, "it runs"
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [pid, *map(int, children.split())]

    def connections(self, name: str) -> int:
        """Count the connections to a database."""
        query = b"SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(f"{self._server}/postgres") as connection:
            row = connection.execute(query, [name.rpartition("/")[2]]).fetchone()
        assert row is not None
        return int(row[0])

    def answers(self) -> bool:
        """Tell whether it takes connections by now."""
        try:
            psycopg.connect(f"{self._server}/postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def beside(url: str, whose: str) -> str:
    """Make somebody's own database in the cluster of another, once; answer its URL."""
    name = f"s4_{hashlib.sha256(whose.encode()).hexdigest()[:16]}"
    with (
        psycopg.connect(url, autocommit=True) as connection,
        suppress(psycopg.errors.DuplicateDatabase),
    ):
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    return f"{url.rpartition('/')[0]}/{name}"


def _send(pid: int, sent: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sent)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster for a block."""
    directory = Path(tempfile.mkdtemp(prefix="s4-postgresql-"))
    if NOBODY is not None:
        shutil.chown(directory, NOBODY)
    made = Cluster(directory)
    try:
        made.start()
        yield made
    finally:
        made.stop(signal.SIGINT)
        shutil.rmtree(directory)
