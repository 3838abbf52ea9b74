"""What a user's buckets may hold together: set in SQL, then in the engine, which alone decides.

The engine is told once SQL has committed, by who holds the row and reads it again: however many
change it at once, both have the same in the end. Who dies between the two leaves the engine with
the bounds of before, until `buckets.alignment.align_engine` tells it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
from django.db import transaction
from django.utils import timezone

from iam.errors import InvalidIdentity, NoSuchUser
from iam.models import User
from iam.quotas import BOUND_MAX, PERCENT_MAX, Quota, engine_bounds, read_quota
from iam.services.audit import record_change
from iam.services.writing import announce_change, arn
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from typing import Any


def check_quota(quota: Quota | None) -> None:
    """Refuse a quota that bounds nothing, or that nobody can mean; InvalidIdentity."""
    if quota is None:
        return
    for field in ("bytes", "objects"):
        if not 0 <= getattr(quota, field) <= BOUND_MAX:
            raise InvalidIdentity(field, f"A bound is a number from 0 (none) to {BOUND_MAX}.")
    if not 1 <= quota.warn_percent <= PERCENT_MAX:
        raise InvalidIdentity("warn_percent", "A warning level is a number from 1 to 100.")
    if not (quota.bytes or quota.objects):
        raise InvalidIdentity("bytes", "A quota bounds bytes or objects; take it off instead.")


def quota_column(quota: Quota | None) -> dict[str, Any] | None:
    """Write a quota as a column of JSON has it; InvalidIdentity."""
    check_quota(quota)
    return None if quota is None else msgspec.to_builtins(quota)


def set_user_quota(user_id: int, quota: Quota | None) -> None:
    """Bound what all the buckets of a user may hold together; None: no bounds.

    A bound below what they hold refuses additions only. NoSuchUser, InvalidIdentity.
    """
    column = quota_column(quota)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=user_id).first()
        if user is None:
            raise NoSuchUser(user_id)
        if user.quota != column:
            User.objects.filter(pk=user_id).update(quota=column, updated_at=timezone.now())
            change = {"old": user.quota, "new": column}
            record_change("s4:SetUserQuota", arn(user), quota=change)
        announce_change(user)
        transaction.on_commit(partial(settle_user, user_id))


def settle_user(user_id: int) -> bool:
    """Have the engine bound a user as SQL does, who is gone not at all; True where it did not."""
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=user_id).first()
        bounds = engine_bounds(None if user is None else read_quota(user.quota))
        if get_engine().account_usage(user_id).quota == bounds:
            return False
        get_engine().set_account_quota(user_id, bounds).result()
        return True
