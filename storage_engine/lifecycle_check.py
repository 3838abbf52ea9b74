"""Proof that lifecycle forgets nothing: its rows are sound, and whatever falls due has its look.

A look that is missing would never be noticed otherwise: what it was for would just stay for ever.
Keeps the earliest look at each key in memory, in about 150 bytes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from storage_engine import keys, rows
from storage_engine.errors import CorruptBlob
from storage_engine.lifecycle_looks import StoredKey, digest, read_rules
from storage_engine.lifecycle_plan import Allowance, evaluate
from storage_engine.namespace import Namespace
from storage_engine.values import Versioning

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.lifecycle_plan import LifecycleRules

NEVER = sys.maxsize


class LifecycleCheck:
    """Checks what the index holds for lifecycle, as of one commit and one moment."""

    def __init__(self, txn: lmdb.Transaction[bytes], tables: Tables, now_ms: int) -> None:
        self._txn = txn
        self._tables = tables
        self._now_ms = now_ms
        self._looks: dict[int, dict[bytes, int]] = {}
        self._scanned: set[int] = set()  # buckets in which a scan may still come to any key

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each problem."""
        yield from self._check_rows()
        for bucket_id, row in self._namespaces():
            try:
                yield from self._check_bucket(bucket_id, row)
            except (CorruptBlob, msgspec.MsgspecError) as error:
                yield f"lifecycle of namespace {bucket_id} cannot be read: {error}"

    def _namespaces(self) -> Iterator[tuple[int, rows.NamespaceRow]]:
        with self._txn.cursor(self._tables.namespaces) as cursor:
            for key, value in cursor:
                yield keys.sequence_number(key), rows.decode_namespace(value)

    def _check_rows(self) -> Iterator[str]:
        """Read all looks and scans; note the earliest look at each key."""
        with self._txn.cursor(self._tables.lifecycle) as cursor:
            for place, value in cursor:
                bucket_id, at_ms, found = keys.look_parts(place)
                what = f"a look in namespace {bucket_id} at {at_ms}"
                try:
                    if at_ms == keys.SCAN_MS:
                        named = rows.decode_scan(value).prefix
                        self._scanned.add(bucket_id)
                    else:
                        named = rows.decode_look(value).key
                        looks = self._looks.setdefault(bucket_id, {})
                        looks.setdefault(found, at_ms)  # they come in order of time
                except msgspec.MsgspecError as error:
                    yield f"{what} cannot be read: {error}"
                    continue
                if digest(named) != found:
                    yield f"{what} is not where it belongs"

    def _check_bucket(self, bucket_id: int, row: rows.NamespaceRow) -> Iterator[str]:
        in_force = read_rules(self._txn, self._tables, bucket_id)
        number = 0 if in_force is None else in_force.row.number
        if number != row.lifecycle:
            yield (
                f"lifecycle of namespace {bucket_id} is number {number}, "
                f"and the namespace says {row.lifecycle}"
            )
        elif row.is_closed and number:
            yield f"lifecycle of namespace {bucket_id} has rules, and the namespace is closed"
        elif in_force is not None and bucket_id not in self._scanned:
            yield from self._check_keys(bucket_id, in_force.rules)

    # --- has everything its look ----------------------------------------------------------------

    def _check_keys(self, bucket_id: int, rules: LifecycleRules) -> Iterator[str]:
        looks = self._looks.get(bucket_id, {})
        for key, current in self._keys(bucket_id):
            state = StoredKey(self._txn, self._tables, (bucket_id, key), current)
            looked_at = looks.get(digest(key), NEVER)
            # Under one kind of versioning a lock may keep what under another it does not.
            if all(looked_at > self._due(rules, state, kind) for kind in Versioning):
                yield f"nothing looks at {key!r} in namespace {bucket_id} when it falls due"

    def _keys(self, bucket_id: int) -> Iterator[tuple[str, rows.Entry | None]]:
        tables = self._tables
        for table in (tables.entries, tables.markers, tables.upload_names):
            after, is_truncated = b"", True
            while is_truncated:
                page = Namespace(table).scan(self._txn, bucket_id, after=after)
                for name, value in page.items:
                    assert value is not None
                    is_upload = table is tables.upload_names
                    yield name.decode(), None if is_upload else rows.decode_entry(value)
                is_truncated, after = page.is_truncated, page.last

    def _due(self, rules: LifecycleRules, state: StoredKey, versioning: Versioning) -> int:
        """Tell when the first thing of a key falls due that no lock keeps; now, if it did before.

        A look that comes too late for that comes at the next run all the same.
        """
        plan = evaluate(rules, state, self._now_ms, versioning, Allowance())
        times = [deed.due_ms for deed in plan.deeds if not deed.is_kept]
        due_ms = min([*times, NEVER if plan.next_ms is None else plan.next_ms])
        return max(due_ms, self._now_ms)
