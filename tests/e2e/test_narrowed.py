"""Who has one prefix of a bucket does everything there and nothing anywhere else.

He is in turn the bucket's owner by a key that narrows him, root by such a key, and a user without a
role to whom a policy gives the prefix.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.e2e.outcome import refusal
from tests.e2e.posting import Upload, post, presigned, write_form
from tests.e2e.wire import write_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Caller

pytestmark = pytest.mark.e2e

OK, DENIED = (200, ""), (403, "AccessDenied")
BUCKET, OTHER = "narrow", "narrow-other"
ARN = f"arn:aws:s3:::{BUCKET}"
ON_OBJECTS = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectAttributes"),
    *("s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectTagging"),
    *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
)
PART = b"p" * (5 * 1024 * 1024)
_numbers = count(1)


def document(*without: str) -> str:
    """Write the policy of who has what is below `in/`, without some actions."""
    actions = [action for action in ON_OBJECTS if action not in without]
    below = {"StringLike": {"s3:prefix": "in/*"}}
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": f"{ARN}/in/*"},
                {
                    "Effect": "Allow",
                    "Action": "s3:ListBucket",
                    "Resource": ARN,
                    "Condition": below,
                },
            ],
        }
    )


@pytest.fixture(scope="module")
def client(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., BaseClient]]:
    """Answer the maker of clients, of a new key of a user, which a policy may narrow."""
    made = []
    path: Path = tmp_path_factory.mktemp("policies") / "key.json"

    def make(name: str, policy: str = "") -> BaseClient:
        path.write_text(policy, encoding="utf-8")
        narrowing = ("--policy", str(path)) if policy else ()
        key = server.manage_json("create_key", name, *narrowing)
        secrets = {"aws_access_key_id": key["access_key"]}
        config = Config(signature_version="s3v4")  # boto3 presigns by version 2 else
        made.append(
            server.client(aws_secret_access_key=key["secret_key"], config=config, **secrets)
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def owner(
    server: Server, client: Callable[..., BaseClient], tmp_path_factory: pytest.TempPathFactory
) -> BaseClient:
    """Make the owner of two buckets, and the user to whom a policy gives the prefix."""
    server.manage_json("create_user", "nora")
    server.manage_json("create_user", "given", "--no-role")
    path = tmp_path_factory.mktemp("policies") / "given.json"
    path.write_text(document(), encoding="utf-8")
    server.manage_json("put_inline_policy", "below", str(path), "--user", "given")
    s3 = client("nora")
    for bucket in (BUCKET, OTHER):
        s3.create_bucket(Bucket=bucket)
    return s3


@pytest.fixture(scope="module", params=["owner's key", "root's key", "user's policy"])
def narrow(
    request: pytest.FixtureRequest, client: Callable[..., BaseClient], owner: BaseClient
) -> BaseClient:
    """Answer the client of who has the prefix, in one way after another."""
    del owner
    if request.param == "user's policy":
        return client("given")
    return client("nora" if request.param == "owner's key" else "root", document())


@pytest.fixture
def there(owner: BaseClient) -> tuple[str, str]:
    """Put an object below the prefix and one beside it; both have a tag."""
    number = next(_numbers)
    keys = f"in/{number}", f"out/{number}"
    for key in keys:
        owner.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), Tagging="a=b")
    return keys


def ask(s3: BaseClient, operation: str, key: str, **arguments: Any) -> tuple[int, str]:
    """Answer how an operation on a key ended; a HEAD has no code."""
    status, code = refusal(getattr(s3, operation), Bucket=BUCKET, Key=key, **arguments)
    return status, "AccessDenied" if code == "403" else code


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_object", {}),
        ("head_object", {}),
        ("get_object_attributes", {"ObjectAttributes": ["ETag"]}),
        ("get_object_tagging", {}),
        ("put_object_tagging", {"Tagging": {"TagSet": []}}),
        ("delete_object_tagging", {}),
        ("put_object", {"Body": b"new"}),
        ("put_object", {"Body": b"new", "Tagging": "a=b"}),
        ("put_object", {"Body": b"new", "IfNoneMatch": "*"}),
        ("create_multipart_upload", {"Tagging": "a=b"}),
        ("delete_object", {}),
    ],
)
def test_each_operation_is_his_inside_alone(
    narrow: BaseClient, there: tuple[str, str], operation: str, arguments: dict[str, Any]
) -> None:
    """What works below the prefix is denied beside it, and for a key that is not there."""
    inside, outside = there
    if "IfNoneMatch" in arguments:
        inside, outside = f"{inside}-new", f"{outside}-new"
    assert ask(narrow, operation, outside, **arguments) == DENIED
    assert ask(narrow, operation, f"{outside}-none", **arguments) == DENIED
    assert ask(narrow, operation, "in", **arguments) == DENIED
    assert ask(narrow, operation, inside, **arguments) == OK
    elsewhere = {"Bucket": OTHER, "Key": inside}
    assert refusal(getattr(narrow, operation), **elsewhere, **arguments)[0] == 403


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_bucket_policy", {}),
        ("put_bucket_policy", {"Policy": document()}),
        ("delete_bucket_policy", {}),
        ("get_bucket_acl", {}),
        ("get_bucket_tagging", {}),
        ("get_bucket_location", {}),
        ("list_multipart_uploads", {}),
        ("list_object_versions", {"Prefix": "in/"}),
        ("delete_bucket", {}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("get_object_acl", {"Key": "in/any"}),
        ("put_object_acl", {"Key": "in/any", "ACL": "private"}),
        ("delete_object", {"Key": "in/any", "VersionId": "null"}),
        ("get_object", {"Key": "in/any", "VersionId": "null"}),
    ],
)
def test_what_he_was_not_given_he_has_not(
    narrow: BaseClient, operation: str, arguments: dict[str, Any]
) -> None:
    """The bucket itself, its settings, ACLs and versions are closed to him."""
    assert refusal(getattr(narrow, operation), Bucket=BUCKET, **arguments) == DENIED


def test_he_makes_and_lists_no_buckets(narrow: BaseClient) -> None:
    """Neither a list of buckets nor a new one is his."""
    assert refusal(narrow.list_buckets) == DENIED
    assert refusal(narrow.create_bucket, Bucket="narrow-new") == DENIED


def test_listings_are_his_below_the_prefix(narrow: BaseClient, there: tuple[str, str]) -> None:
    """A listing needs the prefix, in both versions; without it, or with another, it is denied."""
    for operation in (narrow.list_objects, narrow.list_objects_v2):
        rows = operation(Bucket=BUCKET, Prefix="in/")["Contents"]
        assert there[0] in [row["Key"] for row in rows]
        assert all(row["Key"].startswith("in/") for row in rows)
        assert refusal(operation, Bucket=BUCKET, Prefix="in/1", Delimiter="/") == OK
        for prefix in ({}, {"Prefix": ""}, {"Prefix": "in"}, {"Prefix": "out/"}):
            assert refusal(operation, Bucket=BUCKET, **prefix) == DENIED
    assert ask(narrow, "get_object", "in/none") == (404, "NoSuchKey")
    assert refusal(narrow.head_bucket, Bucket=BUCKET)[0] == 403


def test_copies_ask_for_both_ends(
    narrow: BaseClient, owner: BaseClient, there: tuple[str, str]
) -> None:
    """A copy goes from inside to inside; its source is asked for like its target."""
    inside, outside = there
    owner.put_object(Bucket=OTHER, Key=inside, Body=b"another bucket's")
    copy = narrow.copy_object
    ends = {"Bucket": BUCKET, "Key": f"{inside}-copy"}
    assert refusal(copy, CopySource=f"{BUCKET}/{inside}", **ends) == OK
    assert refusal(copy, CopySource=f"{BUCKET}/{outside}", **ends) == DENIED
    assert refusal(copy, CopySource=f"{BUCKET}/{outside}-none", **ends) == DENIED
    assert refusal(copy, CopySource=f"{OTHER}/{inside}", **ends) == DENIED
    away = {"Bucket": BUCKET, "Key": f"{outside}-copy"}
    assert refusal(copy, CopySource=f"{BUCKET}/{inside}", **away) == DENIED
    away["Bucket"] = OTHER
    assert refusal(copy, CopySource=f"{BUCKET}/{inside}", **away) == DENIED


def test_an_upload_in_parts(narrow: BaseClient, owner: BaseClient, there: tuple[str, str]) -> None:
    """Parts, their list, completion and abortion work inside; others' uploads outside do not."""
    inside, outside = there
    upload = narrow.create_multipart_upload(Bucket=BUCKET, Key=inside)["UploadId"]
    at: dict[str, Any] = {"Bucket": BUCKET, "Key": inside, "UploadId": upload}
    first = narrow.upload_part(PartNumber=1, Body=PART, **at)["ETag"]
    source = {"PartNumber": 2, "CopySource": f"{BUCKET}/{outside}"}
    assert refusal(narrow.upload_part_copy, **source, **at) == DENIED
    source["CopySource"] = f"{BUCKET}/{inside}"
    second = narrow.upload_part_copy(**source, **at)["CopyPartResult"]["ETag"]
    assert len(narrow.list_parts(**at)["Parts"]) == 2
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    assert refusal(narrow.complete_multipart_upload, MultipartUpload={"Parts": parts}, **at) == OK
    upload = owner.create_multipart_upload(Bucket=BUCKET, Key=outside)["UploadId"]
    at = {"Bucket": BUCKET, "Key": outside, "UploadId": upload}
    assert refusal(narrow.upload_part, PartNumber=1, Body=b"x", **at) == DENIED
    assert refusal(narrow.list_parts, **at) == DENIED
    given = {"MultipartUpload": {"Parts": parts[:1]}}
    assert refusal(narrow.complete_multipart_upload, **given, **at) == DENIED
    assert refusal(narrow.abort_multipart_upload, **at) == DENIED
    owner.abort_multipart_upload(**at)
    at = {"Bucket": BUCKET, "Key": f"{inside}-gone"}
    upload = narrow.create_multipart_upload(**at)["UploadId"]
    assert narrow.abort_multipart_upload(UploadId=upload, **at)


