"""A PostgreSQL of the tests' own, where one is installed: a cluster, and databases in it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST: Final = "127.0.0.1"
DEBIAN = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))  # in nobody's PATH
INSTALLED = shutil.which("initdb") or next(reversed(DEBIAN), None)
IS_INSTALLED: Final = INSTALLED is not None
NOBODY = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
START_SECONDS: Final = 60


class Cluster:
    """A running cluster."""

    def __init__(self, port: int) -> None:
        self._server = f"postgresql://s4@{HOST}:{port}"
        self._numbers = count(1)

    def database(self) -> str:
        """Make an empty database and answer its URL."""
        name = f"s4_{next(self._numbers)}"
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{self._server}/{name}"

    def answers(self) -> bool:
        """Tell whether it takes connections by now."""
        try:
            psycopg.connect(f"{self._server}/postgres").close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster for a block."""
    assert INSTALLED is not None, "skipped otherwise"
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    directory = Path(tempfile.mkdtemp(prefix="s4-postgresql-"))
    if NOBODY is not None:
        shutil.chown(directory, NOBODY)
    data, programs = str(directory / "data"), Path(INSTALLED).resolve().parent
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "s4", "--auth=trust", "--no-sync"],
        user=NOBODY,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    settings = [f"port={port}", f"unix_socket_directories={directory}", "fsync=off"]
    options = [word for setting in settings for word in ("-c", setting)]
    with subprocess.Popen(
        [programs / "postgres", "-D", data, *options], user=NOBODY, stderr=subprocess.DEVNULL
    ) as process:
        try:
            made, limit = Cluster(port), time.monotonic() + START_SECONDS
            while not made.answers():
                assert time.monotonic() < limit, "PostgreSQL does not start"
                time.sleep(0.1)
            yield made
        finally:
            process.terminate()
    shutil.rmtree(directory)
