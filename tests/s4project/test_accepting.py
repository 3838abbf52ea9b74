"""Connections are spread over the workers, and none waits for a worker that does not come."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from s4project import accepting
from s4project.accepting import NOBODY, Attendance, Listener
from tests.s4project.accepting_house import (
    WAIT_SECONDS,
    Guest,
    House,
    clients,
    house_beside,
    until,
)
from tests.s4project.probing import Wire, probe, request, wait_for

MANY = 32


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_who_comes_at_once_is_spread(workers: int) -> None:
    """Of many that wait each worker takes its part, give or take one."""
    house = House(workers, columns=8)

    async def live() -> None:
        with clients(house, MANY):
            house.open()
            await until(lambda: sum(house.counts()) == MANY)
            counts = house.counts()
            assert max(counts) - min(counts) <= 2, counts

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
    house = house_beside(0)

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

    async def look_on(self, seconds: float = accepting.LEAVE_SECONDS, looks: int = 16) -> None:
        """Let time pass while the workers look on."""
        for _ in range(looks):
            self.now += seconds / looks
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


def test_who_was_let_in_is_counted_at_the_next_look(clock: Clock) -> None:
    """Of those who wait at once a worker takes two more than another has, and leaves the rest."""
    house = house_beside(5)

    async def live() -> None:
        with clients(house, MANY):
            house.open()
            await until(lambda: house.counts() == [7])
            await turns()
            assert house.counts() == [7]
        assert clock.now == 1000

    house.live(live())


def test_who_has_none_is_left_the_second(clock: Clock) -> None:
    """Of two that come and stay each has a worker of its own, if there are two."""
    house = house_beside(0)

    async def live() -> None:
        with clients(house, 2):
            house.open()
            await until(lambda: house.counts() == [1])
            await turns()
            assert house.counts() == [1]
            await clock.look_on()
            await until(lambda: house.counts() == [2])

    house.live(live())


def test_in_a_crowd_small_differences_are_none(clock: Clock) -> None:
    """Where the others have many, one in eight more is about as many."""
    house = house_beside(4 * MANY)

    async def live() -> None:
        with clients(house, 5 * MANY):
            house.open()
            await until(lambda: house.counts() == [4 * MANY + MANY // 2 + 1])
            await turns()
            assert house.counts() == [4 * MANY + MANY // 2 + 1]
        assert clock.now == 1000

    house.live(live())


def test_who_does_not_come_is_waited_for_less_and_less(clock: Clock) -> None:
    """Of those who wait for a worker that hangs, each waits half as long as the one before."""
    house = house_beside(1)

    async def live() -> None:
        house.open()
        with clients(house, MANY):
            await until(lambda: house.counts() == [3])
            waits = []
            for taken in range(4, 9):
                begun = clock.now
                while house.counts() != [taken]:
                    assert house.counts() == [taken - 1]
                    await clock.look_on(accepting.LEAVE_SECONDS / 64, looks=1)
                waits.append(clock.now - begun)
            assert accepting.LEAVE_SECONDS / 2 < waits[0] <= accepting.LEAVE_SECONDS
            assert all(next_one < one * 3 / 4 for one, next_one in pairwise(waits)), waits

    house.live(live())


def test_who_came_is_waited_for_again(clock: Clock) -> None:
    """A worker that others did not wait for any more, and that came, is left whole moments."""
    house = house_beside(1)

    async def live() -> None:
        house.open()
        with clients(house, 6):
            await until(lambda: house.counts() == [3])
            await clock.look_on()
            await clock.look_on()
            await until(lambda: house.counts() == [6])
        await until(lambda: house.counts() == [0])
        house.workers[0].update(range(5))  # guests of another socket
        house.workers[0].tell()
        house.attendance.note(1, 2)
        clock.now += 60
        with clients(house, 1):
            await turns()
            await clock.look_on(accepting.LEAVE_SECONDS / 2)
            assert house.counts() == [5]
            await clock.look_on(accepting.LEAVE_SECONDS / 2)
            await until(lambda: house.counts() == [6])

    house.live(live())


def test_who_has_caught_up_is_waited_for_again(clock: Clock) -> None:
    """A worker that others did not wait for any more, and that has as many, is as good as any."""
    house = house_beside(1)

    async def live() -> None:
        house.open()
        with clients(house, 4):
            await until(lambda: house.counts() == [3])
            while house.counts() == [3]:
                await clock.look_on(accepting.LEAVE_SECONDS / 64, looks=1)
            house.attendance.note(1, 4)
            with clients(house, 2):
                await until(lambda: house.counts() == [6])
                with clients(house, 1):
                    await clock.look_on(accepting.LEAVE_SECONDS * 3 / 4)
                    assert house.counts() == [6]
                    await clock.look_on(accepting.LEAVE_SECONDS / 2)
                    await until(lambda: house.counts() == [7])

    house.live(live())


def test_who_comes_for_each_has_all_left_to_him(clock: Clock) -> None:
    """That another took some says that he lives, if nobody waits for long between them."""
    house = House(1, columns=2)
    house.workers[0].update(range(MANY))  # guests of another socket

    async def live() -> None:
        house.attendance.note(1, 0)
        house.open()
        with clients(house, 1):  # in place of many, each of whom the other takes
            for taken in range(1, 20):
                await turns()
                assert house.counts() == [MANY]
                house.attendance.note(1, taken)
                clock.now += 60

    house.live(live())


def test_nobody_waits_for_a_worker_that_has_more_to_do_than_it_can(clock: Clock) -> None:
    """A worker with fewest connections that takes one after the other, but never all, is helped."""
    house = House(1, columns=2)
    house.workers[0].update(range(MANY))  # guests of another socket

    async def live() -> None:
        house.attendance.note(1, 0)
        house.open()
        with clients(house, 1):  # in place of a queue
            for taken in range(3):
                house.attendance.note(1, taken)
                await clock.look_on(accepting.LEAVE_SECONDS / 4)
                assert house.counts() == [MANY]
            house.attendance.note(1, 3)
            await clock.look_on(accepting.LEAVE_SECONDS / 4)
            await until(lambda: house.counts() == [MANY + 1])

    house.live(live())


def test_whom_one_worker_left_it_takes_at_once_when_it_has_no_more_than_others(
    clock: Clock,
) -> None:
    """Two that leave to each other would have everybody wait: who leaves looks on meanwhile."""
    house = house_beside(1)

    async def live() -> None:
        house.open()
        with clients(house, 4):
            await until(lambda: house.counts() == [3])
            await turns()
            assert house.counts() == [3]
            house.attendance.note(1, 2)  # the other has taken one elsewhere
            await until(lambda: house.counts() == [4])
        assert clock.now == 1000

    house.live(live())


def test_each_one_that_is_left_is_left_for_a_whole_moment(clock: Clock) -> None:
    """How long one was left before, and was taken here after all, says nothing of the next."""
    house = house_beside(1)

    async def live() -> None:
        house.open()
        with clients(house, 4):
            await until(lambda: house.counts() == [3])
            await clock.look_on(accepting.LEAVE_SECONDS / 2)
            assert house.counts() == [3]
            house.attendance.note(1, 2)
            await until(lambda: house.counts() == [4])
            clock.now += 60
            with clients(house, 1):
                await turns()
                await clock.look_on(accepting.LEAVE_SECONDS / 2)
                assert house.counts() == [4]
                await clock.look_on(accepting.LEAVE_SECONDS / 2)
                await until(lambda: house.counts() == [5])

    house.live(live())


def test_of_three_two_share_what_the_third_does_not_come_for(clock: Clock) -> None:
    """Beside a worker that hangs the others have about as many as each other."""
    house = House(2, columns=3)
    house.attendance.note(2, 1)

    async def live() -> None:
        house.open()
        with clients(house, MANY):
            await until(lambda: sum(house.counts()) == 6)
            for _ in range(2 * MANY):
                await clock.look_on(accepting.LEAVE_SECONDS / 2)
                if sum(house.counts()) == MANY:
                    break
            assert sum(house.counts()) == MANY
            assert max(house.counts()) - min(house.counts()) <= 4

    house.live(live())


def test_whom_it_cannot_begin_with_a_worker_lets_go() -> None:
    """A connection that nobody can be found to speak on is closed, and the next one is taken."""
    house = House(1, columns=1)
    trouble: list[object] = []
    fails = [True]

    def take() -> asyncio.Protocol:
        if fails:
            raise MemoryError(fails.pop())
        return Guest(house.workers[0])

    async def live() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: trouble.append(context["exception"])
        )
        house.workers[0].open()
        Listener(house.sockets[0], house.workers[0], take)
        with clients(house, 1) as guests:
            guests[0].setblocking(False)
            async with asyncio.timeout(WAIT_SECONDS):
                assert await asyncio.get_running_loop().sock_recv(guests[0], 1) == b""
            assert [type(each) for each in trouble] == [MemoryError]
            with clients(house, 1):
                await until(lambda: house.counts() == [1])

    house.live(live())


def test_nobody_is_compared_with_the_dead() -> None:
    """A worker that ended in order, or that the arbiter found dead, has no connections any more."""
    attendance = Attendance(4)
    assert attendance.fewest() == NOBODY
    attendance.note(0, 7)
    assert attendance.fewest() == 7
    attendance.note(1, 5)
    attendance.note(2, 3)
    assert attendance.fewest() == 3
    attendance.keep({0, 1})
    assert attendance.fewest() == 5
    attendance.leave(1)
    assert attendance.fewest() == 7


def test_a_closed_worker_accepts_nothing_and_is_not_compared_with() -> None:
    """What waits when a worker ends is left to the others, though connections of it still end."""
    house = House(2, columns=2)

    async def live() -> None:
        house.open()
        house.listeners[0].close()
        with clients(house, MANY):
            await until(lambda: house.counts() == [0, MANY])
            house.workers[0].discard(None)
            assert house.attendance.fewest() == MANY

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


def who_answers(wire: Wire) -> int:
    """Ask a worker for its process on a connection that stays."""
    wire.send(request("/info"))
    return int(wire.reply().json()["pid"])


def test_connections_are_spread_over_processes(tmp_path: Path) -> None:
    """Of connections that stay each worker gets its part, of both sockets together."""
    with probe(tmp_path / "log", workers=2) as server, ExitStack() as stack:
        seen: Counter[int] = Counter()
        while len(seen) < 2 or min(seen.values()) < MANY // 2:
            wire = stack.enter_context(server.wire(other=sum(seen.values()) % 4 == 0))
            seen[who_answers(wire)] += 1
            assert sum(seen.values()) <= 4 * MANY, seen  # a quarter, if nobody is late


def test_a_stopped_worker_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Whoever comes while a worker stands still is answered by another, and then by both again."""
    with probe(tmp_path / "log", workers=2) as server, ExitStack() as stack:
        workers = set(server.children())
        stopped = who_answers(stack.enter_context(server.wire()))
        os.kill(stopped, signal.SIGSTOP)
        wait_for(lambda: Path(f"/proc/{stopped}/stat").read_text().rpartition(")")[2][1] == "T")
        wires = [stack.enter_context(server.wire()) for _ in range(MANY)]
        assert {who_answers(wire) for wire in wires} == workers - {stopped}
        for _ in range(MANY):
            assert server.ask("/info").json()["pid"] != stopped
        os.kill(stopped, signal.SIGCONT)
        wait_for(lambda: who_answers(stack.enter_context(server.wire())) == stopped)
