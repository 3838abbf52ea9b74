"""What is done to buckets leaves entries in the audit log, one for each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from buckets import services
from buckets.configuration import (
    NOTHING_PUBLIC,
    BucketConfiguration,
    CorsRule,
    DefaultRetention,
    Lifecycle,
    ObjectLockConfiguration,
    Ownership,
    PublicAccessBlock,
)
from iam.audit.acting import Actor, Via, acting
from iam.models import AuditEntry
from iam.quotas import Quota
from iam.services.audit import search_entries
from storage_engine import LifecycleRule, LockMode, Versioning
from storage_engine.apps import get_engine
from tests.readings import Worker

if TYPE_CHECKING:
    from iam.models import User
    from storage_engine import StorageEngine

ARN = "arn:aws:s3:::photos"
POLICY = '{"Version": "2012-10-17", "Statement": []}'
RULE = CorsRule(allowed_origins=("*",), allowed_methods=("GET",))
SETTINGS: list[tuple[str, Any, Any, str]] = [
    ("versioning", Versioning.ENABLED, "enabled", "s3:PutBucketVersioning"),
    ("ownership", Ownership.OBJECT_WRITER, "ObjectWriter", "s3:PutBucketOwnershipControls"),
    ("ownership", None, None, "s3:DeleteBucketOwnershipControls"),
    ("public_access_block", None, None, "s3:DeletePublicAccessBlock"),
    (
        "public_access_block",
        PublicAccessBlock(),
        dict.fromkeys(PublicAccessBlock.__struct_fields__, False),
        "s3:PutPublicAccessBlock",
    ),
    ("grants", (("x" * 64, "READ"),), [["x" * 64, "READ"]], "s3:PutBucketAcl"),
    ("cors", (RULE,), None, "s3:PutBucketCors"),
    ("tags", {"a": "é"}, {"a": "é"}, "s3:PutBucketTagging"),
    ("policy", POLICY, POLICY, "s3:PutBucketPolicy"),
    (
        "object_lock",
        ObjectLockConfiguration(retention=DefaultRetention(mode=LockMode.GOVERNANCE, days=7)),
        {"retention": {"mode": "GOVERNANCE", "days": 7, "years": 0}},
        "s3:PutObjectLockConfiguration",
    ),
    (
        "lifecycle",
        Lifecycle(rules=(LifecycleRule(id="old", expire_days=30),)),
        {
            "rules": [{"id": "old", "expire_days": 30}],
            "minimum_size": "all_storage_classes_128K",
        },
        "s3:PutBucketLifecycle",
    ),
    (
        "quota",
        Quota(bytes=1000),
        {"bytes": 1000, "objects": 0, "warn_percent": 80},
        "s3:PutBucketQuota",
    ),
    ("requests_per_second", 100, 100, "s3:PutBucketRateLimit"),
]
CLEARED = [
    ("policy", POLICY, None, "s3:DeleteBucketPolicy"),
    ("tags", {"a": "b"}, {}, "s3:DeleteBucketTagging"),
    ("cors", (RULE,), (), "s3:DeleteBucketCors"),
    (
        "lifecycle",
        Lifecycle(rules=(LifecycleRule(id="old", expire_days=30),)),
        None,
        "s3:DeleteBucketLifecycle",
    ),
    ("quota", Quota(objects=9), None, "s3:DeleteBucketQuota"),
    ("requests_per_second", 100, None, "s3:PutBucketRateLimit"),
]


def configure(bucket: int, name: str, value: Any) -> None:
    """Set something by the service it has."""
    if name == "quota":
        services.set_quota(bucket, value)
    elif name == "requests_per_second":
        services.set_rate(bucket, value)
    else:
        services.configure_bucket(bucket, **{name: value})


@pytest.fixture
def bucket(ada: User) -> int:
    """Make a bucket."""
    return services.create_bucket("photos", ada.canonical_id).id


def test_a_bucket_made_and_deleted_leaves_entries(store: StorageEngine, ada: User) -> None:
    """Making names the owner and all settings; deleting comes when the bucket is really gone."""
    somebody = Actor(Via.S3, "ada", ada.canonical_id, "AKADA", "192.0.2.1", "R1")
    with acting(lambda: somebody):
        services.create_bucket("photos", ada.canonical_id)
        with pytest.raises(services.BucketAlreadyExists):
            services.create_bucket("photos", ada.canonical_id)
        services.delete_bucket("photos")
        with pytest.raises(services.NoSuchBucket):
            services.delete_bucket("photos")
    deleted, made = search_entries(limit=2).entries
    assert (made.action, made.resource, made.actor) == ("s3:CreateBucket", ARN, "ada")
    assert made.detail["owner"] == "ada"
    assert made.detail.keys() > set(BucketConfiguration.__struct_fields__) - {"lifecycle"}
    assert (deleted.action, deleted.resource, deleted.request_id) == ("s3:DeleteBucket", ARN, "R1")
    assert AuditEntry.objects.filter(resource=ARN).count() == 2


@pytest.mark.parametrize(("name", "value", "shown", "action"), SETTINGS)
def test_a_setting_leaves_one_entry(
    bucket: int, name: str, value: Any, shown: Any, action: str
) -> None:
    """A setting is noted by S3's operation, from old to new; the same again is no change."""
    if name == "object_lock":  # it wants versions
        services.configure_bucket(bucket, versioning=Versioning.ENABLED)
    if name == "grants":  # they want ACLs
        services.configure_bucket(bucket, ownership=None)
    before, worker = AuditEntry.objects.count(), Worker()
    configure(bucket, name, value)
    configure(bucket, name, value)
    worker.keeps_up()
    assert AuditEntry.objects.count() == before + 1
    entry = search_entries(limit=1).entries[0]
    assert (entry.action, entry.resource) == (action, ARN)
    assert entry.detail[name].keys() == {"old", "new"}
    if shown is not None:
        assert entry.detail[name]["new"] == shown


@pytest.mark.parametrize(("name", "value", "nothing", "action"), CLEARED)
def test_taking_a_setting_away_is_told_apart(
    bucket: int, name: str, value: Any, nothing: Any, action: str
) -> None:
    """What is taken off is noted as S3's deletion, with what there was."""
    configure(bucket, name, value)
    worker = Worker()
    configure(bucket, name, nothing)
    worker.keeps_up()
    entry = search_entries(limit=1).entries[0]
    assert entry.action == action
    assert entry.detail[name]["old"]
    assert not entry.detail[name]["new"]


def test_every_setting_has_its_operation() -> None:
    """Whatever can be set on a bucket can be named in an entry."""
    assert services.OPERATIONS.keys() == set(BucketConfiguration.__struct_fields__)
    assert {name for name, *_ in SETTINGS} == services.OPERATIONS.keys()


def test_a_change_taken_back_leaves_none(bucket: int) -> None:
    """An entry goes with its change when the transaction is rolled back."""
    before = AuditEntry.objects.count()
    with transaction.atomic():
        services.configure_bucket(bucket, tags={"a": "b"})
        services.configure_bucket(bucket, public_access_block=NOTHING_PUBLIC)
        transaction.set_rollback(True)
    assert AuditEntry.objects.count() == before


def test_a_deletion_that_a_crash_cut_short_is_noted_when_it_is_finished(
    bucket: int, store: StorageEngine
) -> None:
    """Who finishes it makes the entry, once."""
    services.Bucket.objects.filter(pk=bucket).update(is_closing=True)
    get_engine().close_namespace(bucket).result()
    assert services.finish_deletions() == ["photos"]
    assert services.finish_deletions() == []
    assert AuditEntry.objects.filter(action="s3:DeleteBucket").count() == 1
