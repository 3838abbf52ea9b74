"""Steps of many payloads at one desk: each is worked on once, and told to whom it belongs."""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import pytest

from s3api import md5
from s3api.context import S3Config
from s3api.operations import steps
from s3api.operations.steps import Desk, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from s3api.context import Call

KIB = 1024


class Room:
    """The threads of a store, as a call knows them."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.store = self
        self._pool = pool
        self.begin_on_disk = pool.submit

    async def on_disk(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run something in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


@contextmanager
def a_call() -> Iterator[Call]:
    """Make what a desk must know of a call."""
    with ThreadPoolExecutor(8) as pool:
        yield cast("Call", Room(pool))


@pytest.fixture(params=["as installed", "hashlib"])
def _implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "hashlib":
        monkeypatch.setattr(md5, "new", md5._new)
        monkeypatch.setattr(md5, "update_all", md5._update_all)


async def take(desk: Desk, call: Call, pieces: list[bytes]) -> tuple[bytes, list[bytes]]:
    """Have a payload worked on; answer its MD5 and what was written of it."""
    running, written = md5.new(), list[bytes]()
    for piece in pieces[:-1]:
        assert await desk.work(call, Step(piece, running, [written.append])) is None
    last = Step(pieces[-1], running, [written.append], running.digest)
    return await desk.work(call, last), written


@pytest.mark.usefixtures("_implementation")
def test_each_payload_has_its_own_digest() -> None:
    """Of fifty payloads at a time each one's steps are taken in order, once, by its own MD5."""
    desk = Desk()
    payloads = [
        [os.urandom(100 + 7 * which + 300 * KIB * (step == which % 3)) for step in range(4)]
        for which in range(50)
    ]

    async def take_all() -> list[tuple[bytes, list[bytes]]]:
        with a_call() as call:
            return await asyncio.gather(*(take(desk, call, pieces) for pieces in payloads))

    for pieces, (digest, written) in zip(payloads, asyncio.run(take_all()), strict=True):
        assert written == pieces
        assert digest == hashlib.md5(b"".join(pieces), usedforsecurity=False).digest()
    assert_idle(desk)


def test_those_that_wait_are_hashed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives while all threads are busy is given to one call of MD5, up to its bound."""
    monkeypatch.setattr(steps, "CORES", 0)  # one thread, and none that has a step alone
    desk, sizes, gate = Desk(), list[int](), Event()
    update_all = md5.update_all

    def count(pairs: list[Any]) -> None:
        sizes.append(len(pairs))
        update_all(pairs)

    monkeypatch.setattr(md5, "update_all", count)

    async def take_all() -> None:
        with a_call() as call:
            first = Step(b"first", md5.new(), [lambda _: gate.wait()])
            others = [Step(b"other", md5.new(), []) for _ in range(20)]
            tasks = [asyncio.ensure_future(desk.work(call, each)) for each in [first, *others]]
            await asyncio.sleep(0)  # all are at the desk
            gate.set()
            await asyncio.gather(*tasks)

    asyncio.run(take_all())
    assert sum(sizes) == 21
    assert max(sizes) == md5.LANES
    assert_idle(desk)


@pytest.mark.usefixtures("_implementation")
def test_what_goes_wrong_is_told_to_whom_it_belongs() -> None:
    """A step that fails, or whose waiter has gone, takes no other with it."""
    desk = Desk()

    def refuse(_: object) -> None:
        raise OSError("no room")

    async def take_all() -> list[Any]:
        with a_call() as call:
            works: list[Callable[[Any], None]] = [refuse, len]  # type: ignore[list-item]
            tasks = [
                asyncio.ensure_future(
                    desk.work(call, Step(b"data", md5.new(), [works[which % 2]], lambda: "done"))
                )
                for which in range(20)
            ]
            await asyncio.sleep(0)
            tasks[1].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(take_all())
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert [str(each) for each in outcomes[::2]] == ["no room"] * 10
    assert outcomes[3::2] == ["done"] * 9
    assert_idle(desk)


def test_a_pool_that_gives_no_thread_leaves_nobody_waiting() -> None:
    """A thread that cannot have another one help does alone what it has begun."""
    desk, asked = Desk(), 0

    async def take_all() -> list[Any]:
        with a_call() as call:
            begin = call.store.begin_on_disk

            def refuse(*arguments: Any) -> None:
                nonlocal asked
                asked += 1
                if asked > 1:
                    raise RuntimeError("can't start new thread")
                begin(*arguments)

            monkey: Any = call.store
            monkey.begin_on_disk = refuse
            gate = Event()
            works: list[Callable[[Any], Any]] = [lambda _: gate.wait()]
            tasks = [
                asyncio.ensure_future(desk.work(call, Step(b"step", md5.new(), works, lambda: 1)))
                for _ in range(9)
            ]
            await asyncio.sleep(0)
            gate.set()
            return await asyncio.wait_for(asyncio.gather(*tasks), 20)

    assert asyncio.run(take_all()) == [1] * 9
    assert asked > 1
    assert_idle(desk)


def test_no_thread_at_all_is_told() -> None:
    """Where no thread can begin, who waits is told and is not kept; a late start harms nothing."""
    desk, late = Desk(), list[tuple[Any, ...]]()

    def refuse(*arguments: Any) -> None:
        late.append(arguments)
        raise RuntimeError("can't start new thread")

    async def take() -> None:
        with a_call() as call:
            monkey: Any = call.store
            monkey.begin_on_disk = refuse
            with pytest.raises(RuntimeError, match="thread"):
                await desk.work(call, Step(b"step", md5.new(), []))

    asyncio.run(take())
    assert not desk._arrived
    for function, *arguments in late:
        function(*arguments)
    assert not desk._hands


def test_threads_are_left_to_who_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cores there are, uploads take half of a store's threads at most."""
    monkeypatch.setattr(steps, "CORES", 100)
    desk, gate, most = Desk(), Event(), 0

    async def take_all() -> None:
        nonlocal most
        with a_call() as call:
            begin = call.store.begin_on_disk

            def count(*arguments: Any) -> None:
                nonlocal most
                most = max(most, len(desk._hands))
                begin(*arguments)

            monkey: Any = call.store
            monkey.begin_on_disk = count
            works: list[Callable[[Any], Any]] = [lambda _: gate.wait()]
            tasks = [
                asyncio.ensure_future(desk.work(call, Step(b"step", md5.new(), works)))
                for _ in range(50)
            ]
            await asyncio.sleep(0)
            gate.set()
            await asyncio.gather(*tasks)

    asyncio.run(take_all())
    assert S3Config().threads >= steps.HANDS_MAX * 2
    assert most == steps.HANDS_MAX


