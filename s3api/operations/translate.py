"""The one map from the engine's errors to S3's codes.

Answers about delete markers: docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from s3api.errors import S3Error
from s3api.protocol.timestamps import http_date
from storage_engine import (
    CorruptBlob,
    DiskFull,
    EngineError,
    InvalidKey,
    InvalidVersionId,
    IsDeleteMarker,
    KeyTooLong,
    MarkerError,
    NamespaceClosed,
    NamespaceNotEmpty,
    NoSuchKey,
    NoSuchPrefix,
    NoSuchUpload,
    NoSuchVersion,
    ObjectLocked,
    PartChanged,
    PrefixOverlap,
    QuotaExceeded,
    QuotaHolder,
    QuotaMeasure,
    TargetExists,
    TargetTooLarge,
    TokenReused,
)

if TYPE_CHECKING:
    from s3api.http.target import Target

# The first that fits counts: an error stands before those that it is a kind of.
CODES: Final[dict[type[EngineError], str]] = {
    NoSuchKey: "NoSuchKey",
    IsDeleteMarker: "MethodNotAllowed",
    InvalidVersionId: "InvalidArgument",
    NoSuchVersion: "NoSuchVersion",
    ObjectLocked: "AccessDenied",
    QuotaExceeded: "QuotaExceeded",
    KeyTooLong: "KeyTooLongError",
    InvalidKey: "InvalidArgument",
    TargetExists: "PreconditionFailed",
    TargetTooLarge: "InvalidRequest",
    TokenReused: "IdempotencyParameterMismatch",
    NoSuchPrefix: "NoSuchKey",
    PrefixOverlap: "InvalidRequest",
    NoSuchUpload: "NoSuchUpload",
    PartChanged: "InvalidPart",
    NamespaceNotEmpty: "BucketNotEmpty",
    NamespaceClosed: "NoSuchBucket",
    DiskFull: "InsufficientStorage",
    CorruptBlob: "InternalError",
}
MESSAGES: Final[dict[type[EngineError], str]] = {
    InvalidVersionId: "Invalid version id specified",
    ObjectLocked: "Access Denied because object protected by object lock.",
    PrefixOverlap: "One prefix of the rename lies inside the other.",
    TargetExists: "The target exists, and would go for good: If-Match says that it may.",
    TargetTooLarge: "The target holds more than a rename may replace: delete it first.",
}


def s3_error(error: EngineError, target: Target, method: str = "") -> S3Error:
    """Say an engine's error in S3's words; what has no code of its own is ServiceUnavailable."""
    for kind, code in CODES.items():
        if isinstance(error, kind):
            translated = S3Error(code, MESSAGES.get(kind), headers=_headers(error))
            translated.detail.update(_detail(error, code, target, method))
            return translated
    return S3Error("ServiceUnavailable")


def _headers(error: EngineError) -> dict[str, str]:
    """Tell a marker from what never was; only one that was named says what may be done to it."""
    if not isinstance(error, MarkerError):
        return {}
    headers = {"x-amz-delete-marker": "true", "x-amz-version-id": error.version_id}
    if isinstance(error, IsDeleteMarker):
        headers |= {"Allow": "DELETE", "Last-Modified": http_date(error.modified_ms)}
    return headers


HOLDERS: Final = {QuotaHolder.BUCKET: "bucket", QuotaHolder.ACCOUNT: "user"}
MEASURES: Final = {QuotaMeasure.BYTES: "bytes", QuotaMeasure.VERSIONS: "objects"}


def quota_figures(error: QuotaExceeded, target: Target) -> S3Error:
    """Say whose quota it is, and all that is to know of it, to one who may know; see `refusal`."""
    whose = "The bucket"
    if error.holder is QuotaHolder.ACCOUNT:
        whose = "The buckets of this bucket's owner together"
    measure = MEASURES[error.measure]
    return S3Error(
        "QuotaExceeded",
        f"{whose} would hold more than the quota of {error.bound} {measure} allows: "
        f"{error.used} are used, and {error.asked} more do not fit.",
        BucketName=target.bucket or "",
        QuotaHolder=HOLDERS[error.holder],
        QuotaMeasure=measure,
        QuotaBound=str(error.bound),
        QuotaUsed=str(error.used),
        QuotaAsked=str(error.asked),
    )


def _detail(error: EngineError, code: str, target: Target, method: str) -> dict[str, str]:
    if isinstance(error, IsDeleteMarker):
        return {"Method": method, "ResourceType": "DeleteMarker"}
    if isinstance(error, InvalidVersionId):
        return {"ArgumentName": "versionId", "ArgumentValue": error.version_id}
    if isinstance(error, NoSuchVersion):
        return {"Key": error.key or target.key or "", "VersionId": error.version_id}
    if isinstance(error, NoSuchUpload):
        return {"UploadId": str(error)}
    if code == "NoSuchKey" and target.key:
        return {"Key": target.key}
    if code in {"NoSuchBucket", "BucketNotEmpty", "QuotaExceeded"} and target.bucket:
        return {"BucketName": target.bucket}
    return {}
