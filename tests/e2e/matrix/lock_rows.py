"""The rows of locks: of buckets, new objects and versions, and of going past governance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.matrix.row import COPY, LIST, MISSING, NO_CONTENT, PUT, change, keyed, new_key, row

if TYPE_CHECKING:
    from tests.e2e.matrix.row import Row

RETAINED: Final = {
    "ObjectLockMode": "GOVERNANCE",
    "ObjectLockRetainUntilDate": datetime(2099, 1, 1, tzinfo=UTC),
}
LONGER, SHORTER = (
    {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(year, 1, 1, tzinfo=UTC)}}
    for year in (2100, 2098)
)
HELD: Final = {"ObjectLockLegalHoldStatus": "ON"}
BYPASS: Final = {"BypassGovernanceRetention": True}
LOCKED: Final = {"Key": "{locked}", "VersionId": "{locked_version}"}
PAST: Final = "past governance"
RETENTION, HOLD = "with a retention", "with a legal hold"
RETAIN, LAY = f"{PUT} object:PutObjectRetention", f"{PUT} object:PutObjectLegalHold"


def _of_lock(what: str, verb: str, params: dict[str, Any]) -> tuple[Row, ...]:
    """Make the rows of what is done to a lock: of an object, and of one that is not there."""
    operation, need = f"{verb}{what}", f"object:{verb}{what}"
    make = row if verb == "Get" else change
    missing = keyed("{missing}", **params)
    return (
        make(operation, need, keyed("{locked}", **params)),
        row(operation, f"{need} {LIST}", missing, MISSING, answer=404, code="NoSuchKey"),
    )


LOCKS: Final = (
    change(
        "CreateBucket",
        "new:CreateBucket new:PutBucketObjectLockConfiguration new:PutBucketVersioning",
        {"Bucket": "{fresh}", "ObjectLockEnabledForBucket": True},
        "with Object Lock",
    ),
    row("GetObjectLockConfiguration", "bucket:GetBucketObjectLockConfiguration"),
    change(
        "PutObjectLockConfiguration",
        "bucket:PutBucketObjectLockConfiguration",
        {
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}},
            }
        },
    ),
    *_of_lock("ObjectRetention", "Get", {}),
    *_of_lock("ObjectRetention", "Put", LONGER),
    change(
        "PutObjectRetention",
        "object:PutObjectRetention object:BypassGovernanceRetention",
        keyed("{locked}", **SHORTER, **BYPASS),
        PAST,
    ),
    *_of_lock("ObjectLegalHold", "Get", {}),
    *_of_lock("ObjectLegalHold", "Put", {"LegalHold": {"Status": "ON"}}),
    change("PutObject", RETAIN, new_key(Body=b"new", **RETAINED), RETENTION),
    change("PutObject", LAY, new_key(Body=b"new", **HELD), HOLD),
    change("PostObject", RETAIN, new_key(Body=b"new", **RETAINED), RETENTION, answer=NO_CONTENT),
    change("PostObject", LAY, new_key(Body=b"new", **HELD), HOLD, answer=NO_CONTENT),
    change("CopyObject", f"{RETAIN} source:GetObject", new_key(**COPY, **RETAINED), RETENTION),
    change("CopyObject", f"{LAY} source:GetObject", new_key(**COPY, **HELD), HOLD),
    change("CreateMultipartUpload", RETAIN, new_key(**RETAINED), RETENTION),
    change("CreateMultipartUpload", LAY, new_key(**HELD), HOLD),
    change(
        "DeleteObject",
        "object:DeleteObjectVersion object:BypassGovernanceRetention",
        {**LOCKED, **BYPASS},
        PAST,
        answer=NO_CONTENT,
    ),
    change(
        "DeleteObjects",
        "object:DeleteObjectVersion object:BypassGovernanceRetention",
        {"Delete": {"Objects": [LOCKED]}, **BYPASS},
        PAST,
    ),
)
