"""Accepting connections, so that each worker has about as many as the others.

All workers wait at the same sockets, and who comes wakes them all. The event loop's own server
takes whoever waits there until nobody does: of 32 connections made at once, one of two workers had
between 17 and all of them, and while it was at its limit the other was not. Here a worker that has
more than another leaves the next one to that for a moment. Knows nothing of what is spoken.
"""

from __future__ import annotations

import asyncio
import mmap
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    Take = Callable[[], asyncio.Protocol]

CELL_BYTES: Final = 4
LEAVE_SECONDS: Final = 0.002  # a worker that is not busy comes in a tenth of that
AT_ONCE_MAX: Final = 64  # of those who wait, before others are heard that are connected already
PAUSE_SECONDS: Final = 1.0  # after the system would not give one
SLACK_SHARE: Final = 8  # one in so many is no difference: crowds are let in without many turns

log = structlog.get_logger(__name__)


class Attendance:
    """How many connections each worker has, in memory that is made before they are forked.

    Each writes a column of its own; 0 is nobody who accepts, else it is one more than he has.
    """

    def __init__(self, columns: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, columns * CELL_BYTES)).cast("I")

    def note(self, column: int, connections: int) -> None:
        """Tell how many connections a worker has that accepts more."""
        self._cells[column] = connections + 1

    def leave(self, column: int) -> None:
        """Tell that a worker accepts no more, or is no more."""
        self._cells[column] = 0

    def keep(self, columns: set[int]) -> None:
        """Forget all workers but some."""
        for column in range(len(self._cells)):
            if column not in columns:
                self.leave(column)

    def fewest_beside(self, column: int) -> int | None:
        """Tell how many the worker has that has fewest but this; None: there is no other."""
        cells = self._cells.tolist()
        cells[column] = 0
        return min(filter(None, cells), default=0) - 1 if any(cells) else None


class Connections(set[Any]):
    """The connections of one worker. The others see how many they are as they come and go."""

    def __init__(self, attendance: Attendance, column: int) -> None:
        super().__init__()
        self._attendance = attendance
        self._column = column
        self.coming = 0  # accepted, and not yet among these
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
            self._attendance.note(self._column, len(self) + self.coming)

    def open(self) -> None:
        """Show that more are accepted."""
        self.is_open = True
        self.tell()

    def close(self) -> None:
        """Show that no more are."""
        self.is_open = False
        self._attendance.leave(self._column)

    @property
    def are_many(self) -> bool:
        """Whether another worker has fewer."""
        fewest = self._attendance.fewest_beside(self._column)
        return fewest is not None and len(self) + self.coming > fewest + fewest // SLACK_SHARE


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
        self._beyond = 1  # how many are taken that nobody else has come for
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
        """Take those who wait, until this worker has more than another."""
        for _ in range(AT_ONCE_MAX):
            if self._connections.are_many:
                self._rest()
                self._timer = self._loop.call_later(LEAVE_SECONDS, self._insist)
                return
            if not self._accept():
                return
            self._beyond = 1

    def _insist(self) -> None:
        """Take what was left to others and they did not come for: each time twice as many."""
        self._watch()
        for _ in range(self._beyond):
            if not self._accept():
                self._beyond = 1
                return
        self._beyond = min(2 * self._beyond, AT_ONCE_MAX)

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
        self._connections.coming += 1
        self._connections.tell()
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._take, accepted))
        self._tasks.add(task)
        task.add_done_callback(self._arrived)
        return True

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        """Count one that has come among the connections."""
        self._tasks.discard(task)
        self._connections.coming -= 1
        self._connections.tell()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A connection could not be begun", exc_info=error)
