"""Object Lock as boto3 sees it: a bucket's, and the whole life of a locked object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
DENIED = (403, "AccessDenied")
NO_LOCK = (404, "NoSuchObjectLockConfiguration")
NO_STATE = (409, "InvalidBucketState")
MALFORMED = (400, "MalformedXML")
PROTECTED = "Access Denied because object protected by object lock."
ON, OFF = {"Status": "ON"}, {"Status": "OFF"}


def in_days(days: float) -> datetime:
    """Write a time that many days from now, to the second: boto3 writes no more in headers."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


def by_default(mode: str = GOVERNANCE, **period: int) -> dict[str, Any]:
    """Write the configuration of a bucket that retains what is put into it."""
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode} | period}}


def retained(mode: str, until: datetime) -> dict[str, Any]:
    """Write the arguments that retain a new object."""
    return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}


def retention(mode: str, until: datetime) -> dict[str, Any]:
    """Write a retention."""
    return {"Mode": mode, "RetainUntilDate": until}


def lock_of(s3: BaseClient, bucket: str, key: str = "k") -> tuple[Any, ...]:
    """Answer mode, time and hold of an object as HEAD tells them; None: it does not."""
    head = s3.head_object(Bucket=bucket, Key=key)
    names = "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"
    return tuple(map(head.get, names))


def put(s3: BaseClient, bucket: str, key: str = "k", **lock: Any) -> str:
    """Put an object and answer the id of its version."""
    version_id: str = s3.put_object(Bucket=bucket, Key=key, Body=b"x", **lock)["VersionId"]
    return version_id


@pytest.fixture
def locked(s3: BaseClient, bucket: str) -> str:
    """Make a bucket with Object Lock."""
    name = f"{bucket}-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


# --- buckets ------------------------------------------------------------------------------------


