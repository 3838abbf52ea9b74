"""CopyObject, and what UploadPartCopy shares with it: naming and checking the source.

A copy costs metadata only: the engine counts one more reference to the same bytes.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http import percent
from s3api.http.preconditions import COPY_SOURCE, check_source, read_conditions
from s3api.operations.access import (
    OF_VERSION,
    authorise,
    authorise_new,
    authorise_tags,
    existing_bucket,
)
from s3api.operations.attributes import check_owner, new_attributes
from s3api.operations.expiry import expiration
from s3api.operations.ingest import Digests
from s3api.operations.new_lock import lock_asked
from s3api.operations.put import checksum_members, write_guard
from s3api.operations.translate import s3_error
from s3api.operations.versioning import own_version, shown_version
from storage_engine import IsDeleteMarker, NoSuchKey, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buckets.registry import BucketState
    from s3api.context import Call
    from storage_engine import Guard, ObjectAttributes, ObjectInfo, ObjectReader

COPY_BYTES_MAX: Final = 5 * 1024**3  # larger objects are copied in parts, as in AWS
STEP_BYTES: Final = 1 << 20
REDIRECT: Final = "x-amz-website-redirect-location"


@dataclass(frozen=True, slots=True)
class Source:
    """The object a copy reads; without a version id the current one."""

    bucket: BucketState
    key: str
    version_id: str | None


@contextmanager
def reading_source(call: Call, source: Source) -> Iterator[None]:
    """Say in a copy's words that its source is not there: REF API_CopyObject, "VersionId"."""
    try:
        yield
    except IsDeleteMarker as error:
        raise S3Error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by "
            "version id.",
        ) from error
    except NoSuchKey as error:
        raise s3_error(error, msgspec.structs.replace(call.target, key=source.key)) from error


def find_source(call: Call) -> Source:
    """Read x-amz-copy-source and make sure that the caller may read what it names."""
    bucket_name, key, version_id = _parse_source(call.arguments["CopySource"])
    bucket = existing_bucket(call, bucket_name)
    _authorise_source(call, bucket_name, key, version_id)
    expected = call.arguments.get("ExpectedSourceBucketOwner")
    if expected is not None:
        check_owner(call, expected, bucket)
    return Source(bucket, key, version_id)


def _authorise_source(call: Call, bucket_name: str, key: str, version_id: str | None) -> None:
    """Refuse the call unless its caller may read the source, or it may turn out that he may."""
    action = "s3:GetObject" if version_id is None else OF_VERSION["s3:GetObject"]
    call.source_bucket = bucket = existing_bucket(call, bucket_name)
    call.source_decision = authorise(call, action, bucket, key, version_id)
    call.decided += ((_authorise_source, bucket_name, key, version_id),)


def settle_source(call: Call, info: ObjectInfo | None) -> None:
    """Refuse the call unless its caller may read this object as its source."""
    if call.source_decision is not None:
        call.source_decision.settle(info)


def open_source(call: Call, source: Source) -> ObjectReader:
    """Open the object a copy reads; the caller closes it."""
    with reading_source(call, source):
        return call.engine.open_object(source.bucket.id, source.key, source.version_id)


def _parse_source(value: str) -> tuple[str, str, str | None]:
    """Split `/bucket/key?versionId=...`, encoded like a form, with or without its first slash.

    That `+` is a space, and the words of the refusals, were seen at AWS.
    """
    path, mark, version_id = value.partition("?versionId=")
    try:
        plain = percent.decode(path.replace("+", " ").encode())
    except S3Error:
        raise _bad_source("Invalid copy source encoding", value) from None
    bucket, _, key = plain.removeprefix("/").partition("/")
    if not bucket:
        raise _bad_source("Invalid copy source bucket name", value)
    if not key:
        raise _bad_source("Invalid copy source object key", value)
    return bucket, key, version_id if mark else None


def _bad_source(message: str, value: str) -> S3Error:
    return S3Error(
        "InvalidArgument", message, ArgumentName="x-amz-copy-source", ArgumentValue=value
    )


def source_guard(call: Call) -> Guard:
    """Make the check that the source may be read, and of the copy-source conditions."""
    conditions = read_conditions(call.request, COPY_SOURCE)

    def guard(current: ObjectInfo | None) -> None:
        settle_source(call, current)
        if current is None:
            return  # the engine raises NoSuchKey
        if conditions is not None:
            check_source(conditions, current.etag, current.modified_ms)

    return guard


