"""GetBucketVersioning and PutBucketVersioning, and which version id an answer names.

Version ids in answers: as recorded from S3 in the snapshots of github.com/localstack/localstack,
tests/aws/services/s3 (test_s3_put_object_versioned, test_put_object_on_suspended_bucket).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from s3api.context import Answer
from s3api.errors import S3Error
from storage_engine import IsDeleteMarker, KeyDeleted, Versioning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s3api.context import Call
    from storage_engine import ObjectInfo

NULL_VERSION: Final = "null"
STATUSES: Final = {"Enabled": Versioning.ENABLED, "Suspended": Versioning.SUSPENDED}
NAMES: Final = {versioning: status for status, versioning in STATUSES.items()}


def shown_version(call: Call, info: ObjectInfo) -> str | None:
    """Name the version that was read or copied to; None in a bucket that never had versions."""
    return None if call.versioning is Versioning.UNVERSIONED else info.version_id


def own_version(info: ObjectInfo) -> str | None:
    """Name a version that has an id of its own; the null version is not named to its writer."""
    return None if info.version_id == NULL_VERSION else info.version_id


@contextmanager
def markers_refused() -> Iterator[None]:
    """Refuse a delete marker, also when it is the current version: it has no tags and no ACL.

    S3 answers 405 to both, where a GET of the object itself would be a 404: localstack,
    tests/aws/services/s3/test_s3_api.snapshot.json, test_object_tagging_versioned, and
    test_s3.snapshot.json, test_put_object_acl_on_delete_marker.
    """
    try:
        yield
    except KeyDeleted as error:
        raise IsDeleteMarker(error.key, error.version_id, error.modified_ms) from error


async def get_bucket_versioning(call: Call) -> Answer:
    """Say whether versions are kept; a bucket that never had any answers an empty document."""
    return Answer({"Status": NAMES.get(call.versioning)})


async def put_bucket_versioning(call: Call) -> Answer:
    """Begin to keep versions, or suspend it; neither touches a version that is there.

    InvalidBucketState where Object Lock wants them.
    """
    wanted = call.arguments.get("VersioningConfiguration") or {}
    if wanted.get("MFADelete") == "Enabled":
        raise S3Error("NotImplemented", "MFA delete is not implemented.")
    if "Status" not in wanted:
        raise S3Error("IllegalVersioningConfigurationException")
    await call.store.configure(call.bucket, versioning=STATUSES[wanted["Status"]])
    return Answer()