def test_a_deletion_of_many_is_decided_key_by_key(
    narrow: BaseClient, owner: BaseClient, there: tuple[str, str]
) -> None:
    """What is inside goes, what is outside stays and is told as denied, versions too."""
    inside, outside = there
    objects = [{"Key": inside}, {"Key": outside}, {"Key": inside, "VersionId": "null"}]
    answer = narrow.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    assert [row["Key"] for row in answer["Deleted"]] == [inside]
    denied = [(row["Key"], row["Code"]) for row in answer["Errors"]]
    assert denied == [(outside, "AccessDenied"), (inside, "AccessDenied")]
    assert ask(owner, "get_object", outside) == OK
    assert ask(owner, "get_object", inside) == (404, "NoSuchKey")


def test_renames_stay_inside(narrow: BaseClient, there: tuple[str, str]) -> None:
    """One key, and all below a prefix, are renamed within what is his, not out of it or into it."""
    inside, outside = there
    rename = narrow.rename_object
    for source, target, result in (
        (outside, f"{inside}-in", DENIED),
        (inside, f"{outside}-out", DENIED),
        (inside, f"{inside}/deep/a", OK),
        (f"{inside}/deep/", f"{outside}/deep/", DENIED),
        ("out/", f"{inside}/all/", DENIED),
        ("in/", f"{outside}/", DENIED),
        (f"{inside}/deep/", f"{inside}/deeper/", OK),
    ):
        asked = {"Bucket": BUCKET, "Key": target, "RenameSource": f"{BUCKET}/{source}"}
        assert refusal(rename, **asked) == result, (source, target)
    assert ask(narrow, "get_object", f"{inside}/deeper/a") == OK


