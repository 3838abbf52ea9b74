"""Who may do what over the wire: two users, a reader and nobody, in buckets of every ownership."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SETTINGS = {"default_object_ownership": "ObjectWriter", "default_public_access_block": "false"}
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c"
DENIED, MISSING = (403, "AccessDenied"), (404, "NoSuchKey")
FULL = [{"Grantee": {"Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]
_numbers = count(1)


@dataclass(frozen=True)
class User:
    """Somebody with an access key."""

    id: str
    name: str
    email: str
    s3: BaseClient


@dataclass(frozen=True)
class People:
    """Who takes part."""

    ada: User
    bob: User
    eve: User  # a Reader
    nobody: BaseClient


def _make(server: Server, name: str, role: str) -> User:
    email = f"{name}@example.org"
    user = server.manage_json(
        *("create_user", name, "--role", role),
        *("--email", email, "--display-name", name.title()),
    )
    key = server.manage_json("create_key", name)
    client = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    return User(user["canonical_id"], name.title(), email, client)


@pytest.fixture(scope="module")
def people(server: Server) -> Iterator[People]:
    """Make everybody."""
    nobody = server.client(config=Config(signature_version=UNSIGNED))
    users = [
        _make(server, name, role)
        for name, role in (("ada", "Writer"), ("bob", "Writer"), ("eve", "Reader"))
    ]
    yield People(*users, nobody)
    for client in (nobody, *(user.s3 for user in users)):
        client.close()


def made(user: User, **options: Any) -> str:
    """Make a bucket of somebody's."""
    name = f"shared-{next(_numbers):04d}"
    user.s3.create_bucket(Bucket=name, **options)
    return name


