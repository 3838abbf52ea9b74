"""GetObject and HeadObject: conditions, ranges, parts, overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from s3api.context import Answer, Piece
from s3api.errors import S3Error
from s3api.http.preconditions import (
    ByteRange,
    if_range_holds,
    is_modified,
    parse_range,
    read_conditions,
)
from s3api.operations.access import may_also
from s3api.operations.expiry import expiration
from s3api.operations.multipart_checksums import COMPOSITE
from s3api.operations.new_lock import NO_LOCK
from s3api.operations.object_lock import hold_status
from s3api.operations.put import checksum_members
from s3api.operations.versioning import shown_version
from s3api.protocol.timestamps import exact_iso_date
from storage_engine import LockMode, MarkerError, NoSuchVersion

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import ObjectInfo, ObjectPart, ObjectReader

OVERRIDES: Final = {
    "ResponseCacheControl": "cache-control",
    "ResponseContentDisposition": "content-disposition",
    "ResponseContentEncoding": "content-encoding",
    "ResponseContentLanguage": "content-language",
    "ResponseContentType": "content-type",
    "ResponseExpires": "expires",
}
OVERRIDE_PREFIX: Final = "response-"
LOOKS_MAX: Final = 10  # another replaces it just so each time


class _ReplacedError(Exception):
    """The object whose part is wanted is another one by now, or gone: it is looked for again."""


async def get_object(call: Call) -> Answer:
    """Answer an object's bytes, or the range or part of them that was asked for."""
    version_id = call.arguments.get("VersionId")
    for _ in range(LOOKS_MAX):
        reader = call.engine.open_object(call.bucket.id, call.key, version_id)
        try:
            call.settle(reader.info)
            answer, wanted = _describe(call, reader.info)
            if answer.status == NOT_MODIFIED:
                reader.close()
            else:
                answer.piece = _piece(reader, wanted)
        except _ReplacedError:
            reader.close()
            _forget(call)
        except BaseException:
            reader.close()
            raise
        else:
            return answer
    raise S3Error("ServiceUnavailable")


def _forget(call: Call) -> None:
    """Take back what was decided, for another object than the next look will meet."""
    if call.decision is not None:
        call.decision.is_settled = False


NOT_MODIFIED: Final = 304
PARTIAL_CONTENT: Final = 206


def _piece(reader: ObjectReader, wanted: ByteRange | None) -> Piece:
    if wanted is None:
        return Piece(reader, 0, reader.info.size)
    return Piece(reader, wanted.first, wanted.length)


async def head_object(call: Call) -> Answer:
    """Answer what GetObject would, without the bytes."""
    version_id = call.arguments.get("VersionId")
    for _ in range(LOOKS_MAX):
        info = call.engine.head_object(call.bucket.id, call.key, version_id)
        call.settle(info)
        try:
            return _describe(call, info)[0]
        except _ReplacedError:
            _forget(call)
    raise S3Error("ServiceUnavailable")


def _describe(call: Call, info: ObjectInfo) -> tuple[Answer, ByteRange | None]:
    """Decide conditions and range; return the answer without its body, and the range."""
    etag = f'"{info.etag}"'
    conditions = read_conditions(call.request)
    output: dict[str, Any] = {"ETag": etag, "LastModified": info.modified_ms}
    if conditions is not None and not is_modified(conditions, info.etag, info.modified_ms):
        return Answer(output, _caching_headers(info), status=NOT_MODIFIED), None
    output["AcceptRanges"] = "bytes"
    output["VersionId"] = shown_version(call, info)
    if "VersionId" not in call.arguments:  # nor of the current one, when it is named: recorded
        output["Expiration"] = expiration(call, info)
    wanted, status = _range(call, info, output)
    output["ContentLength"] = info.size if wanted is None else wanted.length
    if wanted is not None and wanted.length and status == PARTIAL_CONTENT:
        output["ContentRange"] = wanted.content_range(info.size)
    # A range that happens to be all of it is checked like all of it, as was recorded from S3.
    is_whole = wanted is None or (
        wanted.length == info.size and call.arguments.get("PartNumber") is None
    )
    if is_whole and call.arguments.get("ChecksumMode") == "ENABLED":
        output |= checksum_members(info.attributes.checksums, info.attributes.checksum_type)
    tags = info.attributes.tags
    if tags and may_also(call, "s3:GetObjectTagging", info):
        output["TagCount"] = len(tags)
    if info.lock != NO_LOCK:
        output |= _lock_members(call, info)
    return Answer(output, _object_headers(call, info), status=status), wanted


