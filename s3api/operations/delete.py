"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.preconditions import Conditions, check_write
from s3api.operations.access import (
    authorise,
    authorise_for_good,
    authorise_match,
    bypasses_governance,
    is_plain,
)
from s3api.operations.attributes import marker_attributes
from s3api.operations.refusal import refusal
from storage_engine import Deletion, EngineError, InvalidVersionId, Versioning

if TYPE_CHECKING:
    from s3api.context import Call
    from s3api.decision import OpenDecision
    from storage_engine import Guard, ObjectInfo

KEYS_MAX: Final = 1000
SECOND_MS: Final = 1000


def delete_guard(
    key: str, etag: str | None, size: int | None, modified_ms: int | None
) -> Guard | None:
    """Make the check of a conditional delete; None when there is no condition.

    An absent object satisfies nothing (NoSuchKey); times are compared by the second, as the
    headers that carry them are.
    """
    if etag is None and size is None and modified_ms is None:
        return None

    def guard(current: ObjectInfo | None) -> None:
        if current is None:
            raise S3Error("NoSuchKey", Key=key)
        if etag is not None:
            check_write(Conditions(if_match=etag), key, current.etag)
        if size is not None and current.size != size:
            raise S3Error("PreconditionFailed", Condition="x-amz-if-match-size")
        if modified_ms is not None and current.modified_ms // SECOND_MS != modified_ms // SECOND_MS:
            raise S3Error("PreconditionFailed", Condition="x-amz-if-match-last-modified-time")

    return guard


def _settling(decision: OpenDecision | None, check: Guard | None) -> Guard | None:
    """Add to a delete's conditions that the caller may delete what is there."""
    if decision is None:
        return check

    def guard(current: ObjectInfo | None) -> None:
        decision.settle(current)
        if check is not None:
            check(current)

    return guard


async def delete_object(call: Call) -> Answer:
    """Delete an object, or for good one of its versions; there may be nothing to delete."""
    arguments, version_id = call.arguments, call.arguments.get("VersionId")
    _check_bypass(call)
    bypass = bypasses_governance(call, call.key, version_id)
    asked = tuple(map(arguments.get, ("IfMatch", "IfMatchSize", "IfMatchLastModifiedTime")))
    reading = authorise_match(call, call.key, *asked)
    guard = _settling(call.decision, _settling(reading, delete_guard(call.key, *asked)))
    if version_id is None:
        authorise_for_good(call, call.key)
        future = call.engine.delete_object(
            call.bucket.id,
            call.key,
            guard=guard,
            versioning=call.versioning,
            marker=marker_attributes(call),
        )
    else:
        future = call.engine.delete_version(
            call.bucket.id, call.key, version_id, guard=guard, bypass_governance=bypass
        )
    gone = await call.store.committed(future)
    if gone is None or not gone.is_marker:
        shown = None if call.versioning is Versioning.UNVERSIONED else version_id
        return Answer({"VersionId": shown})
    return Answer({"DeleteMarker": True, "VersionId": gone.version_id})


def _check_bypass(call: Call) -> None:
    """Refuse to go past locks where there are none, or not to go, as was recorded from S3."""
    is_said = "BypassGovernanceRetention" in call.arguments
    if is_said and call.bucket.configuration.object_lock is None:
        name = "x-amz-bypass-governance-retention"
        message = f"{name} is only applicable to Object Lock enabled buckets."
        raise S3Error("InvalidArgument", message, ArgumentName=name)


async def delete_objects(call: Call) -> Answer:
    """Delete up to 1,000 objects or versions in one commit; each has its own outcome.

    Where there is no Object Lock, x-amz-bypass-governance-retention has nothing to go past and is
    let be, though S3 was recorded to refuse it here too: ceph/s3-tests empties every bucket with
    it.
    """
    document = call.arguments.get("Delete") or {}
    wanted = document.get("Objects") or []
    if not 1 <= len(wanted) <= KEYS_MAX or not all(entry.get("Key") for entry in wanted):
        raise S3Error("MalformedXML")
    if is_plain(call, call.bucket):
        deletions = _deletions(call, wanted)
    else:  # asked for each key, and it may be long: others are served meanwhile
        deletions = await call.store.on_disk(_deletions, call, wanted)
        while await call.catch_up():
            deletions = await call.store.on_disk(_deletions, call, wanted)
    outcomes = await call.store.committed(
        call.engine.delete_objects(
            call.bucket.id,
            deletions,
            versioning=call.versioning,
            marker=marker_attributes(call),
        )
    )
    if call.decision is not None:
        call.decision.is_settled = True  # entry by entry, each by its guard
    deleted, errors = [], []
    for entry, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, Exception):
            errors.append(_error_row(entry, _refusal(call, outcome)))
        else:
            deleted.append(_deleted_row(entry, outcome))
    return Answer({"Deleted": [] if document.get("Quiet") else deleted, "Errors": errors})


def _refusal(call: Call, error: Exception) -> S3Error:
    """Say in S3's words why one entry was not deleted."""
    if isinstance(error, InvalidVersionId):  # as recorded from S3: test_delete_objects_versioned
        return S3Error("NoSuchVersion")
    if isinstance(error, EngineError):
        return refusal(call, error)
    if isinstance(error, S3Error):
        return error
    raise error


def _deleted_row(entry: dict[str, Any], gone: ObjectInfo | None) -> dict[str, Any]:
    row = {"Key": entry["Key"], "VersionId": entry.get("VersionId") or None}
    if gone is not None and gone.is_marker:
        row |= {"DeleteMarker": True, "DeleteMarkerVersionId": gone.version_id}
    return row


def _deletions(call: Call, wanted: list[dict[str, Any]]) -> list[Deletion]:
    return [_deletion(call, entry) for entry in wanted]


def _deletion(call: Call, entry: dict[str, Any]) -> Deletion:
    """Say what one entry wants of the engine; removing versions is an action of its own."""
    key, version_id = entry["Key"], entry.get("VersionId") or None
    asked = tuple(map(entry.get, ("ETag", "Size", "LastModifiedTime")))
    try:
        bypass = _bypasses(call, key, version_id)
        decision = _decision(call, key, version_id)
        reading = authorise_match(call, key, *asked)
    except S3Error as error:
        return Deletion(key, _refusing(error), version_id)
    guard = _settling(decision, _settling(reading, delete_guard(key, *asked)))
    return Deletion(key, guard, version_id, bypass)


def _bypasses(call: Call, key: str, version_id: str | None) -> bool:
    """Whether one entry goes past governance; S3Error AccessDenied."""
    has_locks = call.bucket.configuration.object_lock is not None
    return has_locks and bypasses_governance(call, key, version_id)


def _decision(call: Call, key: str, version_id: str | None) -> OpenDecision | None:
    """Decide for one entry, where it is not decided for all; S3Error AccessDenied."""
    if version_id is not None:
        return authorise(call, "s3:DeleteObjectVersion", call.bucket, key, version_id)
    authorise_for_good(call, key)
    if not is_plain(call, call.bucket):
        return authorise(call, "s3:DeleteObject", call.bucket, key)
    return call.decision


def _refusing(error: S3Error) -> Guard:
    """Make the guard of an entry that is refused whatever there is."""

    def guard(_: ObjectInfo | None) -> None:
        raise error

    return guard


def _error_row(entry: dict[str, Any], error: S3Error) -> dict[str, Any]:
    return {
        "Key": entry["Key"],
        "VersionId": entry.get("VersionId"),
        "Code": error.code,
        "Message": error.message,
    }
