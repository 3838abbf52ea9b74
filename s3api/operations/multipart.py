"""Multipart uploads: create, parts, complete, abort. Parts become the object; nothing is copied."""

from __future__ import annotations

import hashlib
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.checksum_headers import expected_checksum
from s3api.http.preconditions import COPY_SOURCE, check_source, parse_copy_range, read_conditions
from s3api.operations.attributes import new_attributes, refuse_unkept
from s3api.operations.copy import STEP_BYTES, find_source, open_source, settle_source
from s3api.operations.expiry import abortion, expiration
from s3api.operations.ingest import (
    DEFAULT_ALGORITHM,
    Received,
    Staging,
    Taking,
    receive_payload,
)
from s3api.operations.multipart_checksums import (
    check_completion_type,
    check_object_checksum,
    check_part_algorithm,
    checksum_type,
    cites,
    object_checksums,
)
from s3api.operations.new_lock import demand_checksum, lock_asked, refuse_lock
from s3api.operations.put import checksum_members, write_guard
from s3api.operations.versioning import own_version
from storage_engine import NoSuchUpload, Origin, PartChanged, PartInfo

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import ObjectAttributes, ObjectInfo, ObjectReader, StagedBlob, UploadInfo

PART_NUMBER_MAX: Final = 10_000
PART_BYTES_MIN: Final = 5 * 1024**2  # all parts but the last


async def create_multipart_upload(call: Call) -> Answer:
    """Begin an upload; headers and metadata of the object are given here."""
    algorithm = call.arguments.get("ChecksumAlgorithm")
    kind = checksum_type(algorithm, call.arguments.get("ChecksumType"))
    attributes = new_attributes(call, checksum_algorithm=algorithm or "", checksum_type=kind)
    if attributes.owner != call.caller_id:
        attributes = msgspec.structs.replace(attributes, initiator=call.caller_id)
    upload = await call.store.committed(
        call.engine.create_upload(call.bucket.id, call.key, attributes, lock_asked(call))
    )
    return Answer(
        {
            "Bucket": call.bucket.name,
            "Key": call.key,
            "UploadId": upload.upload_id,
            "ChecksumAlgorithm": algorithm,
            "ChecksumType": kind if algorithm else None,
            **abortion(call, upload),
        }
    )


def _open_upload(call: Call) -> UploadInfo:
    """Find the upload the call names; a completed one counts as gone."""
    upload = call.engine.get_upload(call.bucket.id, call.key, call.arguments["UploadId"])
    if upload.completed is not None:
        raise S3Error("NoSuchUpload", UploadId=upload.upload_id)
    return upload


def settle_upload(call: Call, upload: UploadInfo) -> None:
    """Refuse the call unless the caller may do this to this upload: mpuoverview.html.

    Who began it may, also where the object is going to be the bucket's owner's.
    """
    if call.decision is not None:
        held = upload.attributes
        whose = held.initiator or held.owner
        call.decision.settle_attributes(msgspec.structs.replace(held, owner=whose))


def _owned(call: Call, held: ObjectAttributes) -> ObjectAttributes:
    """Give an object to the bucket's owner where ACLs were disabled since its upload began."""
    owner = call.bucket.owner_canonical_id
    if call.bucket.has_acls or (held.owner, held.grants) == (owner, None):
        return held
    return msgspec.structs.replace(held, owner=owner, grants=None)


def _check_initiator(call: Call, upload: UploadInfo) -> None:
    """Keep others from making an object in the name of who began the upload.

    "Only the initiator of a multipart upload can upload parts", or complete it: mpuAndPermissions
    of the developer guide of 2006-03-01. Where all is the bucket's owner's, no name is abused.
    """
    whose = upload.attributes.initiator or upload.attributes.owner
    if call.bucket.has_acls and whose != call.caller_id:
        raise S3Error("AccessDenied")


def _part_number(call: Call) -> int:
    number = call.arguments.get("PartNumber")
    if not isinstance(number, int) or not 1 <= number <= PART_NUMBER_MAX:
        raise S3Error(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=str(number),
        )
    return number


async def upload_part(call: Call) -> Answer:
    """Store one part; it replaces an earlier one of the same number."""
    number, upload = _part_number(call), _open_upload(call)
    _check_initiator(call, upload)
    refuse_unkept(call.request)
    refuse_lock(call)
    demand_checksum(call, upload.lock, "Put Part")
    declared = upload.attributes.checksum_algorithm
    sent = expected_checksum(call.request)
    check_part_algorithm(upload.attributes, sent)
    origin = _part_origin(call, upload, number)
    received = await receive_payload(call, origin, declared or DEFAULT_ALGORITHM)
    await _commit_part(call, number, received.blob, received.etag, received.checksums)
    output = checksum_members(_shown(received.checksums, declared, sent), "")
    return Answer(output | {"ETag": f'"{received.etag}"'})


