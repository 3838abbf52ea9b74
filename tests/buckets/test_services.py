"""Buckets through the services: SQL and engine agree after every call, and after a crash."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from msgspec.structs import replace as replace_fields

from buckets import services
from buckets.configuration import (
    NOTHING_PUBLIC,
    DefaultRetention,
    Lifecycle,
    ObjectLockConfiguration,
    Ownership,
)
from buckets.models import Bucket
from buckets.services import (
    BucketAlreadyExists,
    BucketNotEmpty,
    InvalidBucketName,
    InvalidBucketState,
    NoSuchBucket,
)
from iam import services as iam_services
from iam.errors import NoSuchUser, UserOwnsBuckets
from storage_engine import LifecycleRule, LockMode, NamespaceClosed, Versioning
from tests.buckets.contents import begin_upload, put, remove
from tests.readings import Worker

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User
    from storage_engine import StorageEngine


@pytest.mark.parametrize(
    ("ownership", "is_blocked", "has_acls"),
    [("BucketOwnerEnforced", True, False), ("ObjectWriter", False, True), ("none", False, True)],
)
def test_a_new_bucket_is_configured_as_the_settings_have_it(
    store: StorageEngine,
    ada: User,
    settings: SettingsWrapper,
    ownership: str,
    is_blocked: bool,
    has_acls: bool,
) -> None:
    """Ownership and public access of a bucket of which nothing is said are the settings'."""
    settings.S4 = replace(
        settings.S4,
        default_object_ownership=ownership,
        default_public_access_block=is_blocked,
    )
    made = services.create_bucket("photos", ada.canonical_id)
    expected = None if ownership == "none" else Ownership(ownership)
    assert made.configuration.ownership is expected
    assert made.configuration.public_access_block == (NOTHING_PUBLIC if is_blocked else None)
    assert (made.has_acls, made.ignores_public_acls) == (has_acls, is_blocked)
    assert services.load_registry().find("photos") == made


def test_a_new_bucket_is_in_the_registry(
    store: StorageEngine, ada: User, settings: SettingsWrapper
) -> None:
    """A bucket appears to the data path as it was returned, with its owner's names."""
    made = services.create_bucket("photos", ada.canonical_id)
    assert services.load_registry().find("photos") == made
    assert (made.owner_canonical_id, made.owner_display_name) == (ada.canonical_id, "Ada L.")
    assert made.region == settings.S4.region
    assert services.create_bucket("far-away", ada.canonical_id, "eu-west-1").region == "eu-west-1"


def test_object_lock_wants_versions_for_ever(store: StorageEngine, ada: User) -> None:
    """It is refused without versions, which then stay, as it does; what it gives may change."""
    lock = ObjectLockConfiguration()
    unversioned = replace_fields(services.new_configuration(), object_lock=lock)
    with pytest.raises(InvalidBucketState):
        services.create_bucket("locked", ada.canonical_id, configuration=unversioned)
    bucket_id = services.create_bucket("locked", ada.canonical_id).id
    with pytest.raises(InvalidBucketState):
        services.configure_bucket(bucket_id, object_lock=lock)
    services.configure_bucket(bucket_id, object_lock=lock, versioning=Versioning.ENABLED)
    week = ObjectLockConfiguration(retention=DefaultRetention(mode=LockMode.COMPLIANCE, days=7))
    services.configure_bucket(bucket_id, object_lock=week)
    for change in (
        {"versioning": Versioning.SUSPENDED},
        {"versioning": Versioning.UNVERSIONED, "object_lock": lock},
        {"object_lock": None},
        {"object_lock": None, "versioning": Versioning.SUSPENDED},
    ):
        with pytest.raises(InvalidBucketState):
            services.configure_bucket(bucket_id, **change)
    found = services.find_bucket("locked").configuration
    assert (found.versioning, found.object_lock) == (Versioning.ENABLED, week)


