"""What an object that is made is locked with: what its request asks for, and who may ask for it.

Refusals as recorded from S3: github.com/localstack/localstack, tests/aws/services/s3/test_s3.py,
test_s3_object_lock_mode_validation; and as github.com/versity/versitygw quotes them, issues 1733,
1734, 1751, 1776 and s3tools/s3cmd, issue 1436 (parts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from s3api.errors import S3Error
from s3api.operations.access import authorise_new
from s3api.operations.ingest import Expectations
from s3api.protocol.timestamps import parse_iso_timestamp
from storage_engine import LockMode, ObjectLock

if TYPE_CHECKING:
    from s3api.context import Call

NO_LOCK: Final = ObjectLock()
MODE: Final = "x-amz-object-lock-mode"
UNTIL: Final = "x-amz-object-lock-retain-until-date"
HOLD: Final = "x-amz-object-lock-legal-hold"
HEADERS: Final = frozenset(header.encode() for header in (MODE, UNTIL, HOLD))
MODES: Final = {mode.value: mode for mode in (LockMode.GOVERNANCE, LockMode.COMPLIANCE)}
IN_FUTURE: Final = "The retain until date must be in the future!"


def lock_asked(call: Call) -> ObjectLock:
    """Read what the request lays on the object that it makes; S3Error where that may not be."""
    if HEADERS.isdisjoint(call.request.header_map):
        return NO_LOCK
    mode, until_ms = _retention(call)
    hold = call.request.header(HOLD)
    if hold not in {None, "ON", "OFF"}:
        raise _refusal(HOLD, str(hold), "Legal Hold must be either of 'ON' or 'OFF'")
    if call.bucket.configuration.object_lock is None:
        raise S3Error("InvalidRequest", "Bucket is missing ObjectLockConfiguration")
    if mode is not LockMode.NONE:
        authorise_new(call, "s3:PutObjectRetention")
    if hold is not None:
        authorise_new(call, "s3:PutObjectLegalHold")
    return ObjectLock(mode, until_ms, has_hold=hold == "ON", had_hold=hold is not None)


def _retention(call: Call) -> tuple[LockMode, int]:
    """Read mode and time of a retention, both or neither."""
    mode, until = call.request.header(MODE), call.request.header(UNTIL)
    if mode is None and until is None:
        return LockMode.NONE, 0
    if mode is None or until is None:
        raise S3Error(
            "InvalidArgument",
            f"{UNTIL} and {MODE} must both be supplied",
            ArgumentName=MODE if mode is None else UNTIL,
        )
    if mode not in MODES:
        raise _refusal(MODE, mode, "Unknown wormMode directive.")
    until_ms = parse_iso_timestamp(until)
    if until_ms is None:
        raise _refusal(UNTIL, until, "The retain until date must be provided in ISO 8601 format")
    if until_ms <= call.now_ms:
        raise _refusal(UNTIL, until, IN_FUTURE)
    return MODES[mode], until_ms


def _refusal(header: str, value: str, message: str) -> S3Error:
    return S3Error("InvalidArgument", message, ArgumentName=header, ArgumentValue=value)


def refuse_lock(call: Call) -> None:
    """Refuse a part that says how its object shall be locked: its upload says that."""
    if not HEADERS.isdisjoint(call.request.header_map):
        raise S3Error("InvalidRequest", "What locks an object is given where its upload begins.")


def demand_checksum(call: Call, lock: ObjectLock, what: str = "Put Object") -> None:
    """Refuse a payload that would be locked and may be damaged: nobody could put it right.

    object-lock-managing.html: "The Content-MD5 or x-amz-sdk-checksum-algorithm header is required
    for any request to upload an object with a retention period".
    """
    if lock == NO_LOCK and call.default_retention is None:
        return
    if not Expectations(call).exist:
        raise S3Error(
            "InvalidRequest",
            f"Content-MD5 OR x-amz-checksum- HTTP header is required for {what} requests with "
            "Object Lock parameters",
        )
