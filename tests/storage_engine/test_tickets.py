"""Rounds that are lent to an event loop: brief operations run there, and nothing hangs on it."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from storage_engine import tickets
from storage_engine.limits import BRIEF_OPERATIONS_MAX, BRIEF_SECONDS
from storage_engine.operation import Operation
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    get,
    problems,
    put_multipart,
    small_store,
)
from tests.storage_engine.loop_thread import LoopThread, Rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine import ObjectInfo, StorageEngine
    from storage_engine.transaction import Transaction

KEY = "key"


@dataclass(slots=True)
class Brief(Operation[int]):
    """Writes one row; returns in which thread. May fail when it has written half."""

    is_brief: ClassVar[bool] = True
    key: bytes
    fails: BaseException | None = None

    def mutate(self, transaction: Transaction) -> int:
        """Write, then fail if told to."""
        transaction.put(transaction.tables.meta, b"note." + self.key, b"x")
        if self.fails is not None:
            raise self.fails
        return threading.get_ident()


@dataclass(slots=True)
class Long(Brief):
    """The same, of what no loop should wait for."""

    is_brief: ClassVar[bool] = False


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StorageEngine]:
    """Give a store whose index is whole at the end."""
    with small_store(tmp_path / "store") as made:
        yield made
        assert problems(made) == []


@pytest.fixture
def loop(engine: StorageEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopThread]:
    """Give a thread that the store's rounds are lent to, which is waited for on any machine."""
    monkeypatch.setattr(tickets, "LOAN_SECONDS", 60)
    monkeypatch.setattr(tickets, "BRIEF_SECONDS", math.inf)
    with LoopThread() as thread:
        engine.lend(thread)
        yield thread


def committer(engine: StorageEngine) -> int | None:
    """Tell which thread is the committer's."""
    return engine._committer._thread.ident


def test_brief_operations_run_in_the_loop(engine: StorageEngine, loop: LoopThread) -> None:
    """What is brief is carried out in the loop, up to the first that is not."""
    operations = [Brief(b"a"), Brief(b"b"), Long(b"c"), Brief(b"d")]
    there, own = loop._thread.ident, committer(engine)
    assert engine._committer.submit_all(operations).result() == [there, there, own, own]
    engine.lend(None)
    assert engine._submit(Brief(b"e")).result() == own


def test_a_loop_that_sleeps_is_not_woken(engine: StorageEngine, loop: LoopThread) -> None:
    """Where all wait for mutations the committer carries them out: nobody competes with it."""
    loop.rests = True
    assert engine._submit(Brief(b"a")).result() == committer(engine)
    loop.rests = False
    assert engine._submit(Brief(b"b")).result() == loop._thread.ident


def test_under_load_what_a_loop_hands_in_shares_a_commit(engine: StorageEngine) -> None:
    """Mutations that come one after the other are one group, once few more come or many have."""
    host, counts = Rounds(), engine._committer._counts
    engine.lend(host)
    engine._committer.submit_all([Brief(b"a"), Brief(b"b")]).result()
    commits = counts.commits
    futures = []
    for coming in (1, 1, 2):
        futures += [engine._submit(Brief(b"%d" % n)) for n in range(coming)]
        host.pass_round()
    assert not any(future.done() for future in futures)
    host.pass_round()
    for future in futures:
        future.result()
    assert counts.commits == commits + 1
    many = [engine._submit(Brief(b"%d" % n)) for n in range(BRIEF_OPERATIONS_MAX)]
    for one in many:
        one.result()
    assert counts.commits == commits + 2


def test_a_loop_leaves_to_no_other_what_it_should_look_at(engine: StorageEngine) -> None:
    """Where another loop was lent meanwhile, the first asks nothing of it, and hands all on."""
    first, second = Rounds(), Rounds()
    engine.lend(first)
    engine._committer.submit_all([Brief(b"a"), Brief(b"b")]).result()
    engine._submit(Brief(b"c"))
    engine.lend(second)
    engine._committer.submit_all([Brief(b"d"), Brief(b"e")])
    late = engine._submit(Brief(b"f"))
    asked = len(second.calls)
    second.is_left = True
    first.pass_round()
    late.result()
    assert len(second.calls) == asked


def test_a_trickle_is_not_waited_for(engine: StorageEngine) -> None:
    """Mutations that come one after the other among reads do not wait until there are many."""
    host = Rounds()
    engine.lend(host)
    engine._committer.submit_all([Brief(b"a"), Brief(b"b")]).result()
    first = engine._submit(Brief(b"first"))
    for n in range(3):
        host.pass_round()
        engine._submit(Brief(b"%d" % n))
    first.result(timeout=60)


