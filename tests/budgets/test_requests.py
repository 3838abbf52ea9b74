"""What one request may cost, counted: index, disk, threads, sockets, and frames of Python.

A budget is what the request needs today. One that becomes cheaper has its budget lowered; one that
becomes dearer has to say why. Nothing here is timed.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from s3api import turns
from s3api.app import HELD_BYTES
from tests.budgets.counting import BATCH, BATCHES, Counting, counting
from tests.e2e.processes import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.wire import Connection

BUCKET: Final = "budgets"
KIB: Final = 1024
MIB: Final = 1024 * KIB
LISTED: Final = 100
CROWD: Final = 32  # of requests, each over a connection of its own
REQUESTS_MAX: Final = CROWD // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that one request of a kind may do.

    `frames` has some room: other Pythons and other days take a few more or less.
    """

    frames: int
    transactions: int
    lookups: int
    writes: int = 0
    hops: int = 0
    syncs: int = 0


BUDGETS: Final = {
    "GET": Budget(frames=160, transactions=1, lookups=2),
    "HEAD": Budget(frames=150, transactions=1, lookups=1),
    "PUT": Budget(frames=380, transactions=2, lookups=9, writes=11, hops=1, syncs=1),
    "PUT 64 KiB": Budget(frames=470, transactions=3, lookups=12, writes=11, hops=2, syncs=2),
    "DELETE": Budget(frames=290, transactions=2, lookups=9, writes=9, hops=1, syncs=1),
    # A thread: a page that takes over 2 ms is finished in one, be it that the processor is busy.
    "LIST": Budget(frames=400, transactions=2, lookups=9, hops=1),
}


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    """Run a server that counts, with a bucket and some objects in it."""
    settings = {"requests_max": str(REQUESTS_MAX)}
    with counting(tmp_path_factory.mktemp("budgets"), **settings) as found:
        caller = found.server.caller
        assert caller.ask("PUT", f"/{BUCKET}").status == 200
        for number in range(LISTED):
            target = f"/{BUCKET}/listed/{number:04d}"
            assert caller.ask("PUT", target, b"x" * KIB, over=found.connection).status == 200
        yield found


