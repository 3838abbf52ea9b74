"""GetObjectAttributes, and parts read alone: what S3 tells of an object, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.content import content
from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
PIECES = [content(f"piece {number}", 5 * 1024 * 1024) for number in range(2)] + [b"tail"]
SIZES = [len(piece) for piece in PIECES]


def upload(s3: BaseClient, bucket: str, key: str, **options: Any) -> Any:
    """Store PIECES as parts 1, 3 and 5 of an object; answer what Complete answered."""
    named = {"Bucket": bucket, "Key": key}
    named["UploadId"] = s3.create_multipart_upload(**named, **options)["UploadId"]
    parts = []
    for number, piece in zip((1, 3, 5), PIECES, strict=True):
        made = s3.upload_part(
            **named,
            PartNumber=number,
            Body=piece,
            **({"ChecksumAlgorithm": options["ChecksumAlgorithm"]} if options else {}),
        )
        sums = {name: made[name] for name in made if name.startswith("Checksum") and options}
        parts.append({"PartNumber": number, "ETag": made["ETag"], **sums})
    answer = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    return answer | {"Made": parts}


@pytest.fixture(scope="module")
def held(s3: BaseClient) -> Any:
    """Store an object of each kind in one bucket."""
    s3.create_bucket(Bucket="held")
    s3.put_object(Bucket="held", Key="plain", Body=b"plain", ChecksumAlgorithm="SHA256")
    s3.put_object(Bucket="held", Key="empty", Body=b"")
    return {
        "default": upload(s3, "held", "default"),
        "composite": upload(s3, "held", "composite", ChecksumAlgorithm="SHA256"),
        "full": upload(s3, "held", "full", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"),
    }


def attributes(s3: BaseClient, key: str, *names: str, **arguments: Any) -> Any:
    """Ask for attributes of an object in the bucket `held`; all unless some are named."""
    names = names or tuple(ALL)
    return s3.get_object_attributes(
        Bucket="held", Key=key, ObjectAttributes=list(names), **arguments
    )


def test_a_plain_object_has_no_parts(s3: BaseClient, held: Any) -> None:
    """ETag without quotes, size, class and checksum; nothing of parts or versions."""
    made = s3.head_object(Bucket="held", Key="plain", ChecksumMode="ENABLED")
    found = attributes(s3, "plain")
    assert found["ETag"] == made["ETag"].strip('"')
    assert (found["ObjectSize"], found["StorageClass"]) == (5, "STANDARD")
    assert found["Checksum"] == {
        "ChecksumSHA256": made["ChecksumSHA256"],
        "ChecksumType": "FULL_OBJECT",
    }
    assert found["LastModified"] == made["LastModified"]
    assert {"ObjectParts", "VersionId", "DeleteMarker"}.isdisjoint(found)


def test_only_what_is_asked_for_is_told(s3: BaseClient, held: Any) -> None:
    """Each attribute comes alone; LastModified always does."""
    for name in ALL:
        found = attributes(s3, "composite", name)
        assert set(found) - {"ResponseMetadata"} == {name, "LastModified"}


def test_a_composite_checksum_comes_with_those_of_its_parts(s3: BaseClient, held: Any) -> None:
    """The checksum has no number of parts behind it here; each part has size and checksum."""
    made, found = held["composite"], attributes(s3, "composite")
    assert made["ChecksumSHA256"].endswith("-3")
    assert found["Checksum"] == {
        "ChecksumSHA256": made["ChecksumSHA256"].removesuffix("-3"),
        "ChecksumType": "COMPOSITE",
    }
    parts = found["ObjectParts"]
    assert parts["TotalPartsCount"] == 3
    assert (parts["PartNumberMarker"], parts["NextPartNumberMarker"]) == (0, 5)
    assert (parts["MaxParts"], parts["IsTruncated"]) == (1000, False)
    assert parts["Parts"] == [
        {"PartNumber": part["PartNumber"], "Size": size, "ChecksumSHA256": part["ChecksumSHA256"]}
        for part, size in zip(made["Made"], SIZES, strict=True)
    ]


@pytest.mark.parametrize("key", ["default", "full"])
def test_parts_of_a_whole_checksum_have_sizes_only(s3: BaseClient, held: Any, key: str) -> None:
    """Where the checksum is of the whole object its parts have none of their own."""
    found = attributes(s3, key)
    assert found["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert found["ObjectParts"]["Parts"] == [
        {"PartNumber": number, "Size": size} for number, size in zip((1, 3, 5), SIZES, strict=True)
    ]


@pytest.mark.parametrize(
    ("arguments", "numbers", "truncated"),
    [
        ({"MaxParts": 1}, [1], True),
        ({"MaxParts": 2, "PartNumberMarker": 1}, [3, 5], False),
        ({"MaxParts": 1, "PartNumberMarker": 2}, [3], True),
        ({"MaxParts": 1, "PartNumberMarker": 4}, [5], False),
        ({"MaxParts": 5000}, [1, 3, 5], False),
        ({"PartNumberMarker": 10}, [], False),
        ({"MaxParts": 0}, [], False),
    ],
)
def test_parts_come_in_pages(
    s3: BaseClient, held: Any, arguments: dict[str, int], numbers: list[int], *, truncated: bool
) -> None:
    """Pages go on behind a part number, be there such a part or not."""
    parts = attributes(s3, "composite", "ObjectParts", **arguments)["ObjectParts"]
    assert [part["PartNumber"] for part in parts.get("Parts", [])] == numbers
    assert parts["IsTruncated"] is truncated
    assert parts["TotalPartsCount"] == 3
    assert parts["MaxParts"] == min(arguments.get("MaxParts", 1000), 1000)
    assert parts["PartNumberMarker"] == arguments.get("PartNumberMarker", 0)
    assert parts["NextPartNumberMarker"] == (numbers[-1] if numbers else 0)


@pytest.mark.parametrize(
    ("header", "outcome"),
    [
        (None, (400, "InvalidRequest")),
        ("", (400, "InvalidRequest")),
        ("ETag,Junk", (400, "InvalidArgument")),
        ("etag", (400, "InvalidArgument")),
        ("ETag, ObjectSize", (200, "")),
    ],
)
def test_attributes_must_be_named(
    server: Server, held: Any, header: str | None, outcome: tuple[int, str]
) -> None:
    """A header that is missing, empty or names what is no attribute is refused; spaces are not."""
    headers = {} if header is None else {"x-amz-object-attributes": header}
    reply = server.caller.ask("GET", "/held/plain?attributes", headers=headers)
    assert (reply.status, reply.code) == outcome


@pytest.mark.parametrize("name", ["x-amz-max-parts", "x-amz-part-number-marker"])
@pytest.mark.parametrize("value", ["-1", "one", "99999999999999999999"])
def test_bad_numbers_are_refused(server: Server, held: Any, name: str, value: str) -> None:
    """What is no number of parts is a mistake of the client."""
    headers = {"x-amz-object-attributes": "ObjectParts", name: value}
    reply = server.caller.ask("GET", "/held/composite?attributes", headers=headers)
    assert reply.status == 400
    assert reply.code in {"InvalidArgument", "InvalidRequest"}


def test_attributes_of_versions(s3: BaseClient, bucket: str) -> None:
    """A version's attributes name it; a marker hides the current one and has none itself."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"x" * n)["VersionId"] for n in (1, 2)]
    call, named = s3.get_object_attributes, {"Bucket": bucket, "Key": "k"}
    named |= {"ObjectAttributes": ["ObjectSize"]}
    assert (call(**named)["VersionId"], call(**named)["ObjectSize"]) == (ids[1], 2)
    old = call(**named, VersionId=ids[0])
    assert (old["VersionId"], old["ObjectSize"]) == (ids[0], 1)
    marker_id = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with pytest.raises(ClientError) as refused:
        call(**named)
    answer = refused.value.response
    assert answer["Error"]["Code"] == "NoSuchKey"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert refusal(call, **named, VersionId=marker_id) == (405, "MethodNotAllowed")
    assert call(**named, VersionId=ids[0])["ObjectSize"] == 1