def test_a_loop_is_not_kept_from_others(
    engine: StorageEngine, loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What guards take counts: a loop that has been at it for long leaves the rest."""
    brief_seconds = 500 * BRIEF_SECONDS  # a loaded machine does not reach it before the first
    monkeypatch.setattr(tickets, "BRIEF_SECONDS", brief_seconds)
    seen: list[bool] = []

    def guard(_: ObjectInfo | None) -> None:
        seen.append(loop.is_here())
        if loop.is_here():
            time.sleep(1.1 * brief_seconds)

    engine.delete_objects(BUCKET, [(f"{n}", guard) for n in range(3)]).result()
    assert seen == [True, False, False]


def test_objects_are_written_and_deleted_in_the_loop(
    engine: StorageEngine, loop: LoopThread
) -> None:
    """Put and delete come to the same there, guards included."""
    seen: list[bool] = []

    def guard(_: ObjectInfo | None) -> None:
        seen.append(loop.is_here())

    blob = engine.stage_bytes(b"one")
    engine.put_object(BUCKET, KEY, blob, attributes(), guard=guard).result()
    assert get(engine, KEY) == b"one"
    engine.delete_object(BUCKET, KEY, guard=guard).result()
    assert seen == [True, True]
    assert engine.namespace_counts(BUCKET).objects == 0


def test_an_object_of_parts_goes_in_the_committers_thread(
    engine: StorageEngine, loop: LoopThread
) -> None:
    """A put or delete that removes an object of many parts is carried out where nobody waits."""
    seen: list[bool] = []

    def guard(_: ObjectInfo | None) -> None:
        seen.append(loop.is_here())

    put_multipart(engine, KEY, [b"one", b"two"])
    blob = engine.stage_bytes(b"x")
    engine.put_object(BUCKET, KEY, blob, attributes(), guard=guard).result()
    put_multipart(engine, KEY, [b"one", b"two"])
    engine.delete_object(BUCKET, KEY, guard=guard).result()
    assert seen == [True, False] * 2
    assert engine.namespace_counts(BUCKET).objects == 0


def test_a_fault_in_the_loop_is_its_own(engine: StorageEngine, loop: LoopThread) -> None:
    """One that fails half-way there is left out; the others are run again, by the committer."""
    operations = [Brief(b"a"), Brief(b"b", ZeroDivisionError()), Brief(b"c")]
    first, failed, last = engine._committer.submit_all(operations).result()
    assert first == last == committer(engine)
    assert isinstance(failed, ZeroDivisionError)
    assert engine._submit(Brief(b"d")).result() == loop._thread.ident


def test_nothing_hangs_on_the_loop(engine: StorageEngine) -> None:
    """A loop that does not come in time, or has ended, finds nothing to do any more."""
    calls: list[Callable[[], None]] = []
    idler = LoopThread()
    idler.call_soon = calls.append  # type: ignore[method-assign]
    engine.lend(idler)
    assert engine._submit(Brief(b"a")).result() == committer(engine)
    (late,) = calls
    late()
    with LoopThread() as thread:
        pass
    engine.lend(thread)
    assert engine._submit(Brief(b"b")).result() == committer(engine)


def test_a_loop_that_is_at_it_is_waited_for(engine: StorageEngine) -> None:
    """However long a round takes there, the committer does not begin it as well."""
    gate, begun = threading.Event(), threading.Event()
    runs: list[Any] = []

    def guard(_: ObjectInfo | None) -> None:
        runs.append(thread.is_here())
        if thread.is_here():
            begun.set()
            gate.wait()

    with LoopThread() as thread:
        engine.lend(thread)
        while not begun.is_set():  # a loop that comes late, on a loaded machine, finds nothing
            runs.clear()
            blob = engine.stage_bytes(b"x")
            future = engine.put_object(BUCKET, KEY, blob, attributes(), guard=guard)
            while not (begun.wait(0.01) or future.done()):
                pass
        with pytest.raises(TimeoutError):
            future.result(timeout=0.05)
        gate.set()
        future.result()
    assert runs == [True]


def test_what_a_loop_was_called_to_as_it_ended_is_done_once(engine: StorageEngine) -> None:
    """A loop may say that it has ended, and come all the same: it finds nothing."""
    calls: list[Callable[[], None]] = []

    def call_soon(call: Callable[[], None]) -> None:
        calls.append(call)
        raise RuntimeError

    ending = LoopThread()
    ending.call_soon = call_soon  # type: ignore[method-assign]
    engine.lend(ending)
    assert engine._submit(Brief(b"a")).result() == committer(engine)
    engine.lend(None)
    begun, gate = threading.Event(), threading.Event()

    def guard(_: ObjectInfo | None) -> None:
        begun.set()
        gate.wait()

    held = engine.delete_object(BUCKET, KEY, guard=guard)
    begun.wait()
    queued = engine._submit(Brief(b"b"))
    (late,) = calls
    late()  # were the round still to be had, it would take what is queued along
    gate.set()
    held.result()
    assert queued.result(timeout=60) == committer(engine)
