"""Users and buckets in PostgreSQL instead of SQLite: made, set at once, deleted, kept.

Runs where a PostgreSQL is installed, with a cluster of its own.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from iam.services.audit import WRITERS_LOCK
from tests import postgresql
from tests.e2e.browsing import Browser
from tests.e2e.outcome import refusal
from tests.e2e.processes import wait_until
from tests.e2e.server import running
from tests.e2e.signing import Signer
from tests.e2e.test_rest import call, log_in, run_examples
from tests.e2e.wire import Caller
from tests.listening import Webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed"),
]
OK = (200, "")
MIB = 1024 * 1024
ENTRY = b"""
INSERT INTO iam_auditentry
(time, actor, actor_id, credential, address, via, action, resource, outcome, request_id, detail)
VALUES (now(), '', '', '', '', 'jobs', 's4:Test', '', 'allowed', '', '{}') RETURNING id
"""
RULE = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}
CALLS: dict[str, dict[str, Any]] = {
    "put_bucket_tagging": {"Tagging": {"TagSet": [{"Key": "a", "Value": "é"}]}},
    "put_bucket_cors": {"CORSConfiguration": {"CORSRules": [RULE]}},
    "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
    "delete_public_access_block": {},
    "delete_bucket_ownership_controls": {},
}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Run a PostgreSQL and answer the URL of a database in it."""
    with postgresql.cluster() as cluster:
        yield cluster.database()


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    """Run a webhook that gets the audit log."""
    with Webhook().listening() as listening:
        yield listening


