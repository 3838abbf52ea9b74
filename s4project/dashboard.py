"""The figures on the console's first page, each one counted by the engine or the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from buckets import services as bucket_services
from buckets.admin_use import alerts_panel, meters
from buckets.usage import holding_of_user
from iam.console import is_superuser, signed_in
from iam.console_meters import fullest
from iam.sizes import size_text
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest

    from buckets.registry import BucketState
    from iam.console_panels import Panel
    from iam.models import User


class Figure(NamedTuple):
    """One card: what it is, how much, and a word of explanation."""

    title: str
    value: str
    note: str


def figures(request: HttpRequest) -> list[Figure]:
    """Count what the user may see: the whole store, or his own buckets."""
    user = signed_in(request)
    if user is None:
        return []
    registry = bucket_services.load_registry()
    if is_superuser(request):
        return _of_the_store(registry.all())
    return _of_one(user, registry.owned_by(user.canonical_id))


def panels(request: HttpRequest) -> list[Panel]:
    """Name the quotas that are at their warning level, if any are."""
    user = signed_in(request)
    found = None if user is None else alerts_panel(user)
    return [] if found is None else [found]


def _of_the_store(buckets: list[BucketState]) -> list[Figure]:
    """Show the engine's totals."""
    stats = get_engine().stats()
    damaged = Figure("Damaged", str(stats.quarantined), "payloads; put them again to heal them")
    return [
        *([damaged] if stats.quarantined else []),
        Figure("Buckets", str(len(buckets)), "of all users"),
        Figure("Objects", str(stats.objects), f"{stats.uploads} unfinished uploads"),
        Figure("Stored", size_text(stats.object_bytes), "what clients see"),
        Figure(
            "On disk",
            size_text(stats.volume_bytes + stats.index_bytes),
            f"{size_text(stats.dead_bytes)} to be reclaimed",
        ),
    ]


def _of_one(user: User, buckets: list[BucketState]) -> list[Figure]:
    """Show the totals of a user's own buckets."""
    counts = [get_engine().namespace_counts(bucket.id) for bucket in buckets]
    nearest = fullest(meters(holding_of_user(user)))
    return [
        Figure("Buckets", str(len(buckets)), f"of {user.username}"),
        Figure("Objects", str(sum(count.objects for count in counts)), "in these buckets"),
        Figure("Stored", size_text(sum(count.bytes for count in counts)), "in these buckets"),
        *([Figure("Quota", f"{nearest.percent} %", nearest.text)] if nearest else []),
    ]
