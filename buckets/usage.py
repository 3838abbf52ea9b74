"""What buckets and users hold and may hold, and which of them are near their bounds.

For pages, REST, commands and the log. Totals are the engine's, exact; bounds and the level from
which S4 warns are what was set.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from buckets.models import Bucket
from iam.models import User
from iam.quotas import QuotaState, percent_used, quota_state, read_quota
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from iam.quotas import Quota
    from storage_engine import Usage


class HolderKind(StrEnum):
    """Whose totals they are."""

    BUCKET = "bucket"
    USER = "user"


class Holding(NamedTuple):
    """What a bucket, or all the buckets of a user, hold and may hold."""

    kind: HolderKind
    id: int  # of its row
    name: str
    used: Usage  # `versions` is what a quota of objects counts
    quota: Quota | None

    @property
    def state(self) -> QuotaState:
        """How near it is to its bounds."""
        return quota_state(self.quota, self.used)

    @property
    def percent(self) -> int | None:
        """How much of the nearest bound is used; None: there is no bound."""
        return percent_used(self.quota, self.used)


def holding_of_state(bucket: BucketState) -> Holding:
    """Tell what a bucket of the registry holds and may hold."""
    quota = bucket.configuration.quota
    return Holding(HolderKind.BUCKET, bucket.id, bucket.name, get_engine().usage(bucket.id), quota)


def holding_of_bucket(bucket: Bucket) -> Holding:
    """Tell what the bucket of a row holds and may hold."""
    quota, used = read_quota(bucket.quota), get_engine().usage(bucket.pk)
    return Holding(HolderKind.BUCKET, bucket.pk, bucket.name, used, quota)


def holding_of_user(user: User) -> Holding:
    """Tell what the buckets of a user hold and may hold together."""
    quota, used = read_quota(user.quota), get_engine().account_usage(user.pk)
    return Holding(HolderKind.USER, user.pk, user.username, used, quota)


def alerts(of: User | None = None) -> list[Holding]:
    """List what is near its bounds or has reached them, the fullest first: all, or one user's own.

    Looks only at what has a quota.
    """
    buckets = Bucket.objects.order_by("name").filter(quota__isnull=False, is_closing=False)
    users = User.objects.order_by("username").filter(quota__isnull=False)
    if of is not None:
        buckets, users = buckets.filter(owner=of), users.filter(pk=of.pk)
    found = [*map(holding_of_bucket, buckets), *map(holding_of_user, users)]
    near = [holding for holding in found if holding.state is not QuotaState.OK]
    return sorted(near, key=lambda holding: -(holding.percent or 0))
