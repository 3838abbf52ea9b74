"""ListObjects and ListObjectsV2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.percent import encode_name, encode_names
from s3api.operations.grants import user_row
from s3api.operations.listed_pages import read_page
from s3api.operations.tokens import read_token, write_token
from s3api.protocol import Table

if TYPE_CHECKING:
    from s3api.context import Call
    from s3api.operations.listed_pages import Page

PAGE_MAX: Final = 1000


def page_limit(call: Call, member: str) -> int:
    """Read how many rows a page may have: 0 to 1,000, 1,000 unless told."""
    limit: int = call.arguments.get(member, PAGE_MAX)
    if limit < 0:
        raise S3Error(
            "InvalidArgument", f"Argument {member} must be an integer between 0 and 2147483647"
        )
    return min(limit, PAGE_MAX)


class Names:
    """Writes key names as the caller asked for: plain, or percent-encoded (encoding-type=url)."""

    def __init__(self, call: Call) -> None:
        # Told as it was sent, `URL` as well as `url`: MEASURED, see quirks.
        self.encoding = call.request.query.get("encoding-type")
        self.is_encoded = call.arguments.get("EncodingType") == "url"

    def write(self, name: str) -> str:
        """Write one name; `/` stays as it is, as in AWS."""
        return encode_name(name, keep="/") if self.is_encoded else name

    def write_all(self, names: list[str]) -> list[str]:
        """Write many names."""
        return encode_names(names) if self.is_encoded else names

    def optional(self, name: str | None) -> str | None:
        """Write one name that may be missing."""
        return None if name is None else self.write(name)


async def list_objects(call: Call) -> Answer:
    """List a page of keys in UTF-8 byte order (the first form of the operation)."""
    arguments, names = call.arguments, Names(call)
    marker, limit = arguments.get("Marker", ""), page_limit(call, "MaxKeys")
    page = await _page(call, past_rolled_up(call, marker), limit)
    output = _common(call, names, page)
    output["Marker"] = names.write(marker)
    if page.is_truncated and arguments.get("Delimiter"):
        output["NextMarker"] = names.write(page.next_key)  # AWS: only with a delimiter
    output["Contents"] = _rows(call, names, page, with_owner=True)
    return Answer(output)


async def list_objects_v2(call: Call) -> Answer:
    """List a page of keys in UTF-8 byte order, continued by opaque tokens."""
    arguments, names = call.arguments, Names(call)
    token, start_after = arguments.get("ContinuationToken"), arguments.get("StartAfter")
    after = read_token(token) if token is not None else start_after or ""
    limit = page_limit(call, "MaxKeys")
    page = await _page(call, after, limit)
    output = _common(call, names, page)
    output["ContinuationToken"] = token
    output["StartAfter"] = names.optional(start_after)
    output["KeyCount"] = len(page)
    if page.is_truncated:
        output["NextContinuationToken"] = write_token(page.next_key)
    output["Contents"] = _rows(call, names, page, with_owner=bool(arguments.get("FetchOwner")))
    return Answer(output)


def past_rolled_up(call: Call, marker: str) -> str:
    """Let a marker inside a common prefix stand for all of it, as was seen at AWS.

    ListObjectsV2 shows the common prefix if a key in it comes after StartAfter.
    """
    prefix: str = call.arguments.get("Prefix", "")
    delimiter: str = call.arguments.get("Delimiter", "")
    if not delimiter or not marker.startswith(prefix):
        return marker
    head, found, _ = marker[len(prefix) :].partition(delimiter)
    return prefix + head + found


async def _page(call: Call, after: str, limit: int) -> Page:
    def look(seconds: float) -> Page:
        return call.engine.listed_objects(
            call.bucket.id,
            prefix=call.arguments.get("Prefix", ""),
            delimiter=call.arguments.get("Delimiter", ""),
            after=after,
            limit=limit,
            seconds=seconds,
        )

    return await read_page(call.store, look, limit)


def _common(call: Call, names: Names, page: Page) -> dict[str, Any]:
    arguments = call.arguments
    return {
        "Name": call.bucket.name,
        "Prefix": names.write(arguments.get("Prefix", "")),
        "Delimiter": names.optional(arguments.get("Delimiter") or None),
        # As it was asked for, however few keys a page may have: MEASURED, see quirks.
        "MaxKeys": arguments.get("MaxKeys", PAGE_MAX),
        "EncodingType": names.encoding,
        "IsTruncated": page.is_truncated,
        "CommonPrefixes": prefix_rows(names, page),
    }


def prefix_rows(names: Names, page: Page) -> Table:
    """Describe the common prefixes of a page."""
    return Table({"Prefix": names.write_all(page.common_prefixes)})


def _rows(call: Call, names: Names, page: Page, *, with_owner: bool) -> Table:
    return Table(object_columns(names, page, Owners(call) if with_owner else None))


class Users(dict[str, dict[str, str]]):
    """Descriptions of users, by canonical id; each is looked up once for a page."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call

    def __missing__(self, canonical_id: str) -> dict[str, str]:
        row = self[canonical_id] = self.describe(canonical_id)
        return row

    def describe(self, canonical_id: str) -> dict[str, str]:
        """Describe one."""
        return user_row(self.call, canonical_id)


class Owners(Users):
    """Of those whom an id in the bucket makes an owner: see `owner_row`."""

    def describe(self, canonical_id: str) -> dict[str, str]:
        """Describe the owner of what has that id."""
        return owner_row(self.call, canonical_id)


def object_columns(names: Names, page: Page, owners: Owners | None) -> dict[str, list[Any]]:
    """Describe the objects of a page, with their owners where the listing names owners."""
    held = [version.attributes for version in page.versions]
    columns: dict[str, list[Any]] = {
        "Key": names.write_all(page.keys),
        "LastModified": [version.modified_ms for version in page.versions],
        "ETag": [attributes.etag for attributes in held],
        "ChecksumAlgorithm": [tuple(attributes.checksums) for attributes in held],
        "ChecksumType": [attributes.checksum_type or None for attributes in held],
        "Size": [version.size for version in page.versions],
        "StorageClass": [attributes.storage_class for attributes in held],
    }
    if owners is not None:
        columns["Owner"] = [owners[attributes.owner] for attributes in held]
    return columns


def owner_row(call: Call, canonical_id: str) -> dict[str, str]:
    """Describe the owner of something in the bucket.

    Where there are no ACLs everything is the bucket's owner's, whoever wrote it.
    """
    if not call.bucket.has_acls:
        canonical_id = call.bucket.owner_canonical_id
    return user_row(call, canonical_id)
