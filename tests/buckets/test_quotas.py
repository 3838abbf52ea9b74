"""Quotas through the services: SQL has them, the engine holds them, and learns what it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import transaction

from buckets import services
from buckets.alignment import align_engine
from buckets.models import Bucket
from buckets.usage import HolderKind, alerts, holding_of_bucket, holding_of_state, holding_of_user
from iam import services as iam_services
from iam.errors import InvalidIdentity, NoSuchUser
from iam.models import User
from iam.quotas import BOUND_MAX, Quota, QuotaState, percent_used, quota_state
from storage_engine import NamespaceClosed, QuotaExceeded, Usage
from storage_engine import Quota as Bounds
from tests.buckets.contents import put, remove

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from storage_engine import StorageEngine

BAD = [
    (Quota(), "bytes"),
    (Quota(warn_percent=50), "bytes"),
    (Quota(bytes=-1), "bytes"),
    (Quota(bytes=BOUND_MAX + 1), "bytes"),
    (Quota(objects=-1, bytes=1), "objects"),
    (Quota(bytes=1, warn_percent=0), "warn_percent"),
    (Quota(bytes=1, warn_percent=101), "warn_percent"),
]


@pytest.fixture
def photos(ada: User) -> int:
    """Make a bucket of ada's."""
    return services.create_bucket("photos", ada.canonical_id).id


# --- setting -----------------------------------------------------------------------------------


def test_a_new_bucket_counts_for_its_owner_at_once(
    store: StorageEngine, ada: User, photos: int
) -> None:
    """Nothing can be written to a bucket before the engine knows whose it is."""
    assert store.usage(photos).account == ada.pk
    put(store, photos, "k")
    assert store.account_usage(ada.pk) == Usage(1, 1, 4)
    remove(store, photos, "k")
    services.delete_bucket("photos")
    assert store.usages().accounts == {}


def test_numbers_of_before_a_restored_backup_are_passed_over(
    store: StorageEngine, ada: User, photos: int
) -> None:
    """A bucket is made even where the database gives out numbers that the store has closed."""
    for number in (photos + 1, photos + 2):
        store.close_namespace(number).result()
    made = services.create_bucket("next", ada.canonical_id)
    assert made.id == photos + 3
    put(store, made.id, "k")
    assert store.account_usage(ada.pk).versions == 1


def test_a_quota_of_a_bucket_holds_when_the_call_returns(
    store: StorageEngine, ada: User, photos: int
) -> None:
    """SQL, registry and engine have the same quota, and all three lose it again."""
    services.set_quota(photos, Quota(bytes=7, objects=2, warn_percent=50))
    found = services.find_bucket("photos")
    assert found.configuration.quota == Quota(bytes=7, objects=2, warn_percent=50)
    assert (found.is_bounded, found.is_owner_bounded) == (True, False)
    assert store.quota(photos) == Bounds(7, 2)
    put(store, photos, "k")
    with pytest.raises(QuotaExceeded):
        put(store, photos, "l")
    services.set_quota(photos, None)
    assert store.quota(photos) == Bounds()
    assert not services.find_bucket("photos").is_bounded
    put(store, photos, "l")


def test_a_quota_of_a_user_holds_over_his_buckets(
    store: StorageEngine, ada: User, photos: int
) -> None:
    """All buckets of the user share it, those made later too, and nobody else's."""
    iam_services.set_user_quota(ada.pk, Quota(bytes=10))
    other = services.create_bucket("films", ada.canonical_id)
    assert (other.is_bounded, other.is_owner_bounded) == (True, True)
    put(store, photos, "k")
    put(store, other.id, "k")
    with pytest.raises(QuotaExceeded):
        put(store, other.id, "l")
    remove(store, photos, "k")
    put(store, other.id, "l")
    iam_services.set_user_quota(ada.pk, None)
    assert store.account_usage(ada.pk).quota == Bounds()
    assert not services.find_bucket("films").is_bounded


@pytest.mark.parametrize(("quota", "field"), BAD)
def test_a_quota_that_means_nothing_is_refused(
    store: StorageEngine, ada: User, photos: int, quota: Quota, field: str
) -> None:
    """No bound at all, a bound that no number can be, a level that is no percentage: not saved."""
    for attempt in (
        lambda: services.set_quota(photos, quota),
        lambda: iam_services.set_user_quota(ada.pk, quota),
    ):
        with pytest.raises(InvalidIdentity) as caught:
            attempt()
        assert caught.value.field == field
    assert Bucket.objects.get(pk=photos).quota is None
    assert User.objects.get(pk=ada.pk).quota is None
    assert store.quota(photos) == Bounds()


def test_nobody_and_nothing_gets_no_quota(store: StorageEngine) -> None:
    """A bucket or user that is not there is said not to be."""
    with pytest.raises(services.NoSuchBucket):
        services.set_quota(77, Quota(bytes=1))
    with pytest.raises(NoSuchUser):
        iam_services.set_user_quota(77, Quota(bytes=1))
    assert store.usages().accounts == {}


def test_a_change_taken_back_does_not_reach_the_engine(
    store: StorageEngine, ada: User, photos: int
) -> None:
    """What an outer transaction rolls back, the engine never hears of."""
    with transaction.atomic():
        services.set_quota(photos, Quota(bytes=1))
        iam_services.set_user_quota(ada.pk, Quota(bytes=1))
        transaction.set_rollback(True)
    assert store.quota(photos) == store.account_usage(ada.pk).quota == Bounds()


