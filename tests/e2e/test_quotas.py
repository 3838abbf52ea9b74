"""Quotas over real HTTP: exact under many writers, told clearly, refused before the body."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.e2e.content import content
from tests.e2e.outcome import refusal
from tests.e2e.posting import Upload, post, presigned, write_form
from tests.e2e.processes import wait_until
from tests.e2e.test_rest import call, log_in
from tests.e2e.wire import ConnectionEnded, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

WRITERS = 64
ROUNDS = 20 if os.environ.get("S4_TEST_LONG") else 4
MIB = 1024 * 1024
FULL = (403, "QuotaExceeded")
OK = (200, "")


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Sign in as the SuperUser who sets quotas."""
    return log_in(server)


@contextmanager
def bounded(server: Server, token: str, path: str, **bounds: int) -> Iterator[None]:
    """Bound a bucket or a user for a block."""
    assert call(server, "PUT", f"/admin/{path}/quota", bounds, token).status == 204
    yield
    assert call(server, "DELETE", f"/admin/{path}/quota", token=token).status == 204


def usage(server: Server, token: str, path: str) -> tuple[int, int]:
    """Answer the bytes and objects that count for a bucket or a user."""
    told = call(server, "GET", f"/admin/{path}/quota", token=token).body
    return told["used_bytes"], told["used_objects"]


def held(s3: BaseClient, bucket: str) -> tuple[int, int]:
    """Count what a bucket shows: versions and markers, and the parts of open uploads."""
    page = s3.list_object_versions(Bucket=bucket)
    assert not page["IsTruncated"]
    sizes = [row["Size"] for row in page.get("Versions", [])]
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    for upload in uploads:
        named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
        parts = s3.list_parts(Bucket=bucket, **named).get("Parts", [])
        sizes += [part["Size"] for part in parts]
    versions = len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
    return sum(sizes), versions


def all_at_once(work: Callable[[int], list[Reply]]) -> list[Reply]:
    """Let every writer work at the same time, each on a connection of its own."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return [reply for replies in pool.map(work, range(WRITERS)) for reply in replies]


def fill(server: Server, buckets: list[str], size: int, writer: int) -> list[Reply]:
    """Put objects of one size, each under a key of its own, into several buckets in turn."""
    replies = []
    with server.caller.connect() as connection:
        for number in range(ROUNDS):
            path = path_of(buckets[(writer + number) % len(buckets)], f"{writer}/{number}")
            body = content(path, size)
            replies.append(server.caller.ask("PUT", path, body, over=connection))
    return replies


# --- the edge ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [777, 9_000])
def test_many_writers_fill_a_bucket_to_the_byte(
    server: Server, s3: BaseClient, bucket: str, token: str, size: int
) -> None:
    """Just as many puts succeed as fit, in the index and in volumes, and then the rest does."""
    fitting = WRITERS * ROUNDS // 2
    bound = fitting * size + size - 1
    with bounded(server, token, f"buckets/{bucket}", bytes=bound):
        replies = all_at_once(partial(fill, server, [bucket], size))
        assert sorted(reply.status for reply in replies) == [
            *([200] * fitting),
            *([403] * (WRITERS * ROUNDS - fitting)),
        ]
        assert {reply.code for reply in replies} == {"", "QuotaExceeded"}
        assert usage(server, token, f"buckets/{bucket}") == (fitting * size, fitting)
        put = partial(s3.put_object, Bucket=bucket)
        assert refusal(put, Key="rest", Body=b"x" * size) == FULL
        assert refusal(put, Key="rest", Body=b"x" * (size - 1)) == OK
        assert refusal(put, Key="one", Body=b"x") == FULL
        assert refusal(put, Key="nothing", Body=b"") == OK
        assert usage(server, token, f"buckets/{bucket}")[0] == bound


def test_many_writers_fill_the_buckets_of_a_user(server: Server, token: str) -> None:
    """What a user may hold is shared by all his buckets at once, in bytes and in objects."""
    user = server.manage_json("create_user", "many-buckets", "--role", "Writer")
    key = server.manage_json("create_key", user["username"])
    s3 = server.client(aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"])
    names = [f"many-buckets-{number}" for number in range(4)]
    for name in names:
        s3.create_bucket(Bucket=name)
    rows = call(server, "GET", "/admin/users", token=token).body["users"]
    (user_id,) = [row["id"] for row in rows if row["username"] == user["username"]]
    half = WRITERS * ROUNDS // 2
    for bounds, objects in (({"bytes": half * 500 + 499}, half), ({"objects": half + 7}, half + 7)):
        with bounded(server, token, f"users/{user_id}", **bounds):
            replies = all_at_once(partial(fill, server, names, 500))
            assert sum(reply.status == 200 for reply in replies) == objects
            assert usage(server, token, f"users/{user_id}") == (objects * 500, objects)
            shown = [held(s3, name) for name in names]
            assert tuple(map(sum, zip(*shown, strict=True))) == (objects * 500, objects)
            refused = next(reply for reply in replies if reply.status == 403)
            assert refused.text("QuotaHolder") == "user"
        for name in names:
            keys = [{"Key": row["Key"]} for row in s3.list_objects_v2(Bucket=name)["Contents"]]
            s3.delete_objects(Bucket=name, Delete={"Objects": keys})
        assert usage(server, token, f"users/{user_id}") == (0, 0)
    s3.close()


def test_all_that_writes_at_once_stays_below_the_bound(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """Puts, copies, parts, completions, aborts and deletes mixed never go beyond, and add up."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="source", Body=content("source", 3_000))
    bound = 200_000
    with bounded(server, token, f"buckets/{bucket}", bytes=bound, objects=150):
        seen = all_at_once(partial(churn, server, bucket))
        assert {reply.status for reply in seen} <= {200, 204, 403}
        assert {reply.code for reply in seen if reply.status == 403} == {"QuotaExceeded"}
        figures = usage(server, token, f"buckets/{bucket}")
        assert figures == held(s3, bucket)
        assert figures[0] <= bound
        put = partial(s3.put_object, Bucket=bucket, Key="last")
        assert refusal(put, Body=b"x" * (bound - figures[0] + 1)) == FULL
    server.verify()


