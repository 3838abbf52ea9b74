"""A right that is taken away is gone with the next request, at every worker, on every connection.

Clients in processes of their own send signed requests over connections that they keep, while an
administrator's process changes something; the clock they compare is the machine's.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import count, product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.every_worker import ask_every_worker, find_workers
from tests.e2e.processes import bytes_read, standing, wait_until
from tests.e2e.server import ROOT
from tests.e2e.signing import Signer
from tests.e2e.wire import Caller, ConnectionEnded, path_of
from tests.s4project.changing import Party

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

WORKERS = 4
SETTINGS = {"workers": str(WORKERS)}
CLIENTS, CONNECTIONS = 2, 6
ROUNDS = 24  # six of each kind
MIB = 1024 * 1024
_numbers = count(1)


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[Party]:
    """Run the process that an administrator's commands are made in."""
    more = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "s4project.settings"}
    party = Party(server.environment | more)
    yield party
    party.end()


@pytest.fixture(scope="module")
def every_worker(server: Server) -> set[str]:
    """Find what each worker calls itself."""
    return find_workers(server.caller, WORKERS)


class Case(NamedTuple):
    """Somebody who may use a bucket of root's, by a key."""

    bucket: str
    access_key: str
    secret_key: str
    caller: Caller


GRANT = "services.set_policies(user.pk, [bucket])"
JOIN = """
group = services.create_group(bucket, policies=[bucket])
services.set_groups(user.pk, [bucket])
"""
TAKE_ROLE = """
role = services.create_role(bucket, policies=[bucket])
services.set_role(user.pk, bucket)
"""
# What gives a user everything in a bucket, and what takes it away again.
CASES: dict[str, tuple[str, str]] = {
    "key disabled": (GRANT, "services.set_key_enabled(key, enabled=False)"),
    "key deleted": (GRANT, "services.delete_key(key)"),
    "key ended": (GRANT, "services.update_key(key, name='', expires_at=timezone.now())"),
    "key narrowed": (
        GRANT,
        "services.update_key(key, name='', expires_at=None, policy=document('elsewhere'))",
    ),
    "user disabled": (GRANT, "services.set_active(user.pk, active=False)"),
    "user deleted": (GRANT, "services.delete_user(user.pk)"),
    "user demoted": (
        "services.set_role(user.pk, 'SuperUser')",
        "services.set_role(user.pk, 'Reader')",
    ),
    "role taken": (
        TAKE_ROLE,
        "services.set_role(user.pk, None)",
    ),
    "role emptied": (
        TAKE_ROLE,
        "services.update_role(role.pk, description='', policies=[], includes=[])",
    ),
    "policy detached": (GRANT, "services.set_policies(user.pk, [])"),
    "policy changed": (
        GRANT,
        "services.update_policy(policy.pk, document=document('elsewhere'), description='')",
    ),
    "inline policy deleted": (
        "services.put_inline_policy(user, 'own', document(bucket))",
        "services.delete_inline_policy(user, 'own')",
    ),
    "group left": (
        JOIN,
        "services.set_groups(user.pk, [])",
    ),
    "group emptied": (
        JOIN,
        "services.update_group(group.pk, description='', policies=[])",
    ),
    "group deleted": (
        JOIN,
        "services.delete_group(group.pk)",
    ),
    "bucket policy deleted": (
        "buckets.configure_bucket(bucket_id, policy=document(bucket, user))",
        "buckets.configure_bucket(bucket_id, policy=None)",
    ),
}
MADE = """
def document(name, user=None):
    places = [f'arn:aws:s3:::{name}', f'arn:aws:s3:::{name}/*']
    statement = {'Effect': 'Allow', 'Action': 's3:*', 'Resource': places}
    if user is not None:
        arn = f'arn:aws:iam::{user.account_id}:user/{user.username}'
        statement['Principal'] = {'AWS': arn}
    return json.dumps({'Version': '2012-10-17', 'Statement': [statement]})
bucket = BUCKET
root = services.find_user('root')
bucket_id = buckets.create_bucket(bucket, root.canonical_id).id
policy = services.create_policy(bucket, document(bucket))
user = services.create_user(bucket, None)
new = services.create_key(user.pk)
key = new.access_key
answer = [new.access_key, new.secret_key]
"""


def make(server: Server, admin: Party, grant: str) -> Case:
    """Make a bucket of root's with an object, and somebody who may use it."""
    bucket = f"bucket-{next(_numbers)}"
    made = MADE.replace("BUCKET", repr(bucket))
    access_key, secret_key = admin.do(made)
    admin.do(grant)
    assert server.caller.ask("PUT", path_of(bucket, "shared"), b"something").status == 200
    caller = Caller(server.caller.address, Signer(access_key, secret_key))
    return Case(bucket, access_key, secret_key, caller)


class Told(NamedTuple):
    """What a client says of one request."""

    connection: int
    worker: str
    begin: float
    end: float
    status: int
    method: str


