"""Versions as boto3 sees them: what is kept, what is named, what a delete marker hides."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.every_worker import many
from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

UNKNOWN = "f" * 16
FOREIGN = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"


def set_versioning(s3: BaseClient, bucket: str, status: str) -> None:
    """Enable or suspend the versioning of a bucket."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3: BaseClient, bucket: str, body: bytes, key: str = "k") -> str | None:
    """Store a version and answer its id as the reply names it."""
    version_id: str | None = s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")
    return version_id


def get(s3: BaseClient, bucket: str, version_id: str | None = None) -> tuple[bytes, str | None]:
    """Read a version, or the current one, with the id that the reply names."""
    wanted = {} if version_id is None else {"VersionId": version_id}
    found = s3.get_object(Bucket=bucket, Key="k", **wanted)
    head = s3.head_object(Bucket=bucket, Key="k", **wanted)
    assert (head.get("VersionId"), head["ETag"]) == (found.get("VersionId"), found["ETag"])
    return found["Body"].read(), found.get("VersionId")


def delete(s3: BaseClient, bucket: str, **arguments: Any) -> tuple[bool | None, str | None]:
    """Delete, and answer what the reply says of a marker and of a version."""
    gone = s3.delete_object(Bucket=bucket, Key="k", **arguments)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    return gone.get("DeleteMarker"), gone.get("VersionId")


def error_of(call: Any, **arguments: Any) -> Any:
    """Answer the reply of a call that is refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response


@pytest.fixture
def versioned(s3: BaseClient, bucket: str) -> str:
    """Make a bucket that keeps versions."""
    set_versioning(s3, bucket, "Enabled")
    return bucket


# --- the setting ---


def test_versioning_is_set_and_told(s3: BaseClient, bucket: str) -> None:
    """A new bucket has no status; Enabled and Suspended replace each other, at once."""
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Suspended", "Enabled", "Enabled", "Suspended"):
        set_versioning(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize(
    ("configuration", "outcome"),
    [
        ({}, (400, "IllegalVersioningConfigurationException")),
        ({"MFADelete": "Disabled"}, (400, "IllegalVersioningConfigurationException")),
        ({"Status": "enabled"}, (400, "MalformedXML")),
        ({"Status": "Disabled"}, (400, "MalformedXML")),
        ({"Status": "Enabled", "MFADelete": "Enabled"}, (501, "NotImplemented")),
        ({"Status": "Enabled", "MFADelete": "Disabled"}, (200, "")),
    ],
)
def test_what_is_no_versioning_is_refused(
    s3: BaseClient, bucket: str, configuration: dict[str, str], outcome: tuple[int, str]
) -> None:
    """A status that is missing or not AWS's, and MFA delete, change nothing."""
    call = s3.put_bucket_versioning
    assert refusal(call, Bucket=bucket, VersioningConfiguration=configuration) == outcome
    assert ("Status" in s3.get_bucket_versioning(Bucket=bucket)) == (outcome == (200, ""))


# --- writing and reading ---


def test_versions_are_kept_and_named(s3: BaseClient, versioned: str) -> None:
    """Each write of a key makes a version that stays readable under the id the reply gave."""
    ids = [put(s3, versioned, body) for body in (b"one", b"two", b"three")]
    assert None not in ids
    assert len(set(ids)) == 3
    assert get(s3, versioned) == (b"three", ids[2])
    for body, version_id in zip((b"one", b"two", b"three"), ids, strict=True):
        assert get(s3, versioned, version_id) == (body, version_id)


def test_an_unversioned_bucket_names_no_version(s3: BaseClient, bucket: str) -> None:
    """Where versions were never kept no reply has an id, though `null` may be asked for."""
    assert put(s3, bucket, b"plain") is None
    assert get(s3, bucket) == (b"plain", None)
    assert get(s3, bucket, "null") == (b"plain", None)
    assert delete(s3, bucket, VersionId="null") == (None, None)
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == (404, "NoSuchKey")


