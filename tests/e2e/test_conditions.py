"""Conditions on every write: decided by what stands under the key, whatever versions it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

FAILED = (412, "PreconditionFailed")
MISSING = (404, "NoSuchKey")
DONE = (200, "")
OTHER = '"00000000000000000000000000000000"'


@pytest.fixture(params=["unversioned", "Enabled", "Suspended"])
def place(s3: BaseClient, bucket: str, request: pytest.FixtureRequest) -> str:
    """Make a bucket of each kind, with a source to copy."""
    s3.put_object(Bucket=bucket, Key="source", Body=b"source")
    if request.param != "unversioned":
        status = {"Status": request.param}
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
    return bucket


class Writer:
    """Writes the key `k` in one of the three ways that take conditions."""

    def __init__(self, s3: BaseClient, bucket: str, way: str) -> None:
        self.s3, self.way = s3, way
        self.target = {"Bucket": bucket, "Key": "k"}

    def __call__(self, **conditions: str) -> Any:
        """Write under conditions; answer the ETag."""
        if self.way == "put":
            return self.s3.put_object(**self.target, Body=b"put", **conditions)["ETag"]
        if self.way == "copy":
            source = {"Bucket": self.target["Bucket"], "Key": "source"}
            copied = self.s3.copy_object(**self.target, CopySource=source, **conditions)
            return copied["CopyObjectResult"]["ETag"]
        upload = self.begin()
        return self.s3.complete_multipart_upload(**upload, **conditions)["ETag"]

    def begin(self) -> dict[str, Any]:
        """Begin an upload of one part; answer how to complete it."""
        made = self.s3.create_multipart_upload(**self.target)
        named = self.target | {"UploadId": made["UploadId"]}
        part = self.s3.upload_part(**named, PartNumber=1, Body=b"complete")
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        return named | {"MultipartUpload": {"Parts": parts}}


@pytest.fixture(params=["put", "copy", "complete"])
def write(s3: BaseClient, place: str, request: pytest.FixtureRequest) -> Writer:
    """Make a writer of each kind."""
    return Writer(s3, place, request.param)


def test_a_write_obeys_what_stands_there(s3: BaseClient, write: Writer) -> None:
    """An absent object fails If-Match only, a present one If-None-Match; a marker is absent."""
    for _ in range(2):
        assert refusal(write, IfMatch=OTHER) == MISSING
        assert refusal(write, IfMatch="*") == MISSING
        etag = write(IfNoneMatch="*")
        assert refusal(write, IfNoneMatch="*") == FAILED
        assert refusal(write, IfNoneMatch=etag) == FAILED
        assert refusal(write, IfMatch=OTHER) == FAILED
        etag = write(IfMatch=etag)
        assert refusal(write, IfMatch="*") == DONE
        assert refusal(write, IfNoneMatch=OTHER) == DONE
        s3.delete_object(**write.target)


def test_a_refusal_names_its_condition(write: Writer) -> None:
    """412 names the header that failed, 404 the key that is not there."""
    with pytest.raises(ClientError) as missing:
        write(IfMatch=OTHER)
    assert missing.value.response["Error"]["Key"] == "k"
    write()
    for name, value in (("If-None-Match", "*"), ("If-Match", OTHER)):
        with pytest.raises(ClientError) as failed:
            write(**{name.replace("-", ""): value})
        assert failed.value.response["Error"]["Condition"] == name


def test_a_refused_write_leaves_no_version(s3: BaseClient, write: Writer) -> None:
    """What a condition refuses is in no listing, neither as object nor as version."""
    etag = write()
    refusal(write, IfNoneMatch="*")
    refusal(write, IfMatch=OTHER)
    rows = s3.list_object_versions(Bucket=write.target["Bucket"], Prefix="k")["Versions"]
    assert [(row["Key"], row["ETag"]) for row in rows] == [("k", etag)]


def test_an_upload_replaces_nothing_younger(s3: BaseClient, place: str) -> None:
    """Complete with If-Match is a conflict when the object was written after the upload began."""
    write = Writer(s3, place, "put")
    etag = write()
    upload = Writer(s3, place, "complete").begin()
    assert write(IfMatch=etag) == etag
    complete = s3.complete_multipart_upload
    assert refusal(complete, **upload, IfMatch=etag) == (409, "ConditionalRequestConflict")
    assert refusal(complete, **upload, IfMatch=OTHER) == FAILED
    assert refusal(complete, **upload, IfMatch="*") == DONE


# --- deletes ---


def test_a_delete_obeys_what_stands_there(s3: BaseClient, place: str) -> None:
    """DeleteObject under If-Match: absent and hidden objects are missing, others must match."""
    named = {"Bucket": place, "Key": "k"}
    for _ in range(2):
        assert refusal(s3.delete_object, **named, IfMatch="*") == MISSING
        etag = s3.put_object(**named, Body=b"x")["ETag"]
        assert refusal(s3.delete_object, **named, IfMatch=OTHER) == FAILED
        s3.head_object(**named)
        assert refusal(s3.delete_object, **named, IfMatch=etag) == DONE
        assert refusal(s3.head_object, **named) == (404, "404")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"IfMatchSize": 2}, {"IfMatchSize": 1}),
        ({"IfMatchLastModifiedTime": datetime(2001, 1, 1, tzinfo=UTC)}, {}),
    ],
)
def test_a_delete_obeys_size_and_time(
    s3: BaseClient, place: str, wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    """An object of another size or time is not deleted."""
    named = {"Bucket": place, "Key": "k"}
    s3.put_object(**named, Body=b"x")
    if not right:
        right = {"IfMatchLastModifiedTime": s3.head_object(**named)["LastModified"]}
    assert refusal(s3.delete_object, **named, **wrong) == FAILED
    assert refusal(s3.delete_object, **named, **right) == DONE


def test_each_of_many_deletes_has_its_conditions(s3: BaseClient, place: str) -> None:
    """DeleteObjects judges every entry by itself: ETag, size and time, absent keys too."""
    etags, times = {}, {}
    for key in ("etag", "size", "time", "other-etag", "other-size", "other-time"):
        etags[key] = s3.put_object(Bucket=place, Key=key, Body=b"x")["ETag"]
        times[key] = s3.head_object(Bucket=place, Key=key)["LastModified"]
    objects = [
        {"Key": "etag", "ETag": etags["etag"], "Size": 1},
        {"Key": "size", "Size": 1},
        {"Key": "time", "LastModifiedTime": times["time"]},
        {"Key": "other-etag", "ETag": OTHER},
        {"Key": "other-size", "Size": 7},
        {"Key": "other-time", "LastModifiedTime": times["other-time"] - timedelta(hours=1)},
        {"Key": "absent", "ETag": "*"},
    ]
    answer = s3.delete_objects(Bucket=place, Delete={"Objects": objects})
    assert [row["Key"] for row in answer["Deleted"]] == ["etag", "size", "time"]
    assert [(row["Key"], row["Code"]) for row in answer["Errors"]] == [
        ("other-etag", "PreconditionFailed"),
        ("other-size", "PreconditionFailed"),
        ("other-time", "PreconditionFailed"),
        ("absent", "NoSuchKey"),
    ]
    left = [row["Key"] for row in s3.list_objects_v2(Bucket=place)["Contents"]]
    assert left == ["other-etag", "other-size", "other-time", "source"]


def test_a_version_is_deleted_under_conditions(s3: BaseClient, bucket: str) -> None:
    """With a version named, the conditions are about that version, current or not."""
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
    named = {"Bucket": bucket, "Key": "k"}
    old, new = (s3.put_object(**named, Body=body) for body in (b"old", b"new"))
    first = named | {"VersionId": old["VersionId"]}
    assert refusal(s3.delete_object, **first, IfMatch=new["ETag"]) == FAILED
    assert refusal(s3.delete_object, **first, IfMatch=old["ETag"]) == DONE
    entry = {"Key": "k", "VersionId": new["VersionId"]}
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [entry | {"ETag": OTHER}, entry | {"Size": 3}]}
    )
    assert [row["Code"] for row in answer["Errors"]] == ["PreconditionFailed"]
    assert [row["VersionId"] for row in answer["Deleted"]] == [new["VersionId"]]


# --- sources and reads ---


def test_a_copy_obeys_conditions_on_its_source(s3: BaseClient, bucket: str) -> None:
    """Conditions on a source are about the version that is named, and fail as 412."""
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
    named = {"Bucket": bucket, "Key": "k"}
    old, new = (s3.put_object(**named, Body=body) for body in (b"old", b"new"))
    source = named | {"VersionId": old["VersionId"]}
    target = {"Bucket": bucket, "Key": "target"}
    copy = s3.copy_object
    assert refusal(copy, **target, CopySource=source, CopySourceIfMatch=new["ETag"]) == FAILED
    assert refusal(copy, **target, CopySource=source, CopySourceIfNoneMatch=old["ETag"]) == FAILED
    assert refusal(copy, **target, CopySource=source, CopySourceIfMatch=old["ETag"]) == DONE
    later = datetime.now(UTC) + timedelta(hours=1)
    earlier = later - timedelta(hours=2)
    assert refusal(copy, **target, CopySource=source, CopySourceIfModifiedSince=earlier) == DONE
    assert refusal(copy, **target, CopySource=source, CopySourceIfUnmodifiedSince=earlier) == FAILED


def test_a_version_is_read_under_conditions(s3: BaseClient, bucket: str) -> None:
    """GET and HEAD judge the version that is named."""
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
    named = {"Bucket": bucket, "Key": "k"}
    old, new = (s3.put_object(**named, Body=body) for body in (b"old", b"new"))
    for call in (s3.get_object, s3.head_object):
        code = "PreconditionFailed" if call == s3.get_object else "412"
        first = named | {"VersionId": old["VersionId"]}
        assert refusal(call, **first, IfMatch=old["ETag"]) == DONE
        assert refusal(call, **first, IfMatch=new["ETag"]) == (412, code)
        assert refusal(call, **first, IfNoneMatch=old["ETag"]) == (304, "304")
        assert refusal(call, **named, IfNoneMatch=old["ETag"]) == DONE