def _part_origin(call: Call, upload: UploadInfo, number: int) -> Origin:
    """Say what a part's payload is for."""
    return Origin(call.bucket.id, call.key, upload.attributes, upload.upload_id, number)


def _shown(computed: dict[str, str], declared: str, sent: Any) -> dict[str, str]:
    """Answer with the checksum that was asked for, not with the one kept for ourselves."""
    name = declared or (sent.algorithm if sent is not None else DEFAULT_ALGORITHM)
    return {name: computed[name]}


async def _commit_part(
    call: Call, number: int, blob: StagedBlob, etag: str, sums: dict[str, str]
) -> PartInfo:
    return await call.store.committed(
        call.engine.put_part(
            call.bucket.id, call.key, call.arguments["UploadId"], number, blob, etag, sums
        )
    )


async def upload_part_copy(call: Call) -> Answer:
    """Store one part whose bytes are (a range of) another object."""
    number, upload = _part_number(call), _open_upload(call)
    _check_initiator(call, upload)
    refuse_unkept(call.request)
    refuse_lock(call)
    source = find_source(call)
    algorithm = upload.attributes.checksum_algorithm or DEFAULT_ALGORITHM
    with open_source(call, source) as reader:
        info = reader.info
        settle_source(call, info)
        conditions = read_conditions(call.request, COPY_SOURCE)
        if conditions is not None:
            check_source(conditions, info.etag, info.modified_ms)
        first, length = _copied(call, info)
        if call.bucket.is_bounded:  # else the bytes would be copied first
            call.engine.check_part_room(call.bucket.id, upload.upload_id, number, length)
        begin = partial(call.engine.begin_blob, length, _part_origin(call, upload, number))
        taking = Taking(call.engine, begin, [algorithm])
        try:
            copied = await call.store.on_disk(_restage, taking, reader, first, length)
            await call.catch_up()
            settle_source(call, info)
        except BaseException:
            await call.store.undo(taking.abort)
            raise
    part = await _commit_part(call, number, copied.blob, copied.etag, copied.checksums)
    result: dict[str, Any] = {"ETag": f'"{copied.etag}"', "LastModified": part.modified_ms}
    if upload.attributes.checksum_algorithm:
        result |= checksum_members(copied.checksums, "")
    return Answer({"CopyPartResult": result, "CopySourceVersionId": own_version(info)})


def _copied(call: Call, info: ObjectInfo) -> tuple[int, int]:
    """Find offset and length of the bytes to copy."""
    value = call.arguments.get("CopySourceRange")
    first, length = 0, info.size
    if value is not None:
        wanted = parse_copy_range(value, info.size)
        first, length = wanted.first, wanted.length
    if length > call.store.config.object_bytes_max:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {call.store.config.object_bytes_max}",
        )
    return first, length


def _restage(taking: Taking, reader: ObjectReader, first: int, length: int) -> Received:
    """Read the bytes once for their digests and stage them; equal content is stored once."""
    for offset in range(first, first + length, STEP_BYTES):
        taking.take(reader.read(offset, min(STEP_BYTES, first + length - offset)))
    return taking.finish()


async def abort_multipart_upload(call: Call) -> Answer:
    """Give an upload up; its parts are released."""
    upload = _open_upload(call)
    settle_upload(call, upload)
    await call.store.committed(call.engine.abort_upload(call.bucket.id, call.key, upload.upload_id))
    return Answer()


async def complete_multipart_upload(call: Call) -> Answer:
    """Make the named parts the object; repeated, it answers what it answered."""
    names = call.bucket.id, call.key, call.arguments["UploadId"]
    upload = call.engine.get_upload(*names)
    wanted = _wanted_parts(call)
    while upload.completed is None:
        try:
            return await _complete(call, upload, wanted)
        except PartChanged:  # it may have come again with the very bytes that are named
            continue
        except NoSuchUpload:  # ended meanwhile, perhaps by this very request on another connection
            upload = call.engine.get_upload(*names)
    return _completed_before(call, upload, wanted)


