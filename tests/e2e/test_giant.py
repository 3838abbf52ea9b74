"""An object over 5 GiB, of more than a thousand parts: offsets, counts and limits hold.

Its parts are copies of a few objects, whose content is stored once, so it takes no room.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.content import content
from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

LONG = bool(os.environ.get("S4_TEST_LONG"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900 if LONG else 300)]

MIB = 1024 * 1024
PART_BYTES = 5 * MIB
PARTS = 10_000 if LONG else 1_040
SOURCES = 7
LAST = b"the end"
SIZE = PARTS * PART_BYTES + len(LAST)
NAMES: dict[str, Any] = {"Bucket": "giant", "Key": "object"}


def source_of(number: int) -> int:
    """Name the source of a part, in no simple order."""
    return (number * number + number // 5) % SOURCES


def expected(first: int, last: int) -> bytes:
    """Make the bytes of a range of the object."""
    pieces = []
    for number in range(first // PART_BYTES, last // PART_BYTES + 1):
        body = BODIES[source_of(number)] if number < PARTS else LAST
        start = number * PART_BYTES
        pieces.append(body[max(0, first - start) : last + 1 - start])
    return b"".join(pieces)


BODIES = [content(f"giant {number}", PART_BYTES) for number in range(SOURCES)]


@pytest.fixture(scope="module")
def parts(s3: BaseClient) -> list[dict[str, Any]]:
    """Upload the parts of the object, by copying."""
    s3.create_bucket(Bucket="giant")
    for number, body in enumerate(BODIES):
        s3.put_object(Bucket="giant", Key=f"source{number}", Body=body)
    NAMES["UploadId"] = s3.create_multipart_upload(**NAMES)["UploadId"]

    def copy(number: int) -> dict[str, Any]:
        source = f"giant/source{source_of(number)}"
        made = s3.upload_part_copy(**NAMES, PartNumber=number + 1, CopySource=source)
        return {"PartNumber": number + 1, "ETag": made["CopyPartResult"]["ETag"]}

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(copy, range(PARTS)))
    if PARTS < 10_000:
        last = s3.upload_part(**NAMES, PartNumber=PARTS + 1, Body=LAST)
        made.append({"PartNumber": PARTS + 1, "ETag": last["ETag"]})
    return made


def test_all_parts_are_listed(s3: BaseClient, parts: list[dict[str, Any]]) -> None:
    """ListParts hands out more than a thousand parts in pages, each once."""
    pages = list(s3.get_paginator("list_parts").paginate(**NAMES))
    assert len(pages) == -(-len(parts) // 1000)
    rows = [row for page in pages for row in page["Parts"]]
    assert [{n: row[n] for n in ("PartNumber", "ETag")} for row in rows] == parts


@pytest.fixture(scope="module")
def whole(s3: BaseClient, parts: list[dict[str, Any]]) -> int:
    """Complete the object; answer its size."""
    s3.complete_multipart_upload(**NAMES, MultipartUpload={"Parts": parts})
    del NAMES["UploadId"]
    return PARTS * PART_BYTES + (len(LAST) if len(parts) > PARTS else 0)


def test_the_object_has_its_size(s3: BaseClient, whole: int) -> None:
    """HEAD and listings tell the whole size, over what fits into 32 bits."""
    assert whole > 5 * 1024 * MIB
    assert s3.head_object(**NAMES)["ContentLength"] == whole
    assert s3.list_objects_v2(Bucket="giant", Prefix="object")["Contents"][0]["Size"] == whole


def test_any_range_is_found(s3: BaseClient, whole: int) -> None:
    """Ranges everywhere in the object hold the bytes of the parts that lie there."""
    places = [0, PART_BYTES - 1, 2**31 - 9, 2**32 - 9, 5 * 1024 * MIB - 9, whole - 30]
    places += [(place * 982_451_653) % (whole - 3 * PART_BYTES) for place in range(1, 12)]
    for place in places:
        for size in (1, 20, 2 * PART_BYTES + 3):
            last = min(place + size, whole) - 1
            reply = s3.get_object(**NAMES, Range=f"bytes={place}-{last}")
            assert reply["ContentRange"] == f"bytes {place}-{last}/{whole}"
            assert reply["Body"].read() == expected(place, last), (place, size)


def test_any_part_is_found(s3: BaseClient, whole: int) -> None:
    """Each part is read by its number, the last as quickly as the first."""
    for number in (1, 2, 999, 1000, 1001, PARTS):
        reply = s3.get_object(**NAMES, PartNumber=number)
        assert reply["Body"].read() == BODIES[source_of(number - 1)]
        assert reply["PartsCount"] == -(-whole // PART_BYTES)
    assert refusal(s3.get_object, **NAMES, PartNumber=PARTS + 2)[0] in {400, 416}


def test_it_is_too_large_for_one_copy(s3: BaseClient, whole: int) -> None:
    """CopyObject refuses a source over 5 GiB; UploadPartCopy takes pieces of it."""
    wish = {"Bucket": "giant", "CopySource": "giant/object"}
    assert refusal(s3.copy_object, **wish, Key="copy") == (400, "InvalidRequest")
    names = {"Bucket": "giant", "Key": "pieces"}
    names["UploadId"] = s3.create_multipart_upload(**names)["UploadId"]
    edges = [5 * 1024 * MIB - 77, 5 * 1024 * MIB + 6 * MIB, 5 * 1024 * MIB + 7 * MIB]
    made = []
    for number, (first, last) in enumerate(pairwise(edges), 1):
        span = f"bytes={first}-{last - 1}"
        copied = s3.upload_part_copy(
            **names, PartNumber=number, CopySource="giant/object", CopySourceRange=span
        )
        made.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": made})
    body = s3.get_object(Bucket="giant", Key="pieces")["Body"].read()
    assert body == expected(edges[0], edges[-1] - 1)


def test_it_takes_no_room_and_leaves_none_behind(
    server: Server, s3: BaseClient, whole: int
) -> None:
    """The object weighs what its different parts weigh, and nothing once all is deleted."""
    assert server.manage_json("stats")["live_bytes"] < 80 * MIB
    names = [row["Key"] for row in s3.list_objects_v2(Bucket="giant")["Contents"]]
    s3.delete_objects(Bucket="giant", Delete={"Objects": [{"Key": name} for name in names]})
    stats = server.manage_json("stats")
    assert (stats["objects"], stats["blobs"], stats["live_bytes"]) == (0, 0, 0)
    server.verify()