def test_what_was_there_before_is_the_null_version(s3: BaseClient, bucket: str) -> None:
    """An object from before versioning stays as the null version, behind what is newer."""
    put(s3, bucket, b"old")
    set_versioning(s3, bucket, "Enabled")
    assert get(s3, bucket) == (b"old", "null")
    version_id = put(s3, bucket, b"new")
    assert get(s3, bucket) == (b"new", version_id)
    assert get(s3, bucket, "null") == (b"old", "null")
    assert delete(s3, bucket, VersionId=version_id) == (None, version_id)
    assert get(s3, bucket) == (b"old", "null")


def test_a_suspended_bucket_writes_the_null_version(s3: BaseClient, versioned: str) -> None:
    """While suspended, each write replaces the null version and no other."""
    kept = put(s3, versioned, b"kept")
    set_versioning(s3, versioned, "Suspended")
    for body in (b"first", b"second"):
        assert put(s3, versioned, body) is None
        assert get(s3, versioned) == (body, "null")
    assert get(s3, versioned, kept) == (b"kept", kept)
    set_versioning(s3, versioned, "Enabled")
    newest = put(s3, versioned, b"newest")
    assert get(s3, versioned) == (b"newest", newest)
    assert get(s3, versioned, "null") == (b"second", "null")


@pytest.mark.parametrize("times", [100_000, 10])
def test_a_late_body_takes_no_version_along(
    server: Server, s3: BaseClient, bucket: str, times: int
) -> None:
    """A body that ends after versions began to be kept makes a version; what was there stays."""
    put(s3, bucket, b"before")
    body = b"late" * times
    request = server.caller.request("PUT", f"/{bucket}/k", body)
    with server.caller.connect() as connection:
        connection.send(request[:-times])
        time.sleep(0.5)
        set_versioning(s3, bucket, "Enabled")
        with many(server.caller, 20) as others:  # so that every worker has heard of the change
            for another in others:
                server.caller.ask("HEAD", f"/{bucket}", over=another)
        connection.send(request[-times:])
        reply = connection.reply("PUT")
    assert reply.status == 200
    assert get(s3, bucket) == (body, reply.headers["x-amz-version-id"])
    assert get(s3, bucket, "null") == (b"before", "null")


def ask_late(server: Server, s3: BaseClient, bucket: str, query: str, document: bytes) -> Reply:
    """Send a POST whose document ends after versions began to be kept."""
    md5 = base64.b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()
    target = f"/{bucket}" + ("?delete=" if query == "delete" else f"/k?uploadId={query}")
    request = server.caller.request("POST", target, document, {"content-md5": md5})
    with server.caller.connect() as connection:
        connection.send(request[:-10])
        time.sleep(0.5)
        set_versioning(s3, bucket, "Enabled")
        connection.send(request[-10:])
        return connection.reply("POST")


