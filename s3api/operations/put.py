"""PutObject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.preconditions import check_write, read_conditions
from s3api.operations.access import authorise_match
from s3api.operations.attributes import new_attributes
from s3api.operations.expiry import expiration
from s3api.operations.ingest import receive_payload
from s3api.operations.new_lock import demand_checksum, lock_asked
from s3api.operations.versioning import own_version
from storage_engine import Origin

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import Guard, ObjectInfo


def write_guard(call: Call, begun_ms: int | None = None) -> Guard | None:
    """Turn If-Match and If-None-Match into a check that the engine makes inside its commit.

    An upload that began at `begun_ms` takes the place of no object that is younger, be it equal:
    as recorded from S3 in github.com/localstack/localstack, tests/aws/services/s3,
    test_multipart_if_match_with_put_identical. Who may not read is refused at once, and again then:
    a body may outlast his right.
    """
    conditions = read_conditions(call.request)
    if conditions is None:
        return None

    asked = conditions.if_match, conditions.if_none_match
    authorise_match(call, call.key, *asked)

    def guard(current: ObjectInfo | None) -> None:
        reading = authorise_match(call, call.key, *asked)
        if reading is not None:
            reading.settle(current)
        check_write(conditions, call.key, current.etag if current is not None else None)
        if begun_ms is None or current is None or conditions.if_match in {None, "*"}:
            return
        if current.modified_ms > begun_ms:
            raise S3Error("ConditionalRequestConflict", Condition="If-Match", Key=call.key)

    return guard


def checksum_members(checksums: dict[str, str], checksum_type: str) -> dict[str, Any]:
    """Name checksums as AWS's outputs do."""
    members: dict[str, Any] = {f"Checksum{name}": value for name, value in checksums.items()}
    if members and checksum_type:
        members["ChecksumType"] = checksum_type
    return members


async def put_object(call: Call) -> Answer:
    """Store an object; the reply leaves after payload and index are on disk."""
    promised = new_attributes(call, checksum_type="FULL_OBJECT")
    lock = lock_asked(call)
    demand_checksum(call, lock)
    guard = write_guard(call)
    origin = Origin(
        call.bucket.id, call.key, promised, lock=lock, default_retention=call.default_retention
    )
    received = await receive_payload(call, origin, guard=guard)
    attributes = promised.with_digests(received.etag, received.checksums)
    info = await call.store.committed(
        call.engine.put_object(
            call.bucket.id,
            call.key,
            received.blob,
            attributes,
            guard=guard,
            versioning=call.versioning,
            lock=lock,
            default_retention=call.default_retention,
        )
    )
    output = checksum_members(received.checksums, "FULL_OBJECT")
    output["ETag"] = f'"{received.etag}"'
    output["VersionId"] = own_version(info)
    output["Expiration"] = expiration(call, info)
    return Answer(output)
