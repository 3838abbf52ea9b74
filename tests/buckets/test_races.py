"""Buckets when several processes make and delete them at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.racing import racers

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 10
LOCKED = "__import__('buckets.configuration').configuration.ObjectLockConfiguration()"
OWNER = "services.find_user('root').canonical_id"


def test_a_bucket_is_made_once(tmp_path: Path) -> None:
    """Of processes that make the same bucket one succeeds, the rest are told it exists."""
    with racers(tmp_path, 3) as store:
        for number in range(ROUNDS):
            make = f"buckets.create_bucket('bucket-{number}', {OWNER}).name"
            outcomes = sorted(store.run(make, make, make))
            assert outcomes == ["BucketAlreadyExists", "BucketAlreadyExists", f"bucket-{number}"]


def test_a_bucket_is_deleted_once_and_can_be_made_anew(tmp_path: Path) -> None:
    """Deleting and making a name in parallel deletes the old one and never fails otherwise."""
    delete, make = "buckets.delete_bucket('photos')", f"buckets.create_bucket('photos', {OWNER}).id"
    with racers(tmp_path, 3) as store:
        used = set()
        for _ in range(ROUNDS):
            (bucket_id,) = store.run(make)
            assert bucket_id not in used
            used.add(bucket_id)
            *deletions, made = store.run(delete, delete, make)
            assert set(deletions) <= {"None", "NoSuchBucket"}
            assert "None" in deletions
            assert made == "BucketAlreadyExists" or made not in used
            store.run(delete)
        (left,) = store.run("buckets.load_registry().all()")
        assert left == "[]"


def test_object_lock_is_never_left_without_versions(tmp_path: Path) -> None:
    """When Object Lock comes and versions are suspended at the same moment, one is refused."""
    enabled, suspended = (
        f"buckets.configure_bucket({{id}}, versioning=buckets.Versioning.{state})"
        for state in ("ENABLED", "SUSPENDED")
    )
    lock = f"buckets.configure_bucket({{id}}, object_lock={LOCKED})"
    with racers(tmp_path, 2) as store:
        for number in range(ROUNDS):
            (bucket_id,) = store.run(f"buckets.create_bucket('bucket-{number}', {OWNER}).id")
            store.run(enabled.format(id=bucket_id))
            outcomes = store.run(lock.format(id=bucket_id), suspended.format(id=bucket_id))
            assert sorted(outcomes) == ["InvalidBucketState", "None"]


def test_no_bucket_is_left_without_its_owner(tmp_path: Path) -> None:
    """When a user is deleted while a bucket is made for him, one of the two is refused."""
    with racers(tmp_path, 2) as store:
        for number in range(ROUNDS):
            name = f"user{number}"
            canonical_id = f"{number:064x}"
            (user_id,) = store.run(
                f"services.create_user({name!r}, RoleName.WRITER, canonical_id={canonical_id!r}).pk"
            )
            deletion, made = store.run(
                f"services.delete_user({user_id})",
                f"buckets.create_bucket({name!r}, {canonical_id!r}).name",
            )
            assert (deletion, made) in {("None", "NoSuchUser"), ("UserOwnsBuckets", name)}