async def copy_object(call: Call) -> Answer:
    """Make the target the same object as the source, with its metadata or with new metadata."""
    own = new_attributes(call)
    lock = lock_asked(call)
    source = find_source(call)
    replaces = _replaces_metadata(call)
    replaces_tags = call.arguments.get("TaggingDirective") == "REPLACE"
    _refuse_self_copy(call, source, replaces=replaces)
    algorithm = call.arguments.get("ChecksumAlgorithm")
    known = await _wanted_checksum(call, source, algorithm)
    redirect = call.request.header(REDIRECT)
    copied: ObjectInfo | None = None

    def attributes(info: ObjectInfo) -> ObjectAttributes:
        nonlocal copied
        copied = info
        kept = {name: text for name, text in info.attributes.headers.items() if name != REDIRECT}
        if redirect is not None:
            kept[REDIRECT] = redirect
        return msgspec.structs.replace(
            own,
            etag=info.etag,
            headers=own.headers if replaces else kept,
            tags=own.tags if replaces_tags else _tags_to_copy(call, source, info),
            checksums=known.checksums if known else info.attributes.checksums,
            checksum_type="FULL_OBJECT" if known else info.attributes.checksum_type,
        )

    check = source_guard(call)

    def guard(current: ObjectInfo | None) -> None:
        check(current)
        if current is not None:
            _check_size(current)
            if not (known.is_of(current) if known else _carries(current, algorithm)):
                raise S3Error("ConditionalRequestConflict")  # replaced since it was looked at

    with reading_source(call, source):
        info = await call.store.committed(
            call.engine.copy_object(
                ObjectRef(source.bucket.id, source.key),
                ObjectRef(call.bucket.id, call.key),
                attributes,
                source_version_id=source.version_id,
                source_guard=guard,
                guard=write_guard(call),
                versioning=call.versioning,
                lock=lock,
                default_retention=call.default_retention,
            )
        )
    assert copied is not None, "the commit asked for the attributes"
    result: dict[str, Any] = {"ETag": f'"{info.etag}"', "LastModified": info.modified_ms}
    result |= checksum_members(info.attributes.checksums, info.attributes.checksum_type)
    return Answer(
        {
            "CopyObjectResult": result,
            "CopySourceVersionId": own_version(copied),
            "VersionId": shown_version(call, info),
            "Expiration": expiration(call, info),
        }
    )


def _tags_to_copy(call: Call, source: Source, info: ObjectInfo) -> dict[str, str]:
    """Answer the source's tags, to those who may read them and give them to the target.

    https://repost.aws/knowledge-center/s3-troubleshoot-copy-between-buckets, "object tags".
    """
    tags = info.attributes.tags
    if tags:
        authorise_tags(call, source.bucket, info, source.version_id)
        authorise_new(call, "s3:PutObjectTagging")
    return tags


def _replaces_metadata(call: Call) -> bool:
    directive = call.arguments.get("MetadataDirective", "COPY")
    if directive not in {"COPY", "REPLACE"}:
        raise S3Error(
            "InvalidArgument",
            "Unknown metadata directive.",
            ArgumentName="x-amz-metadata-directive",
            ArgumentValue=directive,
        )
    return bool(directive == "REPLACE")


def _refuse_self_copy(call: Call, source: Source, *, replaces: bool) -> None:
    """Refuse a copy onto itself that would change nothing; an older version may be brought back.

    docs.aws.amazon.com/AmazonS3/latest/userguide/RestoringPreviousVersions.html
    """
    is_self = (source.bucket.id, source.key) == (call.bucket.id, call.key)
    is_self = is_self and source.version_id is None
    changes = (
        replaces or call.request.header(REDIRECT) or call.request.header("x-amz-storage-class")
    )
    if is_self and not changes:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location "
            "or encryption attributes.",
        )


@dataclass(frozen=True, slots=True)
class Known:
    """Checksums computed from one state of the source."""

    etag: str
    modified_ms: int
    checksums: dict[str, str]

    def is_of(self, info: ObjectInfo) -> bool:
        """Whether the source is still what was read."""
        return (info.etag, info.modified_ms) == (self.etag, self.modified_ms)


def _carries(info: ObjectInfo, algorithm: str | None) -> bool:
    """Whether an object has the checksum that its copy is to have; None: any will do."""
    held = info.attributes
    return algorithm is None or (
        algorithm in held.checksums and held.checksum_type == "FULL_OBJECT"
    )


async def _wanted_checksum(call: Call, source: Source, algorithm: str | None) -> Known | None:
    """Compute the checksum the caller asks for when the source does not carry it."""
    if algorithm is None:
        return None
    with open_source(call, source) as reader:
        info = reader.info
        settle_source(call, info)
        _check_size(info)
        if _carries(info, algorithm):
            return None
        digests = Digests([algorithm])
        await call.store.on_disk(_digest, reader, digests)
    await call.catch_up()
    return Known(info.etag, info.modified_ms, digests.checksums())


def _check_size(info: ObjectInfo) -> None:
    if info.size > COPY_BYTES_MAX:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {COPY_BYTES_MAX}",
        )


def _digest(reader: ObjectReader, digests: Digests) -> None:
    size = reader.info.size
    for offset in range(0, size, STEP_BYTES):
        digests.update(reader.read(offset, min(STEP_BYTES, size - offset)))