def fetch(caller: Caller, url: str, data: bytes | None = None) -> int:
    """Follow a presigned URL; answer the status."""
    _, _, path = url.partition(caller.host)
    with caller.connect() as connection:
        method, length = ("GET", None) if data is None else ("PUT", len(data))
        connection.send(write_head(method, path, {"host": caller.host}, length) + (data or b""))
        return connection.reply(method).status


def test_what_he_signs_for_others_is_narrow_too(
    server: Server, narrow: BaseClient, there: tuple[str, str]
) -> None:
    """Presigned URLs and browser forms made with his key reach no farther than he."""
    for key, is_his in zip(there, (True, False), strict=True):
        place = {"Bucket": BUCKET, "Key": key}
        status = 200 if is_his else 403
        url = narrow.generate_presigned_url("get_object", place)
        assert fetch(server.caller, url) == status
        url = narrow.generate_presigned_url("put_object", place)
        assert fetch(server.caller, url, b"x") == status
        form = write_form(presigned(narrow, BUCKET, key), Upload(b"x"))
        assert post(server, f"/{BUCKET}", form).status == (204 if is_his else 403)
    form = write_form(presigned(narrow, BUCKET, "${filename}"), Upload(b"x", "out"))
    assert post(server, f"/{BUCKET}", form).status == 403