def churn(server: Server, bucket: str, writer: int) -> list[Reply]:
    """Write in every way there is, and take some of it back."""
    replies = []
    with server.caller.connect() as connection:
        ask = partial(server.caller.ask, over=connection)
        for number in range(ROUNDS):
            key = path_of(bucket, f"{writer % 16}/{number % 3}")
            upload = path_of(bucket, f"u/{writer}")
            body = content(f"{writer} {number}", 500 + 37 * writer)
            replies.append(ask("PUT", key, body))
            copy = {"x-amz-copy-source": f"/{bucket}/source"}
            replies.append(ask("PUT", path_of(bucket, f"c/{writer}"), b"", copy))
            made = ask("POST", f"{upload}?uploads")
            assert made.status == 200
            named = f"uploadId={made.text('UploadId')}"
            part = ask("PUT", f"{upload}?partNumber=1&{named}", body)
            replies.append(part)
            if part.status == 200 and number % 2:
                row = f"<Part><PartNumber>1</PartNumber><ETag>{part.etag}</ETag></Part>"
                document = f"<CompleteMultipartUpload>{row}</CompleteMultipartUpload>"
                replies.append(ask("POST", f"{upload}?{named}", document.encode()))
            elif writer % 2:
                replies.append(ask("DELETE", f"{upload}?{named}"))
            if number % 3 == 2:
                replies.append(ask("DELETE", key))
                version = replies[0].headers.get("x-amz-version-id")
                if version is not None:
                    first = path_of(bucket, f"{writer % 16}/0")
                    replies.append(ask("DELETE", f"{first}?versionId={version}"))
    return replies


# --- what is refused, and what never is ---------------------------------------------------------


