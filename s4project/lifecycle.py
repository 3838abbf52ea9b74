"""What is done by rule and by age, as it is told; and the abortion of uploads by age alone.

Lifecycle removes things that nobody asks for at that moment: each run says in the log how many,
by bucket and rule, and the audit log has a sum for each bucket, seldom enough to find the rest.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from buckets.naming import bucket_arn
from buckets.services import bucket_names, find_bucket_by_id
from iam.audit.acting import current_actor
from iam.services import is_settled
from iam.services.audit import make_entry, record_events
from storage_engine import (
    LifecycleBucket,
    LifecycleCounts,
    LifecycleOptions,
    ObjectAttributes,
)
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from storage_engine import LifecycleDeed, LifecycleReport

    Done = Mapping[int, Mapping[str, LifecycleCounts]]  # by bucket and rule

TOLD_SECONDS: Final = 3600.0  # between two entries about one bucket
HOUR_MS: Final = 3600 * 1000

log = structlog.get_logger(__name__)


class Diary:
    """Collects what lifecycle did, and tells it: in the log at once, else now and then."""

    def __init__(self) -> None:
        self._untold: dict[int, dict[str, LifecycleCounts]] = {}
        self._told: dict[int, float] = {}  # when there was last an entry about a bucket

    def note(self, done: Done) -> None:
        """Take what a run did."""
        if not done:
            return
        names = bucket_names() or {}
        for bucket_id, rules in done.items():
            untold = self._untold.setdefault(bucket_id, {})
            for rule_id, counts in rules.items():
                log.info(
                    "Lifecycle acted",
                    bucket=names.get(bucket_id, str(bucket_id)),
                    rule=rule_id,
                    **shown(counts),
                )
                untold[rule_id] = added(untold.get(rule_id, LifecycleCounts()), counts)

    def run(
        self,
        *,
        should_stop: Callable[[], bool] = bool,
        is_slice_over: Callable[[], bool] = bool,
    ) -> LifecycleReport:
        """Carry out what is due, and tell what was done, also where something fails half-way."""
        options = LifecycleOptions(Asked(), should_stop, is_slice_over)
        try:
            return get_engine().run_lifecycle(options)
        finally:
            self.note(options.report.done)
            self.tell()

    def tell(self, *, all_of_it: bool = False) -> None:
        """Make entries about the buckets of which there was none for a while."""
        now = time.monotonic()
        due = [
            bucket_id
            for bucket_id in self._untold
            if all_of_it or now - self._told.get(bucket_id, -TOLD_SECONDS) >= TOLD_SECONDS
        ]
        if not due:
            return
        names = bucket_names() or {}
        actor = current_actor()
        record_events(
            [
                make_entry(
                    actor,
                    "s4:RunLifecycle",
                    bucket_arn(names.get(bucket_id, str(bucket_id))),
                    detail={
                        "rules": {
                            rule_id: shown(counts)
                            for rule_id, counts in self._untold[bucket_id].items()
                        }
                    },
                )
                for bucket_id in due
            ]
        )
        for bucket_id in due:
            del self._untold[bucket_id]
            self._told[bucket_id] = now


def shown(counts: LifecycleCounts) -> dict[str, int]:
    """Show the counts that are not zero."""
    fields = msgspec.structs.asdict(counts)
    return {name: number for name, number in fields.items() if number and name != "last_ms"}


def added(one: LifecycleCounts, other: LifecycleCounts) -> LifecycleCounts:
    """Add counts up."""
    fields = {
        name: getattr(one, name) + getattr(other, name)
        for name in LifecycleCounts.__struct_fields__
        if name != "last_ms"
    }
    return LifecycleCounts(**fields, last_ms=max(one.last_ms, other.last_ms))


@dataclass(slots=True)
class Trial:
    """What rules would do: how often each thing by (bucket, rule, action), and the first deeds."""

    keys: int = 0  # looked at
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    deeds: list[tuple[str, LifecycleDeed]] = field(default_factory=list)
    bytes: int = 0  # that would go
    kept: int = 0  # versions that locks keep
    is_complete: bool = True

    def add(self, bucket: str, deed: LifecycleDeed, rows_max: int) -> None:
        """Count a deed, and keep it while there are few."""
        if len(self.deeds) < rows_max:
            self.deeds.append((bucket, deed))
        self.kept += deed.is_kept
        if not deed.is_kept:
            self.counts[bucket, deed.rule_id, deed.action.value] += 1
            self.bytes += deed.size


def try_lifecycle(
    progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
    *,
    rows_max: int,
    buckets: Mapping[int, str] | None = None,
    at_ms: int | None = None,
) -> Trial:
    """Walk the buckets (None: all) that have rules, and find what would be done; nothing is.

    `progress` is told (keys looked at, objects there are).
    """
    engine, trial = get_engine(), Trial()
    if buckets is None:
        buckets = bucket_names() or {}
    ruled = [bucket_id for bucket_id in buckets if engine.lifecycle(bucket_id).rules]
    total = sum(engine.namespace_counts(bucket_id).objects for bucket_id in ruled)
    for bucket_id in ruled:
        after, is_truncated, asked = "", True, Asked()(bucket_id)
        if asked is None:  # it is being deleted
            continue
        while is_truncated:
            if should_stop():
                trial.is_complete = False
                return trial
            page = engine.preview_lifecycle(
                bucket_id, versioning=asked.versioning, at_ms=at_ms, after_key=after
            )
            trial.keys += page.keys
            progress(trial.keys, max(total, trial.keys))
            for deed in page.deeds:
                trial.add(buckets[bucket_id], deed, rows_max)
            after, is_truncated = page.next_key, page.is_truncated
    return trial


class Asked:
    """Answers what a deletion depends on that SQL alone has, as of the moment of each commit."""

    def __init__(self) -> None:
        self._known: dict[int, LifecycleBucket | None] = {}
        self._generation = -1

    def __call__(self, bucket_id: int) -> LifecycleBucket | None:
        """Tell what a bucket does with versions, and whose markers are; None: it is not there."""
        generation = get_engine().generation()
        if generation != self._generation:
            self._known.clear()
            self._generation = generation if is_settled() else -1
        if bucket_id not in self._known:
            certain = None if self._generation < 0 else generation
            self._known[bucket_id] = _look_up(bucket_id, certain)
        return self._known[bucket_id]


def _look_up(bucket_id: int, generation: int | None) -> LifecycleBucket | None:
    """Read a bucket; None, too, while the engine would act by rules that SQL does not have.

    So it is after a restored backup of either, until `align_engine` has made them the same.
    """
    state = find_bucket_by_id(bucket_id)
    lifecycle = None if state is None else state.configuration.lifecycle
    if state is None or lifecycle is None:
        return None
    if get_engine().lifecycle(bucket_id).rules != lifecycle.rules:
        return None
    marker = ObjectAttributes(etag="", headers={}, owner=state.owner_canonical_id)
    return LifecycleBucket(state.configuration.versioning, marker, generation)


# --- uploads ------------------------------------------------------------------------------------


def abort_old_uploads(hours: int, is_over: Callable[[], bool]) -> tuple[int, bool]:
    """Abort the uploads that were begun so long ago; return how many, and whether that is all."""
    by_ms = time.time_ns() // 1_000_000 - hours * HOUR_MS
    return get_engine().abort_uploads(by_ms, is_over)
