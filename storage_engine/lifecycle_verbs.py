"""The facade's verbs of lifecycle: rules are set, looked at, tried and carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine.counts import add_up
from storage_engine.listing import page_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage_engine.futures import Future
    from storage_engine.journal import Journal
    from storage_engine.lifecycle_rules import (
        LifecycleOptions,
        LifecyclePage,
        LifecycleReport,
        LifecycleRule,
        LifecycleStatus,
    )
    from storage_engine.lifecycle_run import Lifecycle
    from storage_engine.old_uploads import OldUploads
    from storage_engine.values import OpenUploads, Versioning


class LifecycleVerbs:
    """What can be asked of lifecycle."""

    _lifecycle: Lifecycle
    _old_uploads: OldUploads
    _journal: Journal

    def set_lifecycle(self, bucket_id: int, rules: Sequence[LifecycleRule]) -> Future[None]:
        """Put rules in the place of those in force, from this commit on; none: no rules.

        Everything they are about is looked at anew, in time and in small steps. NamespaceClosed.
        """
        return self._lifecycle.set_rules(bucket_id, rules)

    def lifecycle(self, bucket_id: int) -> LifecycleStatus:
        """Return the rules in force, what they did, and when the next look is due."""
        return self._lifecycle.status(bucket_id)

    def preview_lifecycle(
        self,
        bucket_id: int,
        rules: Sequence[LifecycleRule] | None = None,
        *,
        versioning: Versioning,
        at_ms: int | None = None,
        after_key: str = "",
        limit: int = 1000,
    ) -> LifecyclePage:
        """Tell what rules (None: those in force) would do by some time (None: now); writes nothing.

        Goes through the bucket's keys, `limit` of them at a time, or fewer if so much is due
        or they have very many versions.
        """
        return self._lifecycle.preview(
            bucket_id, rules, versioning, at_ms, after_key, page_limit(limit)
        )

    def run_lifecycle(self, options: LifecycleOptions) -> LifecycleReport:
        """Carry out what is due in all buckets. Cost follows what is due, not what is there."""
        report = options.report
        try:
            return self._lifecycle.run(options)
        finally:
            done = {action.value: count for action, count in report.deeds.items()}
            add_up(
                self._journal.counts.lifecycle, done | {"kept": report.kept, "bytes": report.bytes}
            )

    def open_uploads(self, *, after_id: str = "", limit: int = 100) -> OpenUploads:
        """List open uploads of all buckets, oldest first; fewer where they have very many parts."""
        return self._old_uploads.page(after_id, limit)

    def abort_uploads(self, by_ms: int, is_over: Callable[[], bool]) -> tuple[int, bool]:
        """Abort uploads begun by some time, by no rule; return how many, and whether that is all.

        Costs what is aborted, and a look at each upload that was completed within a day.
        """
        return self._old_uploads.abort(by_ms, is_over)