def test_every_way_to_write_is_refused_and_leaves_nothing(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """Put, form, copy, part, copied part and completion are told the same and change nothing."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 1000)
    s3.put_object(Bucket=bucket, Key="small", Body=b"x" * 10)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="up")
    named: dict[str, Any] = {"Bucket": bucket, "Key": "up", "UploadId": upload["UploadId"]}
    etag = s3.upload_part(**named, PartNumber=1, Body=b"y" * 5)["ETag"]
    source = {"Bucket": bucket, "Key": "k"}
    before = held(s3, bucket)
    assert before == (1015, 2)
    with bounded(server, token, f"buckets/{bucket}", bytes=1100, objects=2):
        assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x" * 1086) == FULL
        assert refusal(s3.put_object, Bucket=bucket, Key="new", Body=b"") == FULL
        assert refusal(s3.copy_object, Bucket=bucket, Key="new", CopySource=source) == FULL
        assert refusal(s3.copy_object, Bucket=bucket, Key="small", CopySource=source) == FULL
        assert refusal(s3.upload_part, **named, PartNumber=2, Body=b"x" * 86) == FULL
        copied = partial(s3.upload_part_copy, **named, PartNumber=2, CopySource=source)
        assert refusal(copied) == FULL
        done = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        assert refusal(s3.complete_multipart_upload, **named, MultipartUpload=done) == FULL
        signer = server.client(config=Config(signature_version="s3v4"))
        for key, data in (("form", b""), ("k", b"x" * 2000)):
            form = write_form(presigned(signer, bucket, key), Upload(data))
            reply = post(server, path_of(bucket), form)
            assert (reply.status, reply.code) == FULL
        signer.close()
        assert held(s3, bucket) == before
        s3.abort_multipart_upload(**named)
        assert usage(server, token, f"buckets/{bucket}") == (1010, 2)
        assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"x" * 1090) == OK
    server.verify()


def test_replacing_deleting_and_renaming_work_at_the_edge(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """In a bucket that is fuller than it may be, whatever adds nothing works, and frees at once."""
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 100)
    put = partial(s3.put_object, Bucket=bucket)
    with bounded(server, token, f"buckets/{bucket}", bytes=100, objects=1):
        assert refusal(put, Key="a", Body=b"y" * 100) == OK
        assert refusal(put, Key="a", Body=b"y" * 99) == OK
        assert refusal(put, Key="a", Body=b"y" * 100) == FULL
        source = {"Bucket": bucket, "Key": "a"}
        assert refusal(s3.copy_object, Bucket=bucket, Key="b", CopySource=source) == OK
        renamed = {"x-amz-rename-source": path_of(bucket, "b")}
        target = f"{path_of(bucket, 'c')}?renameObject"
        assert server.caller.ask("PUT", target, b"", renamed).status == 200
        s3.delete_object(Bucket=bucket, Key="c")
        assert usage(server, token, f"buckets/{bucket}") == (99, 1)
        assert refusal(put, Key="a", Body=b"y" * 100) == OK
        assert refusal(put, Key="b", Body=b"") == FULL
        s3.delete_object(Bucket=bucket, Key="a")
        assert refusal(put, Key="b", Body=b"y" * 100) == OK


def test_versions_count_and_markers_are_never_refused(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """Every version counts until it goes for good; a marker is counted and frees nothing."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = partial(s3.put_object, Bucket=bucket, Key="k")
    with bounded(server, token, f"buckets/{bucket}", bytes=300, objects=3):
        versions = [put(Body=b"x" * 100)["VersionId"] for _ in range(3)]
        assert refusal(put, Body=b"") == FULL
        marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
        assert usage(server, token, f"buckets/{bucket}") == (300, 4)
        assert refusal(put, Body=b"") == FULL
        s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
        s3.delete_object(Bucket=bucket, Key="k", VersionId=versions[0])
        assert refusal(put, Body=b"x" * 101) == FULL
        assert refusal(put, Body=b"x" * 100) == OK


# --- before the body ---------------------------------------------------------------------------


@pytest.mark.parametrize("of_part", [False, True])
@pytest.mark.parametrize("size", [2 * MIB, 4 * 1024 * MIB])
def test_what_cannot_fit_is_refused_before_it_is_sent(
    server: Server, s3: BaseClient, bucket: str, token: str, size: int, of_part: bool
) -> None:
    """The announced length decides, in place of `100 Continue`; what fits is invited."""
    target = path_of(bucket, "k")
    if of_part:
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        target += f"?partNumber=1&uploadId={upload_id}"
    expect = {"expect": "100-continue"}
    with bounded(server, token, f"buckets/{bucket}", bytes=MIB), server.caller.connect() as wire:
        wire.send(server.caller.head("PUT", target, size, expect))
        reply = wire.reply("PUT")
        assert (reply.status, reply.code) == FULL
        assert reply.text("QuotaAsked") == str(size)
        assert reply.text("QuotaBound") == str(MIB)
    with bounded(server, token, f"buckets/{bucket}", bytes=MIB), server.caller.connect() as wire:
        wire.send(server.caller.head("PUT", target, 10, expect))
        assert wire.interim() == 100
        wire.send(b"x" * 10)
        assert wire.reply("PUT").status == 200


def test_conditions_come_before_the_quota(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """Who would not have been let in anyway is told why, also in a full bucket."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    put = partial(s3.put_object, Bucket=bucket, Key="k", Body=b"xx")
    with bounded(server, token, f"buckets/{bucket}", bytes=1):
        assert refusal(put, IfNoneMatch="*") == (412, "PreconditionFailed")
        assert refusal(put, IfMatch='"wrong"') == (412, "PreconditionFailed")
        assert refusal(put) == FULL


def test_an_encoded_length_is_the_one_that_counts(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """A streamed upload is measured by its decoded length: framing takes up no room."""
    with bounded(server, token, f"buckets/{bucket}", bytes=100_000):
        with_trailer = partial(s3.put_object, Bucket=bucket, ChecksumAlgorithm="CRC32")
        assert refusal(with_trailer, Key="k", Body=b"x" * 100_000) == OK
        assert refusal(with_trailer, Key="l", Body=b"x") == FULL
        assert refusal(with_trailer, Key="k", Body=b"x" * 100_001) == FULL


# --- figures, crashes ---------------------------------------------------------------------------


def test_the_message_names_whose_quota_and_how_much(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """A person reads the bound, what is used, and what was asked."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 990)
    with bounded(server, token, f"buckets/{bucket}", bytes=1000):
        reply = server.caller.ask("PUT", path_of(bucket, "l"), b"x" * 20)
        assert reply.text("Message") == (
            "The bucket would hold more than the quota of 1000 bytes allows: 990 are used, and 20 "
            "more do not fit."
        )
        told = call(server, "GET", f"/admin/buckets/{bucket}/quota", token=token).body
        assert (told["percent"], told["state"]) == (99, "warning")
        listed = call(server, "GET", "/admin/usage/alerts", token=token).body["alerts"]
        assert [row["name"] for row in listed] == [bucket]
        rows = server.manage_json("list_usage")
        assert told in rows


def test_who_may_only_write_is_told_no_figures(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """What a bucket holds is told to who may list it, what its owner holds not even to him."""
    user = server.manage_json("create_user", "only-writes", "--role", "Reader")
    key = server.manage_json("create_key", user["username"])
    writer = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    plain = "The bucket would hold more than its quota allows."
    arn = f"arn:aws:iam::{user['account_id']}:user/{user['username']}"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for may_list in (False, True):
        invite(s3, bucket, arn, may_list=may_list)
        for path in (f"buckets/{bucket}", "users/1"):
            is_told = may_list and path != "users/1"
            with bounded(server, token, path, objects=1), pytest.raises(ClientError) as refused:
                writer.put_object(Bucket=bucket, Key="l", Body=b"x" * 20)
            error = refused.value.response["Error"]
            assert error["Code"] == "QuotaExceeded"
            assert (error["Message"] == plain, "QuotaUsed" in error) == (not is_told, is_told)


def invite(s3: BaseClient, bucket: str, arn: str, *, may_list: bool) -> None:
    """Let somebody write to a bucket, and perhaps list it."""
    of_bucket = f"arn:aws:s3:::{bucket}"
    rights = [("s3:PutObject", f"{of_bucket}/*"), ("s3:ListBucket", of_bucket)]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": action, "Resource": resource}
        for action, resource in rights[: 1 + may_list]
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"warn_percent": 50},
        {"bytes": -1},
        {"bytes": 1.5},
        {"bytes": "1"},
        {"bytes": 2**63},
        {"objects": 1, "warn_percent": 0},
        {"objects": 1, "warn_percent": 101},
        {"size": 1},
        {"bytes": True},
        [],
    ],
)
def test_a_quota_that_means_nothing_is_not_saved(
    server: Server, bucket: str, token: str, body: Any
) -> None:
    """Bad bounds are 400 with a sentence, for buckets and for users."""
    for path in (f"buckets/{bucket}", "users/1"):
        told = call(server, "PUT", f"/admin/{path}/quota", body, token)
        assert (told.status, set(told.body)) == (400, {"error"})
        assert call(server, "GET", f"/admin/{path}/quota", token=token).body["quota"] is None