async def _complete(call: Call, upload: UploadInfo, wanted: list[dict[str, Any]]) -> Answer:
    _check_initiator(call, upload)
    check_completion_type(upload.attributes, call.arguments.get("ChecksumType"))
    parts = _match(call, upload, wanted)
    _check_object_size(call, parts)
    sums = object_checksums(upload.attributes, parts)
    check_object_checksum(call, upload.attributes, sums)
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(bytes.fromhex(part.etag))
    etag = f"{digest.hexdigest()}-{len(parts)}"
    attributes = _owned(call, upload.attributes).with_digests(etag, sums)
    guard = write_guard(call, upload.initiated_ms)
    origin = Origin(
        call.bucket.id,
        call.key,
        attributes,
        upload.upload_id,
        lock=upload.lock,
        default_retention=call.default_retention,
    )
    staging, make = Staging(call.engine), call.engine.stage_completion
    try:
        record = await call.store.on_disk(staging.stage, make, origin, parts)
        await call.catch_up()  # the disk may have taken its time
        _check_initiator(call, upload)
    except BaseException:
        await call.store.undo(staging.abort)
        raise
    attributes = _owned(call, attributes)
    info = await call.store.committed(
        call.engine.complete_upload(
            call.bucket.id,
            call.key,
            upload.upload_id,
            parts,
            attributes,
            guard=guard,
            versioning=call.versioning,
            lock=upload.lock,
            default_retention=call.default_retention,
            record=record,
        )
    )
    return _completed(call, info)


def _completed(call: Call, info: ObjectInfo) -> Answer:
    output: dict[str, Any] = {
        "Location": call.object_url,
        "Bucket": call.bucket.name,
        "Key": call.key,
        "ETag": f'"{info.etag}"',
        "VersionId": own_version(info),
        "Expiration": expiration(call, info),
    }
    output |= checksum_members(info.attributes.checksums, info.attributes.checksum_type)
    return Answer(output)


def _completed_before(call: Call, upload: UploadInfo, wanted: list[dict[str, Any]]) -> Answer:
    """Answer a retried complete; another list of parts is another request."""
    asked = [(part["PartNumber"], _plain_etag(part)) for part in wanted]
    if upload.completed is None or asked != list(upload.completed_parts):
        raise S3Error("NoSuchUpload", UploadId=upload.upload_id)
    return _completed(call, upload.completed)


def _plain_etag(part: dict[str, Any]) -> str:
    return str(part.get("ETag", "")).strip('"')


def _wanted_parts(call: Call) -> list[dict[str, Any]]:
    """Read the list of parts; it must be there and ascend."""
    document = call.arguments.get("MultipartUpload") or {}
    wanted: list[dict[str, Any]] = document.get("Parts") or []
    if not wanted or any("PartNumber" not in part or "ETag" not in part for part in wanted):
        raise S3Error("MalformedXML")
    numbers = [part["PartNumber"] for part in wanted]
    if any(after <= before for before, after in itertools.pairwise(numbers)):
        raise S3Error("InvalidPartOrder", UploadId=call.arguments["UploadId"])
    return wanted


def _match(call: Call, upload: UploadInfo, wanted: list[dict[str, Any]]) -> list[PartInfo]:
    """Find each wanted part among the uploaded ones; refuse what is missing, other or too small."""
    page = call.engine.list_parts(call.bucket.id, call.key, upload.upload_id, limit=PART_NUMBER_MAX)
    if page.upload.completed is not None:  # meanwhile, and so its parts are no more
        raise NoSuchUpload(upload.upload_id)
    held = {part.number: part for part in page.parts}
    parts = []
    for entry in wanted:
        part = held.get(entry["PartNumber"])
        is_named = part is not None and part.etag == _plain_etag(entry)
        if part is None or not is_named or not cites(upload.attributes, entry, part):
            raise S3Error(
                "InvalidPart",
                UploadId=upload.upload_id,
                PartNumber=str(entry["PartNumber"]),
                ETag=_plain_etag(entry),
            )
        parts.append(part)
    for part in parts[:-1]:
        if part.size < PART_BYTES_MIN:
            raise S3Error(
                "EntityTooSmall",
                ProposedSize=str(part.size),
                MinSizeAllowed=str(PART_BYTES_MIN),
                PartNumber=str(part.number),
                ETag=part.etag,
            )
    return parts


def _check_object_size(call: Call, parts: list[PartInfo]) -> None:
    expected = call.arguments.get("MpuObjectSize")
    actual = sum(part.size for part in parts)
    if expected is not None and expected < 0:
        message = f"Value for x-amz-mp-object-size header is less than zero: '{expected}'"
        raise S3Error("InvalidRequest", message)
    if expected is not None and expected != actual:
        raise S3Error(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {expected} does not match what "
            f"was computed: {actual}",
        )
