"""Connections are spread over the workers, and none waits for a worker that does not come."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from s4project import accepting
from s4project.accepting import Attendance, Connections, Listener
from s4project.server import listen
from tests.s4project.probing import probe, request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

MANY = 32
WAIT_SECONDS = 10


class Guest(asyncio.Protocol):
    """What a worker has of one connection."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        del transport
        self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        del exc
        self.connections.discard(self)


class House:
    """Workers that are all in one loop, at one socket."""

    def __init__(self, workers: int, columns: int) -> None:
        self.socket = listen("127.0.0.1", 0)
        # A loop watches a file once: each worker has it by a number of its own, as processes do.
        self.sockets = [self.socket.dup() for _ in range(workers)]
        self.attendance = Attendance(columns)
        self.workers = [Connections(self.attendance, column) for column in range(workers)]

    def open(self) -> list[Listener]:
        """Let all of them accept."""
        for worker in self.workers:
            worker.open()
        return [
            Listener(listening, worker, partial(Guest, worker))
            for listening, worker in zip(self.sockets, self.workers, strict=True)
        ]

    def live(self, life: Coroutine[None, None, None]) -> None:
        """Run the loop, then close what is listened at."""
        try:
            asyncio.run(life)
        finally:
            for each in (self.socket, *self.sockets):
                each.close()

    def counts(self) -> list[int]:
        """Tell how many each has."""
        return [len(worker) for worker in self.workers]


@contextmanager
def clients(house: House, count: int) -> Iterator[list[socket.socket]]:
    """Connect many times, which the system does for the server."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(house.socket.getsockname()))
            for _ in range(count)
        ]


async def until(claim: Callable[[], bool]) -> None:
    """Wait for a claim to be true."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not claim():  # noqa: ASYNC110  # what is claimed tells nobody
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_who_comes_at_once_is_spread(workers: int) -> None:
    """Of many that wait each worker takes its part, give or take a few."""
    house = House(workers, columns=8)

    async def live() -> None:
        with clients(house, MANY):
            listeners = house.open()
            await until(lambda: sum(house.counts()) == MANY)
            counts = house.counts()
            assert max(counts) - min(counts) <= 4, counts
            for listener in listeners:
                listener.close()

    house.live(live())