class Load:
    """Clients that send requests; when they have ended, what they say of each is there."""

    def __init__(self, clients: list[subprocess.Popen[str]]) -> None:
        self._clients = clients
        self.told: list[list[Told]] = []

    def go_on(self) -> None:
        """Wait until every kind of request was answered a few times more over every connection."""
        for client in self._clients:
            assert client.stdin is not None
            client.stdin.write(f"{ROUNDS}\n")
            client.stdin.flush()
        for client in self._clients:
            assert client.stdout is not None
            assert client.stdout.readline() == "\n", "the client is there"

    def end(self) -> None:
        """Let the clients end, and take what they tell."""
        for client in self._clients:
            assert client.stdin is not None
            client.stdin.close()
        for client in self._clients:
            assert client.stdout is not None
            self.told.append([Told(*json.loads(line)) for line in client.stdout])


@contextmanager
def under_load(server: Server, case: Case) -> Iterator[Load]:
    """Let clients send requests during a block; after it, each one's requests are there."""
    arguments = [str(server.port), case.access_key, case.secret_key, case.bucket, str(CONNECTIONS)]
    with ExitStack() as ends:
        clients = []
        for _ in range(CLIENTS):
            client = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.requesting", *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            ends.enter_context(client)
            ends.callback(client.kill)
            clients.append(client)
        load = Load(clients)
        yield load
        load.end()


@pytest.mark.parametrize("name", CASES)
def test_not_one_further_request_succeeds(
    server: Server, admin: Party, every_worker: set[str], name: str
) -> None:
    """From the moment the change is made nobody gets through, on whatever connection."""
    grant, revocation = CASES[name]
    case = make(server, admin, grant)
    target = path_of(case.bucket, "shared")
    assert ask_every_worker(case.caller, target, every_worker) == {200}
    with under_load(server, case) as load:
        load.go_on()
        begin, end = admin.do(
            f"begin = time.monotonic()\n{revocation}\nanswer = [begin, time.monotonic()]"
        )
        assert ask_every_worker(case.caller, target, every_worker) == {403}
        load.go_on()
    for requests in load.told:
        before = [request for request in requests if request.end < begin]
        after = [request for request in requests if request.begin > end]
        assert {request.status for request in before} == {200}
        assert {request.status for request in after} == {403}
        everything = set(product(range(CONNECTIONS), ("GET", "PUT", "HEAD")))
        assert {(request.connection, request.method) for request in before} == everything
        assert {(request.connection, request.method) for request in after} == everything


def test_a_command_is_obeyed_when_it_has_ended(
    server: Server, admin: Party, every_worker: set[str]
) -> None:
    """What `manage.py` has done is obeyed by every worker, and what it gave back, too."""
    case = make(server, admin, GRANT)
    target = path_of(case.bucket, "shared")
    assert ask_every_worker(case.caller, target, every_worker) == {200}
    assert server.manage("disable_key", case.access_key).returncode == 0
    assert ask_every_worker(case.caller, target, every_worker) == {403}
    admin.do(f"services.set_key_enabled({case.access_key!r}, enabled=True)")
    assert ask_every_worker(case.caller, target, every_worker) == {200}


def test_what_a_killed_command_left_is_obeyed(
    server: Server, admin: Party, every_worker: set[str]
) -> None:
    """Whenever SIGKILL hits who changes a key, every worker does what the database says."""
    case = make(server, admin, GRANT)
    target, database = path_of(case.bucket, "shared"), server.data / "s4.sqlite3"
    more = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "s4project.settings"}
    left = set()
    for pause_ms in (20, 35, 50, 70, 90, 120, 150, 190):
        command = Party(server.environment | more)
        toggling = (
            f"while True:\n    for state in (False, True):\n"
            f"        services.set_key_enabled({case.access_key!r}, enabled=state)"
        )
        command.tell(toggling)
        time.sleep(pause_ms / 1000)
        command.end()
        with sqlite3.connect(database) as connection:
            row = connection.execute(
                "SELECT is_enabled FROM iam_accesskey WHERE access_key = ?", [case.access_key]
            ).fetchone()
        connection.close()
        assert ask_every_worker(case.caller, target, every_worker) == {200 if row[0] else 403}
        left.add(row[0])
    assert left, "it was tried"


# --- what is under way ---------------------------------------------------------------------------

DISABLED = "services.set_key_enabled(key, enabled=False)"


