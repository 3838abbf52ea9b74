"""RenameObject by real clients: one key, all keys below a prefix, and what is refused.

The lines of docs/rename.md are run as they stand there.
"""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.outcome import refusal
from tests.e2e.server import ACCESS_KEY, SECRET_KEY, clean_environment
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rename.md").read_text(encoding="utf-8")
OK = (200, "")
FAILED = (412, "PreconditionFailed")
INVALID = (400, "InvalidRequest")
MIB = 1024 * 1024


def lines_of(language: str) -> list[str]:
    """Cut the page's examples in a language out."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def put(s3: BaseClient, bucket: str, *keys: str) -> None:
    """Store objects whose body is their key."""
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def bodies(s3: BaseClient, bucket: str) -> dict[str, str]:
    """Read every object of a bucket."""
    rows = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        row["Key"]: s3.get_object(Bucket=bucket, Key=row["Key"])["Body"].read().decode()
        for row in rows
    }


def rename(server: Server, bucket: str, source: str, target: str, **headers: str) -> Reply:
    """Send a rename as it is; underscores in the names of headers are hyphens."""
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    wanted = {"x-amz-rename-source": source} | sent
    return server.caller.ask("PUT", path_of(bucket, target) + "?renameObject", b"", wanted)


def test_the_examples_of_the_page_work(server: Server, s3: BaseClient) -> None:
    """The lines of boto3 and curl in docs/rename.md rename what they say."""
    s3.create_bucket(Bucket="photos")
    first, second = lines_of("python")
    for example in (first, *lines_of("sh")):
        put(s3, "photos", "holiday/", "holiday/IMG_0001.jpg", "holiday/deep/er")
        if "curl" in example:
            for text, real in (
                ("http://127.0.0.1:9000", server.url),
                ("S4KEY", ACCESS_KEY),
                ("S4SECRET", SECRET_KEY),
                ("curl ", "curl --fail-with-body --silent --show-error "),
            ):
                assert text in example
                example = example.replace(text, real)  # noqa: PLW2901  # the reader does so too
            done = subprocess.run(
                ["sh", "-c", example],  # as the reader pastes it
                env=clean_environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            exec(example, {"s3": s3})  # noqa: S102  # the same
        found = bodies(s3, "photos")
        assert found == {
            "2026/": "holiday/",
            "2026/IMG_0001.jpg": "holiday/IMG_0001.jpg",
            "2026/deep/er": "holiday/deep/er",
        }
        for key in found:
            if "deep" in key or key.endswith("/") or "curl" not in example:
                s3.delete_object(Bucket="photos", Key=key)
    exec(second, {"s3": s3})  # noqa: S102  # the same
    assert bodies(s3, "photos") == {"cover.jpg": "holiday/IMG_0001.jpg"}


def test_everything_about_an_object_stays(s3: BaseClient, bucket: str) -> None:
    """ETag, time, metadata, tags, checksums and parts are the same under the new name."""
    made = s3.create_multipart_upload(
        Bucket=bucket,
        Key="old",
        Metadata={"colour": "blue"},
        ContentType="text/plain",
        CacheControl="no-store",
        Tagging="a=1&b=2",
        ChecksumAlgorithm="SHA256",
    )
    names = {"Bucket": bucket, "Key": "old", "UploadId": made["UploadId"]}
    parts = []
    for number, body in enumerate((bytes(5 * MIB), b"end"), 1):
        wish = {**names, "PartNumber": number, "Body": body, "ChecksumAlgorithm": "SHA256"}
        part = s3.upload_part(**wish)
        parts.append({"PartNumber": number} | {k: part[k] for k in ("ETag", "ChecksumSHA256")})
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})

    def described(key: str) -> dict[str, Any]:
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        last = s3.head_object(Bucket=bucket, Key=key, PartNumber=2)
        tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        del head["ResponseMetadata"]
        return head | {"Part": last["ContentLength"], "Parts": last["PartsCount"], "Tags": tags}

    before = described("old")
    s3.rename_object(Bucket=bucket, Key="new/deeper", RenameSource=f"/{bucket}/old")
    assert described("new/deeper") == before
    assert before["Metadata"] == {"colour": "blue"}
    assert refusal(s3.head_object, Bucket=bucket, Key="old")[0] == 404


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("plain", "/plain"),
        ("plain", "{bucket}/plain"),
        ("plain", "/{bucket}/plain"),
        ("a b c+d%", "{bucket}/a%20b+c%2Bd%25"),
        ("d\u00e4/\u4f60", "{bucket}/d%C3%A4/%E4%BD%A0"),
        ("//twice", "{bucket}///twice"),
        ("what?versionId=1", "{bucket}/what%3FversionId=1"),
    ],
)
def test_a_source_is_written_as_on_aws(s3: BaseClient, bucket: str, source: str, text: str) -> None:
    """With or without bucket and slash, URL-encoded; a plus is a space."""
    put(s3, bucket, source)
    s3.rename_object(Bucket=bucket, Key="target", RenameSource=text.format(bucket=bucket))
    assert bodies(s3, bucket) == {"target": source}


def test_a_source_with_the_buckets_name_is_the_longer_form(s3: BaseClient, bucket: str) -> None:
    """A key that begins with the bucket's name is named with the bucket before it."""
    put(s3, bucket, "k", f"{bucket}/k")
    s3.rename_object(Bucket=bucket, Key="short", RenameSource=f"{bucket}/k")
    s3.rename_object(Bucket=bucket, Key="long", RenameSource=f"{bucket}/{bucket}/k")
    assert bodies(s3, bucket) == {"short": "k", "long": f"{bucket}/k"}


