"""Lifecycle of a store: its rules, what they would do, and the run that does what is due.

The run reads rows whose time has come and hands keys to the committer, some dozens in a commit, one
bucket after the other. It keeps nothing in memory that a crash could lose.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from storage_engine import keys, rows
from storage_engine.errors import CorruptBlob
from storage_engine.lifecycle_deeds import Budget, DropLooks, LookAt, ScanPage, SetLifecycle
from storage_engine.lifecycle_looks import StoredKey, read_rules
from storage_engine.lifecycle_plan import Allowance, LifecycleRules, evaluate
from storage_engine.lifecycle_rules import LifecyclePage, LifecycleReport, LifecycleStatus
from storage_engine.limits import LIFECYCLE_LOOKS, LIFECYCLE_PREVIEW_VERSIONS_MAX
from storage_engine.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.futures import Future
    from storage_engine.index import Index
    from storage_engine.lifecycle_rules import (
        LifecycleCounts,
        LifecycleDeed,
        LifecycleOptions,
        LifecycleRule,
    )
    from storage_engine.options import EngineOptions
    from storage_engine.values import Versioning

    Txn = lmdb.Transaction[bytes]

DAMAGE: Final = (CorruptBlob, msgspec.MsgspecError)
"""What a damaged row is told by; the others are looked at all the same."""


class Lifecycle:
    """Lifecycle of one store."""

    def __init__(self, index: Index, committer: Committer, options: EngineOptions) -> None:
        self._index = index
        self._committer = committer
        self._clock = options.clock
        self._day_ms = options.lifecycle_day_ms
        self._turn = 0  # the bucket that was served last

    def set_rules(self, bucket_id: int, rules: Sequence[LifecycleRule]) -> Future[None]:
        """Put rules into force; none: no rules."""
        return self._committer.submit(SetLifecycle(bucket_id, tuple(rules), self._day_ms))

    def status(self, bucket_id: int) -> LifecycleStatus:
        """Tell how lifecycle stands in a bucket."""
        return self._index.view(lambda txn: self._status(txn, bucket_id))

    def _status(self, txn: Txn, bucket_id: int) -> LifecycleStatus:
        tables = self._index.tables
        in_force = read_rules(txn, tables, bucket_id)
        if in_force is None:
            return LifecycleStatus(counts=self._counts(txn, bucket_id))
        with txn.cursor(tables.lifecycle) as cursor:
            first = self._time(cursor, bucket_id, keys.SCAN_MS)
            next_ms = self._time(cursor, bucket_id, keys.SCAN_MS + 1)
        return LifecycleStatus(
            in_force.row.rules,
            self._counts(txn, bucket_id),
            next_ms,
            is_catching_up=first == keys.SCAN_MS,
        )

    def _time(self, cursor: lmdb.Cursor[bytes], bucket_id: int, from_ms: int) -> int | None:
        """Return the time of the first row of a bucket from some time on."""
        start = keys.look(bucket_id, from_ms, bytes(keys.LOOK_DIGEST_BYTES))
        if not cursor.set_range(start):
            return None
        found, at_ms, _ = keys.look_parts(cursor.key())
        return at_ms if found == bucket_id else None

    def _counts(self, txn: Txn, bucket_id: int) -> dict[str, LifecycleCounts]:
        found = {}
        prefix = keys.lifecycle_done(bucket_id)
        with txn.cursor(self._index.tables.meta) as cursor:
            is_found = cursor.set_range(prefix)
            while is_found and cursor.key().startswith(prefix):
                done = rows.decode_lifecycle_done(cursor.value())
                found[done.rule_id] = done.counts
                is_found = cursor.next()
        return found

    # --- what would be done ---------------------------------------------------------------------

    def preview(  # what is asked, by when, and from where on
        self,
        bucket_id: int,
        rules: Sequence[LifecycleRule] | None,
        versioning: Versioning,
        at_ms: int | None,
        after_key: str,
        limit: int,
    ) -> LifecyclePage:
        """Tell what rules would do; writes nothing."""
        now_ms = self._clock() if at_ms is None else at_ms

        def look(txn: Txn) -> LifecyclePage:
            given = None if rules is None else LifecycleRules(rules, self._day_ms)
            if given is None and (found := read_rules(txn, self._index.tables, bucket_id)):
                given = found.rules
            if given is None:
                return LifecyclePage([], 0, is_truncated=False, next_key="")
            plan = partial(_deeds, given, now_ms, versioning)
            return self._preview(txn, bucket_id, plan, after_key.encode(), limit)

        return self._index.view(look)

    def _preview(
        self,
        txn: Txn,
        bucket_id: int,
        plan: partial[tuple[list[LifecycleDeed], int]],
        after: bytes,
        limit: int,
    ) -> LifecyclePage:
        tables = self._index.tables
        names, is_truncated = self._names(txn, bucket_id, after, limit)
        deeds: list[LifecycleDeed] = []
        looked_at = work = 0
        for name, value in names:
            if looked_at and (len(deeds) >= limit or work >= LIFECYCLE_PREVIEW_VERSIONS_MAX):
                is_truncated = True
                break
            looked_at += 1
            current = None if value is None else rows.decode_entry(value)
            due, cost = plan(StoredKey(txn, tables, (bucket_id, name.decode()), current))
            deeds += due
            work += cost
        next_key = names[looked_at - 1][0].decode() if looked_at else ""
        return LifecyclePage(deeds, looked_at, is_truncated, next_key)

    def _names(
        self, txn: Txn, bucket_id: int, after: bytes, limit: int
    ) -> tuple[list[tuple[bytes, bytes | None]], bool]:
        """Return keys with their current versions, of all three trees, and whether more follow."""
        tables = self._index.tables
        trees = [
            Namespace(table) for table in (tables.upload_names, tables.markers, tables.entries)
        ]
        pages = [tree.scan(txn, bucket_id, after=after, limit=limit) for tree in trees]
        found: dict[bytes, bytes | None] = {name: None for name, _ in pages[0].items}
        for page in pages[1:]:
            found |= dict(page.items)
        # Beyond the end of a page that was cut short, its tree may have more that comes first.
        ends = [page.last for page in pages if page.is_truncated]
        names = sorted(name for name in found if not ends or name <= min(ends))
        shown = names[:limit]
        items = [(name, found[name] or self._current(txn, bucket_id, name)) for name in shown]
        return items, bool(ends) or len(shown) < len(names)

    def _current(self, txn: Txn, bucket_id: int, name: bytes) -> bytes | None:
        tables = self._index.tables
        for table in (tables.entries, tables.markers):
            value = Namespace(table).get(txn, bucket_id, name)
            if value is not None:
                return value
        return None

    # --- doing it -------------------------------------------------------------------------------

    def run(self, options: LifecycleOptions) -> LifecycleReport:
        """Carry out what is due; bucket by bucket, a little of each at a time."""
        report = options.report
        stuck: set[bytes] = set()
        while waiting := self._index.view(self._waiting):
            was_done = False
            buckets = deque(waiting)
            while buckets:
                if options.should_stop() or options.is_slice_over():
                    report.failed, report.is_complete = len(stuck), False
                    return report
                self._turn = buckets.popleft()
                if self._serve(self._turn, options, report, stuck):
                    was_done = True
                    buckets.append(self._turn)
            if not was_done:
                break  # nothing is left but what cannot be done
        report.failed = len(stuck)
        return report

    def _waiting(self, txn: Txn) -> list[int]:
        """Return the buckets in which anything is to be done, after the one served last."""
        found = []
        now_ms = self._clock()
        with txn.cursor(self._index.tables.lifecycle) as cursor:
            is_found = cursor.first()
            while is_found:
                bucket_id, at_ms, _ = keys.look_parts(cursor.key())
                in_force = read_rules(txn, self._index.tables, bucket_id)
                is_off = in_force is None or in_force.row.day_ms != self._day_ms
                if at_ms <= now_ms or is_off:
                    found.append(bucket_id)
                is_found = cursor.set_range(keys.sequence(bucket_id + 1))
        return [id_ for id_ in found if id_ > self._turn] + [
            id_ for id_ in found if id_ <= self._turn
        ]

    def _serve(
        self, bucket_id: int, options: LifecycleOptions, report: LifecycleReport, stuck: set[bytes]
    ) -> bool:
        """Do some of what is due in a bucket; False when there is nothing that can be done."""
        in_force = self._index.view(lambda txn: read_rules(txn, self._index.tables, bucket_id))
        if in_force is None:
            return self._committer.submit(DropLooks(bucket_id)).result() > 0
        if in_force.row.day_ms != self._day_ms:
            row = in_force.row
            again = SetLifecycle(bucket_id, row.rules, self._day_ms, instead_of=row.number)
            self._committer.submit(again).result()
            return True
        places = self._index.view(lambda txn: self._places(txn, bucket_id, stuck))
        if not places:
            return False
        scans = [place for place in places if keys.look_parts(place)[1] == keys.SCAN_MS]
        if scans:
            return self._scan(scans[0], stuck)
        bucket = options.bucket(bucket_id)
        if bucket is None:
            return False  # nobody has it: what its versions are for is not known
        budget = Budget()
        looks = [LookAt(place, bucket, budget) for place in places]
        outcomes = self._committer.submit_all(looks).result()
        for deeds in outcomes:  # what was done is told first, whatever else went wrong
            if isinstance(deeds, list):
                report.add(bucket_id, deeds)
        self._sort_out(dict(zip(places, outcomes, strict=True)), stuck)
        if any(outcome is not None for outcome in outcomes):
            return True
        # Another process did it, or the bucket was changed; if not, its rows contradict each other.
        now = self._index.view(lambda txn: self._places(txn, bucket_id, stuck))
        return now != places or options.bucket(bucket_id) != bucket

    def _sort_out(self, outcomes: Mapping[bytes, object], stuck: set[bytes]) -> None:
        """Remember the places where something is damaged; any other trouble ends the run."""
        for place, outcome in outcomes.items():
            if isinstance(outcome, DAMAGE):
                stuck.add(place)
            elif isinstance(outcome, Exception):
                raise outcome

    def _scan(self, place: bytes, stuck: set[bytes]) -> bool:
        try:
            self._committer.submit(ScanPage(place)).result()
        except DAMAGE:
            stuck.add(place)
        return True

    def _places(self, txn: Txn, bucket_id: int, stuck: set[bytes]) -> list[bytes]:
        """Return the first rows of a bucket whose time has come, but for those that failed."""
        found: list[bytes] = []
        now_ms, prefix = self._clock(), keys.sequence(bucket_id)
        with txn.cursor(self._index.tables.lifecycle) as cursor:
            is_found = cursor.set_range(prefix)
            while is_found and len(found) < LIFECYCLE_LOOKS:
                place = cursor.key()
                if not place.startswith(prefix) or keys.look_parts(place)[1] > now_ms:
                    break
                if place not in stuck:
                    found.append(place)
                is_found = cursor.next()
        return found


def _deeds(
    rules: LifecycleRules, now_ms: int, versioning: Versioning, state: StoredKey
) -> tuple[list[LifecycleDeed], int]:
    """Return what is due of a key, and what it cost to tell, in versions."""
    allowance = Allowance()
    whole = allowance.versions
    plan = evaluate(rules, state, now_ms, versioning, allowance)
    return plan.deeds, whole - allowance.versions