def outcome(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Answer the status of a call, and its code when it was refused."""
    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"], ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def granted(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """Say an ACL in short: whom it grants what."""
    return {
        (row["Grantee"].get("ID") or row["Grantee"]["URI"].rpartition("/")[2], row["Permission"])
        for row in answer["Grants"]
    }


# canned ACL of the object -> who may read it beside its owner (b: bob, e: eve, n: nobody)
READERS = {
    "private": "",
    "public-read": "ben",
    "public-read-write": "ben",
    "authenticated-read": "be",
    "aws-exec-read": "",
    "bucket-owner-read": "",
    "bucket-owner-full-control": "",
}


@pytest.mark.parametrize("canned", READERS)
def test_a_canned_acl_says_who_reads(people: People, canned: str) -> None:
    """Each canned ACL of an object opens it to whom AWS says, and its absence is not told."""
    bucket = made(people.ada)
    people.ada.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=canned)
    clients = {"b": people.bob.s3, "e": people.eve.s3, "n": people.nobody}
    for letter, client in clients.items():
        expected = (200, "") if letter in READERS[canned] else DENIED
        assert outcome(client.get_object, Bucket=bucket, Key="k") == expected
        assert outcome(client.head_object, Bucket=bucket, Key="k")[0] == expected[0]
        assert outcome(client.get_object_acl, Bucket=bucket, Key="k") == DENIED
        assert outcome(client.get_object, Bucket=bucket, Key="absent") == DENIED
        assert outcome(client.head_object, Bucket=bucket, Key="absent")[0] == DENIED[0]
        assert outcome(client.put_object, Bucket=bucket, Key="k", Body=b"y") == DENIED
        assert outcome(client.delete_object, Bucket=bucket, Key="k") == DENIED
        assert outcome(client.list_objects_v2, Bucket=bucket) == DENIED
        assert outcome(client.head_bucket, Bucket=bucket)[0] == DENIED[0]
        tagging = {"Bucket": bucket, "Key": "k"}
        assert outcome(client.get_object_tagging, **tagging) == DENIED
    assert people.ada.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_who_may_list_is_told_what_is_missing(people: People) -> None:
    """With READ on the bucket a missing object is 404, without it 403; a bucket is always 404."""
    bucket = made(people.ada)
    for call in (people.bob.s3.get_object, people.bob.s3.get_object_acl):
        assert outcome(call, Bucket=bucket, Key="absent") == DENIED
    people.ada.s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    for client in (people.bob.s3, people.nobody):
        assert outcome(client.get_object, Bucket=bucket, Key="absent") == MISSING
        assert outcome(client.list_objects_v2, Bucket=bucket) == (200, "")
        assert outcome(client.list_objects_v2, Bucket="no-such") == (404, "NoSuchBucket")
    assert outcome(people.nobody.list_buckets) == DENIED


def test_a_copy_needs_the_right_to_read_its_source(people: People) -> None:
    """Source objects of CopyObject and UploadPartCopy are read by the caller's own rights."""
    theirs, mine = made(people.ada), made(people.bob)
    people.ada.s3.put_object(Bucket=theirs, Key="k", Body=b"x")
    source = {"Bucket": theirs, "Key": "k"}
    copy, bob = {"Bucket": mine, "Key": "copy"}, people.bob.s3
    assert outcome(bob.copy_object, **copy, CopySource=source) == DENIED
    assert outcome(bob.copy_object, **copy, CopySource={**source, "Key": "absent"}) == DENIED
    upload = bob.create_multipart_upload(**copy)["UploadId"]
    part = {**copy, "UploadId": upload, "PartNumber": 1, "CopySource": source}
    assert outcome(bob.upload_part_copy, **part) == DENIED
    people.ada.s3.put_object_acl(**source, ACL="authenticated-read")
    assert outcome(bob.copy_object, **copy, CopySource=source) == (200, "")
    assert outcome(bob.upload_part_copy, **part) == (200, "")
    assert granted(bob.get_object_acl(**copy)) == {(people.bob.id, "FULL_CONTROL")}


def test_tags_are_told_to_those_who_may_read_them(people: People) -> None:
    """Who may read an object and not its tags is not told of any, and gets no copy with them."""
    bucket, own = made(people.ada), made(people.bob)
    people.ada.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read", Tagging="a=b")
    for client in (people.bob.s3, people.nobody):
        assert "TagCount" not in client.get_object(Bucket=bucket, Key="k")
        assert "TagCount" not in client.head_object(Bucket=bucket, Key="k")
    assert people.ada.s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 1
    copy: dict[str, Any] = {"Bucket": own, "Key": "k", "CopySource": f"{bucket}/k"}
    assert refusal(people.bob.s3.copy_object, **copy) == DENIED
    assert refusal(people.bob.s3.head_object, Bucket=own, Key="k") == (404, "404")
    people.bob.s3.copy_object(**copy, TaggingDirective="REPLACE", Tagging="c=d")
    assert people.bob.s3.head_object(Bucket=own, Key="k")["TagCount"] == 1


def test_who_writes_owns(people: People) -> None:
    """In an ObjectWriter bucket the writer owns; the bucket's owner deletes, and cannot read."""
    bucket = made(people.ada)
    people.ada.s3.put_bucket_acl(Bucket=bucket, GrantWrite=f'id="{people.bob.id}"')
    people.bob.s3.put_object(Bucket=bucket, Key="k", Body=b"bob's")
    named = {"Bucket": bucket, "Key": "k"}
    assert outcome(people.ada.s3.get_object, **named) == DENIED
    assert outcome(people.ada.s3.get_object_acl, **named) == DENIED
    assert outcome(people.ada.s3.put_object_acl, **named, ACL="private") == DENIED
    row = people.ada.s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]
    assert row["Owner"] == {"ID": people.bob.id, "DisplayName": people.bob.name}
    assert outcome(people.ada.s3.delete_object, **named) == (204, "")
    people.bob.s3.put_object(**named, Body=b"bob's", ACL="bucket-owner-full-control")
    assert people.ada.s3.get_object(**named)["Body"].read() == b"bob's"


def test_who_may_write_deletes_what_is_his(people: People) -> None:
    """WRITE lets others delete their own objects, one by one or many at once, and no version."""
    bucket = made(people.ada, ACL="public-read-write")
    people.ada.s3.put_object(Bucket=bucket, Key="hers", Body=b"x")
    people.bob.s3.put_object(Bucket=bucket, Key="his", Body=b"x")
    bob = people.bob.s3
    assert outcome(bob.delete_object, Bucket=bucket, Key="hers") == DENIED
    assert outcome(bob.delete_object, Bucket=bucket, Key="absent") == (204, "")
    wanted = [{"Key": "hers"}, {"Key": "his"}, {"Key": "absent"}]
    wanted.append({"Key": "his", "VersionId": "null"})
    answer = bob.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [row["Key"] for row in answer["Deleted"]] == ["his", "absent"]
    assert [(row["Key"], row["Code"]) for row in answer["Errors"]] == [
        ("hers", "AccessDenied"),
        ("his", "AccessDenied"),
    ]
    only = [{"Key": "hers", "VersionId": "null"}]
    errors = bob.delete_objects(Bucket=bucket, Delete={"Objects": only})["Errors"]
    assert [row["Code"] for row in errors] == ["AccessDenied"]
    assert outcome(people.ada.s3.head_object, Bucket=bucket, Key="hers") == (200, "")