def test_an_object_is_replaced_unless_that_is_refused(s3: BaseClient, bucket: str) -> None:
    """As on AWS a rename replaces its target, and If-None-Match: * keeps it from doing so."""
    put(s3, bucket, "a", "b")
    wish = {"Bucket": bucket, "Key": "b", "RenameSource": "a"}
    assert refusal(s3.rename_object, **wish, DestinationIfNoneMatch="*") == FAILED
    assert bodies(s3, bucket) == {"a": "a", "b": "b"}
    s3.rename_object(**wish)
    assert bodies(s3, bucket) == {"b": "a"}


def test_conditions_on_both_objects(s3: BaseClient, bucket: str) -> None:
    """Each of the eight conditions holds or refuses, and a refusal changes nothing."""
    put(s3, bucket, "a", "b")
    etags = {key: s3.head_object(Bucket=bucket, Key=key)["ETag"] for key in ("a", "b")}
    now = dt.datetime.now(dt.UTC)
    past, future = now - dt.timedelta(days=1), now + dt.timedelta(days=1)
    wish = {"Bucket": bucket, "Key": "b", "RenameSource": "a"}
    for conditions in (
        {"DestinationIfMatch": etags["a"]},
        {"DestinationIfNoneMatch": etags["b"]},
        {"DestinationIfModifiedSince": now},
        {"DestinationIfUnmodifiedSince": past},
        {"SourceIfMatch": etags["b"]},
        {"SourceIfNoneMatch": etags["a"]},
        {"SourceIfNoneMatch": "*"},
        {"SourceIfModifiedSince": now},
        {"SourceIfUnmodifiedSince": past},
    ):
        assert refusal(s3.rename_object, **wish, **conditions) == FAILED, conditions
    absent = wish | {"Key": "c"}
    assert refusal(s3.rename_object, **absent, DestinationIfMatch="*") == (404, "NoSuchKey")
    assert refusal(s3.rename_object, **absent, DestinationIfModifiedSince=past) == FAILED
    assert bodies(s3, bucket) == {"a": "a", "b": "b"}
    s3.rename_object(
        **wish,
        DestinationIfMatch=etags["b"],
        DestinationIfModifiedSince=past,
        DestinationIfUnmodifiedSince=past,  # If-Match outweighs it
        SourceIfMatch=etags["a"],
        SourceIfUnmodifiedSince=future,
    )
    assert bodies(s3, bucket) == {"b": "a"}


def test_a_prefix_is_not_renamed_over_another_unasked(s3: BaseClient, bucket: str) -> None:
    """What is below the target refuses the rename, or with If-Match: * goes in the same step."""
    put(s3, bucket, "a/1", "a/2/3", "b/4", "b/5")
    wish = {"Bucket": bucket, "Key": "b/", "RenameSource": "a/"}
    for conditions in ({}, {"DestinationIfNoneMatch": "*"}):
        assert refusal(s3.rename_object, **wish, **conditions) == FAILED
    nobody = wish | {"Key": "c/"}
    assert refusal(s3.rename_object, **nobody, DestinationIfMatch="*") == FAILED
    assert sorted(bodies(s3, bucket)) == ["a/1", "a/2/3", "b/4", "b/5"]
    s3.rename_object(**wish, DestinationIfMatch="*")
    assert bodies(s3, bucket) == {"b/1": "a/1", "b/2/3": "a/2/3"}


