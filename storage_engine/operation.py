"""What a mutation is to the committer: a check that may refuse, then a change, then what is let go.

Knows nothing of groups, threads and disks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from storage_engine.transaction import Transaction

Result = TypeVar("Result")


class Restage(Exception):  # noqa: N818  # a request to the committer, not an error
    """Raised in `check`: `Operation.restage` must be called, outside the lock, then try again."""


class TakesLong(Exception):  # noqa: N818  # as above
    """Raised in `check` by a brief operation that is not: no loop must wait for it."""


class Operation(Generic[Result]):
    """A change of the index. Check and mutate may run again when the group has to be re-run."""

    __slots__ = ()
    needs_room: ClassVar[bool] = True  # refused when the disk is nearly full
    is_brief: ClassVar[bool] = False  # quick enough to be carried out in the thread of a loop

    def check(self, transaction: Transaction) -> None:
        """Read, and raise to refuse. Must not write."""

    def mutate(self, transaction: Transaction) -> Result:
        """Write. An exception here is a fault, not a refusal: the group is run again without."""
        raise NotImplementedError

    def settle(self, *, is_committed: bool) -> None:
        """Let go of what was held for the operation; called once, when its outcome is certain."""

    def restage(self) -> None:
        """Do the blocking work that Restage asked for."""