# --- one part of an object ---


@pytest.mark.parametrize("name", ["get_object", "head_object"])
@pytest.mark.parametrize(("number", "place"), [(1, 0), (3, 1), (5, 2)])
def test_a_part_is_read_with_its_checksum(
    s3: BaseClient, held: Any, name: str, number: int, place: int
) -> None:
    """A part comes with its range and, where the upload asked for one, its own checksum."""
    start = sum(SIZES[:place])
    for key in ("default", "composite", "full"):
        found = getattr(s3, name)(Bucket="held", Key=key, PartNumber=number, ChecksumMode="ENABLED")
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert found["ContentLength"] == SIZES[place]
        last = start + SIZES[place] - 1
        assert found["ContentRange"] == f"bytes {start}-{last}/{sum(SIZES)}"
        assert found["PartsCount"] == 3
        sums = {name: found[name] for name in found if name.startswith("Checksum")}
        sums.pop("ChecksumType", None)
        part = held[key]["Made"][place]
        assert sums == {name: part[name] for name in part if name.startswith("Checksum")}
        if name == "get_object":
            assert found["Body"].read() == PIECES[place]


def test_a_plain_object_is_its_only_part(s3: BaseClient, held: Any) -> None:
    """Part 1 of an object written in one piece is all of it, with its checksum and no count."""
    found = s3.get_object(Bucket="held", Key="plain", PartNumber=1, ChecksumMode="ENABLED")
    assert (found["ContentRange"], found["Body"].read()) == ("bytes 0-4/5", b"plain")
    assert found["ChecksumSHA256"]
    assert "PartsCount" not in found
    empty = s3.get_object(Bucket="held", Key="empty", PartNumber=1)
    assert (empty["ContentLength"], empty["Body"].read()) == (0, b"")


@pytest.mark.parametrize(("key", "number", "count"), [("plain", 2, 1), ("composite", 2, 3)])
def test_a_part_that_is_not_there(
    s3: BaseClient, held: Any, key: str, number: int, count: int
) -> None:
    """Another part number is 416, and the answer says how many parts there are."""
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="held", Key=key, PartNumber=number)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidPartNumber"
    assert (error["PartNumberRequested"], error["ActualPartCount"]) == (str(number), str(count))
    for wrong in (0, 10_001):
        call = s3.get_object
        outcome = refusal(call, Bucket="held", Key=key, PartNumber=wrong)
        assert outcome == (400, "InvalidArgument")
