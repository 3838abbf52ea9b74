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
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import lmdb

from storage_engine.disk import FULL_CODES, NO_FILES, PASSING_CODES
from storage_engine.errors import DiskFull, EngineClosed, StorageError
from storage_engine.journal import Tail
from storage_engine.keys import JOURNAL
from storage_engine.limits import COMMIT_OPERATIONS_MAX, DISK_FULL_BYTES
from storage_engine.options import wall_clock
from storage_engine.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage_engine.checkpoint import Checkpointer
    from storage_engine.health import Health
    from storage_engine.index import Index
    from storage_engine.journal import Frame, Journal
    from storage_engine.options import Clock

Result = TypeVar("Result")
TROUBLE_CODES = FULL_CODES | {errno.EIO, errno.EROFS, errno.ENOMEM}


class Restage(Exception):  # noqa: N818  # a request to the committer, not an error
    """Raised in `check`: `Operation.restage` must be called, outside the lock, then try again."""


class Operation(Generic[Result]):
    """A change of the index. Check and mutate may run again when the group has to be re-run."""

    __slots__ = ()
    needs_room: ClassVar[bool] = True  # refused when the disk is nearly full

    def check(self, transaction: Transaction) -> None:
        """Read, and raise to refuse. Must not write."""

    def mutate(self, transaction: Transaction) -> Result:
        """Write. An exception here is a fault, not a refusal: the group is run again without."""
        raise NotImplementedError

    def settle(self, *, is_committed: bool) -> None:
        """Let go of what was held for the operation; called once, when its outcome is certain."""

    def restage(self) -> None:
        """Do the blocking work that Restage asked for."""


def error_code(error: lmdb.Error | OSError) -> int | None:
    """Return the errno behind an error; LMDB has codes of its own besides."""
    if isinstance(error, lmdb.DiskError):
        return errno.ENOSPC
    return error.errno if isinstance(error, OSError) else getattr(error, "code", None)


def is_trouble_for_all(error: lmdb.Error) -> bool:
    """Tell an error of the index as a whole from one that a single operation brought about."""
    whole = (lmdb.MapFullError, lmdb.PanicError)
    return isinstance(error, whole) or error_code(error) in TROUBLE_CODES


class Answer(Protocol):
    """Where an operation's outcome goes: a Future, or a place among several."""

    def set_result(self, result: Any) -> None:
        """Take what the operation returned."""

    def set_exception(self, exception: BaseException) -> None:
        """Take what it raised."""


class Ticket:
    """An operation in the queue, where its outcome goes, and what became of it this time."""

    __slots__ = ("answer", "error", "is_uncertain", "operation", "result")

    def __init__(self, operation: Operation[Any], answer: Answer) -> None:
        self.operation = operation
        self.answer = answer
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_uncertain = False  # refused, and yet perhaps on disk

    def attempt(self, transaction: Transaction, *, has_room: bool) -> bool:
        """Carry the operation out; False when it failed and may have left changes half made."""
        self.error = None
        self.is_uncertain = False
        is_checked = False
        if not has_room and self.operation.needs_room:
            self.error = DiskFull("the disk is nearly full")
            return True
        try:
            self.operation.check(transaction)
            is_checked = True
            self.result = self.operation.mutate(transaction)
        except lmdb.Error as error:
            if is_trouble_for_all(error):
                raise
            self.error = error
            return False
        except BaseException as error:  # noqa: BLE001  # guards are the caller's, and so is what they raise
            self.error = error
            return not is_checked
        return True

    def resolve(self) -> None:
        """Give the caller what became of it.

        What may be on disk keeps its bytes: a dead region is found by the next recount, while an
        index that names punched bytes has lost an object.
        """
        self.operation.settle(is_committed=self.error is None or self.is_uncertain)
        if self.error is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.error)


class Outcomes(Generic[Result]):
    """Gathers what became of several operations into one future, in their order."""

    def __init__(self, count: int) -> None:
        self.future = new_future()
        self._outcomes: list[Any] = [None] * count
        self._waiting = count
        if not count:
            self.future.set_result([])

    def take(self, number: int, outcome: Any) -> None:
        """Note one outcome; the last completes the future."""
        self._outcomes[number] = outcome
        self._waiting -= 1
        if not self._waiting:
            self.future.set_result(self._outcomes)


class Outcome:
    """The place of one operation among several."""

    __slots__ = ("_number", "_outcomes")

    def __init__(self, outcomes: Outcomes[Any], number: int) -> None:
        self._outcomes = outcomes
        self._number = number

    def set_result(self, result: Any) -> None:
        """Take what the operation returned."""
        self._outcomes.take(self._number, result)

    def set_exception(self, exception: BaseException) -> None:
        """Take what it raised."""
        self._outcomes.take(self._number, exception)


