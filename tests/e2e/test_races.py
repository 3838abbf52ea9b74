"""Clients that want the same thing at the same time: one wins, and nobody sees a mixture.

Every race is run over as many connections as there are racers, so that both workers take part.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.content import content
from tests.e2e.outcome import refusal
from tests.e2e.wire import ConnectionEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Connection, Reply

pytestmark = pytest.mark.e2e

RACERS = 16
ROUNDS = 10
KIB = 1024
MIB = 1024 * KIB
LOSERS = {(412, "PreconditionFailed"), (409, "ConditionalRequestConflict")}


def race(server: Server, run: Callable[[int, Connection], Reply]) -> list[Reply]:
    """Let every racer send one request at the same moment, each over its own connection."""
    barrier = threading.Barrier(RACERS)

    def start(number: int) -> Reply:
        with server.caller.connect() as connection:
            assert server.caller.ask("GET", "/", over=connection).status == 200
            barrier.wait(30)
            return run(number, connection)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(start, range(RACERS)))


def outcomes(replies: list[Reply]) -> Counter[tuple[int, str]]:
    """Count how the racers fared."""
    return Counter((reply.status, reply.code) for reply in replies)


def only_winner(replies: list[Reply]) -> int:
    """Answer who won, and insist that all others were told that they lost."""
    winners = [number for number, reply in enumerate(replies) if reply.status == 200]
    assert len(winners) == 1, outcomes(replies)
    assert outcomes(replies).keys() - {(200, "")} <= LOSERS
    return winners[0]


@pytest.mark.parametrize("size", [100, 100 * KIB])
def test_one_writer_makes_the_object(server: Server, bucket: str, size: int) -> None:
    """Of writers with If-None-Match: * exactly one makes the object, and it is his."""
    for round_number in range(ROUNDS):
        target = f"/{bucket}/new{round_number}"
        replies = race(
            server,
            lambda number, connection, target=target: server.caller.ask(
                "PUT",
                target,
                content(f"racer {number}", size),
                {"if-none-match": "*"},
                over=connection,
            ),
        )
        winner = only_winner(replies)
        assert server.caller.ask("GET", target).body == content(f"racer {winner}", size)


def test_one_writer_replaces_the_object(server: Server, bucket: str) -> None:
    """Of writers with If-Match exactly one replaces what all of them have read."""
    target = f"/{bucket}/counter"
    etag = server.caller.ask("PUT", target, b"start").headers["etag"]
    for round_number in range(ROUNDS):
        replies = race(
            server,
            lambda number, connection, etag=etag, turn=round_number: server.caller.ask(
                "PUT", target, b"%d %d" % (turn, number), {"if-match": etag}, over=connection
            ),
        )
        winner = only_winner(replies)
        etag = replies[winner].headers["etag"]
        assert server.caller.ask("GET", target).body == b"%d %d" % (round_number, winner)


def test_one_client_completes_an_upload(server: Server, s3: BaseClient, bucket: str) -> None:
    """Uploads of one key completed at once under If-None-Match: * make the object once."""
    target = f"/{bucket}/parts"
    documents = []
    for number in range(RACERS):
        names: dict[str, Any] = {"Bucket": bucket, "Key": "parts"}
        names["UploadId"] = s3.create_multipart_upload(**names)["UploadId"]
        etag = s3.upload_part(**names, PartNumber=1, Body=b"racer %d" % number)["ETag"]
        row = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{row}</CompleteMultipartUpload>".encode()
        documents.append((names["UploadId"], document))
    replies = race(
        server,
        lambda number, connection: server.caller.ask(
            "POST",
            f"{target}?uploadId={documents[number][0]}",
            documents[number][1],
            {"if-none-match": "*"},
            over=connection,
        ),
    )
    winner = only_winner(replies)
    assert server.caller.ask("GET", target).body == b"racer %d" % winner


def test_a_completion_sent_many_times_at_once(server: Server, s3: BaseClient, bucket: str) -> None:
    """A completion that a client repeats before it is answered is answered like the first."""
    for round_number in range(ROUNDS):
        names: dict[str, Any] = {"Bucket": bucket, "Key": f"parts{round_number}"}
        names["UploadId"] = s3.create_multipart_upload(**names)["UploadId"]
        etag = s3.upload_part(**names, PartNumber=1, Body=b"part")["ETag"]
        row = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{row}</CompleteMultipartUpload>".encode()
        target = f"/{bucket}/{names['Key']}?uploadId={names['UploadId']}"
        replies = race(
            server,
            lambda _, connection, target=target, document=document: server.caller.ask(
                "POST", target, document, over=connection
            ),
        )
        assert outcomes(replies) == {(200, ""): RACERS}
        assert len({reply.body for reply in replies}) == 1


def test_one_writer_makes_the_version(server: Server, s3: BaseClient, bucket: str) -> None:
    """Of puts and completions over a delete marker one makes a version; the others leave none."""
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
    target, named = f"/{bucket}/k", {"Bucket": bucket, "Key": "k"}
    for round_number in range(1, 4):
        s3.delete_object(**named)
        requests = []
        for number in range(RACERS):
            if number % 2:
                requests.append(("PUT", target, b"racer %d" % number))
                continue
            upload = s3.create_multipart_upload(**named)["UploadId"]
            body = b"racer %d" % number
            etag = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=body)["ETag"]
            row = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
            document = f"<CompleteMultipartUpload>{row}</CompleteMultipartUpload>"
            requests.append(("POST", f"{target}?uploadId={upload}", document.encode()))
        replies = race(
            server,
            lambda number, connection, requests=requests: server.caller.ask(
                *requests[number], {"if-none-match": "*"}, over=connection
            ),
        )
        winner = only_winner(replies)
        assert server.caller.ask("GET", target).body == b"racer %d" % winner
        rows = s3.list_object_versions(Bucket=bucket)
        assert len(rows["Versions"]) == len(rows["DeleteMarkers"]) == round_number
        assert rows["Versions"][0]["VersionId"] == replies[winner].headers["x-amz-version-id"]


def test_one_client_makes_the_bucket(server: Server) -> None:
    """All who create one bucket at once are told that it is theirs, and one bucket is made."""
    for number in range(3):
        replies = race(
            server,
            lambda _, connection, name=f"raced-{number}": server.caller.ask(
                "PUT", f"/{name}", over=connection
            ),
        )
        assert outcomes(replies) == {(200, ""): RACERS}


def test_a_bucket_goes_empty_or_stays(server: Server, s3: BaseClient) -> None:
    """A bucket deleted while others write into it takes no acknowledged object with it."""
    for round_number in range(ROUNDS):
        name = f"contested-{round_number}"
        s3.create_bucket(Bucket=name)

        def run(number: int, connection: Connection, name: str = name) -> Reply:
            if number == RACERS // 2:
                return server.caller.ask("DELETE", f"/{name}", over=connection)
            return server.caller.ask("PUT", f"/{name}/k{number}", b"x", over=connection)

        replies = race(server, run)
        stored = sum(reply.status == 200 for reply in replies)
        if replies[RACERS // 2].status == 204:
            assert stored == 0, "an object was acknowledged in a bucket that is gone"
            assert refusal(s3.head_bucket, Bucket=name) == (404, "404")
        else:
            assert replies[RACERS // 2].code == "BucketNotEmpty"
            assert s3.list_objects_v2(Bucket=name)["KeyCount"] == stored
        others = outcomes(replies).keys() - {(200, ""), (204, ""), (409, "BucketNotEmpty")}
        assert others <= {(404, "NoSuchBucket")}


def test_a_reader_sees_one_version(server: Server, bucket: str) -> None:
    """A GET during overwrites answers one version whole, with the ETag that is its own."""
    target, sizes = f"/{bucket}/version", [2 * MIB, 700, 3 * MIB + 1, 60 * KIB]
    bodies = [content(f"version {n}", size) for n, size in enumerate(sizes)]
    etags = {}
    for body in bodies:
        etags[server.caller.ask("PUT", target, body).etag] = body
    ended = threading.Event()

    def write() -> None:
        with server.caller.connect() as connection:
            number = 0
            while not ended.is_set():
                number += 1
                body = bodies[number % len(bodies)]
                assert server.caller.ask("PUT", target, body, over=connection).status == 200

    def read(_: int) -> int:
        with server.caller.connect() as connection:
            for _ in range(60):
                reply = server.caller.ask("GET", target, over=connection)
                assert reply.body == etags[reply.etag], "a mixture of versions"
        return 1

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        try:
            assert sum(pool.map(read, range(4))) == 4
        finally:
            ended.set()
        for writer in writers:
            writer.result()


def test_a_reader_finishes_what_others_delete(server: Server, bucket: str) -> None:
    """A GET under way is finished with the bytes it began with, though the object is deleted."""
    body = content("deleted meanwhile", 24 * MIB)
    target = f"/{bucket}/deleted"
    for _ in range(4):
        assert server.caller.ask("PUT", target, body).status == 200
        with server.caller.connect() as connection:
            connection.send(server.caller.request("GET", target))
            assert connection.has_begun()
            assert server.caller.ask("DELETE", target).status == 204
            assert server.caller.ask("PUT", f"{target}-next", body[::-1]).status == 200
            try:
                assert connection.reply().body == body
            except ConnectionEnded as error:
                raise AssertionError("the reply was broken off") from error


def test_equal_content_from_many_is_stored_once(server: Server, bucket: str) -> None:
    """The same content uploaded by many at once under many keys takes the room of one."""
    body = content("the same for all", 4 * MIB)
    before = server.manage_json("stats")["live_bytes"]
    replies = race(
        server,
        lambda number, connection: server.caller.ask(
            "PUT", f"/{bucket}/same{number}", body, over=connection
        ),
    )
    assert outcomes(replies) == {(200, ""): RACERS}
    grown = server.manage_json("stats")["live_bytes"] - before
    assert len(body) <= grown < 1.1 * len(body)
    for number in range(RACERS - 1):
        assert server.caller.ask("DELETE", f"/{bucket}/same{number}").status == 204
    last = server.caller.ask("GET", f"/{bucket}/same{RACERS - 1}")
    assert last.body == body


def write(server: Server, bucket: str, key: str, number: int, over: Connection) -> Reply:
    """Put a racer's number."""
    return server.caller.ask("PUT", f"/{bucket}/{key}", b"%d" % number, over=over)