def test_every_change_moves_the_generation(store: StorageEngine, ada: User) -> None:
    """After a bucket is made or deleted, workers see that something moved, and what."""
    before, worker = store.generations().get("buckets", 0), Worker()
    services.create_bucket("photos", ada.canonical_id)
    worker.keeps_up()
    middle = store.generations()["buckets"]
    services.delete_bucket("photos")
    worker.keeps_up()
    assert before < middle < store.generations()["buckets"]


def test_a_name_is_taken_once(store: StorageEngine, ada: User, boss: User) -> None:
    """A second bucket of a name is refused, whoever asks, and the refusal names the owner."""
    services.create_bucket("photos", ada.canonical_id)
    for asking in (ada, boss):
        with pytest.raises(BucketAlreadyExists) as refusal:
            services.create_bucket("photos", asking.canonical_id)
        assert refusal.value.owner_canonical_id == ada.canonical_id
    assert Bucket.objects.count() == 1


def test_bad_names_and_owners_are_refused(store: StorageEngine, ada: User) -> None:
    """A name AWS refuses, and an owner there is not, make no bucket."""
    with pytest.raises(InvalidBucketName):
        services.create_bucket("Photos", ada.canonical_id)
    with pytest.raises(NoSuchUser):
        services.create_bucket("photos", "0" * 64)
    assert not Bucket.objects.exists()


def test_an_empty_bucket_is_deleted_for_ever(store: StorageEngine, ada: User) -> None:
    """A deleted bucket is gone, its namespace takes nothing, and its id is not used again."""
    first = services.create_bucket("photos", ada.canonical_id)
    begin_upload(store, first.id, "unfinished")
    services.delete_bucket("photos")
    assert services.load_registry().find("photos") is None
    with pytest.raises(NamespaceClosed):
        put(store, first.id, "late")
    second = services.create_bucket("photos", ada.canonical_id)
    assert second.id > first.id
    put(store, second.id, "fresh")


def test_a_bucket_with_an_object_stays(store: StorageEngine, ada: User) -> None:
    """A bucket that holds an object is not deleted and works on; emptied, it goes."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    put(store, bucket.id, "cat.jpg")
    with pytest.raises(BucketNotEmpty, match="photos is not empty"):
        services.delete_bucket("photos")
    put(store, bucket.id, "dog.jpg")
    assert store.namespace_counts(bucket.id).objects == 2
    remove(store, bucket.id, "cat.jpg")
    remove(store, bucket.id, "dog.jpg")
    services.delete_bucket("photos")
    assert not Bucket.objects.exists()


def test_an_unknown_bucket_is_reported(store: StorageEngine) -> None:
    """Deleting what there is not is NoSuchBucket, also the second time."""
    with pytest.raises(NoSuchBucket):
        services.delete_bucket("photos")


def test_deletion_refuses_to_run_inside_a_transaction(store: StorageEngine, ada: User) -> None:
    """A caller whose transaction could roll the mark back is stopped before the engine is told."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        services.delete_bucket("photos")
    put(store, bucket.id, "still-open")


