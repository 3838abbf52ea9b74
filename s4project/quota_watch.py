"""Says in the log when a bucket or a user comes near a quota, reaches it, and has room again.

One line for each change, not one for each request: a job looks every minute, and only where
anything was committed since. What comes and goes between two looks is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from buckets.usage import alerts
from iam.quotas import QuotaState
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from buckets.usage import HolderKind

log = structlog.get_logger(__name__)

WORDS = {
    QuotaState.WARNING: "A quota is nearly used up",
    QuotaState.FULL: "A quota is used up",
}


class QuotaWatch:
    """What was told last; after a start, what is near its bounds is told once more."""

    def __init__(self) -> None:
        self._commit = -1
        self._told: dict[tuple[HolderKind, str], QuotaState] = {}

    def look(self) -> None:
        """Tell what has changed."""
        commit = get_engine().last_commit()
        if commit == self._commit:
            return
        near = {(holding.kind, holding.name): holding for holding in alerts()}
        for place, holding in near.items():
            if self._told.get(place) is not holding.state:
                log.warning(
                    WORDS[holding.state],
                    **{holding.kind.value: holding.name},
                    percent=holding.percent,
                    bytes=holding.used.bytes,
                    objects=holding.used.versions,
                )
        for kind, name in self._told.keys() - near.keys():
            log.info("A quota has room again", **{kind.value: name})
        self._commit = commit
        self._told = {place: holding.state for place, holding in near.items()}
