"""Accepting connections, so that each worker has about as many as the others.

All workers wait at the same sockets, and who comes wakes them all. The event loop's own server
takes whoever waits there: of 32 connections made at once, one of two workers had between 17 and all
of them, and while it was at its limit the other was not. Here a worker that has more than another
leaves the next one to that for a moment: as long as that takes to wake. It looks on meanwhile, for
whom two workers leave to each other has nobody. Knows nothing of what is spoken.
"""

from __future__ import annotations

import asyncio
import mmap
import os
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    Take = Callable[[], asyncio.Protocol]

CELL_BYTES: Final = 4
NOBODY: Final = (1 << 8 * CELL_BYTES) - 1  # more than anybody has
LEAD_MAX: Final = 1  # who has one more than one takes the next: few are left that end at once
SLACK_SHARE: Final = 8  # nor is one in so many a difference: crowds are let in without many turns
LEAVE_SECONDS: Final = 0.002  # a worker that is not busy comes in a tenth of that
LOOK_SECONDS: Final = LEAVE_SECONDS / 4  # whoever waits is looked at that often by who is not busy
PAUSE_SECONDS: Final = 1.0  # after the system would not give one

log = structlog.get_logger(__name__)


class Attendance:
    """How many connections each worker has, in memory that is made before they are forked.

    Each writes a column of its own.
    """

    def __init__(self, columns: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, columns * CELL_BYTES)).cast("I")
        self.keep(set())

    def note(self, column: int, connections: int) -> None:
        """Tell how many connections a worker has that accepts more."""
        self._cells[column] = connections

    def leave(self, column: int) -> None:
        """Tell that a worker accepts no more, or is no more."""
        self._cells[column] = NOBODY

    def keep(self, columns: set[int]) -> None:
        """Forget all workers but some."""
        for column in range(len(self._cells)):
            if column not in columns:
                self.leave(column)

    def fewest(self) -> int:
        """Tell how many the worker has that has fewest; NOBODY if there is none."""
        return min(self._cells)


class Connections(set[Any]):
    """The connections of one worker. The others see how many they are as they come and go."""

    def __init__(self, attendance: Attendance, column: int) -> None:
        super().__init__()
        self.attendance = attendance
        self.column = column
        self.is_open = False  # more are accepted

    def add(self, connection: Any) -> None:
        """Let one in."""
        super().add(connection)
        self.tell()

    def discard(self, connection: Any) -> None:
        """Let one go."""
        super().discard(connection)
        self.tell()

    def tell(self) -> None:
        """Show how many there are."""
        if self.is_open:
            self.attendance.note(self.column, len(self))

    def open(self) -> None:
        """Show that more are accepted."""
        self.is_open = True
        self.tell()

    def close(self) -> None:
        """Show that no more are."""
        self.is_open = False
        self.attendance.leave(self.column)


class Listener:
    """A listening socket in one worker, in place of the event loop's server."""

    def __init__(self, listening: socket.socket, connections: Connections, take: Take) -> None:
        """Accept, by what `take` makes for each, from now on."""
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._connections = connections
        self._take = take
        self._timer: asyncio.TimerHandle | None = None
        self._fewest = NOBODY  # that another had when one was left to it last
        self._looked_at = self._left_seconds = 0.0  # for how long somebody has waited for another
        self._patience_seconds = LEAVE_SECONDS
        listening.setblocking(False)  # noqa: FBT003  # the system call's own form
        self._watch()

    def close(self) -> None:
        """Accept no more."""
        self._rest()
        self._connections.close()

    async def wait_closed(self) -> None:
        """Do nothing: whoever was accepted is among the connections when the loop goes on."""

    def _watch(self) -> None:
        self._timer = None
        self._loop.add_reader(self._socket.fileno(), self._look)

    def _rest(self) -> None:
        """Look no more who comes."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())

    def _look(self) -> None:
        """Take one of those who wait, or leave it: the loop calls again while somebody waits."""
        fewest = self._connections.attendance.fewest()
        lead = len(self._connections) - fewest
        if lead <= min(fewest, LEAD_MAX) or lead <= fewest // SLACK_SHARE:
            self._patience_seconds = LEAVE_SECONDS
        elif self._leaves(fewest):
            os.sched_yield()  # who has fewest may want this core
            return
        self._left_seconds = 0.0
        self._accept()

    def _leaves(self, fewest: int) -> bool:
        """Tell whether the next one is left to who has fewest: only for a moment.

        If somebody waits all that time, the other hangs, or has more to do than it can: one is
        taken, and the next ones sooner and sooner.
        """
        now = perf_counter()
        since, self._looked_at = now - self._looked_at, now
        if since > LOOK_SECONDS and fewest != self._fewest:  # it came, and then nobody waited
            self._left_seconds, self._patience_seconds = 0.0, LEAVE_SECONDS
        self._fewest = fewest
        self._left_seconds += min(since, LOOK_SECONDS)  # of a long time: perhaps nobody waited
        if self._left_seconds < self._patience_seconds:
            return True
        self._patience_seconds /= 2
        return False

    def _accept(self) -> None:
        """Take one, if the system gives it."""
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another was faster, or it went while it waited
        except OSError as error:  # no file may be opened, or no memory is left
            log.error("A connection could not be accepted", error=str(error))  # noqa: TRY400
            self._rest()
            self._timer = self._loop.call_later(PAUSE_SECONDS, self._watch)
            return
        # In a task it would begin a turn of the loop later, and not be counted at the next look.
        beginning = self._loop.connect_accepted_socket(self._take, accepted)
        try:
            begun = beginning.send(None)
        except BaseException:
            accepted.close()
            raise
        begun.add_done_callback(partial(_end, beginning))


def _end(beginning: Coroutine[Any, Any, Any], _: asyncio.Future[Any]) -> None:
    """Take the last step of beginning a connection."""
    with suppress(StopIteration):
        beginning.send(None)
