"""The figures on the console's first page, each one counted by the engine or the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.template.defaultfilters import filesizeformat

from buckets import services as bucket_services
from iam.console import is_superuser, signed_in
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest

    from buckets.registry import BucketState
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


def _of_the_store(buckets: list[BucketState]) -> list[Figure]:
    """Show the engine's totals."""
    stats = get_engine().stats()
    damaged = Figure("Damaged", str(stats.quarantined), "payloads; put them again to heal them")
    return [
        *([damaged] if stats.quarantined else []),
        Figure("Buckets", str(len(buckets)), "of all users"),
        Figure("Objects", str(stats.objects), f"{stats.uploads} unfinished uploads"),
        Figure("Stored", filesizeformat(stats.object_bytes), "what clients see"),
        Figure(
            "On disk",
            filesizeformat(stats.volume_bytes + stats.index_bytes),
            f"{filesizeformat(stats.dead_bytes)} to be reclaimed",
        ),
    ]


def _of_one(user: User, buckets: list[BucketState]) -> list[Figure]:
    """Show the totals of a user's own buckets."""
    counts = [get_engine().namespace_counts(bucket.id) for bucket in buckets]
    return [
        Figure("Buckets", str(len(buckets)), f"of {user.username}"),
        Figure("Objects", str(sum(count.objects for count in counts)), "in these buckets"),
        Figure("Stored", filesizeformat(sum(count.bytes for count in counts)), "in these buckets"),
    ]
