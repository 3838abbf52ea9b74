"""The facade's verbs of lifecycle: rules are set, looked at, tried and carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from storage_engine.lifecycle_rules import (
        LifecycleOptions,
        LifecyclePage,
        LifecycleReport,
        LifecycleRule,
        LifecycleStatus,
    )


class LifecycleVerbs:
    """What can be asked of lifecycle."""

    def set_lifecycle(self, bucket_id: int, rules: Sequence[LifecycleRule]) -> Future[None]:
        """Put rules in the place of those in force, from this commit on; none: no rules.

        Everything in the bucket is looked at anew, in time and in small steps. NamespaceClosed.
        """
        raise NotImplementedError

    def lifecycle(self, bucket_id: int) -> LifecycleStatus:
        """Return the rules in force, what they did, and when the next look is due."""
        raise NotImplementedError

    def preview_lifecycle(
        self,
        bucket_id: int,
        rules: Sequence[LifecycleRule] | None = None,
        *,
        at_ms: int | None = None,
        after_key: str = "",
        limit: int = 1000,
    ) -> LifecyclePage:
        """Tell what rules (None: those in force) would do by some time (None: now); writes nothing.

        Goes through the bucket's keys, `limit` of them at a time.
        """
        raise NotImplementedError

    def run_lifecycle(self, options: LifecycleOptions) -> LifecycleReport:
        """Carry out what is due in all buckets. Cost follows what is due, not what is there."""
        raise NotImplementedError
