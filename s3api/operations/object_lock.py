"""Object Lock: of a bucket what new versions get, of a version its retention and its legal hold.

Nothing of a version changes but its lock: neither its id, nor its time. Whether a lock lets itself
be changed, the engine decides in the commit. Refusals as recorded from S3:
github.com/localstack/localstack, tests/aws/services/s3, TestS3ObjectLockRetention,
TestS3ObjectLockLegalHold and TestS3ObjectLock; of periods in github.com/versity/versitygw, issue
1738 and pull request 2195.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from buckets.configuration import DefaultRetention, ObjectLockConfiguration
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.access import bypasses_governance
from s3api.operations.new_lock import IN_FUTURE, MODES
from s3api.operations.versioning import markers_refused
from s3api.protocol.timestamps import http_date
from storage_engine import LockMode

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import ObjectInfo, ObjectLock

DAYS_MAX: Final = 36_500
YEARS_MAX: Final = 100
HOLDS: Final = {"ON": True, "OFF": False}


# --- of a bucket --------------------------------------------------------------------------------


async def get_object_lock_configuration(call: Call) -> Answer:
    """Say that Object Lock is on, and what new versions get; off is a refusal."""
    configuration = call.bucket.configuration.object_lock
    if configuration is None:
        raise S3Error("ObjectLockConfigurationNotFoundError", BucketName=call.bucket.name)
    document: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
    default = configuration.retention
    if default is not None:
        period = {"Days": default.days or None, "Years": default.years or None}
        document["Rule"] = {"DefaultRetention": {"Mode": default.mode.value, **period}}
    return Answer({"ObjectLockConfiguration": document})


async def put_object_lock_configuration(call: Call) -> Answer:
    """Turn Object Lock on for good, and set what new versions get; without a rule, nothing.

    Since November 2023 it can be done in a bucket that is there, and its token means nothing:
    aws.amazon.com/about-aws/whats-new/2023/11/amazon-s3-enabling-object-lock-buckets. Where no
    versions are kept it is InvalidBucketState.
    """
    document = call.arguments.get("ObjectLockConfiguration") or {}
    if "ObjectLockEnabled" not in document:
        raise S3Error("MalformedXML")
    configuration = ObjectLockConfiguration(retention=_default_sent(document.get("Rule")))
    await call.store.configure(call.bucket, object_lock=configuration)
    return Answer()


def _default_sent(rule: dict[str, Any] | None) -> DefaultRetention | None:
    """Read the one rule: a mode, and days or years."""
    if rule is None:
        return None
    default = rule.get("DefaultRetention") or {}
    _refuse_event_hold(default, "DefaultEventHold")
    mode, days, years = map(default.get, ("Mode", "Days", "Years"))
    if mode is None or (days is None) == (years is None):
        raise S3Error("MalformedXML")
    _check_period("Days", days, DAYS_MAX)
    _check_period("Years", years, YEARS_MAX)
    return DefaultRetention(mode=LockMode(mode), days=days or 0, years=years or 0)


def _check_period(unit: str, number: int | None, most: int) -> None:
    if number is None or 1 <= number <= most:
        return
    positive = "Default retention period must be a positive integer value."
    message = positive if number < 1 else "Default retention period too large."
    raise S3Error("InvalidArgument", message, ArgumentName=unit, ArgumentValue=str(number))


# --- of a version -------------------------------------------------------------------------------


async def get_object_retention(call: Call) -> Answer:
    """Say until when a version is retained, or was; never is a refusal."""
    lock = _lock(call)
    if lock.mode is LockMode.NONE:
        raise S3Error("NoSuchObjectLockConfiguration")
    return Answer({"Retention": {"Mode": lock.mode.value, "RetainUntilDate": lock.retain_until_ms}})


async def put_object_retention(call: Call) -> Answer:
    """Retain a version; an empty document takes a retention off that may be taken off."""
    mode, until_ms = _retention_sent(call)
    return await _set_lock(call, {"mode": mode, "retain_until_ms": until_ms})


def _retention_sent(call: Call) -> tuple[LockMode, int]:
    document = call.arguments.get("Retention")
    if document is None:
        raise S3Error("MalformedXML")
    _refuse_event_hold(document, "EventHold", "EventHoldDuration")
    mode, until_ms = document.get("Mode"), document.get("RetainUntilDate")
    if mode is None and until_ms is None:
        return LockMode.NONE, 0
    if mode is None or until_ms is None:
        raise S3Error("MalformedXML")
    if until_ms <= call.now_ms:
        raise S3Error(
            "InvalidArgument",
            IN_FUTURE,
            ArgumentName="RetainUntilDate",
            ArgumentValue=_java_date(until_ms),
        )
    return MODES[mode], until_ms


def _java_date(epoch_ms: int) -> str:
    """Write a time as S3's refusal does, but for its zone: `Wed Jan 01 00:00:00 UTC 2020`."""
    weekday, day, month, year, clock, _ = http_date(epoch_ms).replace(",", "").split()
    return f"{weekday} {month} {day} {clock} UTC {year}"


def _refuse_event_hold(document: dict[str, Any], *members: str) -> None:
    if any(member in document for member in members):
        raise S3Error("NotImplemented", "Event holds are not implemented.")


async def get_object_legal_hold(call: Call) -> Answer:
    """Say whether a legal hold is on; where none was ever spoken of, that is a refusal."""
    status = hold_status(_lock(call))
    if status is None:
        raise S3Error("NoSuchObjectLockConfiguration")
    return Answer({"LegalHold": {"Status": status}})


def hold_status(lock: ObjectLock) -> str | None:
    """Name the state of a version's legal hold; None: there never was one."""
    if lock.has_hold:
        return "ON"
    return "OFF" if lock.had_hold else None


async def put_object_legal_hold(call: Call) -> Answer:
    """Lay a legal hold on a version, or take it off; retention stays as it is."""
    status = (call.arguments.get("LegalHold") or {}).get("Status")
    if status is None:
        raise S3Error("MalformedXML")
    return await _set_lock(call, {"has_hold": HOLDS[status], "had_hold": True})


def _lock(call: Call) -> ObjectLock:
    """Find what is laid on the version that the call names, for a caller who may know."""
    with markers_refused():
        info = call.engine.head_object(call.bucket.id, call.key, call.arguments.get("VersionId"))
    call.settle(info)
    if call.bucket.configuration.object_lock is None:
        raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")
    return info.lock


async def _set_lock(call: Call, fields: dict[str, Any]) -> Answer:
    """Change some of what is laid on a version."""
    if call.bucket.configuration.object_lock is None:
        _lock(call)  # refuses, in the order that tells nobody too much
    bypass = bypasses_governance(call, call.key)

    def change(info: ObjectInfo) -> ObjectLock:
        call.settle(info)
        return info.lock._replace(**fields)

    version_id = call.arguments.get("VersionId")
    with markers_refused():
        await call.store.committed(
            call.engine.set_lock(
                call.bucket.id, call.key, version_id, change, bypass_governance=bypass
            )
        )
    return Answer()