def new_future() -> Future[Any]:
    """Make a future that cannot be cancelled: what may be on its way to disk has an outcome."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


class Committer:
    """The queue and its thread. An item of the queue is what must share one commit."""

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
        self._queue: SimpleQueue[list[Ticket] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation[Result]) -> Future[Result]:
        """Queue an operation; the future resolves when its group is on disk, or it is refused."""
        future: Future[Result] = new_future()
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

    def abandon(self) -> None:
        """Refuse everything from now on, in a forked child: the thread stayed with the parent."""
        self._lock = threading.Lock()  # the parent's may have been held just then
        self._is_closed = True

    def close(self) -> None:
        """Finish what is queued, then end; later submissions raise EngineClosed."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def enqueue(self, tickets: list[Ticket]) -> None:
        """Queue operations that share one commit."""
        with self._lock:
            if not self._is_closed:
                self._queue.put(tickets)
                return
        for ticket in tickets:
            ticket.error = EngineClosed("the engine is closed")
            ticket.resolve()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            is_last = self._commit_group(list(first))
            if is_last:
                return

    def _commit_group(self, group: list[Ticket]) -> bool:
        """Commit a group and answer everybody in it; True when the queue has ended."""
        is_last, running = False, group
        began = perf_counter()
        try:
            self._health.check()
            has_room = self._health.has_room() and self._index.make_room()
            asked = perf_counter()
            txn = self._begin()
            self._counts.lock_seconds.add(perf_counter() - asked)
            is_last = self._drain(group)
            running = list(group)
            self._carry_out(txn, running, has_room=has_room)
        except BaseException as error:  # noqa: BLE001  # a dead committer would hang every caller
            # Refusals too are void: they were made on what the group would have brought about.
            refusal = self._explain(error)
            for ticket in running:
                ticket.error = refusal
        else:
            self._counts.commit_seconds.add(perf_counter() - began)
            self._counts.group_operations.add(len(running))
            self._counts.commits += 1
        for ticket in group:
            if isinstance(ticket.error, Restage):
                threading.Thread(target=self._restage, args=(ticket,), name="restage").start()
            else:
                ticket.resolve()
        return is_last

    def _drain(self, group: list[Ticket]) -> bool:
        """Add what waits in the queue to the group; True when the queue has ended."""
        while len(group) < COMMIT_OPERATIONS_MAX:
            try:
                tickets = self._queue.get_nowait()
            except Empty:
                return False
            if tickets is None:
                return True
            group += tickets
        return False

    def _carry_out(
        self, txn: lmdb.Transaction[bytes], running: list[Ticket], *, has_room: bool
    ) -> None:
        """Run a group and commit it; again without an operation that failed half-way."""
        while True:
            try:
                faulty = self._run_group(txn, running, has_room=has_room)
                if faulty is None:
                    return
                running.remove(faulty)
                txn.abort()
            except lmdb.MapFullError:
                txn.abort()
                self._index.grow()
            except BaseException:
                txn.abort()
                raise
            txn = self._begin()

    def _begin(self) -> lmdb.Transaction[bytes]:
        """Take the write lock; without a pin of its own this process may not commit."""
        while True:
            txn = self._index.begin_write()
            if self._checkpointer.is_pinned:
                return txn
            txn.abort()
            self._checkpointer.checkpoint()

    def _run_group(
        self, txn: lmdb.Transaction[bytes], group: list[Ticket], *, has_room: bool
    ) -> Ticket | None:
        """Run each operation, then commit; return the one that must be left out, if any."""
        transaction = Transaction(txn, self._index.tables, self._clock)
        for ticket in group:
            if not ticket.attempt(transaction, has_room=has_room):
                return ticket
        transaction.finish()
        self._commit(transaction, group)
        return None

    def _commit(self, transaction: Transaction, group: list[Ticket]) -> None:
        """Make the group durable, then visible; when either fails, neither must remain."""
        txn, body = transaction.txn, transaction.changes.pack()
        meta = self._index.tables.meta
        tail = Tail.unpack(txn.get(JOURNAL, db=meta))
        if not body:
            # What the group found absent must stay so: a dead writer's frame could bring it back.
            self._journal.settle(tail)
            txn.abort()
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
                txn.abort()
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

    def _restage(self, ticket: Ticket) -> None:
        try:
            ticket.operation.restage()
        except BaseException as error:  # noqa: BLE001  # whatever it is, the caller waits for it
            ticket.error = error
            ticket.resolve()
        else:
            self.enqueue([ticket])
