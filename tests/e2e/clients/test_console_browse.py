"""Buckets and folders by hand in a real browser: gone through, searched, changed, in trouble."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest

from tests.e2e.clients.installed import LONG, node_story, system
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner
    from tests.e2e.server import Server

    Tell = Callable[..., str]

pytestmark = pytest.mark.e2e

ODD: Final = (
    *("a//b.txt", "x/../dots.txt", "<img src=x onerror=alert(1)>.txt", "%41 50%.txt", "+ & ?#.txt"),
    *(" leading", "line\nbreak", "\u202eexe.txt", "\U0001f600.txt", "quote\"'s", "a/.", "é" * 511),
    *("bell\a", "none\uffff"),
)
MANY: Final = 1200
in_full = pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-console tells all stories")


@pytest.fixture
def tell(run: Runner, server: Server, bucket: str) -> Tell:
    """Answer what tells a story of programs/browse_stories.cjs."""
    environment = {
        "BUCKET": bucket,
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    return lambda *story: node_story(run, "browse_stories", *story, **environment)


def put(s3: BaseClient, bucket: str, keys: Iterable[str]) -> None:
    """Put small objects, each of as many bytes as its key."""
    with ThreadPoolExecutor(8) as pool:
        body = {key: key.encode() for key in keys}
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=body[key]), body))


def keys_of(s3: BaseClient, bucket: str) -> list[str]:
    """List all keys of a bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


def test_folders_are_made_and_renamed(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """A folder is made, entered, renamed with all in it; a name that is taken is told and kept."""
    put(s3, bucket, ("2024/summer/beach.jpg", "2024/summer/sea.jpg", "notes.txt"))
    tell("folders")
    assert keys_of(s3, bucket) == ["2025/summer/sea.jpg", "fresh/", "notes.txt"]


@in_full
def test_a_large_folder_is_gone_through(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Pages, search, order and keys of the keyboard lead through it; it is deleted, and stopped."""
    put(s3, bucket, (f"many/{number:05}.txt" for number in range(MANY)))
    put(s3, bucket, ("many/kept",))
    tell("pages")
    left = keys_of(s3, bucket)
    assert 0 < len(left) < MANY - 3
    tell("rest")
    assert keys_of(s3, bucket) == []


def test_things_are_moved_and_copied(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Within the bucket, and to another with all that they are; what is there already stays."""
    other = f"{bucket}-other"
    s3.create_bucket(Bucket=other)
    put(s3, bucket, ("a/1.txt", "a/deep/2.txt", "b/a/1.txt", "c.txt", "d.txt"))
    s3.put_object(Bucket=other, Key="here/d.txt", Body=b"theirs", ContentType="text/x-theirs")
    s3.put_object(
        Bucket=bucket, Key="e.txt", Body=b"e", ContentType="text/x-e", Metadata={"colour": "blue"}
    )
    tell("moves")
    assert keys_of(s3, bucket) == ["a/1.txt", "b/a/1.txt", "b/a/deep/2.txt", "b/c.txt", "d.txt"]
    assert keys_of(s3, other) == ["here/c.txt", "here/d.txt", "here/e.txt"]
    assert s3.get_object(Bucket=other, Key="here/d.txt")["Body"].read() == b"theirs"
    carried = s3.head_object(Bucket=other, Key="here/e.txt")
    assert (carried["ContentType"], carried["Metadata"]) == ("text/x-e", {"colour": "blue"})


@in_full
def test_versions_are_seen_deleted_and_brought_back(
    tell: Tell, s3: BaseClient, bucket: str
) -> None:
    """What was deleted is shown and undeleted; for good it goes with all its versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"22", b"333"):
        s3.put_object(Bucket=bucket, Key="doc.txt", Body=body)
    put(s3, bucket, ("gone.txt", "folder/one.txt"))
    s3.delete_object(Bucket=bucket, Key="gone.txt")
    tell("versions")
    left = s3.list_object_versions(Bucket=bucket)
    assert [each["Key"] for each in left["Versions"]] == ["doc.txt", "doc.txt", "folder/one.txt"]
    assert [each["Key"] for each in left["DeleteMarkers"]] == ["folder/one.txt"]


@in_full
def test_what_is_lost_is_said(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """While versioning is suspended what is deleted is gone, and nobody is told otherwise."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    put(s3, bucket, ("gone.txt",))
    tell("suspended")
    left = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in left
    assert [each["Key"] for each in left["DeleteMarkers"]] == ["gone.txt"]


@in_full
def test_any_name_is_shown_and_handled(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """Names that a browser, a path or a page could take for something else are but names."""
    put(s3, bucket, ODD)
    tell("names", json.dumps(ODD))
    assert keys_of(s3, bucket) == []


def test_a_reader_is_offered_what_he_may(
    tell: Tell, server: Server, s3: BaseClient, bucket: str
) -> None:
    """He opens the folder that a policy opens to him, and no button promises more."""
    token = log_in(server)
    password = server.settings["root_password"]
    user = {"username": "home-reader", "password": password, "role": "Reader"}
    made = call(server, "POST", "/admin/users", user, token)
    assert made.status == 201
    put(s3, bucket, ("homes/reader/a.txt", "homes/other/b.txt"))
    principal = {"AWS": f"arn:aws:iam::{made.body['account_id']}:user/home-reader"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(home_policy(bucket, principal)))
    tell("reader")


def home_policy(bucket: str, principal: dict[str, str]) -> dict[str, object]:
    """Open one folder of a bucket to be read, and its inbox to be written."""
    arn = f"arn:aws:s3:::{bucket}"
    prefixes = {"StringLike": {"s3:prefix": "homes/reader/*"}}
    said = [
        {"Action": "s3:ListBucket", "Resource": arn, "Condition": prefixes},
        {"Action": "s3:GetObject", "Resource": f"{arn}/homes/reader/*"},
        {"Action": "s3:PutObject", "Resource": f"{arn}/homes/reader/inbox/*"},
    ]
    statements = [{"Effect": "Allow", "Principal": principal, **each} for each in said]
    return {"Version": "2012-10-17", "Statement": statements}


@in_full
def test_trouble_is_told_and_nothing_is_lost(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """A lost connection, a session that is over and a bucket that is gone each have their words."""
    put(s3, bucket, (f"{number}.txt" for number in range(3)))
    tell("troubles")
    assert keys_of(s3, bucket) == []
    s3.delete_bucket(Bucket=bucket)
    tell("gone")
    s3.create_bucket(Bucket=bucket)


@in_full
def test_it_fits_a_phone(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """At 390 px nothing is cut off, and everything can be reached."""
    put(s3, bucket, ("folder/a.txt", "w" * 1000, "a b c.txt"))
    tell("phone")