def _lock_members(call: Call, info: ObjectInfo) -> dict[str, Any]:
    """Say what is laid on a version, as far as the caller may know: object-lock-managing.html."""
    lock, members = info.lock, {}
    if lock.mode is not LockMode.NONE and may_also(call, "s3:GetObjectRetention", info):
        members["ObjectLockMode"] = lock.mode.value
        members["ObjectLockRetainUntilDate"] = exact_iso_date(lock.retain_until_ms)
    status = hold_status(lock)
    if status is not None and may_also(call, "s3:GetObjectLegalHold", info):
        members["ObjectLockLegalHoldStatus"] = status
    return members


def _caching_headers(info: ObjectInfo) -> list[tuple[bytes, bytes]]:
    """Keep the headers that a 304 must repeat (RFC 9110 15.4.5)."""
    kept = info.attributes.headers
    return [
        (name.encode("latin-1"), kept[name].encode("latin-1"))
        for name in ("cache-control", "expires")
        if name in kept
    ]


def _object_headers(call: Call, info: ObjectInfo) -> list[tuple[bytes, bytes]]:
    """Write the stored headers, with the overrides the caller asked for."""
    headers = info.attributes.headers
    if not OVERRIDES.keys().isdisjoint(call.arguments):
        _check_overrides(call)
        headers = headers | {
            header: _as_text(call, header, call.arguments[member])
            for member, header in OVERRIDES.items()
            if member in call.arguments
        }
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _as_text(call: Call, header: str, value: Any) -> str:
    """Answer an override as sent, in bytes a header can carry."""
    text = call.request.query.get(OVERRIDE_PREFIX + header)
    text = text if text is not None else str(value)
    if any(character < " " or character == "\x7f" for character in text):
        raise S3Error("InvalidArgument", ArgumentName=OVERRIDE_PREFIX + header)
    return text.encode().decode("latin-1")


def _check_overrides(call: Call) -> None:
    if call.principal is None:
        raise S3Error(
            "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.",
        )


def _range(
    call: Call, info: ObjectInfo, output: dict[str, Any]
) -> tuple[ByteRange | None, int | None]:
    """Find which bytes are wanted, by part number or by Range."""
    part_number = call.arguments.get("PartNumber")
    value = call.request.header("range")
    if part_number is not None:
        if value is not None:
            raise S3Error(
                "InvalidRequest", "Cannot specify both Range header and partNumber query parameter"
            )
        return _part(call, info, part_number, output)
    if value is None or not if_range_holds(
        call.request.header("if-range"), info.etag, info.modified_ms
    ):
        return None, None
    wanted = parse_range(value, info.size)
    return wanted, None if wanted is None else PARTIAL_CONTENT


def _part(
    call: Call, info: ObjectInfo, number: int, output: dict[str, Any]
) -> tuple[ByteRange | None, int | None]:
    """Find a part's bytes; an object written in one piece is its own part 1."""
    if not info.part_count:
        if number != 1:
            raise _no_such_part(number, 1)
        if call.arguments.get("ChecksumMode") == "ENABLED":
            output |= checksum_members(info.attributes.checksums, info.attributes.checksum_type)
        return (ByteRange(0, info.size - 1) if info.size else None), PARTIAL_CONTENT
    place = call.bucket.id, call.key, info.version_id
    try:
        found = call.engine.object_parts(*place, after_part=number - 1, limit=1)
    except (NoSuchVersion, MarkerError) as gone:
        raise _ReplacedError from gone
    if (found.info.etag, found.info.modified_ms) != (info.etag, info.modified_ms):
        raise _ReplacedError
    part = next(iter(found.parts), None)
    if part is None or part.number != number:
        raise _no_such_part(number, info.part_count)
    output["PartsCount"] = info.part_count
    if call.arguments.get("ChecksumMode") == "ENABLED":
        output |= checksum_members(_part_checksums(info, part), info.attributes.checksum_type)
    return ByteRange(part.offset, part.offset + part.size - 1), PARTIAL_CONTENT


def _no_such_part(number: int, count: int) -> S3Error:
    return S3Error("InvalidPartNumber", PartNumberRequested=str(number), ActualPartCount=str(count))


def _part_checksums(info: ObjectInfo, part: ObjectPart) -> dict[str, str]:
    """Answer a part's checksums where its upload asked for them.

    As recorded from S3 in github.com/localstack/localstack, tests/aws/services/s3:
    test_get_object_part, test_get_object_part_checksum.
    """
    held = info.attributes
    if not held.checksum_algorithm and held.checksum_type != COMPOSITE:
        return {}
    return part.checksums
