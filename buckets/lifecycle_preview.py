"""What lifecycle rules would do, a page of it, as the console shows it; nothing is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from buckets.lifecycle_words import DEEDS, moment_text
from iam.sizes import size_text
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buckets.models import Bucket
    from storage_engine import LifecycleDeed, LifecycleRule

KEYS_AT_ONCE: Final = 100
SHOWN: Final = 100  # deeds, about: those of the last keys stand together
SECONDS_MAX: Final = 3.0  # looked for in one request


class Preview(NamedTuple):
    """What would be done to some keys of a bucket; `next_key` is "" where there are no more."""

    rows: list[dict[str, Any]]
    keys: int
    size: str
    next_key: str


def preview(
    bucket: Bucket,
    rules: Sequence[LifecycleRule] | None = None,
    *,
    at_ms: int | None = None,
    after_key: str = "",
) -> Preview:
    """Look for what would be done until there is a page of it, or for some seconds."""
    until = time.monotonic() + SECONDS_MAX
    deeds: list[LifecycleDeed] = []
    keys = 0
    while True:
        page = get_engine().preview_lifecycle(
            bucket.pk,
            rules,
            versioning=Versioning(bucket.versioning),
            at_ms=at_ms,
            after_key=after_key,
            limit=KEYS_AT_ONCE,
        )
        deeds += page.deeds
        keys += page.keys
        after_key = page.next_key
        if not page.is_truncated:
            after_key = ""
            break
        if len(deeds) >= SHOWN or time.monotonic() > until:
            break
    size = sum(deed.size for deed in deeds if not deed.is_kept)
    return Preview([_row(deed) for deed in deeds], keys, size_text(size), after_key)


def _row(deed: LifecycleDeed) -> dict[str, Any]:
    return {
        "rule": deed.rule_id,
        "action": DEEDS[deed.action],
        "key": deed.key,
        "id": deed.id,
        "size": size_text(deed.size) if deed.size else "-",
        "due": moment_text(deed.due_ms),
        "is_kept": deed.is_kept,
    }