@pytest.fixture(scope="module")
def server(
    database: str, hook: Webhook, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run a server that keeps its users and buckets there."""
    quiet = {"scrub_interval_days": "0", "compaction_enabled": "false"}
    delivered = {"audit_webhook_url": hook.url}
    directory = tmp_path_factory.mktemp("server")
    with running(directory, database_url=database, **quiet, **delivered) as server:
        assert not (server.data / "s4.sqlite3").exists()
        yield server


def told(s3: BaseClient, bucket: str) -> dict[str, Any]:
    """Answer what a bucket says of itself."""
    return {
        "tags": s3.get_bucket_tagging(Bucket=bucket)["TagSet"],
        "cors": s3.get_bucket_cors(Bucket=bucket)["CORSRules"],
        "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
        "block": refusal(s3.get_public_access_block, Bucket=bucket)[1],
        "ownership": refusal(s3.get_bucket_ownership_controls, Bucket=bucket)[1],
    }


def test_settings_put_at_once_are_all_kept(server: Server, s3: BaseClient, bucket: str) -> None:
    """Of settings of one bucket that come together none is lost, then or by a restart."""
    with ThreadPoolExecutor(len(CALLS)) as pool:
        for _ in range(5):
            done = [
                pool.submit(getattr(s3, name), Bucket=bucket, **arguments)
                for name, arguments in CALLS.items()
            ]
            assert all(future.result() for future in done)
    wanted = {
        "tags": [{"Key": "a", "Value": "é"}],
        "cors": [RULE],
        "versioning": "Enabled",
        "block": "NoSuchPublicAccessBlockConfiguration",
        "ownership": "OwnershipControlsNotFoundError",
    }
    assert told(s3, bucket) == wanted
    server.restart()
    assert told(s3, bucket) == wanted
    assert refusal(s3.delete_bucket_tagging, Bucket=bucket)[0] in {200, 204}
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


def test_a_bucket_is_made_once_and_can_go(server: Server, s3: BaseClient) -> None:
    """Who makes his bucket many times at once has one; another is refused; deleted, it is free."""
    user = server.manage_json("create_user", "pg-other", "--role", "Writer")
    key = server.manage_json("create_key", user["username"])
    other = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: refusal(s3.create_bucket, Bucket="wanted"), range(8)))
    assert made == [OK] * 8
    assert refusal(other.create_bucket, Bucket="wanted") == (409, "BucketAlreadyExists")
    s3.put_object(Bucket="wanted", Key="k", Body=b"x")
    assert refusal(s3.delete_bucket, Bucket="wanted") == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="wanted", Key="k")
    s3.delete_bucket(Bucket="wanted")
    assert refusal(other.create_bucket, Bucket="wanted") == OK
    assert [row["Name"] for row in other.list_buckets()["Buckets"]] == ["wanted"]


def test_quotas_set_at_once_are_those_that_hold(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """However many set a bucket's and a user's quota together, SQL and engine end with the same."""
    token = log_in(server)
    paths = (f"/admin/buckets/{bucket}/quota", "/admin/users/1/quota")
    with ThreadPoolExecutor(8) as pool:
        done = [
            pool.submit(call, server, "PUT", paths[number % 2], {"bytes": MIB + number}, token)
            for number in range(24)
        ]
        assert {future.result().status for future in done} == {204}
    for path in paths:  # the bucket's is looked at first
        bound = call(server, "GET", path, token=token).body["quota"]["bytes"]
        with server.caller.connect() as connection:
            connection.send(server.caller.head("PUT", f"/{bucket}/k", 9 * MIB))
            reply = connection.reply("PUT")
        assert (reply.status, reply.code) == (403, "QuotaExceeded")
        assert reply.text("QuotaBound") == str(bound)
        assert call(server, "DELETE", path, token=token).status == 204
    assert server.caller.ask("PUT", f"/{bucket}/k", b"x" * 2 * MIB).status == 200


def test_rules_set_at_once_are_those_that_act(server: Server, s3: BaseClient, bucket: str) -> None:
    """However many set or delete a bucket's lifecycle together, the engine ends with SQL's."""
    token, path = log_in(server), f"/admin/buckets/{bucket}/lifecycle"
    filters = [
        {"tags": {"ü": "b", "a": ""}, "size_above": 1, "expire_at": "2030-01-31"},
        {"prefix": "é/", "noncurrent_days": 3, "noncurrent_kept": 2, "abort_days": None},
    ]

    def change(number: int) -> int:
        if number % 5 == 4:
            return call(server, "DELETE", path, token=token).status
        fields = {name: value for name, value in filters[number % 2].items() if value is not None}
        rules = [{"id": f"{number}-{each}", **fields} for each in range(3)]
        return call(server, "PUT", path, {"rules": rules}, token).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(23))) == {204}
    kept = [rule["id"] for rule in call(server, "GET", path, token=token).body["rules"]]
    status = call(server, "GET", f"{path}/status", token=token).body
    assert [rule["id"] for rule in status["rules"]] == kept
    assert change(1) == change(4) == 204
    assert call(server, "GET", f"{path}/status", token=token).body["rules"] == []


def test_the_rest_api_works_there_too(server: Server) -> None:
    """The examples of its page make, list, search and delete as they do in SQLite."""
    assert '"username":"alice"' in run_examples(server)


def test_credentials_made_by_many_at_once_are_one_key(server: Server) -> None:
    """Each call that makes a user's credentials ends those before: of many at once one is left."""
    user = server.manage_json("create_user", "rotated", "--role", "Writer")
    token = log_in(server)
    (row,) = call(server, "GET", "/admin/users?search=rotated", token=token).body["users"]
    path = f"/admin/users/{row['id']}/credentials"
    with ThreadPoolExecutor(6) as pool:
        told = pool.map(lambda _: call(server, "POST", path, token=token).status, range(12))
        assert {*told} == {201}
    assert len(server.manage_json("list_keys", user["username"])) == 1


def test_the_audit_log_misses_nothing_of_what_comes_at_once(
    server: Server, hook: Webhook, s3: BaseClient
) -> None:
    """Entries of many at once are all there, found by how they begin, and delivered in order."""
    names = [f"at-once-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda name: refusal(s3.create_bucket, Bucket=name), names)} == {OK}
    found = server.manage_json("audit", "--resource", "arn:aws:s3:::at-once-")
    assert sorted(entry["resource"][13:] for entry in found) == sorted(names)
    assert len(server.manage_json("audit", "--text", "AT-ONCE-1")) == 11
    assert not server.manage_json("audit", "--resource", "arn:aws:s3:::at_once")
    assert not server.manage_json("audit", "--action", "s3:CreateBucket%")
    everything = server.manage_json("audit", "--limit", "1000")
    known = [entry["id"] for entry in reversed(everything)]
    wait_until(lambda: len(set(hook.ids)) >= len(known), "all are delivered", 30)
    assert list(dict.fromkeys(hook.ids)) == known
    assert hook.taken[-1]["detail"] == everything[0]["detail"]


def test_an_entry_that_takes_long_holds_up_no_other(
    server: Server, database: str, hook: Webhook, s3: BaseClient
) -> None:
    """While one transaction with an entry stays open, others write theirs; delivery waits."""
    with psycopg.connect(database) as writer:
        share = "SELECT pg_advisory_xact_lock_shared(%s)"
        writer.execute(share, [WRITERS_LOCK])
        (held,) = writer.execute(ENTRY).fetchone() or ()
        waits = []
        for name in ("held-up-1", "held-up-2", "held-up-3"):
            began = time.monotonic()
            assert refusal(s3.create_bucket, Bucket=name) == OK
            waits.append(time.monotonic() - began)
            time.sleep(0.3)  # by then the courier tries
        assert max(waits) < 8  # who waits for a lock is refused after ten
        assert max(hook.ids, default=0) < held
    wait_until(
        lambda: "arn:aws:s3:::held-up-3" in [entry["resource"] for entry in hook.taken],
        "all are delivered",
        60,
    )
    ids = list(dict.fromkeys(hook.ids))
    assert ids == sorted(ids)
    assert held in ids


def test_a_key_has_its_last_use(server: Server) -> None:
    """When a key was used is written, and read back as the moment it was."""
    user = server.manage_json("create_user", "pg-user", "--role", "Writer")
    key = server.manage_json("create_key", user["username"])
    caller = Caller(server.caller.address, Signer(key["access_key"], key["secret_key"]))
    before = time.time()
    assert caller.ask("GET", "/").status == 200
    server.restart()  # which writes what is noted
    (row,) = server.manage_json("list_keys", user["username"])
    used = datetime.fromisoformat(row["last_used_at"]).timestamp()
    assert before - 0.01 <= used <= time.time()


def test_tasks_are_kept_there(server: Server) -> None:
    """A task is asked for, carried out, and told with what it did."""
    browser = Browser(server)
    browser.log_in("root", server.settings["root_password"])
    browser.send("/operations/jobs/", "/operations/tasks/ask/", kind="verify")
    wait_until(lambda: "no problems" in browser.get("/operations/jobs/")[0], "it is told", 60)
