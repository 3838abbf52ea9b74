"""Operations on their way through a group: each with its ticket, and the round they are run in.

A round runs the operations of a group one after the other in one transaction. Where the process
has an event loop it is lent to its thread: there nothing competes with it for the interpreter,
while in a thread of its own each look into the index would hand that over, and back. What is not
brief, what a loop is too busy for, and what a loop that sleeps would have to be woken for, is
carried out by the committer itself.
"""

from __future__ import annotations

import errno
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import lmdb

from storage_engine.disk import FULL_CODES
from storage_engine.errors import DiskFull
from storage_engine.futures import Future, tell_all
from storage_engine.limits import BRIEF_SECONDS
from storage_engine.operation import TakesLong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage_engine.futures import Heirs
    from storage_engine.host import Host
    from storage_engine.operation import Operation
    from storage_engine.transaction import Transaction

Result = TypeVar("Result")
TROUBLE_CODES: Final = FULL_CODES | {errno.EIO, errno.EROFS, errno.ENOMEM}
LOAN_SECONDS: Final = 0.005  # how long the write lock is held for a loop that does not come


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

    def resolve(self, result: Any, error: BaseException | None, heirs: Heirs) -> None:
        """Take what the operation returned or raised; add who waits for it to the heirs."""


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
        """Carry the operation out; False when it failed and may have left changes half made.

        TakesLong, with nothing done, where it must not be carried out in a loop's thread.
        """
        self.error = None
        self.is_uncertain = False
        is_checked = False
        operation = self.operation
        if not has_room and operation.needs_room:
            self.error = DiskFull("the disk is nearly full")
            return True
        try:
            operation.check(transaction)
            is_checked = True
            self.result = operation.mutate(transaction)
        except TakesLong:
            raise
        except lmdb.Error as error:
            if is_trouble_for_all(error):
                raise
            self.error = error
            return False
        except BaseException as error:  # noqa: BLE001  # guards are the caller's, and so is what they raise
            self.error = error
            return not is_checked
        return True

    def resolve(self, heirs: Heirs) -> None:
        """Give the caller what became of it.

        What may be on disk keeps its bytes: a dead region is found by the next recount, while an
        index that names punched bytes has lost an object.
        """
        error = self.error
        self.operation.settle(is_committed=error is None or self.is_uncertain)
        self.answer.resolve(None if error is not None else self.result, error, heirs)


def refuse(tickets: Sequence[Ticket], error: BaseException) -> None:
    """Refuse operations that were not carried out."""
    heirs: Heirs = {}
    for ticket in tickets:
        ticket.error = error
        ticket.resolve(heirs)
    tell_all(heirs)


class Outcomes(Generic[Result]):
    """Gathers what became of several operations into one future, in their order."""

    def __init__(self, count: int) -> None:
        self.future: Future[list[Result | Exception]] = Future()
        self._outcomes: list[Any] = [None] * count
        self._waiting = count
        if not count:
            self.future.resolve([], None, {})

    def take(self, number: int, outcome: Any, heirs: Heirs) -> None:
        """Note one outcome; the last completes the future."""
        self._outcomes[number] = outcome
        self._waiting -= 1
        if not self._waiting:
            self.future.resolve(self._outcomes, None, heirs)


class Outcome:
    """The place of one operation among several."""

    __slots__ = ("_number", "_outcomes")

    def __init__(self, outcomes: Outcomes[Any], number: int) -> None:
        self._outcomes = outcomes
        self._number = number

    def resolve(self, result: Any, error: BaseException | None, heirs: Heirs) -> None:
        """Take what the operation returned or raised."""
        self._outcomes.take(self._number, result if error is None else error, heirs)


class Round:
    """One run through a group; `late` brings the tickets that have come since it was formed."""

    __slots__ = ("_at", "_bell", "_claims", "_error", "_group", "_has_room", "_late", "faulty")

    def __init__(
        self, group: list[Ticket], late: Callable[[list[Ticket]], None], *, has_room: bool
    ) -> None:
        self._group = group
        self._late = late
        self._has_room = has_room
        self._at = 0  # how many were attempted
        self.faulty: Ticket | None = None  # must be left out, and all the others run again
        self._claims: list[Transaction] = []
        self._bell = threading.Lock()
        self._error: BaseException | None = None

    def run(self, transaction: Transaction) -> None:
        """Carry out what is left, as long as nothing fails half-way; in a loop, for a while."""
        group, is_brief = self._group, transaction.is_brief
        end = perf_counter() + BRIEF_SECONDS
        while self._at < len(group) and self.faulty is None:
            ticket = group[self._at]
            if is_brief and (perf_counter() > end or not ticket.operation.is_brief):
                return
            if not ticket.attempt(transaction, has_room=self._has_room):
                self.faulty = ticket
            self._at += 1

    def lend(self, transaction: Transaction, host: Host) -> None:
        """Have the brief operations that come first carried out in a loop's thread, if it comes.

        Whoever takes the claim runs them: a loop that is late, or has ended, finds none.
        """
        self._claims.append(transaction)
        self._bell.acquire()
        patience = LOAN_SECONDS
        try:
            host.call_soon(self._run_in_loop)
        except RuntimeError:  # it has ended
            patience = 0
        if not self._bell.acquire(timeout=patience):
            try:
                self._claims.pop()
            except IndexError:  # it is at it
                self._bell.acquire()
        if self._error is not None:
            raise self._error

    def _run_in_loop(self) -> None:
        try:
            transaction = self._claims.pop()
        except IndexError:
            return
        transaction.is_brief = True
        try:
            self._late(self._group)
            self.run(transaction)
        except TakesLong:
            pass
        except BaseException as error:  # noqa: BLE001  # the committer's to deal with
            self._error = error
        finally:
            transaction.is_brief = False
            self._bell.release()
