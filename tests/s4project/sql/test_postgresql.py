"""A PostgreSQL that is not set as most are: made to do, or refused before anything is written."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests import postgresql
from tests.racing import ROOT, environment, racers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed")


@pytest.fixture
def server() -> Iterator[str]:
    """Run a PostgreSQL and answer the URL of its own database."""
    with postgresql.cluster() as cluster:
        yield cluster.database().rpartition("/")[0] + "/postgres"


def execute(url: str, statement: bytes) -> None:
    """Do something as the administrator."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("style", [b"German", b"SQL, DMY", b"Postgres"])
def test_times_are_read_however_the_server_writes_them(
    server: str, tmp_path: Path, style: bytes
) -> None:
    """A database, role or server may write dates in its country's way."""
    execute(server, b"ALTER DATABASE postgres SET datestyle = " + style)
    with racers(tmp_path, 1, DATABASE_URL=server) as store:
        moment = "__import__('datetime').datetime.fromisoformat('2100-12-31T00:00:00Z')"
        made = f"services.create_key(1, access_key='ENDS', expires_at={moment}).access_key"
        assert store.run(made) == ["ENDS"]
        found = "services.load_keyring().find('ENDS').expires_ms"
        assert store.run(found) == ["4133894400000"]
        assert store.run("services.list_keys(1)[0].expires_at.year") == ["2100"]


@pytest.mark.parametrize(("setting", "is_kept"), [(b"off", False), (b"remote_apply", True)])
def test_what_is_answered_is_on_the_disk(
    server: str, tmp_path: Path, setting: bytes, *, is_kept: bool
) -> None:
    """Where commits are told before they are synced S4's are synced; more than that is let be."""
    execute(server, b"ALTER DATABASE postgres SET synchronous_commit = " + setting)
    connection = "__import__('django.db').db.connection"
    shown = f"{connection}.ensure_connection() or {connection}.connection"
    with racers(tmp_path, 1, DATABASE_URL=server) as store:
        told = store.run(f"({shown}).execute('SHOW synchronous_commit').fetchone()[0]")
        assert told == [setting.decode() if is_kept else "on"]


def test_a_role_of_another_isolation_waits_for_others_too(server: str, tmp_path: Path) -> None:
    """Where transactions see one moment by themselves S4's see what others have changed."""
    execute(
        server, b"ALTER DATABASE postgres SET default_transaction_isolation = 'repeatable read'"
    )
    django = "__import__('django.db').db"
    shown = f"{django}.connection.cursor().execute('SHOW transaction_isolation').fetchone()[0]"
    with racers(tmp_path, 1, DATABASE_URL=server) as store:
        assert store.run(f"{django}.transaction.atomic(lambda: {shown})()") == ["read committed"]


def listing(data_dir: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Ask for the users, as an administrator does."""
    command = [sys.executable, "manage.py", "list_users"]
    made = environment(data_dir, DATABASE_URL=url)
    return subprocess.run(command, cwd=ROOT, env=made, capture_output=True, text=True, check=False)


def test_a_command_that_finds_nobody_says_so_in_a_line(server: str, tmp_path: Path) -> None:
    """Where there is no such database, or no server, a command ends with the place and why."""
    absent = server.rpartition("/")[0] + "/absent"
    for url, why in ((absent, "does not exist"), ("postgresql://s4@127.0.0.1:1/s4", "refused")):
        done = listing(tmp_path, url)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(f"PostgreSQL {url.rpartition('/')[2]} at 127.0.0.1:")
        assert why in done.stderr


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_write_every_text_is_refused(
    server: str, tmp_path: Path, encoding: str
) -> None:
    """What is wrong is said in a line, and what would help; the database stays empty."""
    locale = "LC_COLLATE 'C' LC_CTYPE 'C'"
    make = f"CREATE DATABASE other TEMPLATE template0 ENCODING '{encoding}' {locale}"
    execute(server, make.encode())
    url = server.rpartition("/")[0] + "/other"
    done = listing(tmp_path, url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"the database has the encoding {encoding}, and S4 needs UTF8" in done.stderr
    with psycopg.connect(url) as connection:
        tables = b"SELECT FROM pg_tables WHERE tableowner = 's4' AND schemaname = 'public'"
        assert connection.execute(tables).fetchone() is None
