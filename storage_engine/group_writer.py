"""One thread per process that makes payloads durable, many with one sync, before their commit.

A payload that was in memory as a whole is written here, one that came in pieces was written by
whoever took them in; who waits while a group is synced shares the next one. Only then do their
operations go to the committer, together: so no row ever names bytes that a power cut could take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from storage_engine.errors import EngineClosed
from storage_engine.futures import Future
from storage_engine.limits import GATHER_BYTES, GROUP_BYTES_MAX
from storage_engine.tickets import Ticket, refuse
from storage_engine.work_queue import WorkQueue

if TYPE_CHECKING:
    from storage_engine.commit import Committer
    from storage_engine.operation import Operation
    from storage_engine.staging import StagedBlob, Stager
    from storage_engine.volume import Volume

Result = TypeVar("Result")
Item: TypeAlias = "tuple[Ticket, StagedBlob]"


class GroupWriter(WorkQueue["Item"]):
    """The queue of payloads and its thread; what is ready already goes straight to the committer.

    Content that two of a group have, or that the index has, is written once: should what it counts
    on be gone when the commit looks, that sends the operation back to be written after all.
    """

    def __init__(self, stager: Stager, committer: Committer) -> None:
        self._stager = stager
        self._committer = committer
        super().__init__("group-writer", GATHER_BYTES)

    def submit(self, operation: Operation[Result], staged: StagedBlob) -> Future[Result]:
        """Queue an operation behind its payload; the future resolves as the committer's does."""
        if staged.is_ready:
            return self._committer.submit(operation)
        future: Future[Result] = Future()
        self._take_in([(Ticket(operation, future), staged)], staged.size)
        return future

    def _refuse(self, items: list[Item]) -> None:
        refuse([ticket for ticket, _ in items], EngineClosed("the engine is closed"))

    def _work_off(self, group: list[Item]) -> None:
        """Write, sync and hand on a group, and what waits beside it."""
        size = sum(staged.size for _, staged in group)
        while size < GROUP_BYTES_MAX and (items := self._next()):
            group += items
            size += sum(staged.size for _, staged in items)
        self._is_loaded = len(group) > 1
        self._make_durable(group)

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
