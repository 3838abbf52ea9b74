"""The SQL database of a backup: SQLite by its own backup, PostgreSQL by its `pg_dump`.

To be copied after the moment that the copy of the engine stands at: a bucket made in between is
there and empty. The other way round objects would be there whose bucket is not, and the next
bucket made would get their number, and them.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from s4project.backup.catalogue import TargetError
from s4project.sql.address import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
NONE: Final = "none"
SQLITE_NAME: Final = "s4.sqlite3"
DUMP_NAME: Final = "database.dump"
SECRETS: Final = frozenset({"password", "sslpassword"})


def kind_of(database: Mapping[str, Any], *, is_wanted: bool) -> str:
    """Tell which database is to be copied; TargetError when what it takes is missing."""
    if not is_wanted:
        return NONE
    if database["ENGINE"].endswith("sqlite3"):
        if not Path(database["NAME"]).is_file():
            raise TargetError(f"there is no SQL database at {database['NAME']}")
        return SQLITE
    if shutil.which("pg_dump") is None:
        raise TargetError(
            "the SQL database is a PostgreSQL, and pg_dump is not installed: install PostgreSQL's "
            "client programs, or give --no-database and dump it yourself right after this"
        )
    return POSTGRESQL


def copy_database(database: Mapping[str, Any], kind: str, target: Path) -> None:
    """Copy it into a directory; TargetError, OSError."""
    if kind == SQLITE:
        _copy_sqlite(database["NAME"], target / SQLITE_NAME)
    elif kind == POSTGRESQL:
        _dump(database, target / DUMP_NAME)


def _copy_sqlite(source: str, target: Path) -> None:
    """Copy in one step, beside whoever writes: what they had committed is in it."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with (
            closing(
                sqlite3.connect(f"{Path(source).absolute().as_uri()}?mode=rw", uri=True)
            ) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise TargetError(f"the SQL database could not be copied: {error}") from error
    _sync(target)


def _dump(database: Mapping[str, Any], target: Path) -> None:
    """Have PostgreSQL's own program write what one moment's transaction sees.

    It connects as S4 does: to the same of several hosts, and only to whom S4 would trust.
    """
    command = ["pg_dump", "--format=custom", "--no-password", f"--file={target}"]
    done = subprocess.run(  # noqa: S603  # our own words
        [*command, f"--dbname={_address(database)}"],
        env=os.environ | ({"PGPASSWORD": database["PASSWORD"]} if database["PASSWORD"] else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it did not say why"]
        raise TargetError(f"pg_dump failed: {said[0]}")
    target.chmod(0o600)
    _sync(target)


def _address(database: Mapping[str, Any]) -> str:
    """Write for libpq where the database is, with everything but secrets: everybody sees it."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415  # for PostgreSQL alone

    named = {libpq: database[django] for libpq, django in OWN.items() if database[django]}
    given = named | dict(database["OPTIONS"])
    return make_conninfo("", **{name: given[name] for name in given if name not in SECRETS})


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_sound(path: Path) -> bool:
    """Ask SQLite whether a copy holds together; nothing is written beside it."""
    uri = f"{path.absolute().as_uri()}?immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as copy:
            return bool(copy.execute("PRAGMA quick_check").fetchone() == ("ok",))
    except sqlite3.Error:
        return False