def test_what_comes_with_an_object_needs_its_own_right(
    client: Callable[..., BaseClient], owner: BaseClient, there: tuple[str, str]
) -> None:
    """Without the right to tag, nothing is written with tags: by put, copy, upload or form."""
    inside, _ = there
    key = client("nora", document("s3:PutObjectTagging"))
    assert ask(key, "put_object", inside, Body=b"x") == OK
    assert ask(key, "put_object", inside, Body=b"x", Tagging="a=b") == DENIED
    assert ask(key, "create_multipart_upload", inside, Tagging="a=b") == DENIED
    owner.put_object(Bucket=BUCKET, Key=inside, Body=b"x", Tagging="a=b")
    source = {"CopySource": f"{BUCKET}/{inside}"}
    assert ask(key, "copy_object", f"{inside}-copy", **source) == DENIED
    bare = {"TaggingDirective": "REPLACE"}
    assert ask(key, "copy_object", f"{inside}-copy", **source, **bare) == OK
    blind = client("nora", document("s3:GetObject"))
    assert ask(blind, "copy_object", f"{inside}-copy", **source) == DENIED
    assert ask(blind, "put_object", inside, Body=b"x", IfMatch='"0"') == DENIED
    assert ask(blind, "get_object_attributes", inside, ObjectAttributes=["ETag"]) == DENIED
    at = {"Bucket": BUCKET, "Key": f"{inside}-moved", "RenameSource": f"{BUCKET}/{inside}"}
    assert refusal(blind.rename_object, **at) == DENIED
    stuck = client("nora", document("s3:DeleteObject"))
    assert refusal(stuck.rename_object, **at) == DENIED
    assert ask(owner, "get_object", inside) == OK


# --- who has a bucket's policy -------------------------------------------------------------------


def allow(*actions: str) -> str:
    """Write a policy that allows some actions on the bucket."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": ARN}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_bucket_s_policy_is_for_those_who_have_it_by_themselves(
    server: Server,
    owner: BaseClient,
    client: Callable[..., BaseClient],
    tmp_path: Path,
) -> None:
    """Who has it by himself, not by the policy, handles a bucket's policy; others get 405."""
    get, put = "s3:GetBucketPolicy", "s3:PutBucketPolicy"
    path = tmp_path / "policy.json"
    path.write_text(allow(get), encoding="utf-8")
    account = server.manage_json("create_user", "keeper", "--no-role")["account_id"]
    server.manage_json("put_inline_policy", "reads", str(path), "--user", "keeper")
    keeper = client("keeper")
    named = {"AWS": f"arn:aws:iam::{account}:user/keeper"}
    rule = {"Effect": "Allow", "Principal": named, "Action": [get, put], "Resource": ARN}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ARN}
    let = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
    shut = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    owner.put_bucket_policy(Bucket=BUCKET, Policy=let)
    assert refusal(keeper.get_bucket_policy, Bucket=BUCKET) == OK
    not_his = (405, "MethodNotAllowed")
    assert refusal(keeper.put_bucket_policy, Bucket=BUCKET, Policy=let) == not_his
    assert refusal(keeper.delete_bucket_policy, Bucket=BUCKET) == DENIED
    # A key that narrows its owner: he has what it says, and no lock keeps him from that.
    reads, both = client("nora", allow(get)), client("nora", allow(get, put))
    owner.put_bucket_policy(Bucket=BUCKET, Policy=shut)
    assert refusal(keeper.get_bucket_policy, Bucket=BUCKET) == DENIED
    assert refusal(reads.get_bucket_policy, Bucket=BUCKET) == OK
    assert refusal(reads.put_bucket_policy, Bucket=BUCKET, Policy=let) == DENIED
    assert refusal(both.put_bucket_policy, Bucket=BUCKET, Policy=let) == OK
    assert refusal(client("root").get_bucket_policy, Bucket=BUCKET) == OK
    owner.delete_bucket_policy(Bucket=BUCKET)


