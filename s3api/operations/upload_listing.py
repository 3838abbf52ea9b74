"""ListParts and ListMultipartUploads."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.expiry import abortion
from s3api.operations.grants import user_row
from s3api.operations.listing import Names, Owners, Users, owner_row, page_limit, past_rolled_up
from s3api.operations.multipart import settle_upload
from s3api.protocol import Table

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import ObjectAttributes, PartInfo, UploadInfo, UploadPage

UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}")


async def list_parts(call: Call) -> Answer:
    """List a page of an open upload's parts by number."""
    arguments = call.arguments
    upload = call.engine.get_upload(call.bucket.id, call.key, arguments["UploadId"])
    _refuse_completed(upload)
    settle_upload(call, upload)
    marker = _marker(call)
    limit = page_limit(call, "MaxParts")
    page = call.engine.list_parts(
        call.bucket.id, call.key, upload.upload_id, after_part=marker, limit=limit
    )
    _refuse_completed(page.upload)  # by now: what is left are the object's parts
    held = upload.attributes
    output: dict[str, Any] = {
        "Bucket": call.bucket.name,
        "Key": call.key,
        "UploadId": upload.upload_id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page.parts[-1].number if page.parts else 0,
        "MaxParts": limit,
        "IsTruncated": page.is_truncated,
        "Parts": _part_rows(page.parts, held.checksum_algorithm),
        **_people(call, held),
        "StorageClass": held.storage_class,
        **abortion(call, upload),
    }
    if held.checksum_algorithm:
        output["ChecksumAlgorithm"] = held.checksum_algorithm
        output["ChecksumType"] = held.checksum_type
    return Answer(output)


def _refuse_completed(upload: UploadInfo) -> None:
    if upload.completed is not None:
        raise S3Error("NoSuchUpload", UploadId=upload.upload_id)


def _people(call: Call, upload: ObjectAttributes) -> dict[str, dict[str, str]]:
    """Say who began an upload, and whose the object is going to be."""
    return {
        "Initiator": user_row(call, upload.initiator or upload.owner),
        "Owner": owner_row(call, upload.owner),
    }


def _marker(call: Call) -> int:
    marker = call.arguments.get("PartNumberMarker", 0)
    try:
        number = int(marker)
    except ValueError:
        number = -1
    if number < 0:
        raise S3Error(
            "InvalidArgument", ArgumentName="part-number-marker", ArgumentValue=str(marker)
        )
    return number


def _part_rows(parts: list[PartInfo], algorithm: str) -> Table:
    columns: dict[str, list[Any]] = {
        "PartNumber": [part.number for part in parts],
        "LastModified": [part.modified_ms for part in parts],
        "ETag": [part.etag for part in parts],
        "Size": [part.size for part in parts],
    }
    if algorithm:
        columns[f"Checksum{algorithm}"] = [part.checksums.get(algorithm) for part in parts]
    return Table(columns)


async def list_multipart_uploads(call: Call) -> Answer:
    """List a page of the bucket's open uploads by key, then by age."""
    arguments, names = call.arguments, Names(call)
    key_marker = arguments.get("KeyMarker", "")
    id_marker = _id_marker(arguments) if key_marker else ""
    after = past_rolled_up(call, key_marker)
    limit = page_limit(call, "MaxUploads")
    look = partial(
        call.engine.list_uploads,
        call.bucket.id,
        prefix=arguments.get("Prefix", ""),
        delimiter=arguments.get("Delimiter", ""),
        after_key=after,
        after_upload_id=id_marker if after == key_marker else "",
        limit=limit,
    )
    page = await call.store.on_disk(look)  # each upload is looked up by itself
    next_key, next_id = _next_markers(page)
    return Answer(
        {
            "Bucket": call.bucket.name,
            "KeyMarker": names.write(key_marker),
            "UploadIdMarker": id_marker,
            "NextKeyMarker": names.write(next_key),
            "NextUploadIdMarker": next_id,
            "Prefix": names.optional(arguments.get("Prefix") or None),
            "Delimiter": names.optional(arguments.get("Delimiter") or None),
            "MaxUploads": limit,
            "IsTruncated": page.is_truncated,
            "EncodingType": names.encoding,
            "Uploads": _upload_rows(call, names, page.uploads),
            "CommonPrefixes": Table({"Prefix": names.write_all(page.common_prefixes)}),
        }
    )


def _id_marker(arguments: dict[str, Any]) -> str:
    """Read upload-id-marker; what can be no upload's id is refused (localstack, recorded)."""
    marker: str = arguments.get("UploadIdMarker", "")
    if marker and UPLOAD_ID.fullmatch(marker) is None:
        raise S3Error(
            "InvalidArgument",
            "Invalid uploadId marker",
            ArgumentName="upload-id-marker",
            ArgumentValue=marker,
        )
    return marker


def _next_markers(page: UploadPage) -> tuple[str, str]:
    """Answer where the next page begins; on the last page AWS names its last upload."""
    if page.is_truncated:
        return page.next_key, page.next_upload_id
    return (page.uploads[-1].key, page.uploads[-1].upload_id) if page.uploads else ("", "")


def _upload_rows(call: Call, names: Names, uploads: list[UploadInfo]) -> Table:
    held = [upload.attributes for upload in uploads]
    users, owners = Users(call), Owners(call)
    return Table(
        {
            "Key": names.write_all([upload.key for upload in uploads]),
            "UploadId": [upload.upload_id for upload in uploads],
            "Initiated": [upload.initiated_ms for upload in uploads],
            "StorageClass": [one.storage_class for one in held],
            "Initiator": [users[one.initiator or one.owner] for one in held],
            "Owner": [owners[one.owner] for one in held],
            "ChecksumAlgorithm": [one.checksum_algorithm or None for one in held],
            "ChecksumType": [one.checksum_type if one.checksum_algorithm else None for one in held],
        }
    )
