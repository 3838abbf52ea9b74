"""Accepting connections, so that each worker has about as many as the others.

All workers wait at the same sockets, and who comes wakes them all. The event loop's own server
takes whoever waits there until nobody does: of 32 connections made at once, one of two workers had
between 17 and all of them, and while it was at its limit the other was not. Here a worker that has
more than another leaves the next one to that for a moment: as long as that takes to wake. It looks
on meanwhile, for whom two workers leave to each other has nobody. Knows nothing of what is spoken.
"""

from __future__ import annotations

import asyncio
import mmap
import os
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

    Take = Callable[[], asyncio.Protocol]

CELL_BYTES: Final = 4
COUNTS: Final = 1 << 8 * CELL_BYTES  # what a cell counts to, and begins anew
LEAVE_SECONDS: Final = 0.002  # a worker that is not busy comes in a tenth of that
DOUBT_SECONDS: Final = 0.1  # after he did not come, until one is left to him again
AT_ONCE_MAX: Final = 64  # of those who wait, before others are heard that are connected already
PAUSE_SECONDS: Final = 1.0  # after the system would not give one
SLACK_SHARE: Final = 8  # one in so many is no difference: crowds are let in without many turns

log = structlog.get_logger(__name__)


class Attendance:
    """How many connections each worker has, in memory that is made before they are forked.

    Each writes a column of its own; 0 is nobody who accepts, else it is one more than he has.
    Beside it stands how many were accepted there, which goes on with who has the column next.
    """

    def __init__(self, columns: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, columns * CELL_BYTES)).cast("I")
        self._accepted = memoryview(mmap.mmap(-1, columns * CELL_BYTES)).cast("I")

    def note(self, column: int, connections: int) -> None:
        """Tell how many connections a worker has that accepts more."""
        self._cells[column] = connections + 1

    def count(self, column: int) -> None:
        """Tell that a worker has accepted one."""
        self._accepted[column] = (self._accepted[column] + 1) % COUNTS

    def accepted(self, column: int) -> int:
        """Tell a number that changes when a worker accepts."""
        return self._accepted[column]

    def accepted_beside(self, column: int) -> int:
        """Tell a number that changes when another worker accepts."""
        return sum(self._accepted) - self._accepted[column]

    def leave(self, column: int) -> None:
        """Tell that a worker accepts no more, or is no more."""
        self._cells[column] = 0

    def keep(self, columns: set[int]) -> None:
        """Forget all workers but some."""
        for column in range(len(self._cells)):
            if column not in columns:
                self.leave(column)

    def fewest_beside(self, column: int, but: Collection[int] = ()) -> tuple[int, int] | None:
        """Tell how many the worker has that has fewest but some, and its column; None: no other."""
        others = [
            (cell - 1, other)
            for other, cell in enumerate(self._cells)
            if cell and other != column and other not in but
        ]
        return min(others, default=None)


class Connections(set[Any]):
    """The connections of one worker. The others see how many they are as they come and go."""

    def __init__(self, attendance: Attendance, column: int) -> None:
        super().__init__()
        self.attendance = attendance
        self.column = column
        self.coming = 0  # accepted, and not yet among these
        self._begun = 0  # accepted, and perhaps among these, but the loop is still at it
        self.is_open = False  # more are accepted

    def add(self, connection: Any) -> None:
        """Let one in: it is not counted twice, or another would seem to have fewer."""
        super().add(connection)
        self.coming -= self.coming > 0
        self.tell()

    def discard(self, connection: Any) -> None:
        """Let one go."""
        super().discard(connection)
        self.tell()

    def tell(self) -> None:
        """Show how many there are."""
        if self.is_open:
            self.attendance.note(self.column, len(self) + self.coming)

    def open(self) -> None:
        """Show that more are accepted."""
        self.is_open = True
        self.tell()

    def close(self) -> None:
        """Show that no more are."""
        self.is_open = False
        self.attendance.leave(self.column)

    def expect(self) -> None:
        """Count one that was accepted, before it is here."""
        self.coming += 1
        self._begun += 1
        self.attendance.count(self.column)
        self.tell()

    def end_beginning(self) -> None:
        """Note that one of those is here, or will not be."""
        self._begun -= 1
        self.coming = min(self.coming, self._begun)
        self.tell()

    def who_has_fewer(self, but: Collection[int]) -> int | None:
        """Name the column of who has fewest, of all but some, if those are fewer than here."""
        found = self.attendance.fewest_beside(self.column, but)
        if found is None:
            return None
        fewest, column = found
        return column if len(self) + self.coming > fewest + fewest // SLACK_SHARE else None