def test_nobody_writes_where_all_may(people: People) -> None:
    """Without a signature one writes where AllUsers may, as AWS's anonymous user."""
    bucket = made(people.ada, ACL="public-read-write")
    people.nobody.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    answer = people.nobody.get_object_acl(Bucket=bucket, Key="k")
    assert answer["Owner"]["ID"] == ANONYMOUS_ID
    assert granted(answer) == {(ANONYMOUS_ID, "FULL_CONTROL"), ("AllUsers", "READ")}
    overridden = {"Bucket": bucket, "Key": "k", "ResponseContentType": "text/html"}
    assert outcome(people.nobody.get_object, **overridden) == (400, "InvalidRequest")
    assert outcome(people.nobody.delete_object, Bucket=bucket, Key="k") == (204, "")
    assert outcome(people.nobody.create_bucket, Bucket="nobodys") == DENIED
    assert outcome(people.nobody.delete_bucket, Bucket=bucket) == DENIED


def test_an_upload_is_its_writers(people: People) -> None:
    """Parts and completion need WRITE; looking at and giving up the upload of another is denied."""
    bucket = made(people.ada, ACL="public-read-write")
    named = {"Bucket": bucket, "Key": "k"}
    upload = people.bob.s3.create_multipart_upload(**named, ACL="public-read")["UploadId"]
    named["UploadId"] = upload
    assert outcome(people.nobody.list_parts, **named) == DENIED
    assert outcome(people.nobody.abort_multipart_upload, **named) == DENIED
    assert outcome(people.bob.s3.list_parts, **named) == (200, "")
    assert outcome(people.ada.s3.list_parts, **named) == (200, "")
    for other in (people.nobody, people.ada.s3):  # the object would be bob's, its bytes theirs
        assert outcome(other.upload_part, **named, PartNumber=1, Body=b"not his") == DENIED
        source = f"{bucket}/none"
        assert outcome(other.upload_part_copy, **named, PartNumber=1, CopySource=source) == DENIED
        parts = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
        assert outcome(other.complete_multipart_upload, **named, MultipartUpload=parts) == DENIED
    etag = people.bob.s3.upload_part(**named, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    people.bob.s3.complete_multipart_upload(**named, MultipartUpload=parts)
    acl = people.bob.s3.get_object_acl(Bucket=bucket, Key="k")
    assert granted(acl) == {(people.bob.id, "FULL_CONTROL"), ("AllUsers", "READ")}


def test_an_upload_ends_by_the_ownership_of_its_end(people: People) -> None:
    """Where ACLs were disabled meanwhile the object is the bucket's owner's, and stays so."""
    bucket = made(people.ada, ACL="public-read-write")
    bob, named = people.bob.s3, {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = bob.create_multipart_upload(**named, ACL="public-read")["UploadId"]
    etag = bob.upload_part(**named, PartNumber=1, Body=b"x")["ETag"]
    people.ada.s3.put_bucket_acl(Bucket=bucket, ACL="private")
    for ownership in ("BucketOwnerEnforced", "ObjectWriter"):
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        people.ada.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        people.ada.s3.complete_multipart_upload(**named, MultipartUpload=parts)
    named.pop("UploadId")
    assert granted(people.ada.s3.get_object_acl(**named)) == {(people.ada.id, "FULL_CONTROL")}
    assert outcome(bob.get_object, **named) == DENIED


def test_a_reader_has_what_others_grant_him_by_name(people: People) -> None:
    """Full control of another's bucket lets a Reader write there, and what he owns only be read."""
    grant = f'id="{people.eve.id}"'
    bucket = made(people.ada, GrantFullControl=grant)
    people.ada.s3.put_object(Bucket=bucket, Key="k", Body=b"x", GrantFullControl=grant)
    eve, named = people.eve.s3, {"Bucket": bucket, "Key": "k"}
    assert outcome(eve.get_object, **named) == (200, "")
    assert outcome(eve.get_object_acl, **named) == (200, "")
    assert outcome(eve.list_objects_v2, Bucket=bucket) == (200, "")
    assert outcome(eve.delete_object, **named) == DENIED
    assert outcome(eve.put_object_acl, **named, ACL="private") == (200, "")
    assert outcome(eve.put_object, **named, Body=b"y") == (200, "")
    assert outcome(eve.get_object, **named) == (200, "")
    assert outcome(eve.put_object_acl, **named, ACL="public-read") == DENIED
    assert outcome(eve.delete_object, **named) == DENIED


def test_bucket_owner_preferred(people: People) -> None:
    """The bucket's owner owns what is given to him by bucket-owner-full-control, nothing else."""
    bucket = made(people.ada, ACL="public-read-write", ObjectOwnership="BucketOwnerPreferred")
    put = people.bob.s3.put_object
    put(Bucket=bucket, Key="given", Body=b"x", ACL="bucket-owner-full-control")
    put(Bucket=bucket, Key="kept", Body=b"x")
    assert outcome(people.ada.s3.get_object, Bucket=bucket, Key="given") == (200, "")
    assert outcome(people.ada.s3.get_object, Bucket=bucket, Key="kept") == DENIED
    assert outcome(people.bob.s3.get_object, Bucket=bucket, Key="given") == DENIED
    named = {"Bucket": bucket, "Key": "large"}
    begin = people.bob.s3.create_multipart_upload
    named["UploadId"] = begin(**named, ACL="bucket-owner-full-control")["UploadId"]
    row = people.ada.s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]
    assert (row["Initiator"]["ID"], row["Owner"]["ID"]) == (people.bob.id, people.ada.id)
    assert people.bob.s3.list_parts(**named)["Initiator"]["DisplayName"] == people.bob.name
    assert outcome(people.eve.s3.list_parts, **named) == DENIED
    assert outcome(people.bob.s3.abort_multipart_upload, **named) == (204, "")


def test_bucket_owner_enforced(s3: BaseClient, people: People) -> None:
    """Where the bucket's owner is enforced ACLs mean nothing: not set, not obeyed, and not lost."""
    bucket = made(people.ada)
    named = {"Bucket": bucket, "Key": "k"}
    people.ada.s3.put_bucket_acl(Bucket=bucket, GrantWrite=f'id="{people.bob.id}"')
    people.bob.s3.put_object(**named, Body=b"bob's", ACL="public-read")
    rule = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    controls = {"Bucket": bucket, "OwnershipControls": rule}
    code = (400, "InvalidBucketAclWithObjectOwnership")
    assert refusal(people.ada.s3.put_bucket_ownership_controls, **controls) == code
    people.ada.s3.put_bucket_acl(Bucket=bucket, ACL="private")
    people.ada.s3.put_bucket_ownership_controls(**controls)
    assert outcome(people.ada.s3.get_object, **named) == (200, "")
    for client in (people.bob.s3, people.nobody):
        assert outcome(client.get_object, **named) == DENIED
    acl = people.ada.s3.get_object_acl(**named)
    assert granted(acl) == {(people.ada.id, "FULL_CONTROL")}
    off = (400, "AccessControlListNotSupported")
    put = people.ada.s3.put_object
    assert refusal(put, **named, Body=b"y", ACL="public-read") == off
    for canned in ("public-read", "private", "bucket-owner-read"):
        assert refusal(people.ada.s3.put_object_acl, **named, ACL=canned) == off
    assert refusal(put, **named, Body=b"y", GrantRead=f"id={people.bob.id}") == off
    assert refusal(people.ada.s3.put_bucket_acl, Bucket=bucket, ACL="private") == off
    for canned in ("bucket-owner-full-control", "private"):
        put(Bucket=bucket, Key="fine", Body=b"y", ACL=canned)
    root = {"Bucket": bucket, "Key": "fine", "Body": b"y"}  # a SuperUser, of another account
    assert refusal(s3.put_object, **root, ACL="private") == off
    s3.put_object(**root, ACL="bucket-owner-full-control")
    people.ada.s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert refusal(people.ada.s3.get_bucket_ownership_controls, Bucket=bucket) == (
        404,
        "OwnershipControlsNotFoundError",
    )
    assert outcome(people.bob.s3.get_object, **named) == (200, "")


def test_public_acls_are_blocked(people: People) -> None:
    """BlockPublicAcls refuses what would open something to all, and lets other ACLs pass."""
    bucket = made(people.ada)
    people.ada.s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    )
    named, s3 = {"Bucket": bucket, "Key": "k"}, people.ada.s3
    for canned in ("public-read", "public-read-write", "authenticated-read"):
        assert outcome(s3.put_object, **named, Body=b"x", ACL=canned) == DENIED
        assert outcome(s3.put_bucket_acl, Bucket=bucket, ACL=canned) == DENIED
        assert outcome(s3.create_multipart_upload, **named, ACL=canned) == DENIED
    assert outcome(s3.head_object, **named)[0] == 404
    assert outcome(s3.put_object, **named, Body=b"x", GrantRead=f"id={people.bob.id}") == (200, "")
    assert outcome(s3.put_object_acl, **named, GrantRead=f'uri="{ALL_USERS}"') == DENIED
    assert outcome(s3.put_object_acl, **named, GrantRead=f'uri="{AUTHENTICATED}"') == DENIED
    assert outcome(s3.put_object_acl, **named, GrantRead=f"id={ANONYMOUS_ID}") == DENIED
    assert outcome(people.bob.s3.get_object, **named) == (200, "")