def test_the_quota_of_a_deleted_user_is_forgotten(store: StorageEngine, ada: User) -> None:
    """Nothing of him stays in the engine."""
    iam_services.set_user_quota(ada.pk, Quota(bytes=1))
    iam_services.delete_user(ada.pk)
    assert store.usages().accounts == {}


# --- telling the engine again ------------------------------------------------------------------


def test_the_engine_learns_what_it_missed(store: StorageEngine, ada: User, photos: int) -> None:
    """Bounds of SQL that never came, bounds that SQL does not have, owners: all are put right."""
    put(store, photos, "k")
    Bucket.objects.filter(pk=photos).update(quota={"bytes": 9, "objects": 0, "warn_percent": 80})
    User.objects.filter(pk=ada.pk).update(quota={"bytes": 0, "objects": 5, "warn_percent": 80})
    store.assign_account(photos, 0).result()
    store.set_account_quota(4711, Bounds(1, 1)).result()
    assert align_engine() == {"buckets": 1, "users": 2}
    assert store.usage(photos) == Usage(1, 1, 4, Bounds(9, 0), ada.pk)
    assert store.usages().accounts == {ada.pk: Usage(1, 1, 4, Bounds(0, 5))}
    store.set_quota(photos, Bounds(1, 1)).result()
    store.set_account_quota(ada.pk, Bounds()).result()
    assert align_engine() == {"buckets": 1, "users": 1}
    assert store.quota(photos) == Bounds(9, 0)
    assert store.account_usage(ada.pk).quota == Bounds(0, 5)


def test_where_nothing_differs_nothing_is_written(
    store: StorageEngine, ada: User, photos: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Looking is two reads of SQL for all buckets and users, and no commit."""
    services.set_quota(photos, Quota(bytes=9))
    iam_services.set_user_quota(ada.pk, Quota(bytes=9))
    for number in range(3):
        services.create_bucket(f"more-{number}", ada.canonical_id)
    before = store.last_commit()
    with django_assert_num_queries(2):
        assert align_engine() == {}
    assert store.last_commit() == before


def test_a_bucket_being_deleted_is_left_alone(store: StorageEngine, ada: User, photos: int) -> None:
    """What is closed, or about to be, has nothing to bound and stands in nobody's way."""
    Bucket.objects.filter(pk=photos).update(quota={"bytes": 9})
    store.close_namespace(photos).result()
    assert align_engine() == {}
    with pytest.raises(NamespaceClosed):
        store.assign_account(photos, 1).result()
    Bucket.objects.filter(pk=photos).update(is_closing=True)
    assert align_engine() == {}
    services.finish_deletions()


def test_what_no_bucket_has_counts_for_nobody(store: StorageEngine, ada: User) -> None:
    """What a database restored from before a bucket was made does not know is not its owner's."""
    store.assign_account(77, ada.pk).result()
    assert align_engine() == {}, "it may be being made at this moment"
    put(store, 77, "k")
    assert align_engine() == {"strays": 1}
    assert store.usages().accounts == {}
    assert align_engine() == {}


# --- how near ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quota", "used", "percent", "state"),
    [
        (None, Usage(9, 9, 9), None, QuotaState.OK),
        (Quota(bytes=1000), Usage(0, 0, 799), 79, QuotaState.OK),
        (Quota(bytes=1000), Usage(0, 0, 800), 80, QuotaState.WARNING),
        (Quota(bytes=1000), Usage(0, 0, 999), 99, QuotaState.WARNING),
        (Quota(bytes=1000), Usage(0, 0, 1000), 100, QuotaState.FULL),
        (Quota(bytes=1000), Usage(0, 0, 2500), 250, QuotaState.FULL),
        (Quota(bytes=1000, warn_percent=100), Usage(0, 0, 999), 99, QuotaState.OK),
        (Quota(bytes=1000, objects=10), Usage(1, 9, 1), 90, QuotaState.WARNING),
        (Quota(objects=10, warn_percent=95), Usage(1, 9, 10**9), 90, QuotaState.OK),
        (Quota(bytes=BOUND_MAX), Usage(0, 0, BOUND_MAX - 1), 99, QuotaState.WARNING),
    ],
)
def test_the_state_follows_the_nearest_bound(
    quota: Quota | None, used: Usage, percent: int | None, state: QuotaState
) -> None:
    """Of bytes and objects the nearer one counts; full is what has reached a bound, and no less."""
    assert percent_used(quota, used) == percent
    assert quota_state(quota, used) is state


def test_what_is_near_its_bounds_is_listed(store: StorageEngine, ada: User, photos: int) -> None:
    """Buckets and users stand in one list, the fullest first, and nobody who has room."""
    services.set_quota(photos, Quota(bytes=5))
    iam_services.set_user_quota(ada.pk, Quota(objects=1))
    services.set_quota(services.create_bucket("films", ada.canonical_id).id, Quota(bytes=5))
    put(store, photos, "k")
    near = [(each.kind, each.name, each.percent, each.state) for each in alerts()]
    assert near == [
        (HolderKind.USER, "ada", 100, QuotaState.FULL),
        (HolderKind.BUCKET, "photos", 80, QuotaState.WARNING),
    ]
    row = Bucket.objects.get(pk=photos)
    assert holding_of_bucket(row) == holding_of_state(services.find_bucket("photos"))
    ada.refresh_from_db()
    assert holding_of_user(ada).used.bytes == 4