def test_a_deletion_that_crashed_after_the_engine_is_finished(
    store: StorageEngine, ada: User
) -> None:
    """A row whose namespace was closed before the crash goes at the next start."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    Bucket.objects.filter(pk=bucket.id).update(is_closing=True)
    store.close_namespace(bucket.id).result()
    before = store.generations()["buckets"]
    assert services.finish_deletions() == ["photos"]
    assert services.load_registry().find("photos") is None
    assert store.generations()["buckets"] > before


def test_a_deletion_that_crashed_before_the_engine_is_finished_or_taken_back(
    store: StorageEngine, ada: User
) -> None:
    """A marked bucket whose namespace is open goes if it is empty, else it stays, unmarked."""
    empty = services.create_bucket("empty", ada.canonical_id)
    full = services.create_bucket("full", ada.canonical_id)
    put(store, full.id, "late")
    Bucket.objects.filter(pk__in=[empty.id, full.id]).update(is_closing=True)
    assert services.finish_deletions() == ["empty"]
    assert [bucket.name for bucket in services.load_registry().all()] == ["full"]
    assert not Bucket.objects.get().is_closing
    put(store, full.id, "more")


def test_finishing_leaves_other_buckets_alone(store: StorageEngine, ada: User) -> None:
    """At a start after a clean stop nothing is deleted, not even an empty bucket."""
    services.create_bucket("photos", ada.canonical_id)
    assert services.finish_deletions() == []
    assert services.load_registry().find("photos") is not None


def test_an_owner_is_not_deleted(store: StorageEngine, ada: User) -> None:
    """A user who owns a bucket stays until it is gone."""
    services.create_bucket("photos", ada.canonical_id)
    with pytest.raises(UserOwnsBuckets):
        iam_services.delete_user(ada.pk)
    services.delete_bucket("photos")
    iam_services.delete_user(ada.pk)


def test_a_registry_takes_one_query(
    store: StorageEngine, ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """However many buckets and owners there are, what is as it was is taken from before."""
    for number in range(10):
        services.create_bucket(f"bucket-{number}", ada.canonical_id)
    reader = services.RegistryReader()
    with django_assert_num_queries(1):
        registry = reader.read()
    assert len(registry) == 10
    assert len(registry.owned_by(ada.canonical_id)) == 10
    with django_assert_num_queries(1):
        again = reader.read()
    assert all(again.find(bucket.name) is bucket for bucket in registry.all())


CHANGES: list[dict[str, Any]] = [
    {"tags": {"a": "b"}},
    {"policy": "{}"},
    {"versioning": Versioning.ENABLED},
    {"public_access_block": None},
    {"ownership": None},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_registry_read_after_a_change_is_the_one_read_anew(
    store: StorageEngine, ada: User, change: dict[str, Any]
) -> None:
    """Every setting of a bucket, its owner's name and its going are seen by who has read before."""
    first, other = (services.create_bucket(name, ada.canonical_id) for name in ("first", "other"))
    reader = services.RegistryReader()
    reader.read()
    services.configure_bucket(first.id, **change)
    seen = reader.read().find("first")
    assert seen == services.load_registry().find("first")
    assert seen != first
    iam_services.update_profile(ada.pk, display_name="Countess", email="")
    assert reader.read().all() == services.load_registry().all()
    services.delete_bucket("other", bucket_id=other.id)
    assert reader.read().all() == services.load_registry().all()


def test_a_change_that_is_taken_back_at_once_leaves_nothing_behind(
    store: StorageEngine, ada: User
) -> None:
    """A change made while a registry is read, and undone before the next, is in no later one."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    services.configure_bucket(
        bucket.id, lifecycle=Lifecycle(rules=(LifecycleRule(id="all", expire_days=1),))
    )
    reader = services.RegistryReader()
    left = [1]

    def intervene(execute: Any, *query: Any) -> Any:
        """Grant everybody everything behind the first query."""
        result = execute(*query)
        if left and left.pop():
            Bucket.objects.filter(pk=bucket.id).update(policy="{}")
        return result

    with connection.execute_wrapper(intervene):
        reader.read()
    assert not left
    Bucket.objects.filter(pk=bucket.id).update(policy=None)
    assert reader.read().all() == services.load_registry().all()


def test_a_deletion_means_one_bucket_and_not_its_successor(store: StorageEngine, ada: User) -> None:
    """Who deletes by a snapshot does not hit another bucket that took the name since."""
    first = services.create_bucket("again", ada.canonical_id)
    services.delete_bucket("again", bucket_id=first.id)
    services.create_bucket("again", ada.canonical_id)
    with pytest.raises(services.NoSuchBucket):
        services.delete_bucket("again", bucket_id=first.id)
    assert services.load_registry().find("again") is not None