def test_the_prefix_that_is_renamed_must_be_open_as_a_whole(
    server: Server, owner: BaseClient, client: Callable[..., BaseClient], tmp_path: Path
) -> None:
    """NotResource, variables and tags count for all that may be below a prefix."""
    home = {"Effect": "Allow", "Action": "s3:*", "Resource": f"{ARN}/home/${{aws:username}}/*"}
    rest = {"Effect": "Allow", "Action": "s3:*", "NotResource": f"{ARN}/kept/*"}
    tag = {"StringEquals": {"s3:ExistingObjectTag/kept": "yes"}}
    kept = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": tag}
    policies = {"homer": [home], "rester": [rest], "tagger": [rest, kept]}
    path = tmp_path / "policy.json"
    users = {}
    for name, statements in policies.items():
        server.manage_json("create_user", name, "--no-role")
        path.write_text(
            json.dumps({"Version": "2012-10-17", "Statement": statements}), encoding="utf-8"
        )
        server.manage_json("put_inline_policy", "own", str(path), "--user", name)
        users[name] = client(name)
    owner.put_object(Bucket=BUCKET, Key="home/homer/a/x", Body=b"")
    owner.put_object(Bucket=BUCKET, Key="kept/x", Body=b"")
    for name, source, target, result in (
        ("homer", "home/homer/a/", "home/homer/b/", OK),
        ("homer", "home/homer/b/", "home/other/", DENIED),
        ("homer", "home/", "home/homer/", DENIED),
        ("homer", "home/homer/b/x", "home/homer/a/x", OK),
        ("rester", "home/homer/", "home/moved/", OK),
        ("rester", "kept/", "free/", DENIED),
        ("rester", "home/moved/", "kept/more/", DENIED),
        ("tagger", "home/moved/", "home/again/", DENIED),
        ("tagger", "home/moved/a/x", "home/again", OK),
    ):
        asked = {"Bucket": BUCKET, "Key": target, "RenameSource": f"{BUCKET}/{source}"}
        assert refusal(users[name].rename_object, **asked) == result, (name, source)


def test_a_narrowed_owner_renames_where_acls_are_on(
    owner: BaseClient, client: Callable[..., BaseClient]
) -> None:
    """ACLs take nothing from a key's policy: its owner renames below his prefix, not beside it."""
    rule = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    owner.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=rule)
    key = client("nora", document())
    for place in ("in/acl/a", "out/acl/a"):
        owner.put_object(Bucket=BUCKET, Key=place, Body=b"")
    for source, target, result in (
        ("in/acl/", "in/acls/", OK),
        ("in/acls/", "out/more/", DENIED),
        ("out/acl/", "in/more/", DENIED),
        ("in/acls/a", "in/a", OK),
    ):
        asked = {"Bucket": BUCKET, "Key": target, "RenameSource": f"{BUCKET}/{source}"}
        assert refusal(key.rename_object, **asked) == result, source
    owner.delete_bucket_ownership_controls(Bucket=BUCKET)


def test_a_version_is_told_wherever_it_is_named(
    owner: BaseClient, client: Callable[..., BaseClient]
) -> None:
    """A policy on one version holds for its copies and for deletions of many, too."""
    bucket = "narrow-versions"
    owner.create_bucket(Bucket=bucket)
    kept = {"Status": "Enabled"}
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=kept)
    one, two = (
        owner.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2")
    )
    resource = {"Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    condition = {"Condition": {"StringEquals": {"s3:VersionId": one}}}
    rules = [{"Effect": "Allow", **resource}, {"Effect": "Deny", **resource, **condition}]
    key = client("nora", json.dumps({"Version": "2012-10-17", "Statement": rules}))
    for version, result in ((one, DENIED), (two, OK)):
        place = {"Bucket": bucket, "Key": "k"}
        assert refusal(key.get_object, **place, VersionId=version) == result
        source = {"CopySource": place | {"VersionId": version}}
        assert refusal(key.copy_object, Bucket=bucket, Key="c", **source) == result
        entries = {"Objects": [{"Key": "k", "VersionId": version}]}
        errors = key.delete_objects(Bucket=bucket, Delete=entries).get("Errors", [])
        assert [error["Code"] for error in errors] == [result[1]] * (result == DENIED)
