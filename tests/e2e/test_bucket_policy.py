"""Bucket policies over the wire: what they allow and deny, to whom, and when they are refused."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SETTINGS = {"default_public_access_block": "false"}
ALLOWED, DENIED, MISSING = (200, ""), (403, "AccessDenied"), (404, "NoSuchKey")
MALFORMED = (400, "MalformedPolicy")
_numbers = count(1)


class User(NamedTuple):
    """Somebody with an access key."""

    account: str
    arn: str
    s3: BaseClient


class People(NamedTuple):
    """Who takes part: two Writers, a Reader, and nobody."""

    ada: User
    bob: User
    eve: User
    nobody: BaseClient


def _make(server: Server, name: str, role: str) -> User:
    account = server.manage_json("create_user", name, "--role", role)["account_id"]
    key = server.manage_json("create_key", name)
    client = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    return User(account, f"arn:aws:iam::{account}:user/{name}", client)


@pytest.fixture(scope="module")
def people(server: Server) -> Iterator[People]:
    """Make everybody."""
    nobody = server.client(config=Config(signature_version=UNSIGNED))
    users = [
        _make(server, name, role)
        for name, role in (("pol-ada", "Writer"), ("pol-bob", "Writer"), ("pol-eve", "Reader"))
    ]
    yield People(*users, nobody)
    for client in (nobody, *(user.s3 for user in users)):
        client.close()


@pytest.fixture
def bucket(people: People) -> str:
    """Make a bucket of ada's with two objects."""
    name = f"ruled-{next(_numbers):04d}"
    people.ada.s3.create_bucket(Bucket=name)
    people.ada.s3.put_object(Bucket=name, Key="open/a", Body=b"a", Tagging="level=low")
    people.ada.s3.put_object(Bucket=name, Key="shut/b", Body=b"b")
    return name


def rule(bucket: str, effect: str, action: Any, path: str | None = "*", **more: Any) -> Any:
    """Write one statement about everybody, for objects at `path` or for the bucket (None)."""
    resource = f"arn:aws:s3:::{bucket}" + ("" if path is None else f"/{path}")
    return {"Effect": effect, "Principal": "*", "Action": action, "Resource": resource} | more


def put(user: User, bucket: str, *rules: Any) -> tuple[int, str]:
    """Put a policy of these statements."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(rules)})
    status, code = outcome(user.s3.put_bucket_policy, Bucket=bucket, Policy=policy)
    return (200, "") if status == 204 else (status, code)


def outcome(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Answer the status of a call, and its code when it was refused."""
    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"], ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def test_a_policy_opens_a_path_to_the_public(people: People, bucket: str) -> None:
    """Whoever comes reads below the path that is opened, and nothing else."""
    assert put(people.ada, bucket, rule(bucket, "Allow", "s3:GetObject", "open/*")) == ALLOWED
    for client in (people.nobody, people.bob.s3, people.eve.s3):
        assert outcome(client.get_object, Bucket=bucket, Key="open/a") == ALLOWED
        assert outcome(client.head_object, Bucket=bucket, Key="open/a") == ALLOWED
        assert outcome(client.get_object, Bucket=bucket, Key="shut/b") == DENIED
        assert outcome(client.get_object, Bucket=bucket, Key="open/none") == DENIED
        assert outcome(client.list_objects_v2, Bucket=bucket) == DENIED
        assert outcome(client.put_object, Bucket=bucket, Key="open/c", Body=b"") == DENIED
    status = people.ada.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]
    assert status == {"IsPublic": True}
    people.ada.s3.delete_bucket_policy(Bucket=bucket)
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/a") == DENIED
    code = outcome(people.ada.s3.get_bucket_policy, Bucket=bucket)
    assert code == (404, "NoSuchBucketPolicy")


def test_who_may_list_is_told_what_is_not_there(people: People, bucket: str) -> None:
    """Listing opened under a prefix is listing of that prefix; with it an absence is told."""
    narrow = {"Condition": {"StringEquals": {"s3:prefix": "open/"}}}
    rules = [
        rule(bucket, "Allow", "s3:ListBucket", None, **narrow),
        rule(bucket, "Allow", "s3:GetObject"),
    ]
    assert put(people.ada, bucket, *rules) == ALLOWED
    listing = people.nobody.list_objects_v2(Bucket=bucket, Prefix="open/")
    assert [row["Key"] for row in listing["Contents"]] == ["open/a"]
    assert outcome(people.nobody.list_objects_v2, Bucket=bucket, Prefix="shut/") == DENIED
    assert outcome(people.nobody.list_objects_v2, Bucket=bucket) == DENIED
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/none") == DENIED
    rules[0] = rule(
        bucket, "Allow", "s3:ListBucket", None, Condition={"StringLike": {"s3:prefix": "open/*"}}
    )
    assert put(people.ada, bucket, *rules) == ALLOWED
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/none") == MISSING
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="shut/none") == DENIED
    rules[0] = rule(bucket, "Allow", "s3:ListBucket", None)
    assert put(people.ada, bucket, *rules) == ALLOWED
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/none") == MISSING


