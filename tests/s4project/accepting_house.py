"""Workers in one loop, at one socket, and clients who come to them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

import uvloop

from s4project.accepting import Attendance, Connections, Listener
from s4project.server import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

WAIT_SECONDS: Final = 10


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
        self.listeners: list[Listener] = []

    def open(self) -> None:
        """Let all of them accept."""
        for worker in self.workers:
            worker.open()
        self.listeners = [
            Listener(listening, worker, partial(Guest, worker))
            for listening, worker in zip(self.sockets, self.workers, strict=True)
        ]

    def live(self, life: Coroutine[None, None, None]) -> None:
        """Run the workers' own kind of loop, then close what is listened at."""
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._live(life))
        finally:
            for each in (self.socket, *self.sockets):
                each.close()

    async def _live(self, life: Coroutine[None, None, None]) -> None:
        await life
        for listener in self.listeners:
            listener.close()
            await listener.wait_closed()
        await until(lambda: not any(isinstance(guest, Guest) for guest in chain(*self.workers)))

    def counts(self) -> list[int]:
        """Tell how many each has."""
        return [len(worker) for worker in self.workers]


def house_beside(count: int) -> House:
    """Make one of a worker alone, beside which another has so many connections."""
    house = House(1, columns=2)
    house.attendance.note(1, count)
    return house


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
