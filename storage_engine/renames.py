"""Renaming one key, or everything below a prefix: what hangs on the keys moves with them unseen.

Versions, parts and payloads are not named by path, so a prefix of a million keys moves by one
entry in each tree. Open uploads stay with the key they were begun for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from storage_engine import locks, receipts, rows
from storage_engine.errors import (
    KeyTooLong,
    NoSuchPrefix,
    ObjectLocked,
    PrefixOverlap,
    TargetExists,
    TargetTooLarge,
)
from storage_engine.lifecycle_looks import put_scan
from storage_engine.limits import (
    KEY_BYTES_MAX,
    RENAME_LOOKS_MAX,
    RENAME_PARTS_MAX,
    RENAME_VERSIONS_MAX,
)
from storage_engine.operation import Operation
from storage_engine.transaction import MOVED
from storage_engine.values import ObjectRef
from storage_engine.version_walk import versions_behind
from storage_engine.versions import History, check_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storage_engine.namespace import Namespace
    from storage_engine.transaction import Transaction
    from storage_engine.values import Guard, ObjectInfo, Receipt


@dataclass(slots=True)
class Allowance:
    """How much more one rename may remove at its target."""

    versions: int = field(default_factory=lambda: RENAME_VERSIONS_MAX)
    parts: int = field(default_factory=lambda: RENAME_PARTS_MAX)

    def take(self, history: History) -> None:
        """Count every version of a key, with the parts in it; TargetTooLarge."""
        if history.current is None:
            return
        for entry in chain((history.current,), history.behind()):
            self.versions -= 1
            self.parts -= entry.part_count
            if self.versions < 0 or self.parts < 0:
                raise TargetTooLarge(history.key)


@dataclass(slots=True)
class RenameObject(Operation["ObjectInfo | None"]):
    """Gives a key, with all its versions, another name in the same bucket.

    The outcome is None when a receipt tells that this was done before.
    """

    needs_room: ClassVar[bool] = False
    bucket_id: int
    source_key: str
    target_key: str
    guard: Guard | None
    source_guard: Guard | None
    is_replacing: bool
    receipt: Receipt | None = None
    is_repeated: bool = field(default=False, init=False)
    source: History | None = field(default=None, init=False)
    target: History | None = field(default=None, init=False)

    def check(self, transaction: Transaction) -> None:
        """Refuse what is not there, is in the way, or is locked; ask the guards."""
        self.is_repeated = receipts.is_repeated(transaction, self.receipt)
        if self.is_repeated:
            return
        source = self.source = History(transaction, ObjectRef(self.bucket_id, self.source_key))
        if self.source_guard is not None:
            self.source_guard(source.visible_info())
        check_readable(source.current, self.source_key, None)
        target = self.target = History(transaction, ObjectRef(self.bucket_id, self.target_key))
        if self.guard is not None:
            self.guard(target.visible_info())
        if self.source_key == self.target_key:
            raise TargetExists(self.target_key)
        source.check_unlocked(RENAME_LOOKS_MAX)
        if target.current is not None and not self.is_replacing:
            raise TargetExists(self.target_key)
        Allowance().take(target)
        target.check_unlocked(RENAME_VERSIONS_MAX)

    def mutate(self, transaction: Transaction) -> ObjectInfo | None:
        """Remove what is replaced, then move the entry."""
        if self.is_repeated:
            return None
        receipts.keep(transaction, self.receipt)
        source, target = self.source, self.target
        assert source is not None
        assert target is not None
        target.erase()
        source.move(target)
        assert target.current is not None
        return target.info(target.current)


@dataclass(slots=True)
class RenamePrefix(Operation[None]):
    """Gives every key below a prefix another prefix in the same bucket."""

    needs_room: ClassVar[bool] = False
    bucket_id: int
    source: str
    target: str
    is_replacing: bool
    guard: Callable[[bool], None] | None = None
    receipt: Receipt | None = None
    is_repeated: bool = field(default=False, init=False)
    replaced: list[str] = field(default_factory=list, init=False)
    moves: list[tuple[Namespace, int]] = field(default_factory=list, init=False)

    def check(self, transaction: Transaction) -> None:
        """Refuse what is not there, does not fit, is in the way, or may be locked."""
        self.is_repeated = receipts.is_repeated(transaction, self.receipt)
        if self.is_repeated:
            return
        assert self.source.endswith("/")
        assert self.target.endswith("/")
        if self.source.startswith(self.target) or self.target.startswith(self.source):
            raise PrefixOverlap(f"{self.source} and {self.target}")
        transaction.open_namespace(self.bucket_id)
        txn, source, target = transaction.txn, self.source.encode(), self.target.encode()
        trees = (transaction.entries, transaction.markers)
        held = [tree for tree in trees if tree.has_prefix(txn, self.bucket_id, source)]
        if not held:
            raise NoSuchPrefix(self.source)
        self.moves = [(tree, self._measure(transaction, tree)) for tree in held]
        self._check_unlocked(transaction, held)
        taken = [tree for tree in trees if tree.has_prefix(txn, self.bucket_id, target)]
        if self.guard is not None:
            self.guard(bool(taken))
        if taken and not self.is_replacing:
            raise TargetExists(self.target)
        self.replaced = self._list_replaced(transaction, taken)

    def mutate(self, transaction: Transaction) -> None:
        """Remove what is replaced, then move one entry in each tree."""
        if self.is_repeated:
            return
        receipts.keep(transaction, self.receipt)
        for key in self.replaced:
            History(transaction, ObjectRef(self.bucket_id, key)).erase()
        source, target = self.source.encode(), self.target.encode()
        for tree, longest in self.moves:
            tree.move(transaction, self.bucket_id, source, target, longest)
        transaction.count(MOVED)
        if transaction.namespace(self.bucket_id).lifecycle:
            put_scan(transaction, self.bucket_id, self.target)

    def _check_unlocked(self, transaction: Transaction, trees: list[Namespace]) -> None:
        """Refuse if any version below the source is locked, or there are too many to look at."""
        now_ms = transaction.now_ms
        if not locks.may_bind(transaction.namespace(self.bucket_id), now_ms):
            return
        for number, entry in enumerate(self._walk(transaction, trees)):
            if entry is None or number >= RENAME_LOOKS_MAX:
                raise ObjectLocked(f"{self.source} has more versions than can be looked at")
            locks.check_removable(entry, now_ms)

    def _walk(
        self, transaction: Transaction, trees: list[Namespace]
    ) -> Iterator[rows.Entry | None]:
        """Walk the versions of every key below the source; None: of more keys than a rename may."""
        txn, tables, source = transaction.txn, transaction.tables, self.source.encode()
        for tree in trees:
            page = tree.scan(txn, self.bucket_id, prefix=source, limit=RENAME_LOOKS_MAX)
            for _, value in page.items:
                assert value is not None
                current = rows.decode_entry(value)
                yield current
                yield from versions_behind(txn, tables, current)
            if page.is_truncated:
                yield None

    def _measure(self, transaction: Transaction, tree: Namespace) -> int:
        """Return a bound of what keys have beyond the source; KeyTooLong if it does not fit."""
        room = KEY_BYTES_MAX - len(self.target.encode())
        source = self.source.encode()
        longest = tree.longest_below(transaction.txn, self.bucket_id, source, room)
        if longest is None:
            raise KeyTooLong(self.target)
        return longest

    def _list_replaced(self, transaction: Transaction, trees: list[Namespace]) -> list[str]:
        """Return the keys below the target; TargetTooLarge when there is too much in them."""
        keys: list[str] = []
        allowance = Allowance()
        for tree in trees:
            page = tree.scan(
                transaction.txn,
                self.bucket_id,
                prefix=self.target.encode(),
                limit=RENAME_VERSIONS_MAX,
            )
            if page.is_truncated:
                raise TargetTooLarge(self.target)
            for name, _ in page.items:
                history = History(transaction, ObjectRef(self.bucket_id, name.decode()))
                allowance.take(history)
                history.check_unlocked(RENAME_VERSIONS_MAX)
                keys.append(history.key)
        return keys
