"""The committer: one thread per process through which every change of the index goes.

It takes the write lock first and drains its queue second, so that all who waited for the lock
share one commit and its syncs. An operation refuses in `check`, before anything is changed, or
is carried out whole; whatever happens to one, its neighbours' results are theirs.
This is the one place that knows how a group becomes durable: its changes are one frame of the
journal, synced; then LMDB commits, without a sync, and everybody sees them.
"""

from __future__ import annotations

import errno
import threading
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import lmdb

from storage_engine.disk import FULL_CODES, NO_FILES, PASSING_CODES
from storage_engine.errors import DiskFull, EngineClosed, StorageError
from storage_engine.futures import Future, tell_all
from storage_engine.index import leave
from storage_engine.journal import Tail
from storage_engine.keys import JOURNAL
from storage_engine.limits import BRIEF_OPERATIONS_MAX, COMMIT_OPERATIONS_MAX, DISK_FULL_BYTES
from storage_engine.operation import Restage
from storage_engine.options import wall_clock
from storage_engine.tickets import Outcome, Outcomes, Round, Ticket, error_code, refuse
from storage_engine.transaction import Transaction
from storage_engine.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage_engine.checkpoint import Checkpointer
    from storage_engine.futures import Heirs
    from storage_engine.health import Health
    from storage_engine.host import Host
    from storage_engine.index import Index
    from storage_engine.journal import Frame, Journal
    from storage_engine.operation import Operation
    from storage_engine.options import Clock

Result = TypeVar("Result")


