"""The engine is told again what SQL has, where the two differ: owners, quotas, lifecycle rules.

SQL has what people set, the engine what it acts by. Services change both; who died between the
two, a salvage, and a store from before there was any of it leave a difference. Looking costs a
row of the index and of the table for each bucket; nothing is written where nothing differs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from django.db import transaction

from buckets.configuration import ALL_SIZES
from buckets.lifecycle_rows import read_lifecycle, read_lifecycles
from buckets.models import Bucket
from iam.models import User
from iam.quotas import engine_bounds, read_quota
from iam.services import settle_user
from storage_engine import NamespaceClosed, Usage
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storage_engine import Usages

NOTHING: Final = Usage()
BATCH_BUCKETS_MAX: Final = 500


def align_engine() -> dict[str, int]:
    """Have the engine act by what SQL has; return how much of what was put right."""
    usages = get_engine().usages()
    done = {name: step(usages) for name, step in STEPS.items()}
    return {name: count for name, count in done.items() if count}


def align_bucket(bucket: Bucket) -> bool:
    """Tell the engine whose a bucket is, what it may hold and its rules; True: it did not know.

    Inside the transaction that holds the row.
    """
    engine = get_engine()
    usage, bounds = engine.usage(bucket.pk), engine_bounds(read_quota(bucket.quota))
    if usage.account != bucket.owner_id:
        engine.assign_account(bucket.pk, bucket.owner_id).result()
    if usage.quota != bounds:
        engine.set_quota(bucket.pk, bounds).result()
    is_told = (usage.account, usage.quota) != (bucket.owner_id, bounds)
    lifecycle = read_lifecycle(bucket) if bucket.lifecycle_mark is not None else None
    rules = lifecycle.rules if lifecycle is not None else ()
    if engine.lifecycle(bucket.pk).rules == rules:
        return is_told
    engine.set_lifecycle(bucket.pk, rules).result()
    return True


def _align_buckets(usages: Usages) -> int:
    """Look at every bucket; one that is being deleted has nothing left to bound."""
    rows = Bucket.objects.order_by().filter(is_closing=False)
    columns = ("pk", "owner_id", "quota", "lifecycle_mark")
    differing, ruled = [], []
    for bucket_id, owner_id, column, mark in rows.values_list(*columns).iterator():
        usage = usages.namespaces.get(bucket_id, NOTHING)
        bounds = engine_bounds(read_quota(column))
        if usage.is_closed:
            continue
        if (usage.account, usage.quota) != (owner_id, bounds):
            differing.append(bucket_id)
        elif usage.has_rules or mark is not None:
            ruled.append(bucket_id)
    return sum(settle_bucket(bucket_id) for bucket_id in (*differing, *_other_rules(ruled)))


def _other_rules(ruled: list[int]) -> Iterator[int]:
    """Find the buckets of which the engine has other rules than SQL."""
    engine = get_engine()
    for first in range(0, len(ruled), BATCH_BUCKETS_MAX):
        some = ruled[first : first + BATCH_BUCKETS_MAX]
        lifecycles = read_lifecycles(dict.fromkeys(some, ALL_SIZES))
        for bucket_id in some:
            lifecycle = lifecycles.get(bucket_id)
            if engine.lifecycle(bucket_id).rules != (lifecycle.rules if lifecycle else ()):
                yield bucket_id


def settle_bucket(bucket_id: int) -> bool:
    """Have the engine know of a bucket what SQL does; nobody changes the row meanwhile."""
    with transaction.atomic(), suppress(NamespaceClosed):
        held = Bucket.objects.select_for_update().filter(pk=bucket_id, is_closing=False).first()
        return held is not None and align_bucket(held)
    return False


def _align_strays(usages: Usages) -> int:
    """Take what no bucket in SQL has, after a restored backup, out of its account.

    A bucket that is being made in this moment, not in SQL yet, holds nothing.
    """
    held = [
        bucket_id
        for bucket_id, usage in usages.namespaces.items()
        if usage.account and (usage.versions or usage.bytes)
    ]
    known = set(Bucket.objects.order_by().values_list("pk", flat=True)) if held else set()
    strays = [bucket_id for bucket_id in held if bucket_id not in known]
    for bucket_id in strays:
        with suppress(NamespaceClosed):  # a bucket that was emptied and deleted meanwhile
            get_engine().assign_account(bucket_id, 0).result()
    return len(strays)


def _align_users(usages: Usages) -> int:
    """Look at every user who has a quota, and at every account that has one."""
    rows = User.objects.order_by().filter(quota__isnull=False).values_list("pk", "quota")
    wanted = {user_id: engine_bounds(read_quota(column)) for user_id, column in rows}
    bounded = {id_: usage.quota for id_, usage in usages.accounts.items() if any(usage.quota)}
    ids = sorted(wanted.keys() | bounded.keys())
    return sum(settle_user(id_) for id_ in ids if wanted.get(id_) != bounded.get(id_))


STEPS: Final[dict[str, Callable[[Usages], int]]] = {
    "buckets": _align_buckets,
    "strays": _align_strays,
    "users": _align_users,
}