def test_a_bucket_is_made_with_object_lock(s3: BaseClient, locked: str) -> None:
    """It keeps versions at once, for ever, retains nothing by itself, and goes as any other."""
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    told = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert told == {"ObjectLockEnabled": "Enabled"}
    suspended = {"Bucket": locked, "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **suspended) == NO_STATE
    enabled = {"Bucket": locked, "VersioningConfiguration": {"Status": "Enabled"}}
    assert refusal(s3.put_bucket_versioning, **enabled) == (200, "")
    put(s3, locked)
    assert lock_of(s3, locked) == (None, None, None)
    again = {"Bucket": locked, "ObjectLockEnabledForBucket": True}
    assert refusal(s3.create_bucket, **again) == (409, "BucketAlreadyOwnedByYou")
    assert refusal(s3.delete_bucket, Bucket=locked) == (409, "BucketNotEmpty")


def test_object_lock_comes_to_a_bucket_with_versions(s3: BaseClient, bucket: str) -> None:
    """It can be turned on where versions are kept, and there alone; it has no way back."""
    lock = {"Bucket": bucket, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    assert refusal(s3.get_object_lock_configuration, Bucket=bucket) == (
        404,
        "ObjectLockConfigurationNotFoundError",
    )
    assert refusal(s3.put_object_lock_configuration, **lock) == NO_STATE
    for status in ("Suspended", "Enabled"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        expected = (200, "") if status == "Enabled" else NO_STATE
        assert refusal(s3.put_object_lock_configuration, **lock) == expected
    suspended = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **suspended) == NO_STATE


@pytest.mark.parametrize(
    ("configuration", "days"),
    [
        (by_default(Days=1), 1),
        (by_default(COMPLIANCE, Days=36_500), 36_500),
        (by_default(COMPLIANCE, Years=2), 730),
        ({"ObjectLockEnabled": "Enabled"}, None),
    ],
)
def test_a_default_is_told_and_given(
    s3: BaseClient, locked: str, configuration: dict[str, Any], days: int | None
) -> None:
    """What a bucket is told to retain comes back as it was put, and is what new versions get."""
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    told = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert told == configuration
    put(s3, locked)
    mode, until, hold = lock_of(s3, locked)
    if days is None:
        assert (mode, until, hold) == (None, None, None)
        return
    assert (mode, hold) == (configuration["Rule"]["DefaultRetention"]["Mode"], None)
    assert abs(until - in_days(days)) < timedelta(minutes=5)


# --- the life of a locked object ----------------------------------------------------------------


def test_the_life_under_governance(s3: BaseClient, locked: str) -> None:
    """It stays until who may says that he goes past it; a delete without a version is a marker."""
    until = in_days(10) + timedelta(milliseconds=7)
    version = {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    assert refusal(s3.get_object_retention, **version) == NO_LOCK
    s3.put_object_retention(**version, Retention=retention(GOVERNANCE, until))
    assert s3.get_object_retention(**version)["Retention"] == retention(GOVERNANCE, until)
    assert lock_of(s3, locked) == (GOVERNANCE, until, None)
    longer, shorter = (until + timedelta(days=days) for days in (1, -1))
    s3.put_object_retention(**version, Retention=retention(GOVERNANCE, longer))
    for less in (retention(GOVERNANCE, shorter), retention(COMPLIANCE, longer), {}):
        assert refusal(s3.put_object_retention, **version, Retention=less) == DENIED
    assert refusal(s3.delete_object, **version) == DENIED
    marker = s3.delete_object(Bucket=locked, Key="k")
    assert marker["DeleteMarker"]
    bypass = {"BypassGovernanceRetention": True}
    s3.put_object_retention(**version, Retention=retention(GOVERNANCE, shorter), **bypass)
    assert s3.get_object_retention(**version)["Retention"]["RetainUntilDate"] == shorter
    s3.put_object_retention(**version, Retention={}, **bypass)
    assert refusal(s3.get_object_retention, **version) == NO_LOCK
    s3.put_object_retention(**version, Retention=retention(GOVERNANCE, until))
    assert refusal(s3.delete_object, **version, BypassGovernanceRetention=False) == DENIED
    s3.delete_object(**version, **bypass)
    s3.delete_object(Bucket=locked, Key="k", VersionId=marker["VersionId"])
    assert refusal(s3.delete_bucket, Bucket=locked) == (200, "")


def test_the_life_under_compliance(s3: BaseClient, locked: str) -> None:
    """Nobody goes past it, shortens or weakens it; when its time is over, it goes as any other."""
    until = in_days(1)
    version = {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    s3.put_object_retention(**version, Retention=retention(COMPLIANCE, until))
    bypass = {"BypassGovernanceRetention": True}
    for less in (
        retention(COMPLIANCE, until - timedelta(seconds=1)),
        retention(GOVERNANCE, until + timedelta(days=1)),
        {},
    ):
        assert refusal(s3.put_object_retention, **version, Retention=less, **bypass) == DENIED
    assert refusal(s3.delete_object, **version, **bypass) == DENIED
    told = s3.delete_objects(
        Bucket=locked,
        Delete={"Objects": [{"Key": "k", "VersionId": version["VersionId"]}]},
        **bypass,
    )
    (error,) = told["Errors"]
    assert (error["Code"], error["Message"]) == ("AccessDenied", PROTECTED)
    version["VersionId"] = put(s3, locked)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    s3.put_object_retention(**version, Retention=retention(COMPLIANCE, soon))
    wait_until(lambda: datetime.now(UTC) > soon, "the end of the retention", 10)
    assert s3.get_object_retention(**version)["Retention"]["Mode"] == COMPLIANCE
    assert refusal(s3.delete_object, **version) == (200, "")


def test_the_life_under_a_hold(s3: BaseClient, locked: str) -> None:
    """It stays while the hold is on, also for who goes past governance; off is not never."""
    version = {"Bucket": locked, "Key": "k", "VersionId": put(s3, locked)}
    assert refusal(s3.get_object_legal_hold, **version) == NO_LOCK
    s3.put_object_retention(**version, Retention=retention(GOVERNANCE, in_days(1)))
    s3.put_object_legal_hold(**version, LegalHold=ON)
    assert s3.get_object_legal_hold(**version)["LegalHold"] == ON
    assert lock_of(s3, locked)[::2] == (GOVERNANCE, "ON")
    bypass = {"BypassGovernanceRetention": True}
    assert refusal(s3.delete_object, **version, **bypass) == DENIED
    s3.put_object_legal_hold(**version, LegalHold=OFF)
    assert s3.get_object_legal_hold(**version)["LegalHold"] == OFF
    assert lock_of(s3, locked)[::2] == (GOVERNANCE, "OFF")
    assert refusal(s3.delete_object, **version, **bypass) == (200, "")


def test_many_are_deleted_each_by_its_lock(s3: BaseClient, locked: str) -> None:
    """DeleteObjects leaves what is locked, says so, and goes past governance when it is told to."""
    until = in_days(1)
    free, held = put(s3, locked, "free"), put(s3, locked, "held", **retained(GOVERNANCE, until))
    objects = [{"Key": "free", "VersionId": free}, {"Key": "held", "VersionId": held}]
    told = s3.delete_objects(Bucket=locked, Delete={"Objects": objects})
    assert [row["Key"] for row in told["Deleted"]] == ["free"]
    assert [(row["Key"], row["Code"]) for row in told["Errors"]] == [("held", "AccessDenied")]
    told = s3.delete_objects(
        Bucket=locked, Delete={"Objects": objects}, BypassGovernanceRetention=True
    )
    assert "Errors" not in told


# --- objects that are locked from their birth ---------------------------------------------------


def make_copy(s3: BaseClient, bucket: str, **lock: Any) -> None:
    """Copy a retained object."""
    put(s3, bucket, "source", **retained(GOVERNANCE, in_days(99)), ObjectLockLegalHoldStatus="ON")
    s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/source", **lock)


def make_of_parts(s3: BaseClient, bucket: str, **lock: Any) -> None:
    """Upload an object in a part."""
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, **lock)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"part")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


MAKERS = {"put": put, "copy": make_copy, "parts": make_of_parts}


@pytest.mark.parametrize("name", MAKERS)
def test_an_object_is_locked_as_its_maker_says(s3: BaseClient, locked: str, name: str) -> None:
    """Retention and hold come with the object, whatever its source had; what is not said: none."""
    make, until = MAKERS[name], in_days(3)
    make(s3, locked)
    assert lock_of(s3, locked) == (None, None, None)
    make(s3, locked, **retained(COMPLIANCE, until), ObjectLockLegalHoldStatus="ON")
    assert lock_of(s3, locked) == (COMPLIANCE, until, "ON")
    make(s3, locked, ObjectLockLegalHoldStatus="OFF")
    assert lock_of(s3, locked) == (None, None, "OFF")


@pytest.mark.parametrize("name", MAKERS)
def test_a_default_is_for_who_says_nothing(s3: BaseClient, locked: str, name: str) -> None:
    """The bucket's default is for objects without a retention of their own, beside any hold."""
    make, until = MAKERS[name], in_days(3)
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=by_default(Days=9))
    make(s3, locked, ObjectLockLegalHoldStatus="ON")
    mode, told, hold = lock_of(s3, locked)
    assert (mode, hold) == (GOVERNANCE, "ON")
    assert abs(told - in_days(9)) < timedelta(minutes=5)
    make(s3, locked, **retained(COMPLIANCE, until))
    assert lock_of(s3, locked) == (COMPLIANCE, until, None)


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_is_locked_where_nothing_can_be(s3: BaseClient, bucket: str, name: str) -> None:
    """Without Object Lock an object that shall be locked is refused, never stored without it."""
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    calls = {
        "put": (s3.put_object, {}),
        "copy": (s3.copy_object, {"CopySource": f"{bucket}/source"}),
        "parts": (s3.create_multipart_upload, {}),
    }
    call, more = calls[name]
    for lock in (retained(GOVERNANCE, in_days(1)), {"ObjectLockLegalHoldStatus": "ON"}):
        with pytest.raises(ClientError, match="Bucket is missing ObjectLockConfiguration"):
            call(Bucket=bucket, Key="k", **more, **lock)
    assert refusal(s3.head_object, Bucket=bucket, Key="k") == (404, "404")
