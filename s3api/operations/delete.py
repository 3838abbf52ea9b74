"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.http.preconditions import Conditions, check_write
from s3api.operations.attributes import refuse_version
from s3api.operations.translate import s3_error
from storage_engine import EngineError

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import Guard, ObjectInfo

KEYS_MAX: Final = 1000
KEY_BYTES_MAX: Final = 1024
SECOND_MS: Final = 1000


def delete_guard(etag: str | None, size: int | None, modified_ms: int | None) -> Guard | None:
    """Make the check of a conditional delete; None when there is no condition.

    An absent object satisfies nothing (NoSuchKey); times are compared by the second, as the
    headers that carry them are.
    """
    if etag is None and size is None and modified_ms is None:
        return None

    def guard(current: ObjectInfo | None) -> None:
        if current is None:
            raise S3Error("NoSuchKey")
        if etag is not None:
            check_write(Conditions(if_match=etag), current.etag)
        if size is not None and current.size != size:
            raise S3Error("PreconditionFailed", Condition="x-amz-if-match-size")
        if modified_ms is not None and current.modified_ms // SECOND_MS != modified_ms // SECOND_MS:
            raise S3Error("PreconditionFailed", Condition="x-amz-if-match-last-modified-time")

    return guard


def _settling(call: Call, check: Guard | None) -> Guard | None:
    """Add to a delete's conditions that the caller may delete what is there."""
    if call.decision is None:
        return check

    def guard(current: ObjectInfo | None) -> None:
        call.settle(current)
        if check is not None:
            check(current)

    return guard


async def delete_object(call: Call) -> Answer:
    """Delete an object; deleting what is not there succeeds too."""
    refuse_version(call)
    arguments = call.arguments
    guard = _settling(
        call,
        delete_guard(
            arguments.get("IfMatch"),
            arguments.get("IfMatchSize"),
            arguments.get("IfMatchLastModifiedTime"),
        ),
    )
    await call.store.committed(call.engine.delete_object(call.bucket.id, call.key, guard=guard))
    return Answer()


async def delete_objects(call: Call) -> Answer:
    """Delete up to 1,000 objects in one commit; each key has its own outcome."""
    document = call.arguments.get("Delete") or {}
    wanted = document.get("Objects") or []
    if not 1 <= len(wanted) <= KEYS_MAX:
        raise S3Error("MalformedXML")
    refused = [_refusal(entry) for entry in wanted]
    outcomes = await call.store.committed(
        call.engine.delete_objects(
            call.bucket.id,
            [
                (entry["Key"], _settling(call, _entry_guard(entry)))
                for entry, refusal in zip(wanted, refused, strict=True)
                if refusal is None
            ],
        )
    )
    deleted, errors, remaining = [], [], iter(outcomes)
    for entry, refusal in zip(wanted, refused, strict=True):
        outcome: Any = refusal if refusal is not None else next(remaining)
        if isinstance(outcome, EngineError):
            outcome = s3_error(outcome, call.target)
        if isinstance(outcome, S3Error):
            errors.append(_error_row(entry, outcome))
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            deleted.append({"Key": entry["Key"], "VersionId": entry.get("VersionId")})
    return Answer({"Deleted": [] if document.get("Quiet") else deleted, "Errors": errors})


def _refusal(entry: dict[str, Any]) -> S3Error | None:
    """Tell what is wrong with one entry before the engine is asked."""
    key = entry.get("Key")
    if not key:
        raise S3Error("MalformedXML")
    if len(key.encode()) > KEY_BYTES_MAX:
        return S3Error("KeyTooLongError")
    if entry.get("VersionId") not in {None, "", "null"}:
        return S3Error("NoSuchVersion")
    return None


def _entry_guard(entry: dict[str, Any]) -> Guard | None:
    return delete_guard(entry.get("ETag"), entry.get("Size"), entry.get("LastModifiedTime"))


def _error_row(entry: dict[str, Any], error: S3Error) -> dict[str, Any]:
    return {
        "Key": entry["Key"],
        "VersionId": entry.get("VersionId"),
        "Code": error.code,
        "Message": error.message,
    }
