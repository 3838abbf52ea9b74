"""One thread per process that makes payloads durable, many with one sync, before their commit.

A payload that was in memory as a whole is written here, one that came in pieces was written by
whoever took them in; who waits while a group is synced shares the next one. Only then do their
operations go to the committer, together: so no row ever names bytes that a power cut could take.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from storage_engine.errors import EngineClosed
from storage_engine.futures import Future
from storage_engine.limits import GROUP_BYTES_MAX
from storage_engine.tickets import Ticket, refuse

if TYPE_CHECKING:
    from storage_engine.commit import Committer
    from storage_engine.operation import Operation
    from storage_engine.staging import StagedBlob, Stager
    from storage_engine.volume import Volume

Result = TypeVar("Result")


class GroupWriter:
    """The queue of payloads and its thread; what is ready already goes straight to the committer.

    Content that two of a group have, or that the index has, is written once: should what it counts
    on be gone when the commit looks, that sends the operation back to be written after all.
    """

    def __init__(self, stager: Stager, committer: Committer) -> None:
        self._stager = stager
        self._committer = committer
        self._queue: SimpleQueue[tuple[Ticket, StagedBlob] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="group-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation[Result], staged: StagedBlob) -> Future[Result]:
        """Queue an operation behind its payload; the future resolves as the committer's does."""
        if staged.is_ready:
            return self._committer.submit(operation)
        future: Future[Result] = Future()
        ticket = Ticket(operation, future)
        with self._lock:
            if not self._is_closed:
                self._queue.put((ticket, staged))
                return future
        refuse([ticket], EngineClosed("the engine is closed"))
        return future

    def abandon(self) -> None:
        """Refuse everything from now on, in a forked child: the thread stayed with the parent."""
        self._lock = threading.Lock()  # the parent's may have been held just then
        self._is_closed = True

    def close(self) -> None:
        """Hand on what is queued, then end; later submissions raise EngineClosed."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            is_last = self._drain(group)
            self._make_durable(group)
            if is_last:
                return

    def _drain(self, group: list[tuple[Ticket, StagedBlob]]) -> bool:
        """Add what waits in the queue to the group; True when the queue has ended."""
        size = group[0][1].size
        while size < GROUP_BYTES_MAX:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return False
            if item is None:
                return True
            group.append(item)
            size += item[1].size
        return False

    def _make_durable(self, group: list[tuple[Ticket, StagedBlob]]) -> None:
        """Write and sync a group, and hand on all in it that this succeeded for."""
        written: dict[Volume, list[tuple[Ticket, StagedBlob]]] = {}
        shared: list[Ticket] = []  # by content
        begun: set[bytes] = set()
        for ticket, staged in group:
            try:
                if staged.place is None and staged.sha256 not in begun:
                    self._write(staged)
            except BaseException as error:  # noqa: BLE001  # a dead thread would hang every caller
                refuse([ticket], error)
                continue
            if staged.region is None:
                shared.append(ticket)
            else:
                begun.add(staged.sha256)
                written.setdefault(staged.region.volume, []).append((ticket, staged))
        ready = [ticket for items in written.values() for ticket in _sync(items)]
        if ready or shared:
            self._committer.enqueue(ready + shared)  # what they share is there when they look

    def _write(self, staged: StagedBlob) -> None:
        if not self._stager.knows(staged.sha256):
            staged.write()


def _sync(items: list[tuple[Ticket, StagedBlob]]) -> list[Ticket]:
    """Sync what was written to one volume; return whose payload is durable now."""
    try:
        items[0][1].sync()
    except BaseException as error:  # noqa: BLE001  # as above
        refuse([ticket for ticket, _ in items], error)
        return []
    for _, staged in items:
        staged.is_synced = True
    return [ticket for ticket, _ in items]
