"""Whose buckets ListBuckets names: one's own, and those that policies of one's own let one list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

    Maker = Callable[..., BaseClient]

pytestmark = pytest.mark.e2e

SETTINGS = {"default_public_access_block": "false"}
OPEN = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:ListBucket",
    "Resource": "arn:aws:s3:::list-open",
}


def document(action: str, *resources: str, **more: Any) -> str:
    """Write a policy that allows one action on buckets."""
    arns = [f"arn:aws:s3:::{name}" for name in resources]
    statement = {"Effect": "Allow", "Action": action, "Resource": arns} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Answer the maker of clients, of a new key of a user, which a policy may narrow."""
    made = []
    path: Path = tmp_path_factory.mktemp("policies") / "key.json"

    def make(name: str, policy: str = "") -> BaseClient:
        path.write_text(policy, encoding="utf-8")
        narrowing = ("--policy", str(path)) if policy else ()
        key = server.manage_json("create_key", name, *narrowing)
        made.append(
            server.client(
                aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module", autouse=True)
def buckets(server: Server, s3: BaseClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make buckets of two users, and a third whom a policy of his own gives two of them."""
    path = tmp_path_factory.mktemp("policies") / "share.json"
    share = document("s3:ListBucket", "list-share*", "list-where")
    narrow = json.loads(share)
    when = {"Condition": {"StringLike": {"s3:prefix": "home/*"}}}
    narrow["Statement"].append(
        json.loads(document("s3:ListBucket", "list-below", **when))["Statement"][0]
    )
    path.write_text(json.dumps(narrow), encoding="utf-8")
    for name in ("ada", "bob", "carl"):
        server.manage_json("create_user", name)
    server.manage_json("put_inline_policy", "share", str(path), "--user", "carl")
    owners = {
        "list-ada": "ada",
        "list-share-1": "ada",
        "list-share-2": "bob",
        "list-open": "bob",
        "list-below": "bob",
        "list-carl": "carl",
    }
    for bucket, owner in owners.items():
        server.manage_json("create_bucket", bucket, "--owner", owner)
    policy = {"Version": "2012-10-17", "Statement": [OPEN]}
    s3.put_bucket_policy(Bucket="list-open", Policy=json.dumps(policy))


def names(s3: BaseClient, **arguments: Any) -> list[str]:
    """List the buckets."""
    return [bucket["Name"] for bucket in s3.list_buckets(**arguments)["Buckets"]]


def test_users_list_their_own(client: Maker) -> None:
    """A Writer has his own buckets in his list, and none that another's policy opens."""
    assert names(client("ada")) == ["list-ada", "list-share-1"]
    assert names(client("bob")) == ["list-below", "list-open", "list-share-2"]


def test_what_a_policy_of_one_s_own_opens_is_in_the_list(client: Maker) -> None:
    """Buckets given to a user are in his list, those that he has only below a prefix are not."""
    carl = client("carl")
    assert names(carl) == ["list-carl", "list-share-1", "list-share-2"]
    assert names(carl, Prefix="list-share") == ["list-share-1", "list-share-2"]
    assert names(carl, Prefix="home/") == []  # what is asked of this list is no prefix of keys
    page = carl.list_buckets(MaxBuckets=2)
    assert len(page["Buckets"]) == 2
    rest = carl.list_buckets(MaxBuckets=2, ContinuationToken=page["ContinuationToken"])
    assert [bucket["Name"] for bucket in rest["Buckets"]] == ["list-share-2"]
    assert "ContinuationToken" not in rest


def test_a_superuser_lists_all(s3: BaseClient) -> None:
    """Root, who may list every bucket, finds every bucket; the list is his all the same."""
    listed = s3.list_buckets()
    assert [bucket["Name"] for bucket in listed["Buckets"]] == [
        *("list-ada", "list-below", "list-carl", "list-open", "list-share-1", "list-share-2")
    ]
    assert listed["Owner"]["DisplayName"] == "root"


def test_a_key_narrows_the_list_of_others(server: Server, client: Maker) -> None:
    """A key lists if its policy lets it; of others' buckets those that it may list as well."""
    everything = document("s3:ListAllMyBuckets", "*")
    assert names(client("carl", everything)) == ["list-carl"]
    both = json.loads(everything)
    both["Statement"].append(json.loads(document("s3:ListBucket", "list-share-2"))["Statement"][0])
    assert names(client("carl", json.dumps(both))) == ["list-carl", "list-share-2"]
    assert names(client("root", json.dumps(both))) == ["list-share-2"]