def asking(counted: Counting, operation: str) -> Callable[[Connection, int], None]:
    """Answer what sends one request of a kind."""
    caller = counted.server.caller

    def ask(connection: Connection, number: int) -> None:
        target, body, wanted = f"/{BUCKET}/listed/{number % LISTED:04d}", b"", 200
        if operation == "LIST":
            target = f"/{BUCKET}?list-type=2&prefix=listed%2F"
        if operation == "PUT":
            target, body = f"/{BUCKET}/new/{number}", b"%08d" % number * (KIB // 8)
        if operation == "PUT 64 KiB":
            target, body = f"/{BUCKET}/large/{number}", b"%08d" % number * (64 * KIB // 8)
        if operation == "DELETE":
            target, wanted = f"/{BUCKET}/gone/{number}", 204
        method = "GET" if operation == "LIST" else operation.partition(" ")[0]
        assert caller.ask(method, target, body, over=connection).status == wanted

    return ask


def furnish(counted: Counting, operation: str) -> None:
    """Put what DELETE will find."""
    if operation == "DELETE":
        caller = counted.server.caller
        for number in range(counted.next_number, counted.next_number + 100):
            target = f"/{BUCKET}/gone/{number}"
            assert (
                caller.ask("PUT", target, b"%08d" % number, over=counted.connection).status == 200
            )


@pytest.mark.e2e
@pytest.mark.parametrize("operation", BUDGETS)
def test_a_request_stays_within_its_budget(counted: Counting, operation: str) -> None:
    """A request asks the index, the disk, other threads and Python no more than it needs."""
    furnish(counted, operation)
    budget, calls = BUDGETS[operation], counted.calls(asking(counted, operation))
    spent = {
        "frames": calls.python,
        "transactions": calls.transactions,
        "lookups": calls.lookups,
        "writes": calls.writes,
        "hops": calls.hops,
        "syncs": calls.syncs,
    }
    over = [f"{name}: {count}" for name, count in spent.items() if count > getattr(budget, name)]
    assert not over, f"{operation} spends {spent}\n{calls.frequent()}"


@pytest.mark.e2e
@pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("CI"), reason="strace is not installed"
)
@pytest.mark.parametrize("operation", BUDGETS)
def test_a_reply_is_written_once(counted: Counting, operation: str, tmp_path: Path) -> None:
    """A small reply goes to the socket at once; a change is synced, and told to the loop, once."""
    furnish(counted, operation)
    calls = counted.system_calls(asking(counted, operation), tmp_path / "trace")
    sent = sum(calls[name, "socket"] for name in ("write", "writev", "sendto", "sendmsg"))
    assert sent == BATCH, calls
    synced = calls["fdatasync", "journal"]
    changes = BATCH if BUDGETS[operation].syncs else 0
    assert synced == changes, calls
    assert calls["write", "anon_inode"] == changes, calls


@pytest.mark.e2e
@pytest.mark.parametrize(("parts", "hops"), [(100, 0), (10_000, 1)])
def test_a_long_document_is_read_in_a_thread(counted: Counting, parts: int, hops: int) -> None:
    """Nobody waits while ten thousand parts are read, and a short document needs no thread."""
    caller, target = counted.server.caller, f"/{BUCKET}/none?uploadId={'0' * 32}"
    rows = (
        f"<Part><PartNumber>{number}</PartNumber><ETag>{number:032x}</ETag></Part>"
        for number in range(1, parts + 1)
    )
    document = f"<CompleteMultipartUpload>{''.join(rows)}</CompleteMultipartUpload>".encode()

    def ask(connection: Connection, _number: int) -> None:
        assert caller.ask("POST", target, document, over=connection).code == "NoSuchUpload"

    # They take so long that notes of S4's own fall into each batch: there is one request in each.
    assert counted.calls(ask, batch=1, batches=BATCH * BATCHES).hops == hops


@pytest.mark.e2e
@pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("CI"), reason="strace is not installed"
)
def test_a_body_of_a_mebibyte_is_written_at_once(counted: Counting, tmp_path: Path) -> None:
    """It is hashed, written in one call and synced once, by threads that each are woken once."""
    caller = counted.server.caller

    def ask(connection: Connection, number: int) -> None:
        body = b"%016d" % number * (MIB // 16)
        assert caller.ask("PUT", f"/{BUCKET}/mib/{number}", body, over=connection).status == 200

    # Of the threads one writes and one hashes where there are cores; one syncs and one commits.
    assert counted.calls(ask).hops <= 5
    calls = counted.system_calls(ask, tmp_path / "trace")
    assert calls["pwritev", "volumes"] + calls["pwritev2", "volumes"] == BATCH, calls
    assert calls["fdatasync", "volumes"] == BATCH, calls


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes of an object from an offset on, and how they may be read: calls, frames of Python."""

    size: int
    first: int
    length: int
    frames: int
    reads: int = 1


BODIES: Final = {
    "64 KiB": Body(64 * KIB, 0, 64 * KIB, frames=180),
    "1 MiB": Body(MIB, 0, MIB, frames=210),
    # With the checksums of 32 blocks.
    "1 MiB, inside blocks": Body(2 * MIB, KIB, MIB, frames=235, reads=2),
}


@pytest.mark.e2e
@pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("CI"), reason="strace is not installed"
)
@pytest.mark.parametrize("name", BODIES)
def test_a_body_in_memory_is_read_once(counted: Counting, name: str, tmp_path: Path) -> None:
    """What the page cache has is read in one call and in no thread; 64 KiB go out in one, too."""
    body = BODIES[name]
    caller, target = counted.server.caller, f"/{BUCKET}/body"
    whole = os.urandom(body.size)
    wanted = whole[body.first : body.first + body.length]
    assert caller.ask("PUT", target, whole, over=counted.connection).status == 200
    headers = {"Range": f"bytes={body.first}-{body.first + body.length - 1}"}

    def ask(connection: Connection, _number: int) -> None:
        assert caller.ask("GET", target, headers=headers, over=connection).body == wanted

    spent = counted.calls(ask)
    assert spent.hops == 0
    assert spent.python <= body.frames, spent.frequent()
    calls = counted.system_calls(ask, tmp_path / "trace")
    assert calls["preadv2", "volumes"] == BATCH * body.reads, calls
    assert not calls["pread64", "volumes"], calls
    if body.length <= 64 * KIB:
        assert sum(calls[call, "socket"] for call in ("write", "writev")) == BATCH, calls


@pytest.mark.e2e
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_crowd_is_decided_before_it_is_answered(counted: Counting, method: str) -> None:
    """Requests that came at once wait for each other; not in line before them, nor one alone."""
    caller, target = counted.server.caller, f"/{BUCKET}/crowd"
    whole = os.urandom(64 * KIB)
    assert caller.ask("PUT", target, whole, over=counted.connection).status == 200
    with ExitStack() as stack:
        crowd = [stack.enter_context(caller.connect()) for _ in range(CROWD)]

        def ask_at_once(_connection: Connection, _number: int) -> None:
            with standing(counted.worker):
                for connection in crowd:
                    connection.send(caller.request(method, target))
            for connection in crowd:
                reply = connection.reply(method)
                assert (reply.status, reply.body) == (200, whole if method == "GET" else b"")

        def ask_alone(connection: Connection, _number: int) -> None:
            assert caller.ask(method, target, over=connection).status == 200

        calls = counted.calls(ask_at_once)
        steps = 2 * (CROWD - turns.CROWD)  # to wait, and to go on; behind the last few nobody waits
        assert calls.named("Turns.let_others") == steps, calls.frequent()
        assert not counted.calls(ask_alone).named("Turns.let_others")


@pytest.mark.e2e
def test_who_is_told_much_waits_for_nobody(counted: Counting) -> None:
    """A crowd of lists is answered one by one: nobody waits, and no more than one is in memory."""
    caller, target = counted.server.caller, f"/{BUCKET}?list-type=2&prefix=listed%2F"
    with ExitStack() as stack:
        crowd = [stack.enter_context(caller.connect()) for _ in range(REQUESTS_MAX)]

        def ask_at_once(_connection: Connection, _number: int) -> None:
            with standing(counted.worker):
                for connection in crowd:
                    connection.send(caller.request("GET", target))
            for connection in crowd:
                assert len(connection.reply().body) > HELD_BYTES

        assert not counted.calls(ask_at_once).named("Turns.let_others")


@pytest.mark.e2e
def test_who_left_a_crowd_takes_nothing_from_the_others(counted: Counting) -> None:
    """Of requests that came at once, those whose clients have gone keep no other from its reply."""
    caller, target = counted.server.caller, f"/{BUCKET}/left"
    whole = os.urandom(64 * KIB)
    assert caller.ask("PUT", target, whole, over=counted.connection).status == 200
    for leave in ("close", "reset"):
        with ExitStack() as stack:
            crowd = [stack.enter_context(caller.connect()) for _ in range(CROWD)]
            with standing(counted.worker):
                for number, connection in enumerate(crowd):
                    connection.send(caller.request("GET", target))
                    if number % 2:
                        getattr(connection, leave)()
            for connection in crowd[::2]:
                assert connection.reply("GET").body == whole


@pytest.mark.e2e
def test_no_more_are_answered_at_a_time_than_may_be(counted: Counting) -> None:
    """Of a crowd that takes its time with large bodies no more are served than of any others."""
    caller, target = counted.server.caller, f"/{BUCKET}/slow"
    whole = os.urandom(32 * MIB)  # more than sockets hold
    assert caller.ask("PUT", target, whole, over=counted.connection).status == 200
    with ExitStack() as stack:
        crowd = [stack.enter_context(caller.connect()) for _ in range(CROWD)]
        with standing(counted.worker):
            for connection in crowd:
                connection.send(caller.request("GET", target))
        replies = [connection._head()[0] for connection in crowd]
        assert sorted(replies) == [200] * REQUESTS_MAX + [503] * (CROWD - REQUESTS_MAX)