def test_one_user_is_let_in_by_each_of_his_names(people: People, bucket: str) -> None:
    """A user, or his account, is named; nobody else is let in, and a Reader has what is given."""
    account = people.bob.account
    for name in (people.bob.arn, f"arn:aws:iam::{account}:root", account):
        one = {"Principal": {"AWS": [name]}}
        assert put(people.ada, bucket, rule(bucket, "Allow", "s3:*", **one)) == ALLOWED
        assert outcome(people.bob.s3.put_object, Bucket=bucket, Key="c", Body=b"c") == ALLOWED
        assert outcome(people.eve.s3.get_object, Bucket=bucket, Key="c") == DENIED
        assert outcome(people.nobody.get_object, Bucket=bucket, Key="c") == DENIED
    one = {"Principal": {"AWS": people.eve.arn}}
    assert put(people.ada, bucket, rule(bucket, "Allow", "s3:*", **one)) == ALLOWED
    assert outcome(people.eve.s3.get_object, Bucket=bucket, Key="c") == ALLOWED
    assert outcome(people.eve.s3.put_object, Bucket=bucket, Key="c", Body=b"") == ALLOWED
    assert outcome(people.bob.s3.get_object, Bucket=bucket, Key="c") == DENIED


def test_a_deny_holds_for_the_owner_and_never_locks_him_out(
    people: People, bucket: str, server: Server
) -> None:
    """What is denied is denied to the owner and to a SuperUser; the policy stays theirs."""
    root = server.client()
    rules = [rule(bucket, "Deny", "s3:*"), rule(bucket, "Deny", "s3:*", None)]
    assert put(people.ada, bucket, *rules) == ALLOWED
    for client in (people.ada.s3, root):
        assert outcome(client.get_object, Bucket=bucket, Key="open/a") == DENIED
        assert outcome(client.list_objects_v2, Bucket=bucket) == DENIED
        assert outcome(client.get_bucket_policy, Bucket=bucket) == ALLOWED
    assert outcome(people.bob.s3.delete_bucket_policy, Bucket=bucket) == DENIED
    people.ada.s3.delete_bucket_policy(Bucket=bucket)
    assert outcome(people.ada.s3.get_object, Bucket=bucket, Key="open/a") == ALLOWED
    root.close()


def test_the_tags_of_an_object_decide(people: People, bucket: str) -> None:
    """A condition on existing tags is judged by the object that is there, at each request."""
    low = {"Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "low"}}}
    actions = ["s3:GetObject", "s3:GetObjectTagging"]
    assert put(people.ada, bucket, rule(bucket, "Allow", actions, **low)) == ALLOWED
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/a") == ALLOWED
    assert outcome(people.nobody.get_object_tagging, Bucket=bucket, Key="open/a") == ALLOWED
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="shut/b") == DENIED
    assert outcome(people.ada.s3.get_object, Bucket=bucket, Key="shut/b") == ALLOWED
    tags = {"TagSet": [{"Key": "level", "Value": "high"}]}
    people.ada.s3.put_object_tagging(Bucket=bucket, Key="open/a", Tagging=tags)
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/a") == DENIED


def test_the_tags_that_are_sent_decide(people: People, bucket: str) -> None:
    """A condition on the request's tags is judged by header and by document alike."""
    high = {"Condition": {"StringEquals": {"s3:RequestObjectTag/level": "high"}}}
    deny = rule(bucket, "Deny", ["s3:PutObject", "s3:PutObjectTagging"], **high)
    assert put(people.ada, bucket, deny) == ALLOWED
    s3 = people.ada.s3
    for level, expected in (("high", DENIED), ("low", ALLOWED)):
        tagging = {"TagSet": [{"Key": "level", "Value": level}]}
        sent = outcome(s3.put_object, Bucket=bucket, Key="k", Body=b"", Tagging=f"level={level}")
        assert sent == expected
        sent = outcome(s3.put_object_tagging, Bucket=bucket, Key="shut/b", Tagging=tagging)
        assert sent == expected