def test_what_is_refused(server: Server, s3: BaseClient, bucket: str) -> None:
    """Every wrong rename has its code, and moves nothing."""
    put(s3, bucket, "a", "p/1", "q/1")
    s3.create_bucket(Bucket=f"{bucket}-other")
    put(s3, f"{bucket}-other", "x")
    long = "n" * 1023 + "/"
    for source, target, headers, wanted in (
        ("none", "b", {}, (404, "NoSuchKey")),
        ("none/", "b/", {}, (404, "NoSuchKey")),
        (f"/{bucket}-other/x", "b", {}, (404, "NoSuchKey")),
        ("a", "a", {}, INVALID),
        ("p/", "p/", {}, INVALID),
        ("a", "b/", {}, INVALID),
        ("p/", "b", {}, INVALID),
        ("p/", "p/deeper/", {}, INVALID),
        ("", "b", {}, (400, "InvalidArgument")),
        ("/", "b", {}, (400, "InvalidArgument")),
        (f"{bucket}/", "b/", {}, (400, "InvalidArgument")),
        ("%FF", "b", {}, (400, "InvalidArgument")),
        ("p/", long, {}, (400, "KeyTooLongError")),
        ("k" * 1025, "b", {}, (400, "KeyTooLongError")),
        ("a", "b", {"x_amz_meta_colour": "blue"}, INVALID),
        ("a", "b", {"x_amz_acl": "private"}, INVALID),
        ("a", "b", {"x_amz_server_side_encryption": "AES256"}, INVALID),
        ("a", "b", {"x_amz_client_token": "t" * 65}, (400, "InvalidArgument")),
        ("a", "b", {"x_amz_client_token": "two words"}, (400, "InvalidArgument")),
        ("p/", "b/", {"if_match": '"abc"'}, INVALID),
        ("p/", "b/", {"if_none_match": "*", "if_match": "*"}, INVALID),
        ("p/", "b/", {"if_unmodified_since": "Sat, 01 Jan 2000 00:00:00 GMT"}, INVALID),
        ("p/", "b/", {"x_amz_rename_source_if_match": "*"}, INVALID),
    ):
        reply = rename(server, bucket, source, target, **headers)
        assert (reply.status, reply.code) == wanted, (source, target, headers)
    missing = rename(server, bucket, "no%20such", "b")
    assert missing.text("Key") == "no such"
    nameless = server.caller.ask("PUT", path_of(bucket, "b") + "?renameObject")
    assert (nameless.status, nameless.code) == (400, "InvalidArgument")
    plain = server.caller.ask("PUT", path_of(bucket, "b"), b"", {"x-amz-rename-source": "a"})
    assert (plain.status, plain.code) == INVALID
    unsigned = rename(server, "no-such-bucket", "a", "b")
    assert (unsigned.status, unsigned.code) == (404, "NoSuchBucket")
    assert bodies(s3, bucket) == {"a": "a", "p/1": "p/1", "q/1": "q/1"}


def test_a_rename_with_a_token_is_done_once(s3: BaseClient, bucket: str) -> None:
    """Repeated it succeeds and does nothing; the token is of that one request."""
    put(s3, bucket, "a", "p/1")
    for source, target in (("a", "b"), ("p/", "q/")):
        wish = {"Bucket": bucket, "Key": target, "RenameSource": source, "ClientToken": source}
        s3.rename_object(**wish)
        put(s3, bucket, "a", "p/2")
        s3.rename_object(**wish)
        for other in ({"Key": "z" + target}, {"DestinationIfNoneMatch": "*"}):
            refused = refusal(s3.rename_object, **wish | other)
            assert refused == (400, "IdempotencyParameterMismatch")
    assert sorted(bodies(s3, bucket)) == ["a", "b", "p/2", "q/1", "q/2"]
    s3.create_bucket(Bucket=f"{bucket}-2")
    put(s3, f"{bucket}-2", "a")
    s3.rename_object(Bucket=f"{bucket}-2", Key="c", RenameSource="a", ClientToken="a")
    assert list(bodies(s3, f"{bucket}-2")) == ["c"]


