"""The SQL database moves from SQLite to PostgreSQL and back, and nobody can tell the difference.

The command compares every row itself; the long form does so once more, and moves back too.

Runs where a PostgreSQL is installed, with a cluster of its own.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from s4project.care_command import RefusedError
from s4project.management.commands.move_database import read_target
from tests import postgresql
from tests.e2e.server import Server
from tests.e2e.signing import Signer
from tests.e2e.test_rest import call, log_in
from tests.e2e.wire import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = bool(os.environ.get("S4_TEST_LONG"))
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed"),
    pytest.mark.timeout(900 if LONG else 300),
]
RULES: dict[str, Any] = {
    "Rules": [
        {
            "ID": "é",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "ü/", "Tags": [{"Key": "a", "Value": ""}]}},
            "Expiration": {"Days": 3},
        }
    ]
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgresql.Cluster]:
    """Run a PostgreSQL for the module."""
    with postgresql.cluster() as cluster:
        yield cluster


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a server over SQLite."""
    server = Server(tmp_path / "server")
    try:
        server.start()
        yield server
    finally:
        server.kill_tree()


def furnish(server: Server) -> Caller:
    """Make some of everything; answer a user who must go on being served."""
    s3 = server.client()
    for name in ("kept", "gone", "also-gone"):
        s3.create_bucket(Bucket=name)
    s3.put_object(Bucket="kept", Key="k", Body=b"stays")
    s3.put_bucket_lifecycle_configuration(Bucket="kept", LifecycleConfiguration=RULES)
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "ß é"}]})
    for name in ("gone", "also-gone"):  # their numbers must never be given out again
        s3.delete_bucket(Bucket=name)
    s3.close()
    token = log_in(server)
    assert call(server, "PUT", "/admin/buckets/kept/quota", {"bytes": 2**30}, token).status == 204
    server.manage_json("create_user", "ada", "--role", "Writer")
    key = server.manage_json("create_key", "ada", "--expires", "30d")
    return Caller(server.caller.address, Signer(key["access_key"], key["secret_key"]))


def dump(server: Server) -> list[Any]:
    """Read every row that there is."""
    dumped = server.manage("dumpdata", "--all")
    assert dumped.returncode == 0, dumped.stderr
    return sorted(json.loads(dumped.stdout), key=lambda row: (row["model"], str(row["pk"])))


def move(server: Server, target: str) -> None:
    """Move to a database, and have the server use that from now on."""
    moved = server.manage_json("move_database", target)
    assert moved["rows"] == sum(moved["tables"].values())
    assert moved["tables"]["buckets_bucket"] >= 1
    server.settings["database_url"] = target


def refusal_of(server: Server, target: str, **environment: str) -> str:
    """Ask for a move that is refused in one line; answer the line."""
    refused = server.manage("move_database", target, **environment)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    return refused.stderr


def goes_on(server: Server, ada: Caller, number: int) -> None:
    """Insist that keys, objects, rules and new buckets work, and that all is sound."""
    server.start()
    s3 = server.client()
    assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"stays"
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="kept")["Rules"]
    assert rule == RULES["Rules"][0]
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "a", "Value": "ß é"}]
    assert ada.ask("PUT", f"/ada-{number}").status == 200
    assert ada.ask("PUT", f"/ada-{number}/k", b"x").status == 200
    s3.close()
    server.stop()


def test_the_database_moves_there(server: Server, cluster: postgresql.Cluster) -> None:
    """Users, keys, buckets and rules work in the other database as in the first."""
    ada, target = furnish(server), cluster.database()
    server.stop()
    move(server, target)
    goes_on(server, ada, 1)


@pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-long moves back, refused meanwhile")
def test_the_database_moves_there_and_back(server: Server, cluster: postgresql.Cluster) -> None:
    """Users, keys, buckets, rules and the audit log are the same in both, and work in both."""
    ada, target = furnish(server), cluster.database()
    assert "stop S4 first" in refusal_of(server, target)
    server.stop()
    assert "in force" in refusal_of(server, f"sqlite:///{server.data}/s4.sqlite3")
    before = dump(server)
    move(server, target)
    assert dump(server) == before
    goes_on(server, ada, 1)
    assert "there are rows already" in refusal_of(server, target, DATABASE_URL="")
    move(server, f"sqlite:///{server.directory}/back.sqlite3")
    goes_on(server, ada, 2)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("", "nothing"),
        ("mysql://somewhere/s4", "must start with"),
        ("postgresql://s4:secret-word@127.0.0.1:1/s4", "on the command line"),
        ("postgresql://s4@127.0.0.1:1/s4?nonsense=1", "is no URL"),
        ("postgresql://s4@127.0.0.1:1", "must name a database"),
    ],
)
def test_a_target_that_cannot_be_is_refused(target: str, said: str) -> None:
    """What is no database is refused, and no password is told again."""
    with pytest.raises(RefusedError) as refused:
        read_target(target)
    assert said in str(refused.value)
    assert "secret-word" not in str(refused.value)