def test_public_acls_are_ignored(people: People) -> None:
    """IgnorePublicAcls takes back what all were granted, on bucket and objects, until it is off."""
    bucket = made(people.ada, ACL="public-read-write")
    named = {"Bucket": bucket, "Key": "k"}
    people.ada.s3.put_object(**named, Body=b"x", ACL="public-read")
    people.ada.s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"IgnorePublicAcls": True}
    )
    for client in (people.bob.s3, people.nobody):
        assert outcome(client.get_object, **named) == DENIED
        assert outcome(client.list_objects_v2, Bucket=bucket) == DENIED
        assert outcome(client.put_object, **named, Body=b"y") == DENIED
    assert outcome(people.ada.s3.put_object_acl, **named, ACL="public-read") == (200, "")
    people.ada.s3.delete_public_access_block(Bucket=bucket)
    assert refusal(people.ada.s3.get_public_access_block, Bucket=bucket) == (
        404,
        "NoSuchPublicAccessBlockConfiguration",
    )
    assert outcome(people.nobody.get_object, **named) == (200, "")


def test_grants_by_every_name(people: People) -> None:
    """Users are named by id or e-mail address, groups by URI, in headers or in a document."""
    bucket = made(people.ada)
    s3, bob, eve = people.ada.s3, people.bob, people.eve
    s3.put_bucket_acl(
        Bucket=bucket,
        GrantFullControl=f"id={people.ada.id}",
        GrantRead=f'emailAddress="{bob.email.upper()}", uri="{ALL_USERS}",id="{eve.id}"',
    )
    answer = s3.get_bucket_acl(Bucket=bucket)
    expected = {(people.ada.id, "FULL_CONTROL"), ("AllUsers", "READ")}
    expected |= {(user.id, "READ") for user in (bob, eve)}
    assert granted(answer) == expected
    assert answer["Owner"] == {"ID": people.ada.id, "DisplayName": people.ada.name}
    policy = {"Owner": answer["Owner"], "Grants": answer["Grants"]}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == answer["Grants"]
    by_email = {"Type": "AmazonCustomerByEmail", "EmailAddress": bob.email}
    policy["Grants"] = [{"Grantee": by_email, "Permission": "WRITE_ACP"}]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == {(bob.id, "WRITE_ACP")}
    assert outcome(bob.s3.get_bucket_acl, Bucket=bucket) == DENIED
    bob.s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == {
        (people.ada.id, "FULL_CONTROL"),
        ("AllUsers", "READ"),
    }