def test_no_version_of_many_is_lost(server: Server, s3: BaseClient, bucket: str) -> None:
    """Where versions are kept, every one of many writers of one key leaves its own."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = []
    for _ in range(ROUNDS):
        replies = race(server, lambda number, over: write(server, bucket, "k", number, over))
        made += [reply.headers["x-amz-version-id"] for reply in replies]
    rows = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert sorted(row["VersionId"] for row in rows) == sorted(made)
    assert len(set(made)) == RACERS * ROUNDS


def test_copies_back_and_forth_come_to_an_end(server: Server, s3: BaseClient, bucket: str) -> None:
    """Copies that read what others of them write, and writers between them, block nobody."""
    for number in range(RACERS):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"%d" % number)

    def run(number: int, over: Connection) -> Reply:
        source, target = number, (number + 1) % RACERS
        if number % 4 == 0:
            return write(server, bucket, f"k{target}", source, over)
        headers = {"x-amz-copy-source": f"{bucket}/k{source}"}
        return server.caller.ask("PUT", f"/{bucket}/k{target}", b"", headers, over=over)

    for _ in range(ROUNDS):
        assert outcomes(race(server, run)) == {(200, ""): RACERS}
    rows = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert len(rows) == RACERS


def test_the_store_is_consistent_after_all_this(server: Server) -> None:
    """No race has left a count or a reference wrong."""
    server.verify()