def test_deletes_of_many_ask_for_each_key(people: People, bucket: str) -> None:
    """One entry that the policy denies is refused alone, and stays."""
    rules = [
        rule(bucket, "Allow", "s3:DeleteObject", "open/*", Principal={"AWS": people.bob.arn}),
        rule(bucket, "Deny", "s3:DeleteObject", "shut/*"),
    ]
    assert put(people.ada, bucket, *rules) == ALLOWED
    wanted = {"Objects": [{"Key": "open/a"}, {"Key": "shut/b"}, {"Key": "c"}]}
    answer = people.bob.s3.delete_objects(Bucket=bucket, Delete=wanted)
    assert [row["Key"] for row in answer["Deleted"]] == ["open/a"]
    assert [(row["Key"], row["Code"]) for row in answer["Errors"]] == [
        ("shut/b", "AccessDenied"),
        ("c", "AccessDenied"),
    ]
    answer = people.ada.s3.delete_objects(Bucket=bucket, Delete=wanted)
    assert [row["Key"] for row in answer["Errors"]] == ["shut/b"]
    assert outcome(people.ada.s3.get_object, Bucket=bucket, Key="shut/b") == ALLOWED


def test_where_no_versions_are_kept_a_deny_of_versions_keeps_objects(
    people: People, bucket: str
) -> None:
    """Deleting is for good there, so who may remove no version deletes nothing."""
    assert put(people.ada, bucket, rule(bucket, "Deny", "s3:DeleteObjectVersion")) == ALLOWED
    s3, one = people.ada.s3, {"Bucket": bucket, "Key": "open/a"}
    assert outcome(s3.delete_object, **one) == DENIED
    both = {"Objects": [{"Key": "open/a"}, {"Key": "shut/b"}]}
    errors = s3.delete_objects(Bucket=bucket, Delete=both)["Errors"]
    assert [error["Code"] for error in errors] == ["AccessDenied"] * 2
    enabled = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    version = s3.put_object(**one, Body=b"again")["VersionId"]
    assert s3.delete_object(**one)["DeleteMarker"]
    assert outcome(s3.delete_object, **one, VersionId=version) == DENIED


def test_a_copy_asks_for_its_source(people: People, bucket: str) -> None:
    """Who may write here copies only what he may read there, its tags included."""
    actions = ["s3:GetObject", "s3:GetObjectTagging"]
    assert put(people.ada, bucket, rule(bucket, "Allow", actions, "open/*")) == ALLOWED
    own = f"own-{next(_numbers):04d}"
    people.bob.s3.create_bucket(Bucket=own)
    for key, expected in (("open/a", ALLOWED), ("shut/b", DENIED), ("open/none", DENIED)):
        source = {"Bucket": bucket, "Key": key}
        copied = outcome(people.bob.s3.copy_object, Bucket=own, Key="c", CopySource=source)
        assert copied == expected
    assert put(people.ada, bucket, rule(bucket, "Allow", "s3:GetObject", "open/*")) == ALLOWED
    source = {"Bucket": bucket, "Key": "open/a"}
    arguments = {"Bucket": own, "Key": "c", "CopySource": source}
    assert outcome(people.bob.s3.copy_object, **arguments) == DENIED
    assert outcome(people.bob.s3.copy_object, TaggingDirective="REPLACE", **arguments) == ALLOWED


