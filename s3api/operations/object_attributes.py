"""GetObjectAttributes: what is known of an object, without its bytes and its metadata.

Answers as recorded from S3 in the snapshots of github.com/localstack/localstack,
tests/aws/services/s3 (test_get_object_attributes, test_list_parts_via_object_attrs_pagination,
test_complete_multipart_parts_checksum_*), but for the parts, see `_parts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.access import authorise_reading
from s3api.operations.listing import PAGE_MAX
from s3api.operations.multipart_checksums import COMPOSITE
from s3api.operations.put import checksum_members
from s3api.operations.versioning import shown_version

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import ObjectInfo, ObjectParts


async def get_object_attributes(call: Call) -> Answer:
    """Answer the attributes that were asked for; those that the object lacks are left out."""
    wanted = call.arguments.get("ObjectAttributes")
    if not wanted:
        raise S3Error(
            "InvalidRequest",
            "The x-amz-object-attributes header specifying the attributes to be retrieved is "
            "either missing or empty",
        )
    marker, limit = _number(call, "PartNumberMarker", 0), _number(call, "MaxParts", PAGE_MAX)
    limit = min(limit, PAGE_MAX)
    found = call.engine.object_parts(
        call.bucket.id,
        call.key,
        call.arguments.get("VersionId"),
        after_part=marker,
        limit=limit if "ObjectParts" in wanted else 0,
    )
    info = found.info
    call.settle(info)
    authorise_reading(call, info)
    known = {
        "ETag": info.etag,
        "Checksum": _checksum(info) or None,
        "ObjectParts": _parts(found, marker, limit) if info.part_count else None,
        "StorageClass": info.attributes.storage_class,
        "ObjectSize": info.size,
    }
    output: dict[str, Any] = {name: known[name] for name in wanted}
    output["LastModified"] = info.modified_ms
    output["VersionId"] = shown_version(call, info)
    return Answer(output)


def _number(call: Call, member: str, default: int) -> int:
    number: int = call.arguments.get(member, default)
    if number < 0:
        raise S3Error("InvalidArgument", ArgumentName=member, ArgumentValue=str(number))
    return number


def _checksum(info: ObjectInfo) -> dict[str, Any]:
    """Name the checksums; here a composite one does not tell the number of parts."""
    held = info.attributes
    sums = {name: value.partition("-")[0] for name, value in held.checksums.items()}
    return checksum_members(sums, held.checksum_type)


def _parts(found: ObjectParts, marker: int, limit: int) -> dict[str, Any]:
    """Describe a page of parts, with checksums of their own where the object's is made of them.

    S3 lists parts of such objects only, and tells nothing but their number of the others.
    """
    held = found.info.attributes
    is_composite = held.checksum_type == COMPOSITE
    return {
        "TotalPartsCount": found.info.part_count,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": found.parts[-1].number if found.parts else 0,
        "MaxParts": limit,
        "IsTruncated": found.is_truncated,
        "Parts": [
            {"PartNumber": part.number, "Size": part.size}
            | (checksum_members(part.checksums, "") if is_composite else {})
            for part in found.parts
        ],
    }
