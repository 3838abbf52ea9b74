"""The settings of a bucket in a real browser: in step, tried, saved; a bucket that is emptied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.installed import LONG, node_story, system

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner
    from tests.e2e.server import Server

    Tell = Callable[[str], str]

pytestmark = pytest.mark.e2e


@pytest.fixture
def tell(run: Runner, server: Server, bucket: str) -> Tell:
    """Answer what tells a story of programs/settings_stories.cjs."""
    environment = {
        "BUCKET": bucket,
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "PASSWORD": server.settings["root_password"],
    }
    return lambda story: node_story(run, "settings_stories", story, **environment)


@pytest.mark.parametrize("story", ["cors", *(["policy"] if LONG else [])])
def test_a_setting_is_edited_as_form_and_document(tell: Tell, story: str) -> None:
    """What is typed into either half stands in the other, is tried as it stands, and saved."""
    tell(story)


def test_a_bucket_is_emptied_and_deleted(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """All versions, delete markers and unfinished uploads go, and then the bucket."""
    s3.put_object(Bucket=bucket, Key="a/<b> #?.txt", Body=b"before there were versions")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="a/<b> #?.txt", Body=b"text")
    s3.put_object(Bucket=bucket, Key="b", Body=b"")
    s3.delete_object(Bucket=bucket, Key="b")
    s3.create_multipart_upload(Bucket=bucket, Key="c/ü &")
    tell("empty")
    assert bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}


@pytest.mark.skipif(not LONG, reason="make test-console")
def test_a_key_for_a_new_bucket_is_made_in_few_steps(tell: Tell) -> None:
    """A bucket, a user and his key are there after three forms, and the secret is shown."""
    tell("key")


@pytest.mark.skipif(not LONG, reason="make test-console")
def test_what_a_lock_keeps_is_named(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """A held version stays, is named with S3's reason, and so the bucket is not deleted."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    s3.put_object(Bucket=bucket, Key="free.txt", Body=b"text")
    held = s3.put_object(
        Bucket=bucket, Key="held.txt", Body=b"text", ObjectLockLegalHoldStatus="ON"
    )
    tell("kept")
    left = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [each["Key"] for each in left] == ["held.txt"]
    s3.put_object_legal_hold(
        Bucket=bucket, Key="held.txt", VersionId=held["VersionId"], LegalHold={"Status": "OFF"}
    )
