"""The SQL database of a backup: whole, of one moment, and refused in a line where it cannot be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from s4project.backup.catalogue import TargetError
from s4project.backup.database import (
    DUMP_NAME,
    NONE,
    POSTGRESQL,
    SQLITE,
    copy_database,
    is_sound,
    kind_of,
)
from s4project.sql.address import database
from tests.postgresql import IS_INSTALLED, cluster

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = "postgresql://s4:secret@192.0.2.1:5432/s4"


def test_sqlite_is_copied_beside_a_writer(tmp_path: Path) -> None:
    """What was committed is in the copy, though it stands in the log yet; what was not is not."""
    source = tmp_path / "s4.sqlite3"
    (tmp_path / "target").mkdir()
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t (n)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        writer.execute("INSERT INTO t VALUES (2)")
        chosen = database("", tmp_path)
        assert kind_of(chosen, is_wanted=True) == SQLITE
        copy_database(chosen, SQLITE, tmp_path / "target")
        writer.commit()
    copy = tmp_path / "target" / "s4.sqlite3"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert is_sound(copy)
    with closing(sqlite3.connect(copy)) as reader:
        assert reader.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    """Missing, damaged, or not to be copied at all."""
    chosen = database("", tmp_path)
    with pytest.raises(TargetError, match="no SQL database"):
        kind_of(chosen, is_wanted=True)
    assert kind_of(chosen, is_wanted=False) == NONE
    copy_database(chosen, NONE, tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "s4.sqlite3").write_bytes(b"no database at all" * 100)
    assert not is_sound(tmp_path / "s4.sqlite3")
    (tmp_path / "target").mkdir()
    with pytest.raises(TargetError, match="could not be copied"):
        copy_database(chosen, SQLITE, tmp_path / "target")


def test_without_pg_dump_a_postgresql_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning, with what can be done about it."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TargetError, match="--no-database"):
        kind_of(database(ADDRESS, Path("/nowhere")), is_wanted=True)


def test_a_pg_dump_that_fails_says_why(tmp_path: Path, program: Callable[[str], None]) -> None:
    """In its own first words; the password is in no process list."""
    program('echo "$@" > "$0.words"; echo "pg_dump: error: no such host" >&2; exit 1')
    with pytest.raises(TargetError, match="pg_dump: error: no such host"):
        copy_database(database(ADDRESS, tmp_path), POSTGRESQL, tmp_path)
    assert "secret" not in (tmp_path / "bin" / "pg_dump.words").read_text()


def test_pg_dump_trusts_nobody_whom_s4_would_not(
    tmp_path: Path, program: Callable[[str], None]
) -> None:
    """All that the URL says of TLS and of hosts it is told too; no standby's rows are dumped."""
    program('printf "%s" "$*" > "$0.words"; echo "$PGPASSWORD" > "$0.password"; : > "$4"; exit 1')
    url = "postgresql://s4:secret@a.example,b.example/s4?sslmode=verify-full&sslrootcert=/ca%20file"
    with pytest.raises(TargetError):
        copy_database(database(url, tmp_path), POSTGRESQL, tmp_path)
    words = (tmp_path / "bin" / "pg_dump.words").read_text()
    given = psycopg.conninfo.conninfo_to_dict(words.partition("--dbname=")[2])
    expected = {
        "dbname": "s4",
        "host": "a.example,b.example",
        "user": "s4",
        "sslmode": "verify-full",
        "sslrootcert": "/ca file",
        "target_session_attrs": "read-write",
    }
    assert expected.items() <= given.items()
    assert "secret" not in words
    assert (tmp_path / "bin" / "pg_dump.password").read_text() == "secret\n"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a script in pg_dump's place."""

    def put(text: str) -> None:
        path = tmp_path / "bin" / "pg_dump"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return put


@pytest.mark.skipif(not IS_INSTALLED, reason="PostgreSQL is not installed")
def test_a_postgresql_comes_back_from_its_dump(tmp_path: Path) -> None:
    """Dumped by the installed pg_dump, restored into another database: rows and counters."""
    with cluster() as server:
        source, target = server.database(), server.database()
        with psycopg.connect(source) as connection:
            connection.execute("CREATE TABLE t (n serial, word text)")
            connection.execute("INSERT INTO t (word) VALUES ('one'), ('two')")
            connection.execute("DELETE FROM t WHERE word = 'two'")
        chosen = database(source, tmp_path)
        assert kind_of(chosen, is_wanted=True) == POSTGRESQL
        copy_database(chosen, POSTGRESQL, tmp_path)
        dump = tmp_path / DUMP_NAME
        assert dump.stat().st_mode & 0o777 == 0o600
        subprocess.run(["pg_restore", f"--dbname={target}", dump], check=True)
        with psycopg.connect(target) as connection:
            assert connection.execute("SELECT n, word FROM t").fetchall() == [(1, "one")]
            row = connection.execute("INSERT INTO t (word) VALUES ('x') RETURNING n").fetchone()
            assert row == (3,), "a number that was given is not given again"