def test_an_acl_is_a_versions_own(people: People) -> None:
    """Each version has its ACL, read, set and obeyed by its id; setting it makes no version."""
    bucket = made(people.ada)
    s3, named = people.ada.s3, {"Bucket": bucket, "Key": "k"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(**named, Body=b"old")["VersionId"]
    new = s3.put_object(**named, Body=b"new")["VersionId"]
    s3.put_object_acl(**named, VersionId=old, ACL="public-read")
    assert granted(s3.get_object_acl(**named)) == {(people.ada.id, "FULL_CONTROL")}
    assert ("AllUsers", "READ") in granted(s3.get_object_acl(**named, VersionId=old))
    assert people.nobody.get_object(**named, VersionId=old)["Body"].read() == b"old"
    assert outcome(people.nobody.get_object, **named) == DENIED
    assert outcome(people.nobody.get_object, **named, VersionId=new) == DENIED
    assert s3.head_object(**named)["VersionId"] == new
    marker = s3.delete_object(**named)["VersionId"]
    refused = (405, "MethodNotAllowed")
    assert outcome(s3.get_object_acl, **named) == MISSING
    assert outcome(s3.put_object_acl, **named, ACL="private") == refused
    assert outcome(s3.get_object_acl, **named, VersionId=marker) == refused
    assert outcome(people.nobody.get_object_acl, **named, VersionId=marker) == DENIED
