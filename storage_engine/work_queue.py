"""A queue with a thread of its own: taken in until closed, and worked off to the last item."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WorkQueue(ABC, Generic[Item]):
    """What several threads hand in, and one works off; None in the queue is its end."""

    def __init__(self, name: str) -> None:
        """Start the thread, which needs all that the subclass has: to be called last."""
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def abandon(self) -> None:
        """Take nothing more, in a forked child: the thread stayed with the parent."""
        self._lock = threading.Lock()  # the parent's may have been held just then
        self._is_closed = True

    def close(self) -> None:
        """Work off what is queued, then end; nothing is taken later."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def _take_in(self, item: Item) -> bool:
        """Queue an item; False once it is closed."""
        with self._lock:
            if not self._is_closed:
                self._queue.put(item)
            return not self._is_closed

    @abstractmethod
    def _run(self) -> None:
        """Work off the queue to its end."""