def test_one_of_many_racing_renames_wins(server: Server, s3: BaseClient, bucket: str) -> None:
    """Of those who rename one key at once a single one succeeds, under the name it gave."""
    put(s3, bucket, "a")
    outcomes: dict[str, tuple[int, str]] = {}

    def race(target: str) -> None:
        reply = rename(server, bucket, "a", target)
        outcomes[target] = reply.status, reply.code

    racers = [threading.Thread(target=race, args=(f"t{number}",)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    winners = [target for target, outcome in outcomes.items() if outcome == OK]
    assert sorted(outcomes.values()) == [OK] + [(404, "NoSuchKey")] * 7
    assert bodies(s3, bucket) == {winners[0]: "a"}


def test_a_million_names_would_cost_one(server: Server, s3: BaseClient, bucket: str) -> None:
    """Readers beside it see all of the old names or all of the new ones, never some of each."""
    wanted = [f"{number:03d}" for number in range(200)]
    put(s3, bucket, *(f"old/{name}" for name in wanted))
    seen: list[list[str]] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            page = s3.list_objects_v2(Bucket=bucket)
            seen.append([row["Key"] for row in page["Contents"]])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        names = ["old/", "new/"]
        for turn in range(1000):
            if turn >= 20 and len(seen) > 1:
                break
            assert rename(server, bucket, names[0], names[1]).status == 200
            names.reverse()
    finally:
        ended.set()
        reader.join()
    both = [[f"{prefix}{name}" for name in wanted] for prefix in ("old/", "new/")]
    assert all(page in both for page in seen)
    assert len(seen) > 1


def test_who_may_rename(server: Server, s3: BaseClient, bucket: str) -> None:
    """Only who may write, delete and read in the bucket; others are denied, and nothing moves."""
    put(s3, bucket, "a", "p/1")
    for name, role in (("renames-writer", "Writer"), ("renames-reader", "Reader")):
        server.manage_json("create_user", name, "--role", role)
        key = server.manage_json("create_key", name)
        stranger = server.client(
            aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
        )
        for source, target in (("a", "b"), ("p/", "q/"), ("none", "b")):
            wish = {"Bucket": bucket, "Key": target, "RenameSource": source}
            assert refusal(stranger.rename_object, **wish) == (403, "AccessDenied")
        if role == "Writer":
            stranger.create_bucket(Bucket=name)
            put(stranger, name, "a", "p/1")
            stranger.rename_object(Bucket=name, Key="b", RenameSource="a")
            stranger.rename_object(Bucket=name, Key="q/", RenameSource="p/")
            assert bodies(stranger, name) == {"b": "a", "q/1": "p/1"}
    assert sorted(bodies(s3, bucket)) == ["a", "p/1"]


def versions(s3: BaseClient, bucket: str) -> list[tuple[str, str]]:
    """List every version and delete marker as key and id."""
    page = s3.list_object_versions(Bucket=bucket)
    rows = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return sorted((row["Key"], row["VersionId"]) for row in rows)


def test_all_versions_move(s3: BaseClient, bucket: str) -> None:
    """Versions and markers keep their ids under the new names, of one key and below a prefix."""
    put(s3, bucket, "a", "p/1")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, "a", "p/1", "p/gone")
    s3.delete_object(Bucket=bucket, Key="p/gone")
    before = versions(s3, bucket)
    s3.rename_object(Bucket=bucket, Key="b", RenameSource="a")
    s3.rename_object(Bucket=bucket, Key="q/", RenameSource="p/")
    names = {"a": "b", "p/1": "q/1", "p/gone": "q/gone"}
    assert versions(s3, bucket) == [(names[key], version) for key, version in before]
    gone = {"Bucket": bucket, "RenameSource": "q/gone", "Key": "c"}
    assert refusal(s3.rename_object, **gone) == (404, "NoSuchKey")


def test_versions_are_not_replaced_unasked(s3: BaseClient, bucket: str) -> None:
    """Where versions are kept a target that has any goes only when If-Match says so."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, "a", "b", "b", "hidden")
    s3.delete_object(Bucket=bucket, Key="hidden")
    before = versions(s3, bucket)
    for target in ("b", "hidden"):
        for conditions in ({}, {"DestinationIfNoneMatch": "*"}):
            wish = {"Bucket": bucket, "Key": target, "RenameSource": "a"}
            assert refusal(s3.rename_object, **wish, **conditions) == FAILED
    assert versions(s3, bucket) == before
    etag = s3.head_object(Bucket=bucket, Key="b")["ETag"]
    s3.rename_object(Bucket=bucket, Key="b", RenameSource="a", DestinationIfMatch=etag)
    assert [key for key, _ in versions(s3, bucket)] == ["b", "hidden", "hidden"]
    assert bodies(s3, bucket) == {"b": "a"}


def test_in_a_bucket_with_acls_only_ones_own_is_renamed(server: Server, s3: BaseClient) -> None:
    """Who may write in another's bucket renames what he owns himself, and no prefix."""
    s3.create_bucket(Bucket="shared", ObjectOwnership="ObjectWriter")
    user = server.manage_json("create_user", "renames-guest", "--role", "Writer")
    key = server.manage_json("create_key", "renames-guest")
    guest = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    s3.put_bucket_acl(Bucket="shared", GrantWrite=f"id={user['canonical_id']}")
    put(s3, "shared", "hers", "p/hers")
    put(guest, "shared", "his", "p/his")
    denied = (403, "AccessDenied")
    for source, target, wanted in (
        ("hers", "new", denied),
        ("p/", "q/", denied),
        ("none", "new", denied),
        ("his", "new", OK),
    ):
        wish = {"Bucket": "shared", "Key": target, "RenameSource": source}
        assert refusal(guest.rename_object, **wish) == wanted, source
    s3.rename_object(Bucket="shared", Key="q/", RenameSource="p/")
    listed = s3.list_objects_v2(Bucket="shared")["Contents"]
    assert [row["Key"] for row in listed] == ["hers", "new", "q/hers", "q/his"]
    assert guest.get_object(Bucket="shared", Key="q/his")["Body"].read() == b"p/his"
