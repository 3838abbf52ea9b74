"""Turns `DATABASE_URL` into what Django connects by.

PostgreSQL's are read by libpq itself, with all options it knows: several hosts, sockets, TLS, a
file with the password. Knows no Django: settings are made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from pathlib import Path

POSTGRESQL: Final = ("postgresql://", "postgres://")
STATEMENT_MS: Final = 20_000  # no statement of the console's or the jobs' should take as long
LOCK_MS: Final = 10_000
IDLE_MS: Final = 60_000  # of a transaction whose process stands still and holds locks
CONNECT_SECONDS: Final = 5
DEAD_MS: Final = 10_000  # until a connection counts as dead whose packets nobody acknowledges
# What is not said in the URL. A standby is no database to write to: who is failed over to it waits
# until it is one.
DEFAULTS: Final = {
    "application_name": "s4",
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_count": "3",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "options": f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS}"
    f" -c idle_in_transaction_session_timeout={IDLE_MS}",
    "target_session_attrs": "read-write",
    "tcp_user_timeout": str(DEAD_MS),
}
OWN: Final = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def is_postgresql(url: str) -> bool:
    """Tell whether a URL names a PostgreSQL."""
    return url.startswith(POSTGRESQL)


def read_postgresql(url: str) -> dict[str, str]:
    """Read a URL of PostgreSQL as libpq does; ValueError says what is wrong, and no secret."""
    from psycopg import Error  # noqa: PLC0415  # who keeps to SQLite does not load a driver
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except (Error, UnicodeError) as error:
        raise ValueError(
            "is no URL that PostgreSQL's own programs take: postgresql://user@host:port/name?option="
        ) from error
    if not given.get("dbname") and not given.get("service"):
        raise ValueError("must name a database, such as postgresql://user@host/name")
    if given.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError("must have an sslmode of " + ", ".join(SSL_MODES))
    return given


def database(url: str, data_dir: Path, password: str = "") -> dict[str, Any]:
    """Turn a database URL into Django's form; an empty one is SQLite in the data directory.

    `password` is that of a PostgreSQL whose URL has none.
    """
    if is_postgresql(url):
        given = read_postgresql(url)
        named = {django: given.pop(name, "") for name, django in OWN.items()}
        return {
            "ENGINE": "s4project.sql.postgresql",
            **named,
            "PASSWORD": named["PASSWORD"] or password,
            "OPTIONS": DEFAULTS | given,
        }
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": sqlite_path(url) or str(data_dir / "s4.sqlite3"),
        "OPTIONS": {
            # Writers queue instead of failing half-way; WAL lets readers go on beside them.
            # synchronous=FULL: a user or key that was reported as made survives a power cut.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }


def sqlite_path(url: str) -> str:
    """Read the path of a URL of SQLite, with three slashes or four; empty for none."""
    path = unquote(url.removeprefix("sqlite:///")).lstrip("/")
    return f"/{path}" if path else ""


def lacks_password(url: str) -> bool:
    """Tell whether a URL names a PostgreSQL, and no password for it."""
    return is_postgresql(url) and not read_postgresql(url).get("password")


def place(url: str) -> str:
    """Say in a few words, without a secret, which database a URL names."""
    if not is_postgresql(url):
        return url or "SQLite in the data directory"
    given = read_postgresql(url)
    host = given.get("host") or given.get("hostaddr") or "this machine"
    port = f":{given['port']}" if given.get("port", "").strip(",") else ""
    return f"PostgreSQL {given.get('dbname', '')} at {host}{port}".replace("  ", " ")
