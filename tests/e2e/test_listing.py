"""ListObjects and ListObjectsV2: pages, prefixes, delimiters, tokens; no key lost or told twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

KEYS = sorted(
    [
        *(f"flat{number:04d}" for number in range(40)),
        *(f"photos/2025/{number:02d}.jpg" for number in range(25)),
        *(f"photos/2026/{number:02d}.jpg" for number in range(25)),
        *(f"many/{number:02d}/x" for number in range(30)),
        "photos/cover.jpg",
        "photos/",
        "photos",
        "photos-old/1",
        "a|b|c",
        "a|b|d",
        "a|e",
        "\u00e4/\u00f6",
        "zz//double",
        "zz/single",
    ],
    key=str.encode,
)


@pytest.fixture(scope="module")
def filled(s3: BaseClient) -> str:
    """Fill a bucket with folders and flat names."""
    s3.create_bucket(Bucket="listing")
    for key in KEYS:
        s3.put_object(Bucket="listing", Key=key, Body=key.encode())
    return "listing"


def rolled_up(prefix: str, delimiter: str) -> list[str]:
    """List what a listing shows, by the book: keys, and common prefixes in their places."""
    shown: dict[str, None] = {}
    for key in KEYS:
        if not key.startswith(prefix):
            continue
        head, mark, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        shown[prefix + head + mark if mark else key] = None
    return list(shown)


def shown_by(page: dict[str, Any]) -> list[str]:
    """Merge a page's keys and common prefixes in byte order."""
    names = [row["Key"] for row in page.get("Contents", [])]
    names += [row["Prefix"] for row in page.get("CommonPrefixes", [])]
    return sorted(names, key=str.encode)


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [
        ("", ""),
        ("", "/"),
        ("photos", "/"),
        ("photos/", "/"),
        ("photos/2025/", "/"),
        ("many/", "/"),
        ("m", "/"),
        ("", "|"),
        ("a", "|b"),
        ("", "o"),
        ("zz/", "/"),
        ("zz", "//"),
        ("\u00e4", "/"),
        ("none", "/"),
        ("", "flat"),
    ],
)
def test_pages_show_everything_once(
    s3: BaseClient, filled: str, operation: str, size: int, prefix: str, delimiter: str
) -> None:
    """Whatever prefix, delimiter and page size, the pages show each name once and in order."""
    pages = s3.get_paginator(operation).paginate(
        Bucket=filled, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
    )
    seen = []
    for page in pages:
        shown = shown_by(page)
        assert len(shown) <= size
        assert len(shown) == size or not page["IsTruncated"]
        seen += shown
    assert seen == rolled_up(prefix, delimiter)


def test_a_page_tells_what_was_asked(s3: BaseClient, filled: str) -> None:
    """A ListObjectsV2 page repeats its parameters and counts what it shows."""
    page = s3.list_objects_v2(
        Bucket=filled, Prefix="photos/", Delimiter="/", MaxKeys=2, StartAfter="photos/2025/"
    )
    assert page["Name"] == filled
    assert (page["Prefix"], page["Delimiter"], page["MaxKeys"]) == ("photos/", "/", 2)
    assert page["StartAfter"] == "photos/2025/"
    assert page["KeyCount"] == 2
    assert page["IsTruncated"] is False
    assert shown_by(page) == ["photos/2026/", "photos/cover.jpg"]


def test_a_token_counts_more_than_start_after(s3: BaseClient, filled: str) -> None:
    """A page continued by a token goes on from there, whatever StartAfter says beside it."""
    first = s3.list_objects_v2(Bucket=filled, Prefix="photos/", MaxKeys=1)
    token = first["NextContinuationToken"]
    page = s3.list_objects_v2(
        Bucket=filled, Prefix="photos/", ContinuationToken=token, StartAfter="photos/zzz"
    )
    assert page["ContinuationToken"] == token
    assert page["StartAfter"] == "photos/zzz"
    assert first["KeyCount"] + page["KeyCount"] == len(
        s3.list_objects_v2(Bucket=filled, Prefix="photos/")["Contents"]
    )


def test_a_row_describes_its_object(s3: BaseClient, filled: str) -> None:
    """A row holds size, ETag, date and class of its object, and its owner when asked."""
    head = s3.head_object(Bucket=filled, Key="photos/cover.jpg")
    wish = {"Bucket": filled, "Prefix": "photos/cover.jpg"}
    plain = s3.list_objects_v2(**wish)["Contents"][0]
    assert (plain["ETag"], plain["Size"]) == (head["ETag"], len("photos/cover.jpg"))
    assert plain["LastModified"].replace(microsecond=0) == head["LastModified"]
    assert plain["StorageClass"] == "STANDARD"
    assert "Owner" not in plain
    owned = s3.list_objects_v2(**wish, FetchOwner=True)["Contents"][0]
    assert owned["Owner"]["ID"] == s3.list_buckets()["Owner"]["ID"]
    assert s3.list_objects(**wish)["Contents"][0]["Owner"] == owned["Owner"]


def test_a_page_of_none_is_empty_and_ends(s3: BaseClient, filled: str) -> None:
    """MaxKeys 0 shows nothing and does not say that there is more."""
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_a_page_holds_a_thousand_at_most(s3: BaseClient, filled: str) -> None:
    """MaxKeys above 1,000 is answered with pages of 1,000 at most."""
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=5000)
    assert (page["MaxKeys"], page["KeyCount"] <= 1000) == (5000, True)


def test_a_listing_goes_on_after_any_name(s3: BaseClient, filled: str) -> None:
    """StartAfter need not be a key: every name behind it is shown, also from within a folder."""
    for after in ("photos/2025/12", "photos/2025/12.jpg", "photos/2025", "m", "\u00e4/", "zzz"):
        page = s3.list_objects_v2(Bucket=filled, StartAfter=after)
        wanted = [key for key in KEYS if key.encode() > after.encode()]
        assert [row["Key"] for row in page.get("Contents", [])] == wanted
    page = s3.list_objects_v2(Bucket=filled, Delimiter="/", StartAfter="photos/2025/12.jpg")
    assert shown_by(page)[:2] == ["photos/", "zz/"]


def test_a_marker_that_is_a_common_prefix_skips_it(s3: BaseClient, filled: str) -> None:
    """ListObjects goes on behind a common prefix that the page before ended with."""
    page = s3.list_objects(Bucket=filled, Delimiter="/", Marker="photos/")
    assert shown_by(page) == ["zz/", "\u00e4/"]
    within = s3.list_objects(Bucket=filled, Delimiter="/", Marker="photos/2025/12.jpg")
    assert shown_by(within) == ["zz/", "\u00e4/"]


@pytest.mark.parametrize("token", ["no token", "bm8gdG9rZW4=", ""])
def test_a_token_that_is_not_ours_is_refused(s3: BaseClient, filled: str, token: str) -> None:
    """A continuation token the server did not make answers InvalidArgument."""
    wish = {"Bucket": filled, "ContinuationToken": token}
    assert refusal(s3.list_objects_v2, **wish) == (400, "InvalidArgument")


@pytest.mark.parametrize("query", ["max-keys=-1", "max-keys=ten", "encoding-type=base64"])
def test_a_senseless_parameter_is_refused(server: Server, filled: str, query: str) -> None:
    """A listing parameter out of its range answers InvalidArgument."""
    reply = server.caller.ask("GET", f"/{filled}?list-type=2&{query}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")
