"""The one map from the engine's errors to S3's codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3api.errors import S3Error
from storage_engine import (
    CorruptBlob,
    DiskFull,
    EngineError,
    NamespaceClosed,
    NamespaceNotEmpty,
    NoSuchKey,
    NoSuchUpload,
    NoSuchVersion,
    PartChanged,
)

if TYPE_CHECKING:
    from s3api.http.target import Target

CODES: dict[type[EngineError], str] = {
    NoSuchKey: "NoSuchKey",
    NoSuchUpload: "NoSuchUpload",
    NoSuchVersion: "NoSuchVersion",
    PartChanged: "InvalidPart",
    NamespaceNotEmpty: "BucketNotEmpty",
    NamespaceClosed: "NoSuchBucket",
    DiskFull: "InsufficientStorage",
    CorruptBlob: "InternalError",
}


def s3_error(error: EngineError, target: Target) -> S3Error:
    """Say an engine's error in S3's words; what has no code of its own is ServiceUnavailable."""
    for kind, code in CODES.items():
        if isinstance(error, kind):
            translated = S3Error(code)
            translated.detail.update(_detail(code, target))
            return translated
    return S3Error("ServiceUnavailable")


def _detail(code: str, target: Target) -> dict[str, str]:
    if code == "NoSuchKey" and target.key:
        return {"Key": target.key}
    if code in {"NoSuchBucket", "BucketNotEmpty"} and target.bucket:
        return {"BucketName": target.bucket}
    return {}
