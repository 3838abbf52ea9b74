"""Where the SQL database is: what URLs become, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from s4project.configuration import load
from s4project.sql.address import database, lacks_password, place

DATA = Path("/data")


def test_what_a_url_leaves_out_is_bounded() -> None:
    """Without options every wait has an end; what the URL says wins."""
    made = database("postgresql://s4@db.example.org:5433/s4", DATA)
    assert (made["NAME"], made["USER"], made["HOST"], made["PORT"]) == (
        *("s4", "s4", "db.example.org", "5433"),
    )
    options = made["OPTIONS"]
    assert options["application_name"] == "s4"
    assert options["target_session_attrs"] == "read-write"
    assert int(options["connect_timeout"])
    assert "statement_timeout" in options["options"]
    chosen = "?application_name=x&options=&sslmode=verify-full"
    options = database(f"postgresql://db/s4{chosen}", DATA)["OPTIONS"]
    assert (options["application_name"], options["options"]) == ("x", "")
    assert options["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    ("url", "host", "where"),
    [
        ("postgresql:///s4?host=/run/pg", "/run/pg", "PostgreSQL s4 at /run/pg"),
        ("postgres://a,b/s4", "a,b", "PostgreSQL s4 at a,b"),
        ("postgresql://u:p%40ss@h/s4", "h", "PostgreSQL s4 at h"),
        ("postgresql://[::1]:99/s4", "::1", "PostgreSQL s4 at ::1:99"),
    ],
)
def test_urls_are_read_as_libpq_reads_them(url: str, host: str, where: str) -> None:
    """Sockets, several hosts and what is percent-encoded work; a place has no secret in it."""
    made = database(url, DATA)
    assert made["HOST"] == host
    assert place(url) == where
    assert made["PASSWORD"] == ("p@ss" if "p%40ss" in url else "")


def test_a_password_may_come_beside_the_url() -> None:
    """It counts where the URL has none, and is refused where it would mean nothing."""
    url = "postgresql://s4@db/s4"
    assert lacks_password(url)
    assert database(url, DATA, "kept-apart")["PASSWORD"] == "kept-apart"
    assert database("postgresql://s4:own@db/s4", DATA, "kept-apart")["PASSWORD"] == "own"
    for other in ("", "postgresql://s4:own@db/s4"):
        (problem,) = load({"DATABASE_URL": other, "S4_DATABASE_PASSWORD": "kept-apart"}).problems
        assert "S4_DATABASE_PASSWORD" in problem
    assert not load({"DATABASE_URL": url, "S4_DATABASE_PASSWORD": "kept-apart"}).problems


@pytest.mark.parametrize("url", ["sqlite:///var/s4/x.sqlite3", "sqlite:////var/s4/x.sqlite3"])
def test_a_path_of_sqlite_is_absolute(url: str) -> None:
    """With three slashes or four it is the same file; without a path it is the store's own."""
    assert database(url, DATA)["NAME"] == "/var/s4/x.sqlite3"
    assert database("", DATA)["NAME"] == "/data/s4.sqlite3"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://db", "must name a database"),
        ("postgresql://db/s4?nonsense=1", "no URL"),
        ("postgresql://db/s4?sslmode=perhaps", "sslmode"),
        ("http://db/s4", "must start with"),
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str, said: str) -> None:
    """The start says in a line what is wrong with it, and does not repeat it."""
    (problem,) = load({"DATABASE_URL": url.replace("db", "s4:secret-word@db")}).problems
    assert problem.startswith("DATABASE_URL ")
    assert said in problem
    assert "secret-word" not in problem