def test_who_has_lost_connections_takes_the_next() -> None:
    """What is compared is how many there are now, not how many there were."""
    house = House(2, columns=2)

    async def live() -> None:
        house.open()
        with clients(house, MANY):
            await until(lambda: sum(house.counts()) == MANY)
        await until(lambda: sum(house.counts()) == 0)
        house.workers[0].update(range(MANY))  # guests of another socket
        house.workers[0].tell()
        with clients(house, MANY // 2):
            await until(lambda: sum(house.counts()) == MANY + MANY // 2)
            assert len(house.workers[1]) > MANY // 4

    house.live(live())


def test_nobody_waits_for_a_worker_that_does_not_come() -> None:
    """A worker that hangs has fewest connections, and the others take what was left to it."""
    house = House(1, columns=2)
    house.attendance.note(1, 0)

    async def live() -> None:
        house.open()
        with clients(house, 4 * MANY):
            await until(lambda: house.counts() == [4 * MANY])

    house.live(live())


class Clock:
    """Time that passes when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    async def look_on(self) -> None:
        """Let twice the time pass for which one is left, while the workers look on."""
        for _ in range(16):
            self.now += accepting.LEAVE_SECONDS / 8
            await asyncio.sleep(0.005)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the workers live by such a clock."""
    clock = Clock()
    monkeypatch.setattr(accepting, "perf_counter", clock)
    return clock


async def turns() -> None:
    """Give the loop time to do whatever it would."""
    await asyncio.sleep(0.05)


def test_one_is_left_to_a_worker_for_a_moment_and_then_none_for_a_while(clock: Clock) -> None:
    """Who did not come for one is waited for no more, until he accepts or some time has passed."""
    house = House(1, columns=2)
    house.attendance.note(1, 0)

    async def live() -> None:
        house.open()
        with ExitStack() as guests:

            async def come(count: int) -> None:
                guests.enter_context(clients(house, 1))
                await turns()
                assert house.counts() == [count]

            await come(1)  # none is more than none
            await come(1)
            await clock.look_on()
            await until(lambda: house.counts() == [2])
            await come(3)
            house.attendance.count(1)  # he lives
            await come(3)
            await clock.look_on()
            await until(lambda: house.counts() == [4])
            clock.now += 2 * accepting.DOUBT_SECONDS
            await come(4)
            house.attendance.leave(1)
            await until(lambda: house.counts() == [5])

    house.live(live())


def test_whom_one_worker_left_it_takes_at_once_when_it_has_no_more_than_others(
    clock: Clock,
) -> None:
    """Two that leave to each other would have everybody wait: who leaves looks on meanwhile."""
    house = House(1, columns=2)
    house.attendance.note(1, 0)

    async def live() -> None:
        house.open()
        with clients(house, 1):
            await until(lambda: house.counts() == [1])
            with clients(house, 1):
                await turns()
                assert house.counts() == [1]
                house.attendance.note(1, 1)  # the other has taken one elsewhere: now they are even
                await until(lambda: house.counts() == [2])
        assert clock.now == 1000

    house.live(live())


def test_each_one_that_is_left_is_left_for_a_whole_moment(clock: Clock) -> None:
    """How long one was left before, and was taken here after all, says nothing of the next."""
    house = House(1, columns=2)
    house.attendance.note(1, 0)

    async def live() -> None:
        house.open()
        with clients(house, 1):
            await until(lambda: house.counts() == [1])
            with clients(house, 1):
                await turns()
                house.attendance.note(1, 1)
                await until(lambda: house.counts() == [2])
                clock.now += 60
                with clients(house, 1):
                    await turns()
                    assert house.counts() == [2]
                    await clock.look_on()
                    await until(lambda: house.counts() == [3])

    house.live(live())


def test_of_three_two_share_what_the_third_does_not_come_for(clock: Clock) -> None:
    """A worker that hangs is not waited for again whenever another accepts."""
    house = House(2, columns=3)
    house.attendance.note(2, 0)

    async def live() -> None:
        house.open()
        with clients(house, MANY):
            await until(lambda: sum(house.counts()) == 2)
            for _ in range(2):  # each of them finds out by itself
                await clock.look_on()
            await until(lambda: sum(house.counts()) == MANY)
            assert max(house.counts()) - min(house.counts()) <= 4

    house.live(live())


def test_who_arrives_is_counted_once() -> None:
    """From being accepted to being there, and if it never gets there, it is one connection."""
    attendance = Attendance(2)
    connections = Connections(attendance, 0)
    connections.open()

    def count() -> tuple[int, int] | None:
        return attendance.fewest_beside(1)

    connections.expect()
    assert count() == (1, 0)
    connections.add("guest")
    assert count() == (1, 0)
    connections.end_beginning()
    assert count() == (1, 0)
    connections.expect()
    assert count() == (2, 0)
    connections.end_beginning()  # it went before it was there
    assert count() == (1, 0)
    connections.discard("guest")
    assert count() == (0, 0)


def test_nobody_is_compared_with_the_dead() -> None:
    """A worker that ended in order, or that the arbiter found dead, has no connections any more."""
    attendance = Attendance(4)
    assert attendance.fewest_beside(0) is None
    attendance.note(0, 7)
    assert attendance.fewest_beside(0) is None
    attendance.note(1, 5)
    attendance.note(2, 3)
    assert attendance.fewest_beside(0) == (3, 2)
    attendance.keep({0, 1})
    assert attendance.fewest_beside(0) == (5, 1)
    attendance.leave(1)
    assert attendance.fewest_beside(0) is None


def test_a_closed_worker_accepts_nothing_and_is_not_compared_with() -> None:
    """What waits when a worker ends is left to the others, though connections of it still end."""
    house = House(2, columns=2)

    async def live() -> None:
        listeners = house.open()
        listeners[0].close()
        with clients(house, MANY):
            await until(lambda: house.counts() == [0, MANY])
            house.workers[0].discard(None)
            assert house.attendance.fewest_beside(1) is None

    house.live(live())


def test_without_files_it_is_tried_again() -> None:
    """A connection that the system does not give, for want of files, is taken when there are."""
    house = House(1, columns=1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def live() -> None:
        house.open()
        with clients(house, 1):
            free = os.dup(0)
            os.close(free)
            with capture_logs() as lines:
                resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
                try:
                    await until(lambda: bool(lines))
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert [line["event"] for line in lines] == ["A connection could not be accepted"]
            assert house.counts() == [0]
            await until(lambda: house.counts() == [1])

    house.live(live())


def test_connections_are_spread_over_processes(tmp_path: Path) -> None:
    """Of connections that stay, made one after the other, each worker gets a good part."""
    with probe(tmp_path / "log", workers=2) as server, ExitStack() as stack:
        seen: Counter[int] = Counter()
        for _ in range(MANY):
            wire = stack.enter_context(server.wire())
            wire.send(request("/info"))
            seen[wire.reply().json()["pid"]] += 1
        assert len(seen) == 2
        assert min(seen.values()) >= MANY // 4, seen
