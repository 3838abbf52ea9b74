"""The engine's errors in S3's words."""

from __future__ import annotations

import pytest

from s3api.http.target import Target
from s3api.operations.translate import CODES, quota_figures, s3_error
from storage_engine import (
    DiskFull,
    EngineError,
    InvalidVersionId,
    IsDeleteMarker,
    KeyDeleted,
    KeyTooLong,
    NoSuchKey,
    NoSuchVersion,
    QuotaExceeded,
    QuotaHolder,
    QuotaMeasure,
    StorageError,
)

TARGET = Target(bucket="b", key="k", is_virtual_host=False, resource="/b/k")
ID = "0" * 15 + "7"


def over(holder: QuotaHolder) -> QuotaExceeded:
    """Make the refusal of 20 bytes beyond a quota."""
    return QuotaExceeded(holder, QuotaMeasure.BYTES, bound=1000, used=990, asked=20)


@pytest.mark.parametrize("kind", CODES)
def test_every_translated_error_has_a_code(kind: type[EngineError]) -> None:
    """Each error of the table is said with its code of S3's table."""
    error = over(QuotaHolder.BUCKET) if kind is QuotaExceeded else kind("reason")
    assert s3_error(error, TARGET).code == CODES[kind]


def test_every_refusal_of_a_request_has_a_code() -> None:
    """What a client's request can meet never ends as 503: the table names it, or its kind."""
    trouble = {"Busy", "EngineClosed", "FormatError", "IndexNotEmpty", "JournalDamaged"}
    trouble |= {"NewerStore", "StorageError", "StoreInUse", "MarkerError"}
    kinds = [EngineError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    named = {kind.__name__ for kind in kinds[1:] if not issubclass(kind, tuple(CODES))}
    assert named == trouble


def test_a_full_disk_is_not_a_failed_one() -> None:
    """No room is 507, which clients do not repeat; trouble with the disk is 503."""
    assert s3_error(DiskFull("full"), TARGET).status == 507
    assert s3_error(StorageError("EIO"), TARGET).status == 503


def test_a_missing_key_is_named() -> None:
    """The answer about a missing key says which."""
    error = s3_error(NoSuchKey("k"), TARGET)
    assert (error.detail, error.headers) == ({"Key": "k"}, {})


def test_a_deleted_key_is_told_from_one_that_never_was() -> None:
    """A key hidden by a delete marker is as missing as any, and the headers say why."""
    error = s3_error(KeyDeleted("k", ID, 0), TARGET)
    assert (error.code, error.status, error.detail) == ("NoSuchKey", 404, {"Key": "k"})
    assert error.headers == {"x-amz-delete-marker": "true", "x-amz-version-id": ID}


def test_a_marker_that_is_asked_for_can_only_be_deleted() -> None:
    """Reading a delete marker by its id is 405, with what can be done to it and its time."""
    error = s3_error(IsDeleteMarker("k", ID, 1_000_000_000_000), TARGET, "GET")
    assert (error.code, error.status) == ("MethodNotAllowed", 405)
    assert error.detail == {"Method": "GET", "ResourceType": "DeleteMarker"}
    assert error.headers == {
        "x-amz-delete-marker": "true",
        "x-amz-version-id": ID,
        "Allow": "DELETE",
        "Last-Modified": "Sun, 09 Sep 2001 01:46:40 GMT",
    }


def test_a_version_that_is_not_there_is_named() -> None:
    """An id that could be one is 404; one that cannot is the client's mistake."""
    error = s3_error(NoSuchVersion(ID, "k"), TARGET)
    assert (error.code, error.status) == ("NoSuchVersion", 404)
    assert error.detail == {"Key": "k", "VersionId": ID}
    error = s3_error(InvalidVersionId("x"), TARGET)
    assert (error.code, error.status) == ("InvalidArgument", 400)
    assert error.message == "Invalid version id specified"
    assert error.detail == {"ArgumentName": "versionId", "ArgumentValue": "x"}


def test_the_nearer_kind_counts() -> None:
    """An error that is a kind of another has its own code."""
    assert s3_error(KeyTooLong("k"), TARGET).code == "KeyTooLongError"


def test_a_quota_is_told_with_its_figures() -> None:
    """Whose it is, what it bounds, what is used and what was asked stand in words and elements."""
    of_bucket, of_user = (quota_figures(over(holder), TARGET) for holder in QuotaHolder)
    assert of_bucket.status == of_user.status == 403
    assert of_bucket.message == (
        "The bucket would hold more than the quota of 1000 bytes allows: 990 are used, and 20 "
        "more do not fit."
    )
    assert of_user.message.startswith("The buckets of this bucket's owner together would hold")
    assert of_user.detail == {
        "BucketName": "b",
        "QuotaHolder": "user",
        "QuotaMeasure": "bytes",
        "QuotaBound": "1000",
        "QuotaUsed": "990",
        "QuotaAsked": "20",
    }
    objects = QuotaExceeded(QuotaHolder.BUCKET, QuotaMeasure.VERSIONS, bound=5, used=5, asked=1)
    assert "the quota of 5 objects allows" in quota_figures(objects, TARGET).message


def test_a_quota_is_told_to_strangers_without_figures() -> None:
    """Unless somebody has found that they may know, nobody is told whose it is or how much."""
    for holder in QuotaHolder:
        told = s3_error(over(holder), TARGET)
        assert (told.message, told.detail) == (
            "The bucket would hold more than its quota allows.",
            {"BucketName": "b"},
        )
