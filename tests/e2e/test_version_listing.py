"""ListObjectVersions: every version and marker once, in one order, whatever the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

ROW = re.compile(
    rb"<(Version|DeleteMarker)><Key>([^<]*)</Key><VersionId>([^<]*)</VersionId>"
    rb"<IsLatest>(true|false)</IsLatest>"
)
KEYS = ("a", "dir/x", "dir/y", "z")


def enable(s3: BaseClient, bucket: str, status: str = "Enabled") -> None:
    """Set the versioning of a bucket."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def listed(server: Server, bucket: str, query: str = "") -> list[tuple[str, str, str, bool]]:
    """List (element, key, version id, is latest) in the order of the document."""
    reply = server.caller.ask("GET", f"/{bucket}?versions{query}")
    assert reply.status == 200
    return [
        (tag.decode(), key.decode(), version_id.decode(), latest == b"true")
        for tag, key, version_id, latest in ROW.findall(reply.body)
    ]


def page(s3: BaseClient, bucket: str, **arguments: Any) -> Any:
    """List one page without the client's own encoding of keys."""
    return s3.list_object_versions(Bucket=bucket, EncodingType="url", **arguments)


@pytest.fixture
def history(s3: BaseClient, bucket: str) -> str:
    """Make a bucket where each key has a null version, then versions, markers among them."""
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"null")
    enable(s3, bucket)
    for number in range(2):
        for key in KEYS:
            s3.put_object(Bucket=bucket, Key=key, Body=b"%d" % number)
            s3.delete_object(Bucket=bucket, Key=key)
    s3.put_object(Bucket=bucket, Key="z", Body=b"last")
    return bucket


def test_versions_and_markers_stand_in_one_order(server: Server, history: str) -> None:
    """Keys ascend, of each key the newest comes first, and markers stand among the versions."""
    rows = listed(server, history)
    assert [(tag, key) for tag, key, _, _ in rows] == [
        *((tag, key) for key in KEYS[:3] for tag in ("DeleteMarker", "Version") * 2 + ("Version",)),
        *(("Version", "z"), ("DeleteMarker", "z"), ("Version", "z"), ("DeleteMarker", "z")),
        *(("Version", "z"), ("Version", "z")),
    ]
    assert [row for row in rows if row[3]] == [rows[0], rows[5], rows[10], rows[15]]
    ids = [version_id for _, key, version_id, _ in rows if key == "z"]
    assert ids[-1] == "null"
    assert ids[:-1] == sorted(set(ids[:-1]), reverse=True)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 20])
def test_pages_of_any_size_add_up(server: Server, s3: BaseClient, history: str, size: int) -> None:
    """Pages that end in the middle of a key, also on its null version, lose and repeat nothing."""
    found: list[tuple[str, str, bool]] = []
    marker: dict[str, Any] = {}
    while True:
        part = page(s3, history, MaxKeys=size, **marker)
        rows = [*part.get("Versions", []), *part.get("DeleteMarkers", [])]
        assert len(rows) <= size
        assert (part["KeyMarker"], part["VersionIdMarker"]) == (
            marker.get("KeyMarker", ""),
            marker.get("VersionIdMarker", ""),
        )
        found += [(row["Key"], row["VersionId"], row["IsLatest"]) for row in rows]
        if not part["IsTruncated"]:
            break
        assert len(rows) == size
        marker = {
            "KeyMarker": part["NextKeyMarker"],
            "VersionIdMarker": part["NextVersionIdMarker"],
        }
    assert "NextKeyMarker" not in part
    assert "NextVersionIdMarker" not in part
    whole = [(key, version_id, latest) for _, key, version_id, latest in listed(server, history)]
    assert sorted(found) == sorted(whole)
    assert len(found) == len(set(found)) == 21


def test_rows_tell_what_aws_tells(s3: BaseClient, history: str) -> None:
    """A version has size, ETag, class and owner; a marker has no size; both have times."""
    part = page(s3, history, Prefix="a")
    newest, older, null = part["DeleteMarkers"][0], part["Versions"][0], part["Versions"][-1]
    assert newest.keys() == {"Owner", "Key", "VersionId", "IsLatest", "LastModified"}
    assert (older["Size"], older["StorageClass"], older["IsLatest"]) == (1, "STANDARD", False)
    assert (null["Size"], null["VersionId"]) == (4, "null")
    assert older["ChecksumAlgorithm"] == ["CRC32"]
    assert older["Owner"] == newest["Owner"]
    assert older["Owner"]["ID"]
    assert part["Name"] == history
    assert (part["Prefix"], part["MaxKeys"]) == ("a", 1000)


def test_a_key_marker_alone_goes_on_with_the_next_key(server: Server, history: str) -> None:
    """Without a version the marker's key is passed over whole, be there such a key or not."""
    for marker in ("dir/x", "dir/xx"):
        assert listed(server, history, f"&key-marker={marker}")[0][1] == "dir/y"
    assert listed(server, history, "&key-marker=z") == []


