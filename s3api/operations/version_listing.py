"""ListObjectVersions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.listed_pages import read_page
from s3api.operations.listing import (
    Names,
    Owners,
    object_columns,
    page_limit,
    past_rolled_up,
    prefix_rows,
)
from s3api.protocol import Table
from storage_engine import InvalidVersionId

if TYPE_CHECKING:
    from s3api.context import Call
    from s3api.operations.listed_pages import Page


async def list_object_versions(call: Call) -> Answer:
    """List a page of versions and delete markers: by key, then the newest first.

    The marker of a page that ends with a null version is that version's place, not `null`: the
    next page begins where it should even when the null version is another by then.
    """
    arguments, names = call.arguments, Names(call)
    limit = page_limit(call, "MaxKeys")
    key_marker = arguments.get("KeyMarker", "")
    id_marker = arguments.get("VersionIdMarker", "")
    page = await _page(call, key_marker, id_marker, limit)
    return Answer(
        {
            "Name": call.bucket.name,
            "Prefix": names.write(arguments.get("Prefix", "")),
            "Delimiter": names.optional(arguments.get("Delimiter") or None),
            "KeyMarker": names.write(key_marker),
            "VersionIdMarker": id_marker,
            "NextKeyMarker": names.write(page.next_key) if page.is_truncated else None,
            "NextVersionIdMarker": (page.next_version_id or None) if page.is_truncated else None,
            "MaxKeys": call.arguments.get("MaxKeys", limit),
            "EncodingType": names.encoding,
            "IsTruncated": page.is_truncated,
            "Versions": _rows(call, names, page),
            "CommonPrefixes": prefix_rows(names, page),
        }
    )


async def _page(call: Call, key_marker: str, id_marker: str, limit: int) -> Page:
    if id_marker and not key_marker:  # as recorded from S3: test_list_objects_versions_markers
        message = "A version-id marker cannot be specified without a key marker."
        raise _refused_marker(id_marker, message)

    after = past_rolled_up(call, key_marker)
    after_id = id_marker if after == key_marker else ""

    def look(seconds: float) -> Page:
        return call.engine.listed_versions(
            call.bucket.id,
            prefix=call.arguments.get("Prefix", ""),
            delimiter=call.arguments.get("Delimiter", ""),
            after=(after, after_id),
            limit=limit,
            seconds=seconds,
        )

    try:
        return await read_page(call.store, look, limit)
    except InvalidVersionId as error:
        raise _refused_marker(id_marker, "Invalid version id specified") from error


def _refused_marker(value: str, message: str) -> S3Error:
    return S3Error(
        "InvalidArgument", message, ArgumentName="version-id-marker", ArgumentValue=value
    )


def _rows(call: Call, names: Names, page: Page) -> Table:
    """Describe versions and delete markers, in one order (`quirks.INTERLEAVED`)."""
    columns = object_columns(names, page, Owners(call))
    columns["VersionId"] = [version.version_id for version in page.versions]
    columns["IsLatest"] = page.are_latest
    return Table(columns, [version.is_marker for version in page.versions])