@pytest.mark.usefixtures("_implementation")
def test_small_ones_are_hashed_in_one_round() -> None:
    """Payloads that come in one round of the loop, more than go at a time, each have their MD5."""
    desk, payloads = Desk(), [os.urandom(20 * KIB + which) for which in range(3 * md5.LANES + 1)]

    async def take_one(payload: bytes) -> bytes:
        running = md5.new()
        for half in (payload[:999], payload[999:]):
            await desk.hash_with_others(running, half)
        return running.digest()

    async def take_all() -> list[bytes]:
        tasks = [asyncio.ensure_future(take_one(payload)) for payload in payloads]
        gone = asyncio.ensure_future(take_one(b"gone"))
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.gather(*tasks)

    wanted = [hashlib.md5(payload, usedforsecurity=False).digest() for payload in payloads]
    assert asyncio.run(take_all()) == wanted


def test_small_ones_that_go_wrong_are_told_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a round's MD5s fail, none of it goes on with half an MD5, and the next round is well."""
    desk, update_all, calls = Desk(), md5.update_all, 0

    def refuse(pairs: list[Any]) -> None:
        nonlocal calls
        calls += 1
        update_all(pairs[:2])
        if calls == 1:
            raise MemoryError

    async def take_all() -> list[Any]:
        tasks = [desk.hash_with_others(md5.new(), b"piece") for _ in range(4)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    monkeypatch.setattr(md5, "update_all", refuse)
    assert [type(each) for each in asyncio.run(take_all())] == [MemoryError] * 4
    monkeypatch.setattr(md5, "update_all", update_all)
    assert asyncio.run(take_all()) == [None] * 4


def test_loops_of_two_threads_do_not_share_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another thread's loop brings while a round is hashed is hashed too."""
    desk, update_all, inside, brought = Desk(), md5.update_all, Event(), Event()

    def slow(pairs: list[Any]) -> None:
        first, taken = not inside.is_set(), pairs.copy()
        inside.set()
        if first:
            brought.wait(20)
        update_all(taken)

    async def take(ours: Any, is_second: bool) -> None:
        work = asyncio.ensure_future(desk.hash_with_others(ours, b"piece"))
        if is_second:
            await asyncio.sleep(0)
            brought.set()
        await work

    monkeypatch.setattr(md5, "update_all", slow)
    both = [md5.new(), md5.new()]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(asyncio.run, take(both[0], False))
        assert inside.wait(20)
        asyncio.run(take(both[1], True))
        first.result()
    wanted = hashlib.md5(b"piece", usedforsecurity=False).digest()
    assert [each.digest() for each in both] == [wanted] * 2


def test_memory_is_let_go() -> None:
    """Once a step is done, nobody at the desk refers to its bytes any more."""
    desk, held = Desk(), [bytearray(400 * KIB) for _ in range(20)]

    async def take_all() -> None:
        with a_call() as call:
            await asyncio.gather(
                *(desk.work(call, Step(memoryview(each), md5.new(), [])) for each in held)
            )
        for each in held:
            each.clear()  # BufferError, were it still lent

    asyncio.run(take_all())


def assert_idle(desk: Desk) -> None:
    """Nothing is left at a desk, and nobody works there."""
    assert not desk._arrived
    assert not desk._hashed
    assert (desk._steps, len(desk._hands)) == (0, 0)
