"""A queue with a thread of its own: taken in until closed, and worked off to the last item.

To begin a group costs the processor as much as some items do. So under load what the requests of a
loop hand in is gathered there, and the thread is woken once, when few more come; until then it has
taken no lock that others wait for.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from storage_engine.host import Host

Item = TypeVar("Item")


class WorkQueue(ABC, Generic[Item]):
    """What several threads hand in, and one works off in groups; None in the queue is its end."""

    def __init__(self, name: str, gathered_max: int) -> None:
        """Start the thread, which needs all that the subclass has: to be called last.

        A loop gathers up to `gathered_max`, as the subclass measures.
        """
        self._queue: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._host: Host | None = None
        self._is_loaded = False  # the last group was of more than one
        self._gathered: list[Item] = []  # by the host's requests
        self._gathered_size = 0
        self._gathered_max = gathered_max
        self._seen = 0  # how many, at the host's last round
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def lend(self, host: Host | None) -> None:
        """Let the requests of a loop gather from now on, or no more."""
        self._host = host
        self._hand_on()

    def abandon(self) -> None:
        """Take nothing more, in a forked child: the thread stayed with the parent."""
        self._lock = threading.Lock()  # the parent's may have been held just then
        self._is_closed = True

    def close(self) -> None:
        """Work off what is queued and what is gathered, then end; nothing is taken later."""
        self._hand_on()
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def _take_in(self, items: list[Item], size: int) -> None:
        """Queue items that stay together, or gather them; refuse them once it is closed."""
        host = self._host
        if self._is_loaded and host is not None and host.is_here():
            self._gather(items, size, host)
        else:
            self._enqueue(items)

    def _gather(self, items: list[Item], size: int, host: Host) -> None:
        """Keep items until the loop has little more to receive, or enough has come."""
        with self._lock:
            is_first = not self._gathered
            self._gathered += items
            self._gathered_size += size
        if self._gathered_size >= self._gathered_max:
            self._hand_on()
        elif is_first:
            self._seen = 0
            host.after_a_round(self._look)

    def _look(self) -> None:
        """Hand on what is gathered, unless the last round of the loop brought as many again.

        To wait while any come would be to wait for ever longer where they trickle in among reads.
        """
        count, host = len(self._gathered), self._host
        is_few = count - self._seen < max(self._seen, 1)
        if is_few or host is None or not host.is_here():  # lent by another meanwhile
            self._hand_on()
        else:
            self._seen = count
            host.after_a_round(self._look)

    def _hand_on(self) -> None:
        """Queue what is gathered."""
        with self._lock:
            gathered, self._gathered, self._gathered_size = self._gathered, [], 0
        if gathered:
            self._enqueue(gathered)

    def _enqueue(self, items: list[Item]) -> None:
        with self._lock:
            if not self._is_closed:
                self._queue.put(items)
                return
        self._refuse(items)

    def _run(self) -> None:
        """Work off the queue to its end."""
        while (group := self._queue.get()) is not None:
            self._work_off(group)
            del group  # and with it the payloads of those that were refused

    def _next(self) -> list[Item]:
        """Return what waits in the queue, if anything; its end is left there."""
        try:
            items = self._queue.get_nowait()
        except Empty:
            return []
        if items is None:
            self._queue.put(None)
            return []
        return items

    @abstractmethod
    def _work_off(self, group: list[Item]) -> None:
        """Do what the items, and those that come meanwhile, ask for; must not raise."""

    @abstractmethod
    def _refuse(self, items: list[Item]) -> None:
        """Tell those who handed items in that it is closed."""
