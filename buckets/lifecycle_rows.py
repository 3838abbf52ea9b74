"""Lifecycle rules as rows of SQL, both ways: only `buckets.services` writes through here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from buckets.configuration import Lifecycle
from buckets.models import Bucket
from buckets.models import LifecycleRule as Row
from storage_engine import LifecycleRule

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
FORM: Final = ("has_filter", "has_blank_prefix", "spares_markers")
OF_RULE: Final = (
    *("rule_id", "is_enabled", "prefix", "tags", "size_above", "size_below", "expire_days"),
    *("expire_at", "expires_markers", "noncurrent_days", "noncurrent_kept", "abort_days"),
)


def read_lifecycles(minimum_sizes: Mapping[int, str]) -> dict[int, Lifecycle]:
    """Read the rules of buckets, given by id with what else their lifecycles say."""
    if not minimum_sizes:
        return {}
    found: dict[int, list[tuple[tuple[bool, ...], LifecycleRule]]] = {}
    rows = Row.objects.filter(bucket_id__in=list(minimum_sizes)).order_by("bucket_id", "position")
    for bucket_id, *columns in rows.values_list("bucket_id", *FORM, *OF_RULE):
        form, of_rule = tuple(columns[: len(FORM)]), columns[len(FORM) :]
        rule = _rule(**dict(zip(OF_RULE, of_rule, strict=True)))
        found.setdefault(bucket_id, []).append((form, rule))
    return {
        bucket_id: Lifecycle(
            rules=tuple(rule for _, rule in rules),
            bare=frozenset(rule.id for (has_filter, _, _), rule in rules if not has_filter),
            blank=frozenset(rule.id for (_, is_blank, _), rule in rules if is_blank),
            idle=frozenset(rule.id for (_, _, spares), rule in rules if spares),
            minimum_size=minimum_sizes[bucket_id],
        )
        for bucket_id, rules in found.items()
    }


def read_lifecycle(bucket: Bucket) -> Lifecycle | None:
    """Read the rules of one bucket."""
    return read_lifecycles({bucket.pk: bucket.lifecycle_minimum_size}).get(bucket.pk)


def write_lifecycle(bucket_id: int, lifecycle: Lifecycle | None) -> None:
    """Put rules in the place of a bucket's, whose row the caller holds."""
    Row.objects.filter(bucket_id=bucket_id).delete()
    mark = None
    if lifecycle is not None:
        rows = [
            _row(bucket_id, lifecycle, position, rule)
            for position, rule in enumerate(lifecycle.rules)
        ]
        mark = min(row.pk for row in Row.objects.bulk_create(rows))
        Bucket.objects.filter(pk=bucket_id).update(lifecycle_minimum_size=lifecycle.minimum_size)
    Bucket.objects.filter(pk=bucket_id).update(lifecycle_mark=mark)


def _row(bucket_id: int, lifecycle: Lifecycle, position: int, rule: LifecycleRule) -> Row:
    return Row(
        bucket_id=bucket_id,
        position=position,
        has_filter=rule.id not in lifecycle.bare,
        has_blank_prefix=rule.id in lifecycle.blank,
        spares_markers=rule.id in lifecycle.idle,
        rule_id=rule.id,
        is_enabled=rule.is_enabled,
        prefix=rule.prefix,
        tags=rule.tags,
        size_above=rule.size_above,
        size_below=rule.size_below,
        expire_days=rule.expire_days or None,
        expire_at=EPOCH + rule.expire_at_ms * MILLISECOND if rule.expire_at_ms else None,
        expires_markers=rule.expires_markers,
        noncurrent_days=rule.noncurrent_days or None,
        noncurrent_kept=rule.noncurrent_kept or None,
        abort_days=rule.abort_days or None,
    )


def _rule(rule_id: str, expire_at: datetime | None, **columns: Any) -> LifecycleRule:
    """Make a rule of the columns of its row: what is not set is 0."""
    for name in ("expire_days", "noncurrent_days", "noncurrent_kept", "abort_days"):
        columns[name] = columns[name] or 0
    moment = (expire_at - EPOCH) // MILLISECOND if expire_at is not None else 0
    return LifecycleRule(id=rule_id, expire_at_ms=moment, **columns)