class Committer(WorkQueue["Ticket"]):
    """The queue and its thread. What is handed in together shares one commit."""

    def __init__(
        self,
        index: Index,
        health: Health,
        journal: Journal,
        checkpointer: Checkpointer,
        clock: Clock = wall_clock,
    ) -> None:
        self._index = index
        self._clock = clock
        self._health = health
        self._journal = journal
        self._counts = journal.counts
        self._checkpointer = checkpointer
        super().__init__("committer", BRIEF_OPERATIONS_MAX)

    def submit(self, operation: Operation[Result]) -> Future[Result]:
        """Queue an operation; the future resolves when its group is on disk, or it is refused."""
        future: Future[Result] = Future()
        self.enqueue([Ticket(operation, future)])
        return future

    def submit_all(
        self, operations: Sequence[Operation[Result]]
    ) -> Future[list[Result | Exception]]:
        """Queue operations that share one commit; each succeeds or is refused for itself."""
        outcomes: Outcomes[Result] = Outcomes(len(operations))
        self.enqueue(
            [Ticket(operation, Outcome(outcomes, n)) for n, operation in enumerate(operations)]
        )
        return outcomes.future

    def enqueue(self, tickets: list[Ticket]) -> None:
        """Queue operations that share one commit."""
        self._take_in(tickets, len(tickets))

    def _refuse(self, items: list[Ticket]) -> None:
        refuse(items, EngineClosed("the engine is closed"))

    def _work_off(self, group: list[Ticket]) -> None:
        """Commit a group, and what comes while it is formed; answer everybody in it."""
        faulty: list[Ticket] = []
        began = perf_counter()
        try:
            self._health.check()
            has_room = self._health.has_room() and self._index.make_room()
            asked = perf_counter()
            txn = self._begin()
            self._counts.lock_seconds.add(perf_counter() - asked)
            self._drain(group)
            self._carry_out(txn, group, faulty, has_room=has_room)
        except BaseException as error:  # noqa: BLE001  # a dead committer would hang every caller
            # Refusals too are void: they were made on what the group would have brought about.
            refusal = self._explain(error)
            for ticket in group:
                ticket.error = refusal
        else:
            self._counts.commit_seconds.add(perf_counter() - began)
            self._counts.group_operations.add(len(group))
            self._counts.commits += 1
        self._is_loaded = len(group) > 1
        self._answer(group + faulty)

    def _answer(self, tickets: list[Ticket]) -> None:
        """Resolve tickets; who waits in a loop is told in one call with the others there."""
        heirs: Heirs = {}
        for ticket in tickets:
            if not (isinstance(ticket.error, Restage) and self._begin_to_restage(ticket)):
                ticket.resolve(heirs)
        tell_all(heirs)

    def _drain(self, group: list[Ticket], *, operations_max: int = COMMIT_OPERATIONS_MAX) -> None:
        """Add what waits in the queue to the group."""
        while len(group) < operations_max and (tickets := self._next()):
            group += tickets

    def _carry_out(
        self,
        txn: lmdb.Transaction[bytes],
        group: list[Ticket],
        faulty: list[Ticket],
        *,
        has_room: bool,
    ) -> None:
        """Run a group and commit it; again without an operation that failed half-way."""
        host = self._host
        if host is not None and host.is_at_rest():  # there and back are two wake-ups
            host = None
        while True:
            try:
                failed = self._run_group(txn, group, host, has_room=has_room)
                if failed is None:
                    return
                group.remove(failed)
                faulty.append(failed)
                txn.abort()
            except lmdb.MapFullError:
                txn.abort()
                self._index.grow()
            except BaseException:
                txn.abort()
                raise
            host = None
            txn = self._begin()

    def _begin(self) -> lmdb.Transaction[bytes]:
        """Take the write lock; without a pin of its own this process may not commit."""
        while True:
            txn = self._index.begin_write()
            if self._checkpointer.is_pinned:
                return txn
            leave(txn)
            self._checkpointer.checkpoint()

    def _run_group(
        self,
        txn: lmdb.Transaction[bytes],
        group: list[Ticket],
        host: Host | None,
        *,
        has_room: bool,
    ) -> Ticket | None:
        """Run each operation, then commit; return the one that must be left out, if any."""
        transaction = Transaction(txn, self._index.tables, self._clock)
        work = Round(group, self._drain_briefly, has_room=has_room)
        if host is not None and group[0].operation.is_brief:
            work.lend(transaction, host)
        work.run(transaction)
        if work.faulty is not None:
            return work.faulty
        transaction.finish()
        self._commit(transaction, group)
        return None

    def _drain_briefly(self, group: list[Ticket]) -> None:
        """Add, in the loop, what its requests have gathered meanwhile."""
        self._hand_on()
        self._drain(group, operations_max=BRIEF_OPERATIONS_MAX)

    def _commit(self, transaction: Transaction, group: list[Ticket]) -> None:
        """Make the group durable, then visible; when either fails, neither must remain."""
        txn, body = transaction.txn, transaction.changes.pack()
        meta = self._index.tables.meta
        tail = Tail.unpack(txn.get(JOURNAL, db=meta))
        if not body:
            # What the group found absent must stay so: a dead writer's frame could bring it back.
            self._journal.settle(tail)
            leave(txn)
            return
        frame = self._journal.plan(tail, body)
        txn.put(JOURNAL, frame.after.pack(), db=meta)
        try:
            self._journal.write(frame)
        except BaseException as error:
            self._revoke(frame, group, error)
            raise
        try:
            txn.commit()
        except lmdb.Error:
            self._mark(group, is_uncertain=not self._settle())
            raise
        self._checkpointer.note(frame.after.position)

    def _revoke(self, frame: Frame, group: list[Ticket], cause: BaseException) -> None:
        """Undo a frame that was not written whole, still under the write lock."""
        try:
            self._journal.revoke(frame)
        except OSError:
            self._mark(group, is_uncertain=True)
        if isinstance(cause, OSError) and error_code(cause) not in PASSING_CODES:
            self._health.fail("the journal could not be written", cause)

    def _settle(self) -> bool:
        """Undo the frame that a failed commit left at the tail; False when that is not certain.

        LMDB let go of the lock: by now the frame may be somebody else's, and is then followed.
        """
        try:
            txn = self._index.begin_write()
            try:
                # Others may have replaced a segment in which nothing was committed. Under the lock:
                # the checkpointer may be writing through the same descriptor.
                self._journal.close()
                tail = Tail.unpack(txn.get(JOURNAL, db=self._index.tables.meta))
                return self._journal.settle(tail)
            finally:
                leave(txn)
        except (OSError, lmdb.Error) as error:
            self._health.fail("the journal could not be settled", error)
            return False

    def _mark(self, group: list[Ticket], *, is_uncertain: bool) -> None:
        for ticket in group:
            ticket.is_uncertain = is_uncertain

    def _explain(self, error: BaseException) -> BaseException:
        """Turn what LMDB or the system said into one of ours."""
        if not isinstance(error, (lmdb.Error, OSError)):
            return error
        code = error_code(error)
        # LMDB calls a page that was written in part, as on a full disk, an I/O error.
        if code == errno.EIO and isinstance(error, lmdb.Error):
            code = errno.EIO if self._health.has_room(0, DISK_FULL_BYTES) else errno.ENOSPC
        if code in FULL_CODES:
            return DiskFull("the disk is full")
        if code in NO_FILES:
            return StorageError(f"no more files can be opened now: {error}")
        return self._health.fail("the index could not be written", error)

    def _begin_to_restage(self, ticket: Ticket) -> bool:
        """Have a thread do it; False, and a refusal, where the system gives no more of them."""
        try:
            threading.Thread(target=self._restage, args=(ticket,), name="restage").start()
        except RuntimeError as error:
            ticket.error = StorageError(f"no more threads can be started now: {error}")
            return False
        return True

    def _restage(self, ticket: Ticket) -> None:
        try:
            ticket.operation.restage()
        except BaseException as error:  # noqa: BLE001  # whatever it is, the caller waits for it
            ticket.error = error
            self._answer([ticket])
        else:
            self.enqueue([ticket])
