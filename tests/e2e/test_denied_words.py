"""What a denial says: to those of the house why, to strangers nothing, to the log always."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.e2e.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Caller

pytestmark = pytest.mark.e2e

PLAIN = "Access Denied"
BUCKET, ARN = "told", "arn:aws:s3:::told"
ODD_KEY = 'a"&<b>/' + "k" * 990


class User(NamedTuple):
    """Somebody with an access key, and with one that is narrowed to reading below `in/`."""

    arn: str
    s3: BaseClient
    narrowed: BaseClient
    caller: Caller


def narrow(*actions: str) -> str:
    """Write the policy of a key that may do something below `in/` alone."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": f"{ARN}/in/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def make(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], User]:
    """Answer the maker of Writers."""
    policy: Path = tmp_path_factory.mktemp("policies") / "narrow.json"
    policy.write_text(narrow("s3:GetObject"), encoding="utf-8")

    def client(key: dict[str, str]) -> BaseClient:
        return server.client(
            aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
        )

    def made(name: str) -> User:
        account = server.manage_json("create_user", name)["account_id"]
        key = server.manage_json("create_key", name)
        narrowed = server.manage_json("create_key", name, "--policy", str(policy))
        caller = replace(server.caller, signer=Signer(key["access_key"], key["secret_key"]))
        return User(f"arn:aws:iam::{account}:user/{name}", client(key), client(narrowed), caller)

    return made


@pytest.fixture(scope="module")
def ann(make: Callable[[str], User]) -> Iterator[User]:
    """Make the owner of the bucket, who denies everybody what is below `shut/`."""
    user = make("ann")
    user.s3.create_bucket(Bucket=BUCKET)
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"{ARN}/shut/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    user.s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    user.s3.put_object(Bucket=BUCKET, Key="in/there", Body=b"")
    user.s3.put_object(Bucket=BUCKET, Key="out/there", Body=b"")
    yield user
    user.s3.close()
    user.narrowed.close()


@pytest.fixture(scope="module")
def bob(make: Callable[[str], User]) -> Iterator[User]:
    """Make a stranger."""
    user = make("bob")
    yield user
    user.s3.close()
    user.narrowed.close()


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """Answer the message of a call that is denied."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    message: str = caught.value.response["Error"]["Message"]
    return message


def words(user: User, action: str, resource: str, why: str) -> str:
    """Write a denial as AWS words it."""
    on = f' on resource: "{resource}"' if resource else ""
    return f"User: {user.arn} is not authorized to perform: {action}{on} {why}"


def test_the_owner_is_told_what_denies(ann: User) -> None:
    """An explicit deny of the bucket's policy, and a key's own policy, are named to the owner."""
    get, put = ann.narrowed.get_object, ann.narrowed.put_object
    said = refusal(ann.s3.put_object, Bucket=BUCKET, Key="shut/k", Body=b"")
    why = "with an explicit deny in a resource-based policy"
    assert said == words(ann, "s3:PutObject", f"{ARN}/shut/k", why)
    why = "because no session policy allows the s3:GetObject action"
    for key in ("out/there", "out/missing"):
        assert refusal(get, Bucket=BUCKET, Key=key) == words(
            ann, "s3:GetObject", f"{ARN}/{key}", why
        )
    why = "because no session policy allows the s3:PutObject action"
    said = refusal(put, Bucket=BUCKET, Key="in/k", Body=b"")
    assert said == words(ann, "s3:PutObject", f"{ARN}/in/k", why)
    said = refusal(ann.narrowed.list_buckets)
    why = "because no session policy allows the s3:ListAllMyBuckets action"
    assert said == words(ann, "s3:ListAllMyBuckets", "", why)


def test_who_may_not_list_is_not_told_what_is_missing(ann: User) -> None:
    """A key that could read an object is not told by the words that there is none."""
    assert ann.narrowed.get_object(Bucket=BUCKET, Key="in/there")["Body"].read() == b""
    assert refusal(ann.narrowed.get_object, Bucket=BUCKET, Key="in/missing") == PLAIN


def test_strangers_are_told_nothing(server: Server, ann: User, bob: User) -> None:
    """Another's bucket is just closed, to him who signs and to nobody."""
    del ann
    for key in ("in/there", "in/missing", "shut/k"):
        assert refusal(bob.s3.get_object, Bucket=BUCKET, Key=key) == PLAIN
    assert refusal(bob.s3.list_objects_v2, Bucket=BUCKET) == PLAIN
    assert refusal(bob.s3.put_object, Bucket=BUCKET, Key="in/k", Body=b"") == PLAIN
    with server.caller.connect() as connection:
        connection.send(b"GET /told/in/there HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = connection.reply("GET")
    assert (reply.status, reply.text("Message")) == (403, PLAIN)


def test_each_entry_of_a_deletion_says_why(ann: User) -> None:
    """DeleteObjects tells for each key that it keeps what denied it."""
    objects = [{"Key": key} for key in ("shut/k", "free")]
    answer = ann.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    why = "with an explicit deny in a resource-based policy"
    (row,) = answer["Errors"]
    assert row["Message"] == words(ann, "s3:DeleteObjectVersion", f"{ARN}/shut/k", why)
    assert [gone["Key"] for gone in answer["Deleted"]] == ["free"]


def test_a_public_access_block_is_named(ann: User) -> None:
    """What would make the bucket public is refused with the setting that forbids it."""
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{ARN}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    why = (
        "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public "
        "Access."
    )
    said = refusal(ann.s3.put_bucket_policy, Bucket=BUCKET, Policy=policy)
    assert said == words(ann, "s3:PutBucketPolicy", ARN, why)


def test_words_are_bounded_and_escaped(ann: User) -> None:
    """A key of odd characters and full length stands in the document as it is."""
    said = refusal(ann.narrowed.put_object, Bucket=BUCKET, Key=ODD_KEY, Body=b"")
    why = "because no session policy allows the s3:PutObject action"
    assert said == words(ann, "s3:PutObject", f"{ARN}/{ODD_KEY}", why)


def test_the_log_has_the_reason_for_each_request(server: Server, ann: User, bob: User) -> None:
    """By the id that a stranger was given, the operator finds what he was denied for."""
    del ann
    reply = bob.caller.ask("GET", f"/{BUCKET}/in/there", b"", {})
    lines = [json.loads(line) for line in server.log_text().splitlines() if "access_denied" in line]
    number = reply.headers["x-amz-request-id"]
    (line,) = [line for line in lines if line["request_id"] == number]
    why = "because no identity-based policy allows the s3:GetObject action"
    assert line["reason"] == words(bob, "s3:GetObject", f"{ARN}/in/there", why)


def test_no_two_requests_have_one_id(server: Server, bob: User) -> None:
    """Workers number their requests apart, so that an id finds one line of the log."""
    del server
    replies = [bob.caller.ask("GET", "/", b"", {}) for _ in range(20)]
    assert len({reply.headers["x-amz-request-id"] for reply in replies}) == 20
