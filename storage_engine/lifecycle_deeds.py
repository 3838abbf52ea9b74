"""What lifecycle changes, as operations of a commit: rules, the keys it looks at, its own rows.

A look evaluates the key as it is inside the commit, so whatever became of it since the look was
written counts: nothing is done that is not due in that very transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from storage_engine import keys, lifecycle_looks, locks, meta, rows, uploads
from storage_engine.errors import ObjectLocked
from storage_engine.lifecycle_plan import Allowance, LifecycleRules, evaluate
from storage_engine.lifecycle_rules import LifecycleAction, LifecycleCounts
from storage_engine.limits import (
    HOUSEKEEPING_BATCH,
    LIFECYCLE_PARTS_MAX,
    LIFECYCLE_SCAN_VERSIONS_MAX,
    LIFECYCLE_VERSIONS_MAX,
)
from storage_engine.operation import Operation
from storage_engine.values import ObjectRef
from storage_engine.versions import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage_engine.lifecycle_rules import LifecycleBucket, LifecycleDeed, LifecycleRule
    from storage_engine.namespace import Namespace
    from storage_engine.transaction import Transaction


@dataclass(slots=True)
class SetLifecycle(Operation[None]):
    """Puts rules into force; `instead_of` is the number of the only rules that may be replaced."""

    needs_room: ClassVar[bool] = False
    bucket_id: int
    rules: Sequence[LifecycleRule]
    day_ms: int
    instead_of: int | None = None

    def check(self, transaction: Transaction) -> None:
        """Refuse a closed namespace."""
        transaction.open_namespace(self.bucket_id)

    def mutate(self, transaction: Transaction) -> None:
        """Write them, and that everything they are about is to be looked at."""
        totals, meta = transaction.namespace(self.bucket_id), transaction.tables.meta
        if self.instead_of not in {None, totals.lifecycle}:
            return
        if not self.rules:
            if totals.lifecycle:
                transaction.delete(meta, keys.lifecycle(self.bucket_id))
                totals.lifecycle = 0
            return
        totals.lifecycle = transaction.next_sequence()
        row = rows.LifecycleRow(totals.lifecycle, self.day_ms, tuple(self.rules))
        transaction.put(meta, keys.lifecycle(self.bucket_id), rows.encode(row))
        self._drop_counts(transaction)
        for prefix in LifecycleRules(self.rules).prefixes():
            lifecycle_looks.put_scan(transaction, self.bucket_id, prefix)

    def _drop_counts(self, transaction: Transaction) -> None:
        """Forget what rules did that are no more."""
        meta = transaction.tables.meta
        kept = {keys.lifecycle_done(self.bucket_id, rule.id) for rule in self.rules}
        for name in transaction.keys_from(meta, keys.lifecycle_done(self.bucket_id)):
            if name not in kept:
                transaction.delete(meta, name)


@dataclass(slots=True)
class Budget:
    """What the looks of one commit share; renewed when the group is run again."""

    allowance: Allowance = field(default_factory=Allowance, init=False)
    _transaction: Transaction | None = field(default=None, init=False)

    def of(self, transaction: Transaction) -> Allowance:
        """Return what is left of it in this transaction."""
        if transaction is not self._transaction:
            self._transaction = transaction
            self.allowance = Allowance(LIFECYCLE_VERSIONS_MAX, LIFECYCLE_PARTS_MAX)
        return self.allowance


@dataclass(slots=True)
class LookAt(Operation["list[LifecycleDeed] | None"]):
    """Carries out what is due of one key; None when it was not looked at."""

    needs_room: ClassVar[bool] = False
    place: bytes
    bucket: LifecycleBucket
    budget: Budget

    def mutate(self, transaction: Transaction) -> list[LifecycleDeed] | None:
        """Evaluate, carry out, count, and say when to look again."""
        tables, allowance = transaction.tables, self.budget.of(transaction)
        table = tables.lifecycle
        bucket_id, at_ms, _ = keys.look_parts(self.place)
        totals = transaction.namespace(bucket_id)
        value = transaction.get(table, self.place)
        if value is None or at_ms > transaction.now_ms or not allowance.is_left:
            return None  # somebody else did it, set his clock, or it is for the next commit
        if totals.is_closed or not totals.lifecycle:
            return None
        if self.bucket.generation not in {None, meta.read_generation(transaction.txn, tables)}:
            return None  # versions may be kept in it since
        transaction.delete(table, self.place)
        return self._look(transaction, bucket_id, at_ms, rows.decode_look(value))

    def _look(
        self, transaction: Transaction, bucket_id: int, at_ms: int, look: rows.Look
    ) -> list[LifecycleDeed]:
        target = ObjectRef(bucket_id, look.key)
        in_force = lifecycle_looks.read_rules(transaction.txn, transaction.tables, bucket_id)
        assert in_force is not None
        history = History(transaction, target, is_looked_at=True)
        plan = evaluate(
            in_force.rules,
            lifecycle_looks.StoredKey(transaction.txn, transaction.tables, target, history.current),
            transaction.now_ms,
            self.bucket.versioning,
            self.budget.allowance,
            look.after,
        )
        done = [self._carry_out(transaction, history, deed) for deed in plan.deeds]
        _count(transaction, bucket_id, done)
        if plan.next_ms is not None:
            lifecycle_looks.put_look(transaction, bucket_id, plan.next_ms, rows.Look(look.key))
        if not plan.is_complete:
            again = rows.Look(look.key, plan.after)
            lifecycle_looks.put_look(transaction, bucket_id, at_ms, again)
        elif look.after is not None and _is_lone_marker(history):
            # Whether anything was left behind it only the first of several looks would know.
            lifecycle_looks.put_look(transaction, bucket_id, at_ms, rows.Look(look.key))
        return done

    def _carry_out(
        self, transaction: Transaction, history: History, deed: LifecycleDeed
    ) -> LifecycleDeed:
        """Do it, unless a lock forbids: those are asked as by anybody else, and never bypassed."""
        if deed.is_kept:
            return deed
        try:
            if deed.action is LifecycleAction.ABORT_UPLOAD:
                target = ObjectRef(history.bucket_id, history.key)
                uploads.abort(transaction, target, bytes.fromhex(deed.id))
            elif deed.action is LifecycleAction.EXPIRE:
                history.check_delete(self.bucket.versioning)
                history.delete(self.bucket.versioning, self.bucket.marker)
            else:
                found = history.find(deed.id)
                assert found is not None
                locks.check_removable(found, transaction.now_ms)
                history.remove(found)
        except ObjectLocked:
            self._look_tomorrow(transaction, history)
            return deed._replace(is_kept=True)
        return deed

    def _look_tomorrow(self, transaction: Transaction, history: History) -> None:
        in_force = lifecycle_looks.read_rules(
            transaction.txn, transaction.tables, history.bucket_id
        )
        assert in_force is not None
        at_ms = in_force.rules.midnight_after(transaction.now_ms)
        lifecycle_looks.put_look(transaction, history.bucket_id, at_ms, rows.Look(history.key))


def _is_lone_marker(history: History) -> bool:
    current = history.current
    return current is not None and current.is_marker and next(history.behind(), None) is None


def _count(transaction: Transaction, bucket_id: int, deeds: list[LifecycleDeed]) -> None:
    """Add up what rules did, for who wants to know it."""
    meta = transaction.tables.meta
    for rule_id in dict.fromkeys(deed.rule_id for deed in deeds):
        name = keys.lifecycle_done(bucket_id, rule_id)
        value = transaction.get(meta, name)
        counts = LifecycleCounts() if value is None else rows.decode_lifecycle_done(value).counts
        for deed in deeds:
            if deed.rule_id == rule_id:
                counts.add(deed)
                counts.last_ms = transaction.now_ms
        transaction.put(meta, name, rows.encode(rows.LifecycleDone(rule_id, counts)))


@dataclass(slots=True)
class ScanPage(Operation[None]):
    """Gives some keys their looks, because rules or names are new; the next page has the others."""

    needs_room: ClassVar[bool] = False
    place: bytes

    def mutate(self, transaction: Transaction) -> None:
        """Go through a page of one tree; after the last page through the next tree."""
        table = transaction.tables.lifecycle
        bucket_id, _, _ = keys.look_parts(self.place)
        value = transaction.pop(table, self.place)
        if value is None:
            return
        scan = rows.decode_scan(value)
        if transaction.namespace(bucket_id).lifecycle != scan.number:
            return  # other rules have their own, or there are none
        trees = (transaction.entries, transaction.markers, transaction.upload_names)
        after = self._page(transaction, bucket_id, scan, trees[scan.tree])
        if after:
            again = rows.Scan(scan.number, scan.prefix, scan.tree, after)
        elif scan.tree + 1 < len(trees):
            again = rows.Scan(scan.number, scan.prefix, scan.tree + 1)
        else:
            return
        transaction.put(table, self.place, rows.encode(again))

    def _page(
        self, transaction: Transaction, bucket_id: int, scan: rows.Scan, tree: Namespace
    ) -> str:
        """Look at some keys; return the last of them, or nothing when no more follow."""
        txn, tables = transaction.txn, transaction.tables
        page = tree.scan(
            txn,
            bucket_id,
            prefix=scan.prefix.encode(),
            after=scan.after.encode(),
            limit=HOUSEKEEPING_BATCH,
        )
        left = LIFECYCLE_SCAN_VERSIONS_MAX
        for name, value in page.items:
            assert value is not None
            target = ObjectRef(bucket_id, name.decode())
            if tree is not transaction.upload_names:
                left -= lifecycle_looks.schedule(transaction, target, rows.decode_entry(value))
            else:
                state = lifecycle_looks.StoredKey(txn, tables, target, None)
                oldest = next(state.uploads())
                left -= lifecycle_looks.schedule_upload(transaction, target, oldest.initiated_ms)
            if left <= 0:
                return name.decode()
        return page.last.decode() if page.is_truncated else ""


@dataclass(slots=True)
class DropLooks(Operation[int]):
    """Drops looks in a bucket without rules, some of them; returns how many."""

    needs_room: ClassVar[bool] = False
    bucket_id: int

    def mutate(self, transaction: Transaction) -> int:
        """Remove them, if there are no rules still."""
        if transaction.namespace(self.bucket_id).lifecycle:
            return 0
        table, prefix = transaction.tables.lifecycle, keys.sequence(self.bucket_id)
        dropped = transaction.keys_from(table, prefix, HOUSEKEEPING_BATCH)
        for place in dropped:
            transaction.delete(table, place)
        return len(dropped)