def test_a_late_completion_takes_no_version_along(
    server: Server, s3: BaseClient, bucket: str
) -> None:
    """A completion whose list of parts ends late makes a version, too; what was there stays."""
    put(s3, bucket, b"before")
    named = {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    etag = s3.upload_part(**named, PartNumber=1, Body=b"late")["ETag"]
    row = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{row}</CompleteMultipartUpload>".encode()
    reply = ask_late(server, s3, bucket, named["UploadId"], document)
    assert get(s3, bucket) == (b"late", reply.headers["x-amz-version-id"])
    assert get(s3, bucket, "null") == (b"before", "null")


def test_a_late_deletion_leaves_a_marker(server: Server, s3: BaseClient, bucket: str) -> None:
    """A list of keys that ends after versions began to be kept hides them, and removes nothing."""
    put(s3, bucket, b"before")
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    reply = ask_late(server, s3, bucket, "delete", document)
    assert reply.text("DeleteMarker") == "true"
    assert get(s3, bucket, "null") == (b"before", "null")


# --- deleting ---


def test_a_marker_hides_and_gives_back(s3: BaseClient, versioned: str) -> None:
    """Deleting a key leaves a marker; deleting the marker gives the object back."""
    version_id = put(s3, versioned, b"hidden")
    is_marker, marker_id = delete(s3, versioned)
    assert is_marker
    assert marker_id not in {None, "null", version_id}
    assert refusal(s3.get_object, Bucket=versioned, Key="k") == (404, "NoSuchKey")
    assert get(s3, versioned, version_id) == (b"hidden", version_id)
    assert delete(s3, versioned, VersionId=marker_id) == (True, marker_id)
    assert get(s3, versioned) == (b"hidden", version_id)


def test_a_deleted_version_brings_back_no_other(s3: BaseClient, versioned: str) -> None:
    """Deleting a version behind a marker does not make the object appear."""
    first, second = put(s3, versioned, b"1"), put(s3, versioned, b"2")
    delete(s3, versioned)
    assert delete(s3, versioned, VersionId=second) == (None, second)
    assert refusal(s3.get_object, Bucket=versioned, Key="k") == (404, "NoSuchKey")
    assert get(s3, versioned, first) == (b"1", first)


def test_deleting_what_never_was_leaves_a_marker(s3: BaseClient, versioned: str) -> None:
    """In a versioned bucket even an absent key gets a marker; an absent version leaves nothing."""
    assert delete(s3, versioned, VersionId=UNKNOWN) == (None, UNKNOWN)
    assert refusal(s3.delete_bucket, Bucket=versioned) == (200, "")


def test_suspended_deletes_replace_the_null_version(s3: BaseClient, versioned: str) -> None:
    """While suspended, a delete puts the null marker in the place of the null version."""
    kept = put(s3, versioned, b"kept")
    set_versioning(s3, versioned, "Suspended")
    put(s3, versioned, b"null")
    assert delete(s3, versioned) == (True, "null")
    assert delete(s3, versioned) == (True, "null")
    head = error_of(s3.head_object, Bucket=versioned, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert (head["x-amz-delete-marker"], head["x-amz-version-id"]) == ("true", "null")
    assert get(s3, versioned, kept) == (b"kept", kept)
    assert delete(s3, versioned, VersionId="null") == (True, "null")
    assert get(s3, versioned) == (b"kept", kept)


def test_a_bucket_with_a_marker_is_not_empty(s3: BaseClient, versioned: str) -> None:
    """DeleteBucket refuses while any version or marker is left."""
    _, marker_id = delete(s3, versioned)
    assert refusal(s3.delete_bucket, Bucket=versioned) == (409, "BucketNotEmpty")
    with pytest.raises(ClientError, match="You must delete all versions in the bucket"):
        s3.delete_bucket(Bucket=versioned)
    delete(s3, versioned, VersionId=marker_id)
    assert refusal(s3.delete_bucket, Bucket=versioned) == (200, "")


# --- what cannot be read ---


@pytest.mark.parametrize("name", ["get_object", "head_object"])
def test_a_hidden_key_tells_of_its_marker(s3: BaseClient, versioned: str, name: str) -> None:
    """A key under a marker is 404 with the marker's id; a key that never was has no such header."""
    put(s3, versioned, b"x")
    _, marker_id = delete(s3, versioned)
    answer = error_of(getattr(s3, name), Bucket=versioned, Key="k")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker_id)
    answer = error_of(getattr(s3, name), Bucket=versioned, Key="never")
    assert "x-amz-delete-marker" not in answer["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("name", ["get_object", "head_object"])
def test_a_marker_itself_cannot_be_read(s3: BaseClient, versioned: str, name: str) -> None:
    """Naming a marker's id is 405, with the method that is allowed and the marker's time."""
    _, marker_id = delete(s3, versioned)
    answer = error_of(getattr(s3, name), Bucket=versioned, Key="k", VersionId=marker_id)
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 405
    assert (headers["x-amz-delete-marker"], headers["allow"]) == ("true", "DELETE")
    assert headers["last-modified"].endswith("GMT")
    if name == "get_object":
        assert answer["Error"]["Code"] == "MethodNotAllowed"
        assert answer["Error"]["ResourceType"] == "DeleteMarker"


@pytest.mark.parametrize("status", [None, "Enabled", "Suspended"])
def test_what_is_no_version_is_refused(s3: BaseClient, bucket: str, status: str | None) -> None:
    """An id of no version is 404, one of another store's form is 400, and neither deletes."""
    put(s3, bucket, b"x")
    if status is not None:
        set_versioning(s3, bucket, status)
    assert refusal(s3.get_object, Bucket=bucket, Key="k", VersionId=UNKNOWN) == (
        404,
        "NoSuchVersion",
    )
    error = error_of(s3.get_object, Bucket=bucket, Key="k", VersionId=FOREIGN)["Error"]
    assert error["Code"] == "InvalidArgument"
    assert error["Message"] == "Invalid version id specified"
    assert (error["ArgumentName"], error["ArgumentValue"]) == ("versionId", FOREIGN)
    assert refusal(s3.head_object, Bucket=bucket, Key="k", VersionId=FOREIGN) == (400, "400")
    assert refusal(s3.delete_object, Bucket=bucket, Key="k", VersionId=FOREIGN) == (
        400,
        "InvalidArgument",
    )
    assert get(s3, bucket)[0] == b"x"


# --- DeleteObjects ---


def delete_many(s3: BaseClient, bucket: str, *entries: Any, quiet: bool = False) -> Any:
    """Delete entries given as (key, version id)."""
    objects = [
        {"Key": key} if version_id is None else {"Key": key, "VersionId": version_id}
        for key, version_id in entries
    ]
    return s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": quiet})


def test_many_deletes_leave_a_marker_each(s3: BaseClient, versioned: str) -> None:
    """Keys without an id get markers, also a key twice and one that never was."""
    put(s3, versioned, b"x", "a")
    rows = delete_many(s3, versioned, ("a", None), ("b", None), ("a", None))["Deleted"]
    assert [(row["Key"], row["DeleteMarker"]) for row in rows] == [
        ("a", True),
        ("b", True),
        ("a", True),
    ]
    assert all("VersionId" not in row for row in rows)
    assert len({row["DeleteMarkerVersionId"] for row in rows}) == 3


def test_many_deletes_of_versions(s3: BaseClient, versioned: str) -> None:
    """Rows say what a deleted version was; what is no id is an error of its own row."""
    version_id = put(s3, versioned, b"x")
    _, marker_id = delete(s3, versioned)
    answer = delete_many(
        s3, versioned, ("k", marker_id), ("k", version_id), ("k", UNKNOWN), ("k", FOREIGN)
    )
    assert answer["Deleted"] == [
        {
            "Key": "k",
            "VersionId": marker_id,
            "DeleteMarker": True,
            "DeleteMarkerVersionId": marker_id,
        },
        {"Key": "k", "VersionId": version_id},
        {"Key": "k", "VersionId": UNKNOWN},
    ]
    assert answer["Errors"] == [
        {
            "Key": "k",
            "VersionId": FOREIGN,
            "Code": "NoSuchVersion",
            "Message": "The specified version does not exist.",
        }
    ]
    assert refusal(s3.delete_bucket, Bucket=versioned) == (200, "")


def test_there_is_no_lock_to_go_past(s3: BaseClient, versioned: str) -> None:
    """Bypassing retention is refused for one object, and of no effect for many."""
    s3.put_object(Bucket=versioned, Key="k", Body=b"x")
    bypass = {"Bucket": versioned, "BypassGovernanceRetention": True}
    assert refusal(s3.delete_object, **bypass, Key="k") == (400, "InvalidArgument")
    told = s3.delete_objects(**bypass, Delete={"Objects": [{"Key": "k"}]})
    assert told["Deleted"][0]["DeleteMarker"]


def test_quiet_tells_only_of_errors(s3: BaseClient, versioned: str) -> None:
    """Quiet leaves out what went well, markers too."""
    answer = delete_many(s3, versioned, ("a", None), ("b", FOREIGN), quiet=True)
    assert "Deleted" not in answer
    assert [row["Key"] for row in answer["Errors"]] == ["b"]


# --- copying ---


def test_a_version_is_copied_and_named(s3: BaseClient, versioned: str) -> None:
    """A copy may read an old version, also onto its own key, and names both versions."""
    old = put(s3, versioned, b"old")
    put(s3, versioned, b"new")
    source = {"Bucket": versioned, "Key": "k", "VersionId": old}
    copied = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert copied["CopySourceVersionId"] == old
    assert get(s3, versioned) == (b"old", copied["VersionId"])
    current = s3.copy_object(
        Bucket=versioned, Key="other", CopySource={"Bucket": versioned, "Key": "k"}
    )
    assert current["CopySourceVersionId"] == copied["VersionId"]


def test_copies_of_and_to_the_null_version(s3: BaseClient, bucket: str) -> None:
    """A null source is not named; a null target is, once the bucket had versions."""
    put(s3, bucket, b"plain")
    source = {"Bucket": bucket, "Key": "k"}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert {"VersionId", "CopySourceVersionId"}.isdisjoint(copied)
    set_versioning(s3, bucket, "Suspended")
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert copied["VersionId"] == "null"
    assert "CopySourceVersionId" not in copied
    set_versioning(s3, bucket, "Enabled")
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source | {"VersionId": "null"})
    assert copied["VersionId"] not in {None, "null"}


@pytest.mark.parametrize("name", ["copy_object", "upload_part_copy"])
def test_a_marker_is_no_source(s3: BaseClient, versioned: str, name: str) -> None:
    """A hidden key is missing as a source; a marker that is named is a mistake."""
    put(s3, versioned, b"x")
    _, marker_id = delete(s3, versioned)
    arguments: dict[str, Any] = {"Bucket": versioned, "Key": "target"}
    if name == "upload_part_copy":
        upload = s3.create_multipart_upload(Bucket=versioned, Key="target")
        arguments |= {"UploadId": upload["UploadId"], "PartNumber": 1}
    source = {"Bucket": versioned, "Key": "k"}
    answer = error_of(getattr(s3, name), **arguments, CopySource=source)
    assert (answer["Error"]["Code"], answer["Error"]["Key"]) == ("NoSuchKey", "k")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    call = getattr(s3, name)
    for version_id, outcome in (
        (marker_id, (400, "InvalidRequest")),
        (UNKNOWN, (404, "NoSuchVersion")),
        (FOREIGN, (400, "InvalidArgument")),
    ):
        named = source | {"VersionId": version_id}
        assert refusal(call, **arguments, CopySource=named) == outcome


# --- multipart ---


def test_a_multipart_object_is_a_version(s3: BaseClient, versioned: str) -> None:
    """Complete answers the version it made, as it does when asked again; parts may be versions."""
    old = put(s3, versioned, b"old")
    put(s3, versioned, b"new")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    named = {"Bucket": versioned, "Key": "k", "UploadId": upload}
    part = s3.upload_part_copy(
        **named, PartNumber=1, CopySource={"Bucket": versioned, "Key": "k", "VersionId": old}
    )
    assert part["CopySourceVersionId"] == old
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    completed = s3.complete_multipart_upload(**named, MultipartUpload=parts)
    assert get(s3, versioned) == (b"old", completed["VersionId"])
    put(s3, versioned, b"newer")
    again = s3.complete_multipart_upload(**named, MultipartUpload=parts)
    assert again["VersionId"] == completed["VersionId"]
    head = s3.head_object(Bucket=versioned, Key="k", VersionId=completed["VersionId"], PartNumber=1)
    assert (head["PartsCount"], head["ContentLength"]) == (1, 3)


def test_a_suspended_complete_writes_the_null_version(s3: BaseClient, bucket: str) -> None:
    """While suspended, a completed upload is the null version and is not named."""
    set_versioning(s3, bucket, "Suspended")
    put(s3, bucket, b"old")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    part = s3.upload_part(**named, PartNumber=1, Body=b"new")
    completed = s3.complete_multipart_upload(
        **named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    assert "VersionId" not in completed
    assert get(s3, bucket) == (b"new", "null")
