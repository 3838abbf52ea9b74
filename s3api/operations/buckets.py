"""CreateBucket, HeadBucket, DeleteBucket and GetBucketLocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from buckets.configuration import ObjectLockConfiguration, Ownership
from buckets.naming import bucket_arn
from iam.acl import BUCKET_CANNED, is_public
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.access import authorise
from s3api.operations.grants import asked_by_headers
from s3api.operations.tags import NEW_BUCKET_TAGS, read_tag_set
from storage_engine import Versioning

if TYPE_CHECKING:
    from buckets.configuration import BucketConfiguration
    from iam.acl import Grant
    from s3api.context import Call

CLASSIC_REGION = "us-east-1"
LOCK_HEADER = "x-amz-bucket-object-lock-enabled"


async def create_bucket(call: Call) -> Answer:
    """Make a bucket that belongs to the caller."""
    name = call.target.bucket
    assert name is not None, "routed by a bucket's name"
    _check_location(call)
    _check_lock(call)
    asked = asked_by_headers(call, BUCKET_CANNED)
    grants = asked.grants_of(call.caller_id, call.caller_id) if asked else None
    _authorise_settings(call, grants)
    configuration = _configured(call, grants)
    try:
        await call.store.on_sql(
            call.store.control.create_bucket,
            name,
            call.caller_id,
            call.store.config.region,
            configuration,
        )
    except S3Error as error:
        is_more = configuration.tags or configuration.object_lock
        if error.code != "BucketAlreadyOwnedByYou" or is_more:
            raise
        await _create_again(call, name, grants, error)
    return Answer({"Location": f"/{name}", "BucketArn": bucket_arn(name)})


def _authorise_settings(call: Call, grants: tuple[Grant, ...] | None) -> None:
    """Refuse what comes along and the caller may not set: API_CreateBucket, "Permissions"."""
    if grants is not None:
        authorise(call, "s3:PutBucketAcl", None)
    if call.arguments.get("ObjectOwnership") is not None:
        authorise(call, "s3:PutBucketOwnershipControls", None)
    if (call.arguments.get("CreateBucketConfiguration") or {}).get("Tags"):
        authorise(call, "s3:TagResource", None)
    if call.arguments.get("ObjectLockEnabledForBucket"):
        authorise(call, "s3:PutBucketObjectLockConfiguration", None)
        authorise(call, "s3:PutBucketVersioning", None)


def _configured(call: Call, grants: tuple[Grant, ...] | None) -> BucketConfiguration:
    """Make the configuration of a new bucket: the store's own, and what the request asks for."""
    ownership = call.arguments.get("ObjectOwnership")
    configuration = msgspec.structs.replace(
        call.store.config.new_bucket, tags=_tags(call), grants=grants
    )
    if ownership is not None:
        configuration = msgspec.structs.replace(configuration, ownership=Ownership(ownership))
    if call.arguments.get("ObjectLockEnabledForBucket"):
        configuration = msgspec.structs.replace(
            configuration, object_lock=ObjectLockConfiguration(), versioning=Versioning.ENABLED
        )
    _check_acl(configuration, grants)
    return configuration


def _check_acl(configuration: BucketConfiguration, grants: tuple[Grant, ...] | None) -> None:
    """Refuse an ACL that a bucket so configured would not take: API_CreateBucket."""
    if grants is not None and configuration.ownership is Ownership.BUCKET_OWNER_ENFORCED:
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    block = configuration.public_access_block
    if block is not None and block.block_public_acls and is_public(grants):
        raise S3Error("InvalidBucketAclWithBlockPublicAccessError")


async def _create_again(
    call: Call, name: str, grants: tuple[Grant, ...] | None, refusal: S3Error
) -> None:
    """Create a bucket that the caller has: in the classic region its ACL is reset, no more.

    API_CreateBucket, BucketAlreadyOwnedByYou. One who names tags is refused, as recorded from S3:
    LocalStack, tests/aws/services/s3/test_s3_api.py, test_create_bucket_with_tags_us_east_1; and so
    is one who wants Object Lock, which the bucket might not have.
    """
    await call.store.refresh()
    bucket = call.store.snapshots.registry.find(name)
    if bucket is None:  # it was made a moment ago, and the generation has not moved yet
        bucket = await call.store.on_sql(call.store.control.find_bucket, name)
    if bucket is None or bucket.owner_canonical_id != call.caller_id:  # no longer
        raise refusal
    if bucket.region != CLASSIC_REGION:
        raise refusal
    _check_acl(bucket.configuration, grants)
    if bucket.grants != grants:
        authorise(call, "s3:PutBucketAcl", bucket)
        await call.store.configure(bucket, grants=grants)


def _check_lock(call: Call) -> None:
    """Refuse what says neither that Object Lock shall be on, nor that it shall not."""
    value = call.request.header(LOCK_HEADER)
    if value is not None and value.lower() not in {"true", "false"}:
        raise S3Error("InvalidArgument", ArgumentName=LOCK_HEADER, ArgumentValue=value)


def _tags(call: Call) -> dict[str, str]:
    """Read the tags that the new bucket is to have."""
    document = call.arguments.get("CreateBucketConfiguration") or {}
    return read_tag_set(document.get("Tags", ()), NEW_BUCKET_TAGS)


def _check_location(call: Call) -> None:
    """Accept no constraint, or the store's own region."""
    configuration = call.arguments.get("CreateBucketConfiguration") or {}
    constraint = configuration.get("LocationConstraint")
    region = call.store.config.region
    if constraint and constraint != region:
        if region == CLASSIC_REGION:
            raise S3Error("InvalidLocationConstraint", LocationConstraint=constraint)
        raise S3Error(
            "IllegalLocationConstraintException",
            f"The {constraint} location constraint is incompatible for the region specific "
            "endpoint this request was sent to.",
        )
    if configuration.get("Bucket") or configuration.get("Location"):
        raise S3Error("NotImplemented", "Directory buckets are not implemented.")


async def head_bucket(call: Call) -> Answer:
    """Say that the bucket is there, and where."""
    name, region = call.bucket.name, call.bucket.region
    return Answer(
        {"BucketArn": bucket_arn(name), "BucketRegion": region, "AccessPointAlias": False}
    )


async def delete_bucket(call: Call) -> Answer:
    """Delete an empty bucket."""
    await call.store.on_sql(call.store.control.delete_bucket, call.bucket)
    return Answer()


async def get_bucket_location(call: Call) -> Answer:
    """Answer the bucket's region; the classic region is an empty element, as in AWS."""
    region = call.bucket.region
    return Answer({"LocationConstraint": "" if region == CLASSIC_REGION else region})
