"""curl, which signs by itself and does nothing else that an SDK does."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.e2e.clients.installed import system
from tests.e2e.content import content
from tests.e2e.server import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.clients.installed import Runner

    Curl = Callable[..., str]

pytestmark = pytest.mark.e2e

KEY = "a folder/plus+and 100%.txt"


@pytest.fixture
def curl(run: Runner, bucket: str) -> Curl:
    """Answer what runs curl with a path in the bucket, and whatever else it is given."""
    program = (system("curl"), "--silent", "--show-error", "--fail-with-body")
    signed = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}")
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")

    def call(path: str, *arguments: str, told: bytes | None = None) -> str:
        url = f"{run.server.url}/{bucket}/{path}"
        return run(*program, *signed, *unsigned, *arguments, url, told=told)

    return call


def test_a_file_goes_up_and_comes_down(curl: Curl, run: Runner) -> None:
    """`--upload-file` puts an object, with its metadata, that a range is read of."""
    source = run.home / "source"
    source.write_bytes(content("curl", 6_000_000))
    curl(quote(KEY), "--upload-file", str(source), "--header", "x-amz-meta-colour: blue")
    curl(quote(KEY), "--output", str(run.home / "back"))
    assert (run.home / "back").read_bytes() == source.read_bytes()
    curl(quote(KEY), "--range", "10-19", "--output", str(run.home / "range"))
    assert (run.home / "range").read_bytes() == source.read_bytes()[10:20]
    assert "x-amz-meta-colour: blue" in curl(quote(KEY), "--head")


def test_a_stream_is_put(curl: Curl, s3: BaseClient, bucket: str) -> None:
    """A body from standard input is an object once its length is known."""
    curl("streamed", "--request", "PUT", "--data-binary", "@-", told=b"from a pipe")
    assert s3.get_object(Bucket=bucket, Key="streamed")["Body"].read() == b"from a pipe"


def test_listings(curl: Curl, s3: BaseClient, bucket: str) -> None:
    """A listing is asked for with parameters in the order in which they are signed."""
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"")
    said = curl("?list-type=2&prefix=a%20folder%2F")
    assert f"<Key>{KEY}</Key>" in said


def test_copies_and_deletes(curl: Curl, s3: BaseClient, bucket: str) -> None:
    """An object is copied by a header, and deleted."""
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"x")
    source = f"x-amz-copy-source: /{bucket}/{quote(KEY)}"
    assert "<CopyObjectResult" in curl("copied", "--request", "PUT", "--header", source)
    curl(quote(KEY), "--request", "DELETE")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copied"]


def test_an_object_is_renamed(curl: Curl, s3: BaseClient, bucket: str) -> None:
    """RenameObject takes one header, and moves the object without a copy."""
    s3.put_object(Bucket=bucket, Key="old", Body=b"x")
    source = f"x-amz-rename-source: /{bucket}/old"
    curl("new?renameObject", "--request", "PUT", "--header", source)
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["new"]