class Listener:
    """A listening socket in one worker, in place of the event loop's server."""

    def __init__(self, listening: socket.socket, connections: Connections, take: Take) -> None:
        """Accept, by what `take` makes for each, from now on."""
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._connections = connections
        self._take = take
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seen = -1  # what others had accepted when one was left to them
        self._left_seconds = self._looked_at = 0.0  # for how long, as far as this worker looked on
        # Who did not come: by column, what he had accepted, and until when nothing is left to him.
        self._doubted: dict[int, tuple[int, float]] = {}
        self._turn = AT_ONCE_MAX  # how many are taken in one, while somebody is doubted
        listening.setblocking(False)  # noqa: FBT003  # the system call's own form
        self._watch()

    def close(self) -> None:
        """Accept no more."""
        self._rest()
        self._connections.close()

    async def wait_closed(self) -> None:
        """Wait for those that were just coming."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _watch(self) -> None:
        self._timer = None
        self._loop.add_reader(self._socket.fileno(), self._let_in)

    def _rest(self) -> None:
        """Look no more who comes."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())

    def _let_in(self) -> None:
        """Take those who wait, until this worker has more than another who comes for them."""
        self._trust()
        for _ in range(self._turn):
            if (column := self._connections.who_has_fewer(self._doubted)) is not None:
                self._leave(column)
                return
            self._seen = -1  # nobody is left to anybody any more
            if not self._accept():
                return
        self._turn = min(self._turn + 1, AT_ONCE_MAX)

    def _leave(self, column: int) -> None:
        """Leave the next one to a worker, for a moment: the loop calls again while it waits.

        Who does not come in time is doubted, and what would be his is taken: in each turn one more.
        """
        attendance = self._connections.attendance
        now, seen = perf_counter(), attendance.accepted_beside(self._connections.column)
        if seen != self._seen:
            self._seen, self._left_seconds = seen, 0.0
        else:  # since the last look nobody may have waited: of a long time little counts
            self._left_seconds += min(now - self._looked_at, LEAVE_SECONDS / 4)
        self._looked_at = now
        if self._left_seconds < LEAVE_SECONDS:
            os.sched_yield()  # he may want this core
        else:
            self._doubted[column] = attendance.accepted(column), now + DOUBT_SECONDS
            self._seen, self._turn = -1, 1

    def _trust(self) -> None:
        """Doubt nobody any more who has accepted since, or for long."""
        if self._doubted:
            now, attendance = perf_counter(), self._connections.attendance
            self._doubted = {
                column: (accepted, until)
                for column, (accepted, until) in self._doubted.items()
                if now < until and attendance.accepted(column) == accepted
            }
        if not self._doubted:
            self._turn = AT_ONCE_MAX

    def _accept(self) -> bool:
        """Take one; False: there is none, or the system does not give it."""
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:  # it went while it waited
            return True
        except OSError as error:  # no file may be opened, or no memory is left
            log.error("A connection could not be accepted", error=str(error))  # noqa: TRY400
            self._rest()
            self._timer = self._loop.call_later(PAUSE_SECONDS, self._watch)
            return False
        self._connections.expect()
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._take, accepted))
        self._tasks.add(task)
        task.add_done_callback(self._arrived)
        return True

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        """Count one no more as coming."""
        self._tasks.discard(task)
        self._connections.end_beginning()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A connection could not be begun", exc_info=error)