def test_killed_under_load_the_totals_hold(
    server: Server, s3: BaseClient, bucket: str, token: str
) -> None:
    """After kill -9 in the middle of writes at the edge nothing is beyond it and all adds up."""
    bound = 60_000
    path = f"/admin/buckets/{bucket}/quota"
    assert call(server, "PUT", path, {"bytes": bound}, token).status == 204
    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(until_lost, server, bucket, writer) for writer in range(8)]
        wait_until(lambda: usage(server, token, f"buckets/{bucket}")[0] > bound // 2, "it fills up")
        server.kill_tree()
        assert all(future.result() for future in writing)
    server.start()
    token = log_in(server)
    figures = usage(server, token, f"buckets/{bucket}")
    assert figures == held(s3, bucket)
    assert 0 < figures[0] <= bound
    put = partial(s3.put_object, Bucket=bucket, Key="last")
    assert refusal(put, Body=b"x" * (bound - figures[0] + 1)) == FULL
    assert refusal(put, Body=b"x" * (bound - figures[0])) == OK
    server.verify()


def until_lost(server: Server, bucket: str, writer: int) -> int:
    """Write and delete until the server is gone; answer how much was acknowledged."""
    done = 0
    with suppress(ConnectionEnded, OSError), server.caller.connect() as connection:
        for number in count():
            path = path_of(bucket, f"{writer}/{number % 9}")
            body = content(f"{writer} {number}", 400 + number % 1500)
            method = "DELETE" if number % 5 == 4 else "PUT"
            reply = server.caller.ask(
                method, path, b"" if method == "DELETE" else body, over=connection
            )
            assert reply.status in {200, 204, 403}
            done += reply.status != 403
    return done