def test_whence_and_how_a_request_comes_decides(people: People, bucket: str) -> None:
    """Address and transport are those of the connection."""
    near = {"Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}}
    far = {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
    secure = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    for condition, expected in ((near, ALLOWED), (far, DENIED), (secure, ALLOWED)):
        assert (
            put(people.ada, bucket, rule(bucket, "Allow", "s3:GetObject", **condition)) == ALLOWED
        )
        assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/a") == expected


def test_the_public_access_block_overrules_a_public_policy(people: People, bucket: str) -> None:
    """A public policy is not taken where that is blocked, and holds for the owner alone."""
    public = rule(bucket, "Allow", "s3:GetObject")
    assert put(people.ada, bucket, public) == ALLOWED
    s3 = people.ada.s3
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    assert outcome(people.nobody.get_object, Bucket=bucket, Key="open/a") == DENIED
    assert outcome(people.bob.s3.get_object, Bucket=bucket, Key="open/a") == DENIED
    assert outcome(s3.get_object, Bucket=bucket, Key="open/a") == ALLOWED
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": True}
    )
    assert put(people.ada, bucket, public) == DENIED
    assert put(people.ada, bucket, public | {"Principal": {"AWS": people.bob.arn}}) == ALLOWED


def test_a_policy_that_is_not_understood_is_not_saved(people: People, bucket: str) -> None:
    """A refused policy leaves the one before in force, byte for byte as it was put."""
    good = rule(bucket, "Allow", "s3:GetObject", Sid="first")
    assert put(people.ada, bucket, good) == ALLOWED
    kept = people.ada.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert json.loads(kept)["Statement"] == [good]
    for bad in (
        rule(bucket, "Allow", "s3:GetObjekt"),
        rule("elsewhere", "Allow", "s3:GetObject"),
        rule(bucket, "Allow", "s3:ListBucket"),
        good | {"Principal": {"AWS": "arn:aws:iam::000000000000:root"}},
        good | {"Condition": {"StringIs": {"aws:username": "x"}}},
        good | {"Actions": "s3:*"},
    ):
        assert put(people.ada, bucket, bad) == MALFORMED
    long = good | {"Resource": [f"arn:aws:s3:::{bucket}/{'x' * 1000}{n}" for n in range(21)]}
    assert put(people.ada, bucket, long) == (400, "PolicyTooLarge")
    assert people.ada.s3.get_bucket_policy(Bucket=bucket)["Policy"] == kept


def test_a_prefix_is_renamed_only_where_all_below_it_may_be(people: People, bucket: str) -> None:
    """Who is let in by a policy renames a prefix if it speaks of all below alike, else not."""
    everything = rule(bucket, "Allow", "s3:*", Principal={"AWS": people.bob.arn})
    secret = rule(bucket, "Deny", "s3:GetObject", "open/secret/*")
    key = {"Bucket": bucket, "Key": "open/z", "RenameSource": "open/a"}
    there = {"Bucket": bucket, "Key": "wide/", "RenameSource": "open/"}
    back = {"Bucket": bucket, "Key": "open/", "RenameSource": "wide/"}
    assert put(people.ada, bucket, everything, secret) == ALLOWED
    assert outcome(people.bob.s3.rename_object, **key) == ALLOWED
    assert outcome(people.bob.s3.rename_object, **there) == DENIED
    assert outcome(people.ada.s3.rename_object, **there) == DENIED
    assert put(people.ada, bucket, everything) == ALLOWED
    assert outcome(people.bob.s3.rename_object, **there) == ALLOWED
    assert outcome(people.ada.s3.rename_object, **back) == ALLOWED


def test_a_rename_removes_only_versions_that_the_caller_may(people: People, bucket: str) -> None:
    """Who may write a key, and not remove its versions, does not remove them by a rename."""
    ada, bob, who = people.ada.s3, people.bob.s3, {"AWS": people.bob.arn}
    versioning = {"Status": "Enabled"}
    ada.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    removals = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    rules = [
        rule(bucket, "Allow", ["s3:PutObject", "s3:GetObject"], Principal=who),
        rule(bucket, "Allow", removals, "open/*", Principal=who),
    ]
    assert put(people.ada, bucket, *rules) == ALLOWED
    before = ada.list_object_versions(Bucket=bucket)["Versions"]
    wish = {"Bucket": bucket, "Key": "shut/b", "RenameSource": "open/a"}
    assert outcome(bob.rename_object, **wish, DestinationIfMatch="*") == DENIED
    assert ada.list_object_versions(Bucket=bucket)["Versions"] == before
    rules.append(rule(bucket, "Allow", removals, "shut/*", Principal=who))
    assert put(people.ada, bucket, *rules) == ALLOWED
    assert outcome(bob.rename_object, **wish, DestinationIfMatch="*") == ALLOWED


def test_tags_and_acls_that_come_with_an_object_need_rights_of_their_own(
    people: People, bucket: str
) -> None:
    """Who may write an object may give it tags, or an ACL, only where he may set those, too."""
    s3, bob = people.ada.s3, {"Principal": {"AWS": people.bob.arn}}
    writing = ["s3:PutObject", "s3:GetObject", "s3:GetObjectTagging"]
    plain = {"Bucket": bucket, "Key": "k"}
    tagged = plain | {"Tagging": "level=low"}
    copied = plain | {"CopySource": f"{bucket}/open/a"}
    retagged = copied | {"Tagging": "a=b", "TaggingDirective": "REPLACE"}
    assert put(people.ada, bucket, rule(bucket, "Allow", writing, **bob)) == ALLOWED
    for client in (people.bob.s3, s3):
        assert outcome(client.put_object, **plain) == ALLOWED
        expected = ALLOWED if client is s3 else DENIED
        assert outcome(client.put_object, **tagged) == expected
        assert outcome(client.create_multipart_upload, **tagged) == expected
        assert outcome(client.copy_object, **copied) == expected
        assert outcome(client.copy_object, **retagged) == expected
    rules = [
        rule(bucket, "Allow", [*writing, "s3:PutObjectTagging"], **bob),
        rule(bucket, "Deny", ["s3:PutObjectAcl"]),
    ]
    assert put(people.ada, bucket, *rules) == ALLOWED
    assert outcome(people.bob.s3.put_object, **tagged) == ALLOWED
    assert outcome(people.bob.s3.copy_object, **copied) == ALLOWED
    given = plain | {"ACL": "bucket-owner-full-control"}
    assert outcome(people.bob.s3.put_object, **given) == ALLOWED  # it means nothing here
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    for client in (people.bob.s3, s3):
        assert outcome(client.put_object, **plain) == ALLOWED
        assert outcome(client.put_object, **plain, ACL="public-read") == DENIED
        assert outcome(client.create_multipart_upload, **plain, ACL="public-read") == DENIED
    assert outcome(people.nobody.get_object, **plain) == DENIED


def test_writing_can_be_bound_to_conditions(people: People, bucket: str) -> None:
    """AWS's own statement denies what writes over an object, and lets parts be uploaded."""
    blind = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    assert put(people.ada, bucket, rule(bucket, "Deny", "s3:PutObject", Condition=blind)) == ALLOWED
    s3, named = people.ada.s3, {"Bucket": bucket, "Key": "once"}
    assert outcome(s3.put_object, **named) == DENIED
    assert outcome(s3.copy_object, **named, CopySource=f"{bucket}/shut/b") == DENIED
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    etag = s3.upload_part(**named, PartNumber=1, Body=b"x")["ETag"]
    named["MultipartUpload"] = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    assert outcome(s3.complete_multipart_upload, **named) == DENIED
    assert outcome(s3.complete_multipart_upload, **named, IfNoneMatch="*") == ALLOWED


def test_what_is_asked_in_the_query_is_judged_like_a_header(
    people: People, bucket: str, server: Server
) -> None:
    """A copy's source is no other one when a signed request names it as a parameter."""
    secret = {"Condition": {"StringLike": {"s3:x-amz-copy-source": f"{bucket}/shut/*"}}}
    assert put(people.ada, bucket, rule(bucket, "Deny", "s3:PutObject", **secret)) == ALLOWED
    source = f"{bucket}/shut/b"
    assert outcome(people.ada.s3.copy_object, Bucket=bucket, Key="k", CopySource=source) == DENIED
    asked = f"/{bucket}/k?x-amz-copy-source={bucket}%2Fshut%2Fb"
    assert server.caller.ask("PUT", asked).code == "AccessDenied"
    assert server.caller.ask("PUT", asked.replace("shut%2Fb", "open%2Fa")).status == 200


def test_a_key_of_listings_tells_nothing_of_an_object(
    people: People, bucket: str, server: Server
) -> None:
    """Who adds a prefix to his GET is not judged as one who lists below it."""
    elsewhere = {"Condition": {"StringNotLike": {"s3:prefix": "open/*"}}}
    denied = rule(bucket, "Deny", ["s3:GetObject", "s3:ListBucket"], **elsewhere)
    denied["Resource"] = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert put(people.ada, bucket, denied) == ALLOWED
    assert server.caller.ask("GET", f"/{bucket}?prefix=open%2F").status == 200
    assert server.caller.ask("GET", f"/{bucket}/open/a?prefix=open%2F").code == "AccessDenied"


def test_a_value_too_long_for_a_policy_is_refused(
    people: People, bucket: str, server: Server
) -> None:
    """What a policy is to look at is read whole or not at all; what none looks at may be long."""
    agent = {"User-Agent": "a" * 9_000}
    path = f"/{bucket}/open/a"
    assert server.caller.ask("GET", path, headers=agent).status == 200
    known = {"Condition": {"StringLike": {"aws:UserAgent": "*a?b"}}}
    assert put(people.ada, bucket, rule(bucket, "Deny", "s3:GetObject", **known)) == ALLOWED
    assert server.caller.ask("GET", path, headers=agent).code == "RequestHeaderSectionTooLarge"
    assert server.caller.ask("GET", path, headers={"User-Agent": "a" * 8_000}).status == 200


def test_who_began_an_upload_by_a_policy_may_give_it_up(people: People, bucket: str) -> None:
    """The right to write is enough to look at an upload of one's own, and to end it."""
    bob = {"Principal": {"AWS": [people.bob.arn, people.eve.arn]}}
    assert put(people.ada, bucket, rule(bucket, "Allow", "s3:PutObject", **bob)) == ALLOWED
    named = {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = people.bob.s3.create_multipart_upload(**named)["UploadId"]
    for other in (people.eve.s3, people.nobody):
        assert outcome(other.list_parts, **named) == DENIED
        assert outcome(other.abort_multipart_upload, **named) == DENIED
        assert outcome(other.list_parts, **named | {"UploadId": "0" * 32}) == DENIED
    assert outcome(people.bob.s3.list_parts, **named) == ALLOWED
    assert outcome(people.bob.s3.abort_multipart_upload, **named) == (204, "")


def test_who_is_let_in_by_a_policy_does_not_change_it(people: People, bucket: str) -> None:
    """The right to change the policy is worth nothing to those of other accounts."""
    actions = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]
    bob = {"Principal": {"AWS": people.bob.arn}}
    assert put(people.ada, bucket, rule(bucket, "Allow", actions, None, **bob)) == ALLOWED
    refused = (405, "MethodNotAllowed")
    assert outcome(people.bob.s3.get_bucket_policy, Bucket=bucket) == refused
    assert outcome(people.bob.s3.delete_bucket_policy, Bucket=bucket) == refused
    assert put(people.bob, bucket, rule(bucket, "Allow", "s3:*")) == refused
    assert outcome(people.eve.s3.get_bucket_policy, Bucket=bucket) == DENIED
    assert outcome(people.ada.s3.get_bucket_policy, Bucket=bucket) == ALLOWED


def test_what_may_not_be_read_is_not_guessed(people: People, bucket: str) -> None:
    """Attributes, and conditions on what an object is, need the right to read it."""
    bob = {"Principal": {"AWS": people.bob.arn}}
    actions = ["s3:PutObject", "s3:DeleteObject", "s3:GetObjectAttributes"]
    assert put(people.ada, bucket, rule(bucket, "Allow", actions, **bob)) == ALLOWED
    s3, named = people.bob.s3, {"Bucket": bucket, "Key": "shut/b"}
    assert outcome(s3.get_object_attributes, **named, ObjectAttributes=["ETag"]) == DENIED
    etag = people.ada.s3.head_object(**named)["ETag"]
    for guess in (etag, '"guess"'):
        assert outcome(s3.put_object, **named, IfMatch=guess) == DENIED
        assert outcome(s3.put_object, **named, IfNoneMatch=guess) == DENIED
        assert outcome(s3.delete_object, **named, IfMatch=guess) == DENIED
        wanted = {"Objects": [{"Key": "shut/b", "ETag": guess}]}
        errors = s3.delete_objects(Bucket=bucket, Delete=wanted)["Errors"]
        assert [row["Code"] for row in errors] == ["AccessDenied"]
    assert outcome(s3.delete_object, **named | {"Key": "none"}, IfMatch=etag) == DENIED
    readable = rule(bucket, "Allow", "s3:GetObject", "open/*", **bob)
    assert put(people.ada, bucket, rule(bucket, "Allow", actions, **bob), readable) == ALLOWED
    renamed = named | {"RenameSource": "open/a"}
    assert outcome(s3.rename_object, **renamed, DestinationIfMatch=etag) == DENIED
    assert outcome(s3.rename_object, **renamed, DestinationIfNoneMatch=etag) == DENIED
    assert outcome(s3.put_object, **named, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert put(people.ada, bucket, rule(bucket, "Allow", "s3:*", **bob)) == ALLOWED
    assert outcome(s3.get_object_attributes, **named, ObjectAttributes=["ETag"]) == ALLOWED
    assert outcome(s3.put_object, **named, IfMatch='"guess"') == (412, "PreconditionFailed")
    assert outcome(s3.delete_object, **named, IfMatch=etag) == (204, "")
