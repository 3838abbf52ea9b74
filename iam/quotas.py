"""What a bucket, or all the buckets of a user together, may hold, and how near they are to it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

import storage_engine

BOUND_MAX: Final = 2**63 - 1
PERCENT_MAX: Final = 100


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds; 0 is none. From `warn_percent` of one of them on, S4 warns."""

    bytes: int = 0  # of all versions and of the parts of open uploads
    objects: int = 0  # older versions and delete markers count too
    warn_percent: int = 80


class QuotaState(StrEnum):
    """How near use is to a bound."""

    OK = "ok"
    WARNING = "warning"  # from `warn_percent` of a bound on
    FULL = "full"  # a bound is reached: what would add to it is refused


def read_quota(column: Any) -> Quota | None:
    """Read a quota as a column of JSON has it."""
    return None if column is None else msgspec.convert(column, Quota)


def engine_bounds(quota: Quota | None) -> storage_engine.Quota:
    """Say a quota as the engine has it, which knows nothing of warnings."""
    return storage_engine.Quota(quota.bytes, quota.objects) if quota else storage_engine.Quota()


def percent_used(quota: Quota | None, used: storage_engine.Usage) -> int | None:
    """Tell how much of the nearest bound is used, in percent rounded down; None: no bound.

    100 and more are reached only where a bound is.
    """
    if quota is None:
        return None
    pairs = ((used.bytes, quota.bytes), (used.versions, quota.objects))
    return max((100 * there // bound for there, bound in pairs if bound), default=None)


def quota_state(quota: Quota | None, used: storage_engine.Usage) -> QuotaState:
    """Tell how near use is to a quota."""
    percent = percent_used(quota, used)
    if quota is None or percent is None:
        return QuotaState.OK
    if percent >= PERCENT_MAX:
        return QuotaState.FULL
    return QuotaState.WARNING if percent >= quota.warn_percent else QuotaState.OK
