"""One thread per process that makes payloads durable, many with one sync, before their commit.

A payload that was in memory as a whole is written here, one that came in pieces was written by
whoever took them in; who waits while a group is synced shares the next one. Only then do their
operations go to the committer, together: so no row ever names bytes that a power cut could take.
A sync costs the processor as much as some payloads do, so under load a loop gathers what its
requests hand in until none comes any more.
"""

from __future__ import annotations

from queue import Empty
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from storage_engine.errors import EngineClosed
from storage_engine.futures import Future
from storage_engine.limits import GATHER_BYTES, GROUP_BYTES_MAX
from storage_engine.tickets import Ticket, refuse
from storage_engine.work_queue import WorkQueue

if TYPE_CHECKING:
    from storage_engine.commit import Committer
    from storage_engine.host import Host
    from storage_engine.operation import Operation
    from storage_engine.staging import StagedBlob, Stager
    from storage_engine.volume import Volume

Result = TypeVar("Result")
Item: TypeAlias = "tuple[Ticket, StagedBlob]"


class GroupWriter(WorkQueue["list[Item]"]):
    """The queue of payloads and its thread; what is ready already goes straight to the committer.

    Content that two of a group have, or that the index has, is written once: should what it counts
    on be gone when the commit looks, that sends the operation back to be written after all.
    """

    def __init__(self, stager: Stager, committer: Committer) -> None:
        self._stager = stager
        self._committer = committer
        self._host: Host | None = None
        self._is_loaded = False  # the last group was of more than one
        self._gathered: list[Item] = []  # by the host's requests
        self._gathered_bytes = 0
        self._seen = 0  # how many, at the host's last round
        super().__init__("group-writer")

    def lend(self, host: Host | None) -> None:
        """Let the requests of a loop gather from now on, or no more."""
        self._host = host
        self._hand_on()

    def submit(self, operation: Operation[Result], staged: StagedBlob) -> Future[Result]:
        """Queue an operation behind its payload; the future resolves as the committer's does."""
        if staged.is_ready:
            return self._committer.submit(operation)
        future: Future[Result] = Future()
        item = Ticket(operation, future), staged
        host = self._host
        if self._is_loaded and host is not None and host.is_here():
            self._gather(item, host)
        else:
            self._hand_in([item])
        return future

    def close(self) -> None:
        """Work off what is queued and what is gathered, then end; nothing is taken later."""
        self._hand_on()
        super().close()

    # --- in the loop ---------------------------------------------------------------------------

    def _gather(self, item: Item, host: Host) -> None:
        """Keep an item until the loop has nothing more to receive, or enough has come."""
        with self._lock:
            self._gathered.append(item)
            self._gathered_bytes += item[1].size
            count, size = len(self._gathered), self._gathered_bytes
        if size >= GATHER_BYTES:
            self._hand_on()
        elif count == 1:
            self._seen = 0
            host.call_soon(self._look)

    def _look(self) -> None:
        """Hand on what is gathered, unless the last round of the loop brought more."""
        count, host = len(self._gathered), self._host
        if host is None or count == self._seen:
            self._hand_on()
        else:
            self._seen = count
            host.call_soon(self._look)

    def _hand_on(self) -> None:
        with self._lock:
            gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        if gathered:
            self._hand_in(gathered)

    def _hand_in(self, items: list[Item]) -> None:
        if not self._take_in(items):
            refuse([ticket for ticket, _ in items], EngineClosed("the engine is closed"))

    # --- in the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while (group := self._queue.get()) is not None:
            is_last = self._drain(group)
            self._is_loaded = len(group) > 1
            self._make_durable(group)
            if is_last:
                return

    def _drain(self, group: list[Item]) -> bool:
        """Add what waits in the queue to the group; True when the queue has ended."""
        size = sum(staged.size for _, staged in group)
        while size < GROUP_BYTES_MAX:
            try:
                items = self._queue.get_nowait()
            except Empty:
                return False
            if items is None:
                return True
            group += items
            size += sum(staged.size for _, staged in items)
        return False

    def _make_durable(self, group: list[Item]) -> None:
        """Write and sync a group, and hand on all in it that this succeeded for."""
        try:
            new = self._not_known(group)
        except BaseException as error:  # noqa: BLE001  # a dead thread would hang every caller
            refuse([ticket for ticket, _ in group], error)
            return
        refused = self._write(new)
        written: dict[Volume, list[Item]] = {}
        shared: list[Ticket] = []  # by content
        for ticket, staged in group:
            if staged.region is not None:
                written.setdefault(staged.region.volume, []).append((ticket, staged))
            elif ticket not in refused:
                shared.append(ticket)
        ready = [ticket for items in written.values() for ticket in _sync(items)]
        if ready or shared:
            self._committer.enqueue(ready + shared)  # what they share is there when they look

    def _not_known(self, group: list[Item]) -> list[Item]:
        """Return what has to be written: one payload of each content that is not in the store."""
        waiting = {staged.sha256: (ticket, staged) for ticket, staged in group if not staged.place}
        known = self._stager.known(list(waiting)) if waiting else set()
        return [item for sha256, item in waiting.items() if sha256 not in known]

    def _write(self, items: list[Item]) -> set[Ticket]:
        """Write payloads, together if that can be; refuse those that cannot be written at all."""
        refused: set[Ticket] = set()
        if len(items) > 1 and self._try(items) is None:
            return refused
        for item in items:
            error = self._try([item])
            if error is not None:
                refuse([item[0]], error)
                refused.add(item[0])
        return refused

    def _try(self, items: list[Item]) -> BaseException | None:
        """Write payloads, or none of them; return why not."""
        try:
            self._stager.write([staged for _, staged in items])
        except BaseException as error:  # noqa: BLE001  # as above
            return error
        return None


def _sync(items: list[Item]) -> list[Ticket]:
    """Sync what was written to one volume; return whose payload is durable now."""
    try:
        items[0][1].sync()
    except BaseException as error:  # noqa: BLE001  # as above
        refuse([ticket for ticket, _ in items], error)
        return []
    for _, staged in items:
        staged.is_synced = True
    return [ticket for ticket, _ in items]
