"""CreateBucket, HeadBucket, DeleteBucket and GetBucketLocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from buckets.configuration import AS_NEW
from buckets.naming import bucket_arn
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.access import existing_bucket
from s3api.operations.attributes import OWNER_ACLS
from s3api.operations.tags import NEW_BUCKET_TAGS, read_tag_set

if TYPE_CHECKING:
    from buckets.configuration import BucketConfiguration
    from s3api.context import Call

CLASSIC_REGION = "us-east-1"


async def create_bucket(call: Call) -> Answer:
    """Make a bucket that belongs to the caller."""
    name = call.target.bucket
    assert name is not None, "routed by a bucket's name"
    _refuse_unkept(call)
    _check_location(call)
    configuration = msgspec.structs.replace(AS_NEW, tags=_tags(call))
    try:
        await call.store.on_sql(
            call.store.control.create_bucket,
            name,
            call.caller_id,
            call.store.config.region,
            configuration,
        )
    except S3Error as error:
        if error.code != "BucketAlreadyOwnedByYou" or call.store.config.region != CLASSIC_REGION:
            raise
        await _reset_acl(call, configuration)
    return Answer({"Location": f"/{name}", "BucketArn": bucket_arn(name)})


async def _reset_acl(call: Call, configuration: BucketConfiguration) -> None:
    """Make one's own bucket again: in the classic region that succeeds, and resets the ACL.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html (BucketAlreadyOwnedByYou)
    """
    assert call.target.bucket is not None, "routed by a bucket's name"
    await call.store.refresh()  # another worker may have made it a moment ago
    bucket = existing_bucket(call, call.target.bucket)
    await call.store.configure(bucket, grants=configuration.grants)


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


def _refuse_unkept(call: Call) -> None:
    """Refuse what would be promised and not kept."""
    arguments = call.arguments
    if arguments.get("ObjectLockEnabledForBucket"):
        raise S3Error("NotImplemented", "Object Lock is not implemented.")
    if arguments.get("ObjectOwnership") not in {None, "BucketOwnerEnforced"}:
        raise S3Error("NotImplemented", "Only BucketOwnerEnforced ownership is implemented.")
    grants = any(name.startswith("Grant") for name in arguments)
    if grants or arguments.get("ACL") not in {None, *OWNER_ACLS}:
        raise S3Error("InvalidBucketAclWithObjectOwnership")


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