def test_a_version_marker_goes_on_behind_it(server: Server, history: str) -> None:
    """The next row is that behind the version named, also when it is gone by then."""
    rows = listed(server, history, "&prefix=dir/x")
    for place, (_, key, version_id, _) in enumerate(rows):
        query = f"&prefix=dir/x&key-marker={key}&version-id-marker={version_id}"
        assert listed(server, history, query) == rows[place + 1 :]
    gone = rows[2][2]
    server.caller.ask("DELETE", f"/{history}/dir/x?versionId={gone}")
    query = f"&prefix=dir/x&key-marker=dir/x&version-id-marker={gone}"
    assert listed(server, history, query) == rows[3:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"VersionIdMarker": "0" * 16},
            "A version-id marker cannot be specified without a key marker.",
        ),
        ({"KeyMarker": "a", "VersionIdMarker": "junk"}, "Invalid version id specified"),
    ],
)
def test_what_is_no_marker_is_refused(
    s3: BaseClient, history: str, arguments: dict[str, str], message: str
) -> None:
    """A version without its key, and what can be no version, are InvalidArgument."""
    with pytest.raises(s3.exceptions.ClientError) as refused:
        page(s3, history, **arguments)
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidArgument", message)
    assert error["ArgumentName"] == "version-id-marker"
    assert error["ArgumentValue"] == arguments["VersionIdMarker"]


def test_a_delimiter_rolls_versions_up(s3: BaseClient, history: str) -> None:
    """A common prefix is one row of a page, whatever is below it, and has no version marker."""
    part = page(s3, history, Delimiter="/")
    assert [row["Prefix"] for row in part["CommonPrefixes"]] == ["dir/"]
    assert {row["Key"] for row in part["Versions"]} == {"a", "z"}
    first = page(s3, history, Delimiter="/", MaxKeys=1, KeyMarker="a")
    assert [row["Prefix"] for row in first["CommonPrefixes"]] == ["dir/"]
    assert (first["IsTruncated"], first["NextKeyMarker"]) == (True, "dir/")
    assert "NextVersionIdMarker" not in first
    for marker in ("dir/", "dir/a"):  # inside it is behind it, as recorded from S3
        after = page(s3, history, Delimiter="/", MaxKeys=1, KeyMarker=marker)
        assert [row["Key"] for row in after["Versions"]] == ["z"]


def test_no_rows_are_wanted(s3: BaseClient, history: str) -> None:
    """max-keys 0 answers nothing and is not truncated; a negative one is refused."""
    part = page(s3, history, MaxKeys=0)
    assert (part["IsTruncated"], part["MaxKeys"]) == (False, 0)
    assert {"Versions", "DeleteMarkers", "NextKeyMarker"}.isdisjoint(part)
    call = s3.list_object_versions
    assert refusal(call, Bucket=history, MaxKeys=-1) == (400, "InvalidArgument")


def test_names_are_encoded_when_asked(server: Server, s3: BaseClient, bucket: str) -> None:
    """encoding-type=url encodes keys, prefixes and markers, and nothing else."""
    s3.put_object(Bucket=bucket, Key="p q/\x01", Body=b"")
    s3.put_object(Bucket=bucket, Key="p q/r/s", Body=b"")
    query = "&encoding-type=url&prefix=p%20q%2F&delimiter=%2F&max-keys=1"
    text = server.caller.ask("GET", f"/{bucket}?versions{query}").body.decode()
    for element in (
        "<Prefix>p+q/</Prefix>",
        "<Key>p+q/%01</Key>",
        "<NextKeyMarker>p+q/%01</NextKeyMarker>",
        "<EncodingType>url</EncodingType>",
    ):
        assert element in text


def test_an_unversioned_bucket_lists_null_versions(s3: BaseClient, bucket: str) -> None:
    """Where no versions are kept each object is one null version, the latest."""
    assert "Versions" not in page(s3, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"22")
    rows = page(s3, bucket)["Versions"]
    assert [(r["Key"], r["VersionId"], r["IsLatest"], r["Size"]) for r in rows] == [
        ("k", "null", True, 2)
    ]


def test_the_null_version_has_its_place_in_time(s3: BaseClient, bucket: str) -> None:
    """A null version written while suspended stands where it was written, not at the end."""
    enable(s3, bucket)
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    enable(s3, bucket, "Suspended")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    enable(s3, bucket)
    last = s3.put_object(Bucket=bucket, Key="k", Body=b"3")["VersionId"]
    rows = page(s3, bucket)["Versions"]
    assert [row["VersionId"] for row in rows] == [last, "null", first]
    times = [row["LastModified"] for row in rows]
    assert times == sorted(times, reverse=True)


def test_a_thousand_versions_of_one_key(s3: BaseClient, bucket: str) -> None:
    """Many versions of one key, some of one millisecond, come back newest first, page by page."""
    enable(s3, bucket)
    objects = [{"Key": "k"}] * 1000
    made = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]
    made += s3.delete_objects(Bucket=bucket, Delete={"Objects": objects[:50]})["Deleted"]
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 300}
    )
    found = [row["VersionId"] for part in pages for row in part["DeleteMarkers"]]
    assert found == [row["DeleteMarkerVersionId"] for row in reversed(made)]


def test_a_bucket_is_emptied_while_it_is_listed(s3: BaseClient, history: str) -> None:
    """Deleting each page before the next is asked for misses nothing."""
    for part in s3.get_paginator("list_object_versions").paginate(
        Bucket=history, PaginationConfig={"PageSize": 4}
    ):
        rows = [*part.get("Versions", []), *part.get("DeleteMarkers", [])]
        objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
        assert "Errors" not in s3.delete_objects(Bucket=history, Delete={"Objects": objects})
    assert refusal(s3.delete_bucket, Bucket=history) == (200, "")