@pytest.mark.parametrize("size", [20_000, 5 * MIB])
@pytest.mark.parametrize("revocation", [DISABLED, "services.set_policies(user.pk, [])"])
def test_an_upload_does_not_outlive_the_right_to_it(
    server: Server, admin: Party, size: int, revocation: str
) -> None:
    """A body that was on its way when the right was taken away is refused, and nothing is there."""
    case = make(server, admin, GRANT)
    target, body = path_of(case.bucket, "late"), os.urandom(size)
    with case.caller.connect() as connection:
        connection.send(case.caller.head("PUT", target, size) + body[: size // 2])
        time.sleep(0.2)
        admin.do(revocation)
        with suppress(ConnectionEnded):  # it was refused before the rest had come
            connection.send(body[size // 2 :])
        assert connection.reply("PUT").status == 403
    assert server.caller.ask("GET", target).status == 404


def test_a_condition_does_not_outlive_the_right_to_read(server: Server, admin: Party) -> None:
    """Who may not read any more when his body has come is not told whether an ETag is right."""
    case = make(server, admin, GRANT)
    target, body = path_of(case.bucket, "shared"), b"x" * 20_000
    etag = server.caller.ask("GET", target).headers["etag"]
    deny = "json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Deny', "
    deny += "'Principal': '*', 'Action': 's3:GetObject', 'Resource': f'arn:aws:s3:::{bucket}/*'}]})"
    with case.caller.connect() as connection:
        head = case.caller.head("PUT", target, len(body), {"if-match": etag})
        connection.send(head + body[:1000])
        time.sleep(0.2)
        admin.do(f"buckets.configure_bucket(bucket_id, policy={deny})")
        connection.send(body[1000:])
        assert connection.reply("PUT").status == 403


@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy"])
def test_a_copy_does_not_outlive_the_right_to_its_source(
    server: Server, admin: Party, operation: str
) -> None:
    """A source that is read for long is asked for again when it has been read."""
    case = make(server, admin, "services.set_policies(user.pk, [bucket])\nbase = bucket")
    source = make(server, admin, "pass")
    admin.do(
        "from buckets import services as buckets\n"
        f"user = services.find_user({case.bucket!r})\n"
        f"buckets.configure_bucket(bucket_id, policy=document({source.bucket!r}, user))"
    )
    size = 192 * MIB
    assert server.caller.ask("PUT", path_of(source.bucket, "large"), bytes(size)).status == 200
    target = path_of(case.bucket, "copy")
    headers = {"x-amz-copy-source": path_of(source.bucket, "large")}
    if operation == "UploadPartCopy":
        upload = case.caller.ask("POST", f"{target}?uploads").text("UploadId")
        target += f"?partNumber=1&uploadId={upload}"
    else:
        headers["x-amz-checksum-algorithm"] = "SHA256"
    with case.caller.connect() as connection:
        read = {pid: bytes_read(pid) for pid in server.workers()}
        connection.send(case.caller.request("PUT", target, b"", headers))
        wait_until(
            lambda: any(bytes_read(pid) > begun + MIB for pid, begun in read.items()), "reads"
        )
        with standing(*read):  # what is left of a fraction of a second is not to pass meanwhile
            admin.do("buckets.configure_bucket(bucket_id, policy=None)")
        assert connection.reply("PUT").status == 403


def test_an_upload_is_not_held_up_by_what_does_not_concern_it(server: Server, admin: Party) -> None:
    """A change elsewhere while a body comes changes nothing for it."""
    case = make(server, admin, GRANT)
    target, body = path_of(case.bucket, "late"), os.urandom(3 * MIB)
    with case.caller.connect() as connection:
        connection.send(case.caller.head("PUT", target, len(body)) + body[:MIB])
        admin.do("services.create_user(bucket + '-other', 'Writer')")
        connection.send(body[MIB:])
        assert connection.reply("PUT").status == 200
    assert server.caller.ask("GET", target).body == body


def test_what_began_in_time_is_finished(server: Server, admin: Party) -> None:
    """A key whose time runs out while a body comes was good when it began, and that counts."""
    case = make(server, admin, GRANT)
    target, body = path_of(case.bucket, "late"), os.urandom(2 * MIB)
    admin.do(
        "from datetime import timedelta\nsoon = timezone.now() + timedelta(seconds=1.5)\n"
        "services.update_key(key, name='', expires_at=soon)"
    )
    with case.caller.connect() as connection:
        connection.send(case.caller.head("PUT", target, len(body), {"expect": "100-continue"}))
        assert connection.interim() == 100
        connection.send(body[:MIB])
        wait_until(lambda: case.caller.ask("GET", target).code == "InvalidAccessKeyId", "too late")
        connection.send(body[MIB:])
        assert connection.reply("PUT").status == 200


def test_a_download_does_not_outlive_the_right_to_it(server: Server, admin: Party) -> None:
    """A reply that is being sent when the right is taken away breaks off; another one does not."""
    case, other = make(server, admin, GRANT), make(server, admin, GRANT)
    size = 64 * MIB
    for each in (case, other):
        stored = server.caller.ask("PUT", path_of(each.bucket, "large"), bytes(size))
        assert stored.status == 200
    with case.caller.connect() as cut, other.caller.connect() as whole:
        cut.send(case.caller.request("GET", path_of(case.bucket, "large")))
        whole.send(other.caller.request("GET", path_of(other.bucket, "large")))
        assert cut.has_begun()
        assert whole.has_begun()
        admin.do(f"services.set_key_enabled({case.access_key!r}, enabled=False)")
        with pytest.raises(ConnectionEnded):
            cut.reply()
        assert len(whole.reply().body) == size
